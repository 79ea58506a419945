//! From the model to metadata and endpoints; no decisions are left here.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::LitStr;
use syn::spanned::Spanned;

use super::cache;
use super::parse::{Args, Passing, Route, Rule};
use super::validate::byte_size;
use crate::module::stages::{stage_deps, stages};
use crate::support::{in_binary, rt, rt_at};

pub(super) fn emit(
    args: &Args,
    item: &syn::ItemImpl,
    routes: &[Route],
    meant: &[(syn::Ident, usize)],
) -> TokenStream {
    if !item.generics.params.is_empty() || item.trait_.is_some() {
        return quote!(#item);
    }
    let rt = rt();
    let controller = &item.self_ty;
    // What the controller's stages need is said once, so that it is reported once: by a
    // route that is always there, or by each.
    let first = routes.iter().position(|route| route.cfgs.is_empty());
    let facts = routes.iter().enumerate().map(|(index, route)| {
        let (cfgs, name) = (&route.cfgs, fact_name(index));
        let has_stages = first.is_none_or(|first| first == index);
        let fact = fact(args, controller, index, route, has_stages, None);
        quote!(#(#cfgs)* const #name: #rt::RouteFact = #fact;)
    });
    let fact_names = routes.iter().enumerate().map(|(index, route)| {
        let (cfgs, name) = (&route.cfgs, fact_name(index));
        quote!(#(#cfgs)* #name)
    });
    let mounts =
        routes.iter().enumerate().map(|(index, route)| http_route(args, controller, index, route));
    let types = routes.iter().enumerate().map(|(index, route)| {
        let names = argument_types(index, route);
        let types = route.arguments.iter().map(|argument| &argument.ty);
        let cfgs = &route.cfgs;
        let types = names.zip(types).map(|(name, ty)| quote!(#(#cfgs)* type #name = #ty;));
        quote!(#(#types)*)
    });
    let urls = routes.iter().map(|route| url(args, route));
    // Who links to a route that has a fault need not hear of that as well.
    let is_whole = |handler: &syn::Ident| routes.iter().any(|route| route.handler == *handler);
    let faulty = meant.iter().filter(|(handler, _)| !is_whole(handler)).map(|(handler, count)| {
        let name = format_ident!("{handler}_url");
        let types = (0..*count).map(|_| quote!(_: &(impl ?::core::marker::Sized)));
        quote! {
            pub(crate) fn #name(#(#types),*) -> ::std::string::String {
                ::std::string::String::new()
            }
        }
    });
    let stage_list = stages(&args.common.stages);
    let asks = asks(routes);
    let unasked_rules = unasked_rules(routes);
    let listed = listed(controller, args.elsewhere, &CONTROLLER);
    let cacheable = cache::assertions(routes);
    quote! {
        #item
        #asks
        #unasked_rules
        #listed
        const _: () = {
            #(#types)*
            #cacheable
            #(#facts)*
            fn transport() -> ::std::boxed::Box<dyn ::core::any::Any> {
                ::std::boxed::Box::new(#rt::ControllerHttp::new(
                    #stage_list,
                    ::std::vec::Vec::from([#(#mounts),*]),
                ))
            }
            #[automatically_derived]
            impl #rt::Controller for #controller {
                const CONTROLLER: &'static #rt::ControllerMeta = &#rt::ControllerMeta {
                    provider: <#controller as #rt::Provide>::PROVIDER,
                    routes: &[#(#fact_names),*],
                    transport,
                };
            }
        };
        #[automatically_derived]
        #[allow(dead_code, reason = "not every route is linked to")]
        impl #controller {
            #(#urls)*
            #(#faulty)*
        }
    }
}

/// What a controller and a gateway are called in messages.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) section: &'static str,
    pub(crate) effect: &'static str,
}

const CONTROLLER: Kind =
    Kind { name: "controller", section: "controllers", effect: "has no routes" };

/// A constant that modules use where they list the controller (see `module::expand`).
/// The compiler says so where nobody does: it would have no routes. One for other crates
/// is theirs to use, so that the compiler says it only if they cannot reach it.
pub(crate) fn listed(controller: &syn::Type, elsewhere: bool, kind: &Kind) -> TokenStream {
    let span = controller.span();
    let Kind { name, section, effect } = kind;
    let reason = if elsewhere {
        format!(
            "no module lists this {name}, and no other crate can reach it, so that it {effect}: make the struct `pub` all the way up in a library, or take `elsewhere` away and add it to `{section}(..)` of a module"
        )
    } else {
        format!(
            "no module lists this {name}, so it {effect}: add it to `{section}(..)` of a module (`providers(..)` would not do), or write `#[{name}(\"..\", elsewhere)]` if only other crates list it"
        )
    };
    let vis = match elsewhere && !in_binary() {
        true => quote_spanned!(span=> pub),
        false => quote_spanned!(span=> pub(crate)),
    };
    // As if the user had written it: of what macros write, the compiler says no such thing.
    let constant =
        quote_spanned!(span=> #vis const ONE_CONTROLLER_BLOCK_LISTED_IN_A_MODULE: () = (););
    quote! {
        impl #controller {
            #[doc(hidden)]
            #[deny(dead_code, reason = #reason)]
            #constant
        }
    }
}

/// What arguments and access rules ask of the types in them, each by itself; see
/// `arcly_http_web::argument::asks`.
pub(crate) fn asks(routes: &[Route]) -> TokenStream {
    let asks: Vec<_> = routes.iter().flat_map(asks_of).collect();
    if asks.is_empty() {
        return TokenStream::new();
    }
    quote! {
        const _: () = {
            #[allow(dead_code, reason = "its fields have to be well-formed, and no more")]
            struct Asks(#(#asks),*);
        };
    }
}

fn asks_of(route: &Route) -> Vec<TokenStream> {
    let mut asks = vec![];
    for (rule, _) in &route.rules {
        let Rule::Can(action) = rule else { continue };
        let mut set = action.path.clone();
        set.segments.pop();
        set.segments.pop_punct();
        let rt = rt_at(action.span());
        asks.push(quote_spanned!(action.span()=> #rt::asks::Action<#set>));
    }
    for argument in &route.arguments {
        let Some((mut kind, mut inner)) = wrapped(&argument.ty) else { continue };
        if kind == "Option" {
            let Some(optional) = wrapped(inner) else { continue };
            (kind, inner) = optional;
        }
        let mut is_checked = false;
        if kind == "Valid" {
            let Some(valid) = wrapped(inner) else {
                let rt = rt_at(inner.span());
                asks.push(quote_spanned!(inner.span()=> #rt::asks::Wrapped<#inner>));
                continue;
            };
            (kind, inner) = valid;
            is_checked = true;
        }
        let ask = match kind.to_string().as_str() {
            "Json" | "Form" | "Query" => quote!(Read),
            "Path" if !is_checked => quote!(Segment),
            "Header" | "Cookie" if !is_checked => quote!(Text),
            _ => continue,
        };
        let rt = rt_at(inner.span());
        asks.push(quote_spanned!(inner.span()=> #rt::asks::#ask<#inner>));
        if is_checked {
            asks.push(quote_spanned!(inner.span()=> #rt::asks::Checked<#inner>));
        }
    }
    if let Some(sent) = sent_as_json(&route.reply) {
        let rt = rt_at(sent.span());
        asks.push(quote_spanned!(sent.span()=> #rt::asks::Sent<#sent>));
    }
    let cfgs = &route.cfgs;
    asks.into_iter().map(|ask| quote!(#(#cfgs)* #ask)).collect()
}

/// Rules that nobody asks for: an input type with rules is taken without `Valid`.
pub(crate) fn unasked_rules(routes: &[Route]) -> TokenStream {
    let mut checks = vec![];
    for route in routes {
        for argument in &route.arguments {
            let Some((mut kind, mut inner)) = wrapped(&argument.ty) else { continue };
            if kind == "Option" {
                let Some(optional) = wrapped(inner) else { continue };
                (kind, inner) = optional;
            }
            let kind = kind.to_string();
            if !matches!(kind.as_str(), "Json" | "Form" | "Query") {
                continue;
            }
            let ty = inner.to_token_stream().to_string().replace(' ', "");
            let fault = format!(
                "`{ty}` has rules (`garde::Validate`), which `{kind}<{ty}>` does not check: write `Valid<{kind}<{ty}>>`"
            );
            let (cfgs, rt) = (&route.cfgs, rt_at(inner.span()));
            checks.push(quote_spanned! {inner.span()=>
                #(#cfgs)*
                const _: () = {
                    #[allow(unused_imports, reason = "used where the type has no rules")]
                    use #rt::asks::NoRules as _;
                    ::core::assert!(!#rt::asks::Probe::<#inner>::HAS_RULES, #fault);
                };
            });
        }
    }
    quote!(#(#checks)*)
}

/// What a reply sends as JSON: the `T` of `Json<T>`, `Result<Created<Json<T>>, E>`.
fn sent_as_json(reply: &syn::Type) -> Option<&syn::Type> {
    let (kind, inner) = first_of(reply)?;
    if kind == "Json" { Some(inner) } else { sent_as_json(inner) }
}

/// `Kind<T>` as `(Kind, T)`.
fn wrapped(ty: &syn::Type) -> Option<(&syn::Ident, &syn::Type)> {
    let syn::Type::Path(path) = ty else { return None };
    match &path.path.segments.last()?.arguments {
        syn::PathArguments::AngleBracketed(arguments) if arguments.args.len() == 1 => first_of(ty),
        _ => None,
    }
}

/// `Kind<T, ..>` as `(Kind, T)`.
pub(super) fn first_of(ty: &syn::Type) -> Option<(&syn::Ident, &syn::Type)> {
    let syn::Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        syn::GenericArgument::Type(inner) => Some((&last.ident, inner)),
        _ => None,
    }
}

fn full_path(args: &Args, route: &Route) -> String {
    let prefix = args.prefix.as_ref().map(LitStr::value).unwrap_or_default();
    let prefix = prefix.trim_end_matches('/');
    let path = route.args.path.value();
    match (prefix.is_empty(), path.as_str()) {
        (false, "/") => prefix.to_owned(),
        _ => format!("{prefix}{path}"),
    }
}

fn text(value: Option<&LitStr>) -> String {
    value.map(LitStr::value).unwrap_or_default()
}

pub(crate) fn fact_name(index: usize) -> syn::Ident {
    format_ident!("ROUTE_{index}")
}

pub(crate) fn fact(
    args: &Args,
    controller: &syn::Type,
    index: usize,
    route: &Route,
    has_stages: bool,
    more_needs: Option<TokenStream>,
) -> TokenStream {
    let rt = rt();
    let method = &route.method;
    let path = full_path(args, route);
    let host = match &args.host {
        Some(host) => {
            let host = host.value().to_lowercase();
            quote!(#rt::Host::Name(#host))
        }
        None => quote!(#rt::Host::Any),
    };
    let version = text(route.args.common.version.as_ref().or(args.common.version.as_ref()));
    let handler = route.handler.to_string();
    let operation_id = match &route.args.operation_id {
        Some(id) => id.value(),
        None => operation_id(controller, &handler, &version),
    };
    let handler_span = route.handler.span();
    let line = quote_spanned!(handler_span=> line!());
    let access = match &route.rules[0].0 {
        Rule::Public => quote!(#rt::Access::Public),
        Rule::Authenticated => quote!(#rt::Access::Authenticated),
        Rule::Can(action) => {
            quote_spanned!(action.span()=> #rt::Access::Can((#action).__arcly_action()))
        }
    };
    let path_args = route.arguments.iter().flat_map(|argument| &argument.reads);
    let needs = route.arguments.iter().zip(argument_types(index, route)).map(|(argument, ty)| {
        let name = &argument.own_name;
        quote_spanned! {ty.span()=>
            #rt::Needs {
                of: #rt::Needer::Handler { argument: #name, line: line!() },
                deps: <#ty as #rt::Argument>::NEEDS,
            }
        }
    });
    let rule = match &route.rules[0].0 {
        Rule::Public => None,
        Rule::Authenticated | Rule::Can(_) => Some(quote!(#rt::AUTHENTICATED_NEEDS,)),
    };
    let stages = has_stages.then_some(&args.common.stages);
    let stages = stages.into_iter().chain([&route.args.common.stages]).flat_map(stage_deps);
    let stages = stages.map(|deps| quote!(#rt::Needs { of: #rt::Needer::Stage, deps: #deps }));
    quote! {
        #rt::RouteFact {
            method: #method,
            path: #path,
            host: #host,
            version: #version,
            operation_id: #operation_id,
            handler: #handler,
            place: #rt::Place { file: file!(), line: #line },
            access: #access,
            path_args: &[#(#path_args),*],
            needs: &[#rule #more_needs #(#needs,)* #(#stages,)*],
        }
    }
}

/// `ArticleController::create` becomes `articleCreate`.
fn operation_id(controller: &syn::Type, handler: &str, version: &str) -> String {
    let name = match controller {
        syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    };
    let name = name.unwrap_or_default();
    let name = name.strip_suffix("Controller").unwrap_or(&name);
    let mut letters = name.chars();
    let head = letters.next().map_or_else(String::new, |first| first.to_lowercase().collect());
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    let handler: String = handler.trim_start_matches("r#").split('_').map(capitalised).collect();
    let version = version.replace('.', "_");
    let version = if version.is_empty() { version } else { format!("V{version}") };
    format!("{head}{}{handler}{version}", letters.as_str())
}

pub(crate) fn http_route(
    args: &Args,
    controller: &syn::Type,
    index: usize,
    route: &Route,
) -> TokenStream {
    let rt = rt();
    let endpoint = endpoint(controller, index, route);
    let describe = describe_arguments(index, route);
    let (summary, description) = (&route.summary, &route.description);
    let tags =
        if route.args.common.tags.is_empty() { &args.common.tags } else { &route.args.common.tags };
    let deprecated =
        text(route.args.common.deprecated.as_ref().or(args.common.deprecated.as_ref()));
    let sunset = text(route.args.common.sunset.as_ref().or(args.common.sunset.as_ref()));
    let limit = route.args.common.body_limit.as_ref().or(args.common.body_limit.as_ref());
    let limit = match limit.and_then(byte_size) {
        Some(bytes) => quote!(::core::option::Option::Some(#bytes)),
        None => quote!(::core::option::Option::None),
    };
    let stage_list = stages(&route.args.common.stages);
    let cache = route.args.cache.as_ref().map(cache::call);
    let reply = &route.reply;
    let describe_reply = reply_call(reply, "describe", quote!(operation));
    let (cfgs, fact_name) = (&route.cfgs, fact_name(index));
    quote! {
        #(#cfgs)* #rt::HttpRoute {
            fact: {
                static FACT: #rt::RouteFact = #fact_name;
                &FACT
            },
            summary: #summary,
            description: #description,
            tags: &[#(#tags),*],
            deprecated: #deprecated,
            sunset: #sunset,
            body_limit: #limit,
            stages: #stage_list #cache,
            describe: |operation: &mut #rt::Operation| {
                #(#describe)*
                #describe_reply;
            },
            mount: |binder: &#rt::Binder<'_>| { #endpoint },
        }
    }
}

/// What the arguments say in the document.
pub(crate) fn describe_arguments(index: usize, route: &Route) -> Vec<TokenStream> {
    let rt = rt();
    let describe = route.arguments.iter().zip(argument_types(index, route));
    let describe = describe.map(|(argument, ty)| {
        let (name, operation) = (&argument.name, format_ident!("operation"));
        quote_spanned!(ty.span()=> <#ty as #rt::Argument>::describe(#name, #operation);)
    });
    describe.collect()
}

/// The `E` of `Result<T, E>`.
pub(crate) fn error_of(reply: &syn::Type) -> Option<&syn::Type> {
    let syn::Type::Path(path) = reply else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.iter().nth(1)? {
        syn::GenericArgument::Type(error) => Some(error),
        _ => None,
    }
}

pub(crate) fn endpoint(controller: &syn::Type, index: usize, route: &Route) -> TokenStream {
    let rt = rt();
    let handler = &route.handler;
    let names: Vec<_> = (0..route.arguments.len()).map(|index| format_ident!("a{index}")).collect();
    let bounds: Vec<_> =
        (0..route.arguments.len()).map(|index| format_ident!("b{index}")).collect();
    let types: Vec<_> = argument_types(index, route).collect();
    let labels: Vec<_> = route.arguments.iter().map(|argument| &argument.name).collect();
    // Locals are named from here: where a type comes from a `macro_rules!`, the
    // span of the type cannot see them.
    let (binder, context) = (format_ident!("binder"), format_ident!("context"));
    let bind = types.iter().zip(&labels).map(
        |(ty, label)| quote_spanned!(ty.span()=> <#ty as #rt::Argument>::bind(#label, #binder)?),
    );
    let extract = types.iter().zip(&names).zip(&bounds).zip(&route.arguments).map(|(((ty, name), bound), argument)| {
        let rt = rt_at(ty.span());
        let muts = (argument.passing == Passing::Mutable).then(|| quote!(mut));
        quote_spanned! {ty.span()=>
            let #muts #name = match <#ty as #rt::Argument>::extract(#bound, #context).await {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(problem) => return ::core::result::Result::Err(problem),
            };
        }
    });
    let passed: Vec<_> = route
        .arguments
        .iter()
        .zip(&names)
        .map(|(argument, name)| match argument.passing {
            Passing::Value => quote!(#name),
            Passing::Shared => quote!(&#name),
            Passing::Mutable => quote!(&mut #name),
        })
        .collect();
    let wait = route.is_async.then(|| quote!(.await));
    let immediate = if route.never_waits {
        let parts = types.iter().zip(&bounds).map(|(ty, bound)| {
            quote_spanned!(ty.span()=> && <#ty as #rt::Argument>::is_immediate(#bound))
        });
        quote!(|(#(#bounds,)*)| true #(#parts)*)
    } else {
        quote!(|_| false)
    };
    let this = format_ident!("this");
    let answer =
        quote_spanned!(handler.span()=> <#controller>::#handler(#this, #(#passed),*) #wait);
    let reply = reply_call(&route.reply, "reply", quote!(#answer, &context.head));
    // What the arguments bind is left to inference: a type that named it would
    // repeat the message about a wrong argument away from the argument.
    quote! {
        ::core::result::Result::Ok(#rt::endpoint_of(
            binder.controller::<#controller>()?,
            (#(#bind,)*),
            #immediate,
            |this, (#(#bounds,)*), is_immediate, context| {
                let work = async move {
                    #(#extract)*
                    #reply
                };
                if is_immediate {
                    #rt::Called::now(work)
                } else {
                    #rt::Called::later(work)
                }
            },
        ))
    }
}

/// The names under which the rest of the expansion knows the types of arguments:
/// each is one token, which stands where the user's type stands. What is wrong
/// with a type is then wrong at one place only, and so it is reported once.
pub(crate) fn argument_types(index: usize, route: &Route) -> impl Iterator<Item = syn::Ident> {
    route.arguments.iter().enumerate().map(move |(number, argument)| {
        let span = match &argument.ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.span()),
            _ => None,
        };
        let span = span.unwrap_or_else(|| argument.ty.span());
        format_ident!("Route{index}Argument{number}", span = span)
    })
}

/// `<reply as Reply>::function(..)`, which for the compiler stands where the type
/// stands, from its first token to its last; see [`argument_types`].
fn reply_call(reply: &syn::Type, function: &str, arguments: TokenStream) -> TokenStream {
    let rt = rt();
    let function = format_ident!("{function}");
    let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
    arguments.set_span(end_of(reply));
    quote_spanned!(reply.span()=> <#reply as #rt::Reply>::#function #arguments)
}

/// Where the last token of a type stands; spans cannot be joined here.
fn end_of(ty: &syn::Type) -> Span {
    match ty.to_token_stream().into_iter().last() {
        Some(TokenTree::Group(group)) => group.span_close(),
        Some(other) => other.span(),
        None => ty.span(),
    }
}

fn url_function(route: &Route) -> syn::Ident {
    format_ident!("{}_url", route.handler)
}

/// A function that builds the URL of a route from typed parameters.
fn url(args: &Args, route: &Route) -> TokenStream {
    let rt = rt();
    let name = url_function(route);
    let path = full_path(args, route);
    let doc = format!(
        "The path of `{}`: `{path}`, parameters percent-encoded, module prefix excluded.",
        route.handler
    );
    let read: Vec<_> =
        route.arguments.iter().filter(|argument| argument.reads.len() == 1).collect();
    if route.arguments.iter().any(|argument| argument.reads.len() > 1) {
        return TokenStream::new();
    }
    let names: Vec<_> =
        read.iter().map(|argument| format_ident!("{}", argument.reads[0])).collect();
    let labels = read.iter().map(|argument| &argument.reads[0]);
    let types = read.iter().map(|argument| {
        let ty = &argument.ty;
        let rt = rt_at(ty.span());
        quote_spanned!(ty.span()=> &<#ty as #rt::PathArgument>::Value)
    });
    let (cfgs, vis) = (&route.cfgs, quote!(pub(crate)));
    quote! {
        #(#cfgs)*
        #[doc = #doc]
        #[must_use]
        #vis fn #name(#(#names: #types),*) -> ::std::string::String {
            #rt::build_url(#path, &[#((#labels, #rt::PathValue::to_segment(#names))),*])
        }
    }
}
