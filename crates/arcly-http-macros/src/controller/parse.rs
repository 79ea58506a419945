//! From attributes to a model of the controller.

use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{FnArg, ImplItem, ItemImpl, LitStr, Pat, Token, Type};

use super::cache::{self, Cache};
use super::foreign::{self, Place};
use crate::module::gated::{Given, comma, list};
use crate::module::stages::{NAMES, Stages};
use crate::support::{Errors, docs};

/// `#[controller("/prefix", key = value, ..)]`.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) prefix: Option<LitStr>,
    pub(crate) common: Common,
    pub(crate) host: Option<LitStr>,
    /// No module of this crate has to list it.
    pub(crate) elsewhere: bool,
}

/// Settings that a controller and a route share.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) tags: Vec<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) sunset: Option<LitStr>,
    pub(crate) body_limit: Option<LitStr>,
    pub(crate) stages: Stages,
}

impl Common {
    /// Takes one setting, if it is one of these.
    fn take(&mut self, name: &str, input: ParseStream<'_>) -> syn::Result<bool> {
        match name {
            "tags" => self.tags = list(input)?,
            "version" => self.version = Some(text(input, r#"version = "1""#)?),
            "deprecated" => {
                self.deprecated = Some(text(input, r#"deprecated = "2027-01-31T00:00:00Z""#)?)
            }
            "sunset" => self.sunset = Some(text(input, r#"sunset = "2027-01-31T00:00:00Z""#)?),
            "body_limit" => self.body_limit = Some(text(input, r#"body_limit = "64KiB""#)?),
            other => return self.stages.take(other, input),
        }
        Ok(true)
    }
}

/// `= ".."`; `look` is an example.
fn text(input: ParseStream<'_>, look: &str) -> syn::Result<LitStr> {
    let fault = |error: syn::Error| syn::Error::new(error.span(), format!("write `{look}`"));
    input.parse::<Token![=]>().map_err(fault)?;
    input.parse().map_err(fault)
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut args = Self::default();
        if input.peek(LitStr) {
            args.prefix = Some(input.parse()?);
            comma(input)?;
        }
        let mut given = Given::default();
        while !input.is_empty() {
            let name: syn::Ident = input.parse()?;
            given.once(&name)?;
            let setting = name.to_string();
            if matches!(setting.as_str(), "public" | "authenticated" | "can") {
                return Err(syn::Error::new(
                    name.span(),
                    "access is decided per operation: put the rule on each method",
                ));
            }
            if setting == "cache" {
                return Err(syn::Error::new(
                    name.span(),
                    "each operation says for itself what its answer depends on: put `cache(..)` into `#[get(..)]`",
                ));
            }
            if setting == "host" {
                args.host = Some(text(input, r#"host = "api.example.com""#)?);
            } else if setting == "elsewhere" {
                args.elsewhere = true;
            } else if !args.common.take(&setting, input)? {
                return Err(syn::Error::new(
                    name.span(),
                    format!(
                        "unknown setting `{setting}`\n       expected one of: tags, host, elsewhere, version, deprecated, sunset, body_limit, {NAMES}"
                    ),
                ));
            }
            comma(input)?;
        }
        Ok(args)
    }
}

/// `#[get("/path", key = value, ..)]`.
pub(crate) struct RouteArgs {
    pub(crate) path: LitStr,
    pub(crate) operation_id: Option<LitStr>,
    pub(crate) cache: Option<Cache>,
    pub(crate) common: Common,
}

impl Parse for RouteArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(LitStr) {
            return Err(input.error("a route begins with its path: `#[get(\"/{id}\")]`"));
        }
        let mut args = Self {
            path: input.parse()?,
            operation_id: None,
            cache: None,
            common: Common::default(),
        };
        comma(input)?;
        let mut given = Given::default();
        while !input.is_empty() {
            let name: syn::Ident = input.parse()?;
            given.once(&name)?;
            let setting = name.to_string();
            if setting == "operation_id" {
                args.operation_id = Some(text(input, r#"operation_id = "listUsers""#)?);
            } else if setting == "cache" {
                if args.cache.is_some() {
                    let text = "`cache` is given twice; one of them has no effect";
                    return Err(syn::Error::new(name.span(), text));
                }
                args.cache = Some(cache::parse(name.span(), input)?);
            } else if !args.common.take(&setting, input)? {
                return Err(syn::Error::new(
                    name.span(),
                    format!(
                        "unknown setting `{setting}`\n       expected one of: operation_id, cache, tags, version, deprecated, sunset, body_limit, {NAMES}"
                    ),
                ));
            }
            comma(input)?;
        }
        Ok(args)
    }
}

/// Who may call an operation.
pub(crate) enum Rule {
    Public,
    Authenticated,
    /// A variant: `Article::Publish`.
    Can(syn::ExprPath),
}

/// How an argument is passed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Passing {
    Value,
    Shared,
    Mutable,
}

pub(crate) struct Argument {
    /// As the client knows it.
    pub(crate) name: String,
    /// What `#[name(..)]` says.
    pub(crate) given_name: Option<LitStr>,
    /// As the source has it.
    pub(crate) own_name: String,
    pub(crate) span: proc_macro2::Span,
    pub(crate) ty: Type,
    pub(crate) passing: Passing,
    /// Path parameters that it reads.
    pub(crate) reads: Vec<String>,
}

pub(crate) struct Route {
    /// `#[cfg(..)]` of the method: what is written for the route is compiled when the
    /// method is.
    pub(crate) cfgs: Vec<syn::Attribute>,
    /// In upper case.
    pub(crate) method: String,
    pub(crate) args: RouteArgs,
    pub(crate) rules: Vec<(Rule, proc_macro2::Span)>,
    pub(crate) handler: syn::Ident,
    pub(crate) is_async: bool,
    /// Async in form, but the body never awaits.
    pub(crate) never_waits: bool,
    pub(crate) receiver: Option<syn::Receiver>,
    pub(crate) arguments: Vec<Argument>,
    /// What the method returns.
    pub(crate) reply: Type,
    pub(crate) summary: String,
    pub(crate) description: String,
}

const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];
const EXTRAS: [&str; 7] =
    ["public", "authenticated", "can", "guards", "interceptors", "filters", "layers"];

const ONE_ACTION: &str =
    "name one action, a variant of an enum that derives `Action`: `#[can(Article::Publish)]`";

const OTHER_METHOD: &str =
    "a route of another method begins with that and its path: `#[route(\"PROPFIND\", \"/{id}\")]`";

/// `#[route("METHOD", "/path", ..)]`: a method without an attribute of its own.
fn other_method(input: ParseStream<'_>) -> syn::Result<(String, RouteArgs)> {
    if !input.peek(LitStr) {
        return Err(input.error(OTHER_METHOD));
    }
    let literal: LitStr = input.parse()?;
    let method = literal.value();
    let own = method.to_lowercase();
    let fault = if METHODS.contains(&own.as_str()) {
        format!("`{method}` has an attribute of its own: write `#[{own}(\"/..\")]`")
    } else if method == "CONNECT" {
        "`CONNECT` asks a proxy for a tunnel and names no path; it cannot be routed".to_owned()
    } else if method.is_empty() || !method.bytes().all(is_token) {
        "a method is letters, digits and the signs of a token (RFC 9110, section 5.6.2): `PROPFIND`"
            .to_owned()
    } else if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
        format!(
            "methods are told apart by case and written in upper case: `{}`",
            method.to_uppercase()
        )
    } else {
        if input.is_empty() {
            return Err(syn::Error::new(literal.span(), OTHER_METHOD));
        }
        let _: Token![,] = input.parse()?;
        return Ok((method, input.parse()?));
    };
    // The rest is not looked at: one mistake, one message.
    input.parse::<proc_macro2::TokenStream>()?;
    Err(syn::Error::new(literal.span(), fault))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Takes what stands below `#[controller(..)]` and applies to all of its routes.
pub(crate) fn stages_below(args: &mut Args, item: &mut ItemImpl, errors: &mut Errors) {
    foreign::refuse(&mut item.attrs, Place::Block, errors);
    item.attrs.retain(|attr| {
        let Some(word) = attr.path().get_ident().map(ToString::to_string) else { return true };
        match word.as_str() {
            "public" | "authenticated" | "can" => {
                errors.at(attr, "access is decided per operation: put the rule on each method")
            }
            "guards" | "interceptors" | "filters" | "layers" => {
                let mut stages = Stages::default();
                match take_stages(attr, &word, &mut stages) {
                    Ok(()) => args.common.stages.append(stages),
                    Err(error) => errors.push(error),
                }
            }
            _ => return true,
        }
        false
    });
}

/// `#[guards(A, B)]` and its like.
fn take_stages(attr: &syn::Attribute, word: &str, stages: &mut Stages) -> syn::Result<()> {
    let tokens = attr.meta.require_list()?.tokens.clone();
    // Those of several attributes hold together.
    let mut own = Stages::default();
    let parser = |input: ParseStream<'_>| own.take(word, input).map(|_| ());
    syn::parse::Parser::parse2(parser, quote::quote!((#tokens)))?;
    stages.append(own);
    Ok(())
}

/// Methods that were meant as routes, and how many parameters their paths have.
pub(crate) fn meant_as_routes(item: &ItemImpl) -> Vec<(syn::Ident, usize)> {
    let is_route = |attr: &syn::Attribute| {
        attr.path().segments.last().is_some_and(|last| {
            let word = last.ident.to_string();
            METHODS.contains(&word.as_str()) || word == "route"
        })
    };
    let functions = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) if function.attrs.iter().any(is_route) => Some(&function.sig),
        _ => None,
    });
    functions
        .map(|sig| {
            let paths = sig
                .inputs
                .iter()
                .filter(|input| matches!(input, FnArg::Typed(argument) if is_path(&argument.ty)));
            (sig.ident.clone(), paths.count())
        })
        .collect()
}

/// Takes the routes out of the block: their attributes are removed from it.
pub(crate) fn routes(_args: &Args, item: &mut ItemImpl, errors: &mut Errors) -> Vec<Route> {
    let mut routes = vec![];
    for item in &mut item.items {
        if let ImplItem::Fn(function) = item {
            routes.extend(routes_of(function, errors));
        }
    }
    routes
}

/// Takes what only routes have off a method that is none; gives the first of it.
pub(crate) fn strip(function: &mut syn::ImplItemFn) -> Option<(String, proc_macro2::Span)> {
    let mut first = None;
    function.attrs.retain(|attr| {
        let Some(last) = attr.path().segments.last() else { return true };
        let word = last.ident.to_string();
        let is_ours =
            METHODS.contains(&word.as_str()) || EXTRAS.contains(&word.as_str()) || word == "route";
        if is_ours {
            first.get_or_insert((word, last.ident.span()));
        }
        !is_ours
    });
    first
}

/// The route of one method, if it is one.
pub(crate) fn routes_of(function: &mut syn::ImplItemFn, errors: &mut Errors) -> Vec<Route> {
    let mut found: Vec<(syn::Ident, String, RouteArgs)> = vec![];
    let mut rules = vec![];
    let mut stages = Stages::default();
    let mut strays = vec![];
    let before = errors.count();
    foreign::refuse(&mut function.attrs, Place::Method, errors);
    for argument in &mut function.sig.inputs {
        let (FnArg::Typed(syn::PatType { attrs, .. })
        | FnArg::Receiver(syn::Receiver { attrs, .. })) = argument;
        foreign::refuse(attrs, Place::Argument, errors);
    }
    let attrs = std::mem::take(&mut function.attrs);
    for attr in attrs {
        let word = attr.path().segments.last().map(|segment| segment.ident.clone());
        let Some(word) = word else { continue };
        let text = word.to_string();
        if METHODS.contains(&text.as_str()) {
            if matches!(attr.meta, syn::Meta::Path(_)) {
                errors.at(&attr, format!("a route begins with its path: `#[{text}(\"/\")]`"));
                continue;
            }
            match attr.parse_args::<RouteArgs>() {
                Ok(args) => found.push((word, text.to_uppercase(), args)),
                Err(error) => errors.push(error),
            }
        } else if text == "route" {
            let parser = |input: ParseStream<'_>| {
                if input.is_empty() {
                    return Err(syn::Error::new_spanned(&attr, OTHER_METHOD));
                }
                other_method(input)
            };
            let parsed = match &attr.meta {
                syn::Meta::List(list) => syn::parse::Parser::parse2(parser, list.tokens.clone()),
                other => Err(syn::Error::new_spanned(other, OTHER_METHOD)),
            };
            match parsed {
                Ok((method, args)) => found.push((word, method, args)),
                Err(error) => errors.push(error),
            }
        } else if EXTRAS.contains(&text.as_str()) {
            strays.push((text.clone(), attr.path().span()));
            match text.as_str() {
                "public" | "authenticated" if !matches!(attr.meta, syn::Meta::Path(_)) => {
                    errors.at(
                        &attr,
                        format!("`#[{text}]` stands by itself; roles and scopes are asked for by an action: `#[can(Article::Publish)]`"),
                    );
                }
                "public" => rules.push((Rule::Public, attr.path().span())),
                "authenticated" => rules.push((Rule::Authenticated, attr.path().span())),
                "can" => match attr.parse_args::<syn::Expr>() {
                    Ok(syn::Expr::Path(action)) if action.path.segments.len() > 1 => {
                        rules.push((Rule::Can(action), attr.path().span()));
                    }
                    Ok(other) => errors.at(other, ONE_ACTION),
                    Err(_) => errors.at(&attr, ONE_ACTION),
                },
                _ => {
                    if let Err(error) = take_stages(&attr, &text, &mut stages) {
                        errors.push(error);
                    }
                }
            }
        } else {
            if text == "cfg_attr" && names_one_of_ours(&attr) {
                errors.at(
                    &attr,
                    "write `#[cfg(..)]` on the method, and its route and access rule without a condition",
                );
            }
            function.attrs.push(attr);
        }
    }
    if found.is_empty() {
        if errors.count() == before {
            for (text, span) in strays {
                errors.on(span, format!("`#[{text}]` has no effect: `{}` is not a route; add `#[get(\"/..\")]` or another method", function.sig.ident));
            }
        }
        take_argument_attributes(function);
        return vec![];
    }
    if let [_, (second, ..), ..] = found.as_slice() {
        errors.at(second, "one method, one route: write a second method that calls the first");
        take_argument_attributes(function);
        return vec![];
    }
    let (summary, description) = docs(&function.attrs);
    let renamed = take_argument_attributes(function);
    if errors.count() > before {
        return vec![];
    }
    let (receiver, arguments) = arguments(function, renamed, errors);
    if errors.count() > before {
        return vec![];
    }
    if let Some(generic) = function.sig.generics.type_params().next() {
        errors.at(generic, "a handler has no type parameters: who would say what they are?");
        return vec![];
    }
    let Some((_, method, mut args)) = found.pop() else { return vec![] };
    args.common.stages.append(stages);
    let is_cfg = |attr: &&syn::Attribute| attr.path().is_ident("cfg");
    vec![Route {
        cfgs: function.attrs.iter().filter(is_cfg).cloned().collect(),
        method,
        args,
        rules,
        handler: function.sig.ident.clone(),
        is_async: function.sig.asyncness.is_some(),
        never_waits: !waits(&function.block.to_token_stream()),
        receiver,
        arguments,
        reply: match &function.sig.output {
            syn::ReturnType::Default => syn::parse_quote!(()),
            syn::ReturnType::Type(_, ty) => (**ty).clone(),
        },
        summary,
        description,
    }]
}

/// Whether a `cfg_attr` hides a route or an access rule from this macro.
fn names_one_of_ours(attr: &syn::Attribute) -> bool {
    let tokens = attr.meta.to_token_stream().into_iter();
    let groups = tokens.filter_map(|token| match token {
        proc_macro2::TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    });
    groups.flatten().any(|token| match token {
        proc_macro2::TokenTree::Ident(word) => {
            let word = word.to_string();
            METHODS.contains(&word.as_str()) || EXTRAS.contains(&word.as_str()) || word == "route"
        }
        _ => false,
    })
}

/// `#[name("x-tenant")]` and `#[reads("id")]` on arguments, per argument.
struct Renamed {
    name: Option<LitStr>,
    reads: Vec<LitStr>,
    error: Option<syn::Error>,
}

fn take_argument_attributes(function: &mut syn::ImplItemFn) -> Vec<Renamed> {
    let mut all = vec![];
    for argument in &mut function.sig.inputs {
        let mut renamed = Renamed { name: None, reads: vec![], error: None };
        if let FnArg::Typed(argument) = argument {
            argument.attrs.retain(|attr| {
                let result = if attr.path().is_ident("name") {
                    attr.parse_args::<LitStr>().map(|name| renamed.name = Some(name))
                } else if attr.path().is_ident("reads") {
                    attr.parse_args_with(
                        syn::punctuated::Punctuated::<LitStr, Token![,]>::parse_terminated,
                    )
                    .map(|names| renamed.reads.extend(names))
                } else {
                    return true;
                };
                renamed.error = result.err().or(renamed.error.take());
                false
            });
        }
        all.push(renamed);
    }
    all
}

fn arguments(
    function: &syn::ImplItemFn,
    renamed: Vec<Renamed>,
    errors: &mut Errors,
) -> (Option<syn::Receiver>, Vec<Argument>) {
    let mut receiver = None;
    let mut arguments = vec![];
    for (argument, renamed) in function.sig.inputs.iter().zip(renamed) {
        if let Some(error) = renamed.error {
            errors.push(error);
        }
        let argument = match argument {
            FnArg::Receiver(found) => {
                receiver = Some(found.clone());
                continue;
            }
            FnArg::Typed(argument) => argument,
        };
        let Some(ident) = pattern_name(&argument.pat) else {
            errors.at(
                &argument.pat,
                "give the argument one name: `id: Path<u64>` or `Path(id): Path<u64>`; the name says which parameter it reads",
            );
            continue;
        };
        let mut whole = &*argument.ty;
        // What a `macro_rules!` passed on as `$type:ty` stands in a group.
        while let Type::Group(group) = whole {
            whole = &group.elem;
        }
        let (ty, passing) = match whole {
            Type::Reference(reference) if reference.mutability.is_some() => {
                ((*reference.elem).clone(), Passing::Mutable)
            }
            Type::Reference(reference) => ((*reference.elem).clone(), Passing::Shared),
            other => (other.clone(), Passing::Value),
        };
        let own = ident.to_string().trim_start_matches('_').to_owned();
        let name = renamed.name.as_ref().map_or(own, LitStr::value);
        let mut reads: Vec<String> = renamed.reads.iter().map(LitStr::value).collect();
        if is_path(&ty) {
            reads.push(name.clone());
        }
        arguments.push(Argument {
            name,
            given_name: renamed.name,
            own_name: ident.to_string(),
            span: ident.span(),
            ty,
            passing,
            reads,
        });
    }
    (receiver, arguments)
}

fn pattern_name(pattern: &Pat) -> Option<syn::Ident> {
    match pattern {
        Pat::Ident(pattern) => Some(pattern.ident.clone()),
        Pat::TupleStruct(pattern) if pattern.elems.len() == 1 => {
            pattern_name(pattern.elems.first()?)
        }
        _ => None,
    }
}

fn is_path(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Path"))
}

/// Whether a body contains `.await` or a macro that may hide one.
fn waits(body: &proc_macro2::TokenStream) -> bool {
    let mut tokens = body.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            proc_macro2::TokenTree::Ident(ident) if *ident == "await" => return true,
            proc_macro2::TokenTree::Punct(punct) if punct.as_char() == '!' => {
                if let Some(proc_macro2::TokenTree::Group(_)) = tokens.peek() {
                    return true;
                }
            }
            proc_macro2::TokenTree::Group(group) if waits(&group.stream()) => return true,
            _ => {}
        }
    }
    false
}
