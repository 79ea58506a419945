//! `cache("30s", ..)` of an operation: parse, validate, expand.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Ident, LitStr, Token, parenthesized};

use super::parse::{Args, Route, Rule};
use super::validate::{kind_of, parameters};
use crate::module::gated::list;
use crate::module::settings::millis;
use crate::support::{Errors, rt, rt_at};

pub(crate) struct Cache {
    /// Where the word stands.
    span: Span,
    ttl_millis: u64,
    /// A variant of `CachePer`.
    per: Option<Ident>,
    vary: Vec<LitStr>,
    tags: Vec<LitStr>,
    max_age_millis: Option<u64>,
}

const TTL: &str = "say how long an answer may be kept: a number with a unit, more than zero, as in `cache(\"30s\")` or `cache(\"5min\")`";
const PER: &str = "those who share an answer are `principal`, `roles` or `everyone`";
const PARTS: &str = "after the time may follow: per = principal, vary(\"accept-language\"), tags(\"articles\"), max_age = \"10s\"";

/// `("30s", per = roles, vary(".."), tags(".."), max_age = "..")`.
pub(super) fn parse(span: Span, input: ParseStream<'_>) -> syn::Result<Cache> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(span, TTL));
    }
    let content;
    parenthesized!(content in input);
    let ttl_millis = time(&content)?;
    let mut cache =
        Cache { span, ttl_millis, per: None, vary: vec![], tags: vec![], max_age_millis: None };
    while content.parse::<Option<Token![,]>>()?.is_some() && !content.is_empty() {
        let word: Ident = content.parse()?;
        let text = word.to_string();
        let is_given = match text.as_str() {
            "per" => cache.per.is_some(),
            "vary" => !cache.vary.is_empty(),
            "tags" => !cache.tags.is_empty(),
            "max_age" => cache.max_age_millis.is_some(),
            _ => return Err(syn::Error::new(word.span(), PARTS)),
        };
        if is_given {
            let text = format!("`{text}` is given twice; one of them has no effect");
            return Err(syn::Error::new(word.span(), text));
        }
        match text.as_str() {
            "vary" => cache.vary = list(&content)?,
            "tags" => cache.tags = list(&content)?,
            "per" => {
                let _: Token![=] = content.parse()?;
                let per: Ident = content.parse()?;
                let variant = match per.to_string().as_str() {
                    "principal" => "Principal",
                    "roles" => "Roles",
                    "everyone" => "Everyone",
                    _ => return Err(syn::Error::new(per.span(), PER)),
                };
                cache.per = Some(Ident::new(variant, per.span()));
            }
            _ => {
                let _: Token![=] = content.parse()?;
                cache.max_age_millis = Some(time(&content)?);
            }
        }
    }
    if content.is_empty() { Ok(cache) } else { Err(content.error(PARTS)) }
}

fn time(input: ParseStream<'_>) -> syn::Result<u64> {
    if !input.peek(LitStr) {
        return Err(input.error(TTL));
    }
    let text: LitStr = input.parse()?;
    millis(&text.value())
        .filter(|millis| *millis > 0)
        .ok_or_else(|| syn::Error::new(text.span(), TTL))
}

impl Cache {
    fn is_per(&self, variant: &str) -> bool {
        self.per.as_ref().is_some_and(|per| per == variant)
    }
}

/// What is seen to have no effect, or to give one caller another's answer.
pub(super) fn check(args: &Args, route: &Route, errors: &mut Errors) {
    let Some(cache) = &route.args.cache else { return };
    if route.method != "GET" {
        let method = &route.method;
        errors.on(cache.span, format!("`cache(..)` has no effect on {method}: only answers to GET are kept, and HEAD gets them as well"));
        return;
    }
    let is_public = matches!(route.rules.as_slice(), [(Rule::Public, _)]);
    if let Some(per) = cache.per.as_ref().filter(|per| *per == "Everyone" && !is_public) {
        errors.on(per.span(), "not everyone may call this, so not everyone gets the same: write `per = roles` when the answer depends on these alone, or leave it out".to_owned());
    }
    for name in &cache.vary {
        let text = name.value();
        let is_token = !text.is_empty()
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            });
        if !is_token {
            errors.at(
                name,
                "name headers of the request, in lower case: `vary(\"accept-language\")`",
            );
        }
    }
    check_tags(args, route, cache, errors);
    check_arguments(route, cache, errors);
}

fn check_tags(args: &Args, route: &Route, cache: &Cache, errors: &mut Errors) {
    let prefix = args.prefix.as_ref().map(LitStr::value).unwrap_or_default();
    let mut known = parameters(&route.args.path.value()).unwrap_or_default();
    known.extend(parameters(&prefix).unwrap_or_default());
    for tag in &cache.tags {
        let text = tag.value();
        let mut rest = text.as_str();
        while let Some((_, behind)) = rest.split_once('{') {
            let Some((name, behind)) = behind.split_once('}') else {
                errors.at(
                    tag,
                    "`{` begins the name of a parameter of the path, as in `\"article:{slug}\"`",
                );
                break;
            };
            if !known.iter().any(|parameter| parameter == name) {
                errors.at(tag, format!("the path has no parameter `{{{name}}}`"));
            }
            rest = behind;
        }
    }
}

fn check_arguments(route: &Route, cache: &Cache, errors: &mut Errors) {
    for argument in &route.arguments {
        let inner = match kind_of(&argument.ty).as_deref() {
            Some("Option") => optional(&argument.ty),
            _ => Some(&argument.ty),
        };
        let kind = inner.and_then(kind_of);
        let varies = |name: &str| cache.vary.iter().any(|known| known.value() == name);
        let fault = match kind.as_deref() {
            Some("Cookie") if !varies("cookie") => {
                "the answer depends on a cookie: add `vary(\"cookie\")`, or take `cache(..)` away".to_owned()
            }
            Some("Header") => {
                let name = argument.name.replace('_', "-").to_lowercase();
                if varies(&name) {
                    continue;
                }
                format!("the answer depends on the header `{name}`: add `vary(\"{name}\")`")
            }
            Some("Caller" | "Scope") if cache.is_per("Roles") || cache.is_per("Everyone") => {
                "the answer depends on who calls, and is given to others: leave `per = ..` out, or this argument".to_owned()
            }
            Some("ClientAddr") => {
                "the answer depends on the client's address, which others with the same answer do not have: take `cache(..)` away, or this argument".to_owned()
            }
            _ => continue,
        };
        errors.at(&argument.ty, fault);
    }
}

/// What is in an `Option`.
fn optional(ty: &syn::Type) -> Option<&syn::Type> {
    let syn::Type::Path(path) = ty else { return None };
    match &path.path.segments.last()?.arguments {
        syn::PathArguments::AngleBracketed(arguments) => match arguments.args.first()? {
            syn::GenericArgument::Type(inner) => Some(inner),
            _ => None,
        },
        _ => None,
    }
}

/// The call that sets it on the stages of the operation.
pub(super) fn call(cache: &Cache) -> TokenStream {
    let rt = rt();
    let Cache { span, ttl_millis, per, vary, tags, max_age_millis } = cache;
    let per = per.as_ref().map(|per| quote!(.per(#rt::CachePer::#per)));
    let vary = (!vary.is_empty()).then(|| quote!(.vary(&[#(#vary),*])));
    let tags = (!tags.is_empty()).then(|| quote!(.tags(&[#(#tags),*])));
    let max_age =
        max_age_millis.map(|millis| quote!(.max_age(::core::time::Duration::from_millis(#millis))));
    quote_spanned! {*span=>
        .cache(#rt::Cache::new(::core::time::Duration::from_millis(#ttl_millis)) #per #vary #tags #max_age)
    }
}

const NOT_KEPT: &str = "`cache(..)` has no effect on this reply: what is kept is a 200 whose body is there at once, and this is a stream or another status; take `cache(..)` away";

/// Fails to compile where the reply is none that can be kept.
pub(super) fn assertions(routes: &[Route]) -> TokenStream {
    let cached = routes.iter().filter(|route| route.args.cache.is_some());
    let assertions = cached.map(|route| {
        let reply = &route.reply;
        let span = reply.span();
        let rt = rt_at(span);
        let message = LitStr::new(NOT_KEPT, span);
        let cfgs = &route.cfgs;
        quote_spanned! {span=>
            #(#cfgs)* const _: () = ::core::assert!(<#reply as #rt::Reply>::CACHEABLE, #message);
        }
    });
    quote!(#(#assertions)*)
}
