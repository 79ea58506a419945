//! Faults that can be shown at a token.

use quote::ToTokens;
use syn::LitStr;

use super::expand::first_of;
use super::parse::{Args, Route, Rule};
use crate::support::Errors;

/// Names of the parameters of a path, or what is wrong with it.
pub(super) fn parameters(path: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = vec![];
    let segments: Vec<&str> = path.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let Some(inner) = segment.strip_prefix('{') else {
            if segment.contains(['{', '}', '*', '?', '#', ' ']) {
                let hint = if segment.starts_with(':') {
                    ""
                } else {
                    "; a parameter takes a whole segment: `/{name}`"
                };
                return Err(format!("`{segment}` is not a path segment{hint}"));
            }
            if let Some(name) = segment.strip_prefix(':') {
                return Err(format!("write `{{{name}}}` instead of `{segment}`"));
            }
            continue;
        };
        let Some(inner) = inner.strip_suffix('}') else {
            return Err(format!(
                "`{segment}` is not a path segment; a parameter takes a whole segment: `/{{name}}`"
            ));
        };
        let name = match inner.strip_prefix('*') {
            Some(rest) if index + 1 == segments.len() => rest,
            Some(_) => return Err(format!("the catch-all `{segment}` must come last")),
            None => inner,
        };
        if syn::parse_str::<syn::Ident>(name).is_err() {
            let better: String = match name.split_once(':') {
                Some((before, _)) => before.to_owned(),
                None => name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect(),
            };
            let hint = if syn::parse_str::<syn::Ident>(&better).is_ok() {
                format!("; write `{{{better}}}`, whose type the argument `{better}: Path<..>` says")
            } else {
                String::new()
            };
            return Err(format!("`{name}` is not the name of an argument{hint}"));
        }
        if names.iter().any(|known| known == name) {
            return Err(format!("parameter `{name}` appears twice"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

pub(crate) fn controller(args: &Args, item: &syn::ItemImpl, errors: &mut Errors) {
    if let Some((path, _)) = &item.trait_ {
        errors.at(path, "a controller is an inherent impl block, not the impl of a trait");
    }
    if !item.generics.params.is_empty() {
        errors
            .at(&item.generics, "a controller has no generics; inject what varies as `dyn Trait`");
    }
    if let Some(prefix) = &args.prefix {
        let text = prefix.value();
        if !text.starts_with('/') || (text.len() > 1 && text.ends_with('/')) {
            errors.at(prefix, "a prefix begins with `/` and does not end with it: `/articles`");
        } else if let Err(fault) = parameters(&text) {
            errors.at(prefix, fault);
        }
    }
    if let Some(host) = &args.host
        && (host.value().is_empty() || host.value().contains([':', '/', ' ']))
    {
        errors.at(host, "a host is a name without scheme and port: `api.example.com`");
    }
}

pub(crate) fn route(args: &Args, route: &Route, errors: &mut Errors) {
    check_access(route, errors);
    check_receiver(route, errors);
    check_path(args, route, errors);
    check_names(route, errors);
    check_arguments(route, errors);
    if let Some(version) = route.args.common.version.as_ref().filter(|text| text.value().is_empty())
    {
        errors
            .at(version, "a version has a name, as `\"1\"`; leave it out for a route without one");
    }
    super::cache::check(args, route, errors);
    for (date, what) in
        [(&route.args.common.deprecated, "deprecated"), (&route.args.common.sunset, "sunset")]
    {
        if let Some(date) = date.as_ref().filter(|date| !is_date(date)) {
            errors.at(date, format!("`{what}` is a moment in UTC: `\"2027-01-31T00:00:00Z\"`"));
        }
    }
    if let Some(limit) =
        route.args.common.body_limit.as_ref().filter(|limit| byte_size(limit).is_none())
    {
        errors.at(limit, "a size is a number with a unit: `\"64KiB\"`, `\"2MiB\"`, `\"512B\"`");
    }
}

/// A request has no socket.
pub(super) fn no_socket(route: &Route, errors: &mut Errors) {
    for argument in &route.arguments {
        if let Some(kind @ ("WsClient" | "WsMessage")) = kind_of(&argument.ty).as_deref() {
            errors.at(
                &argument.ty,
                format!("a request has no socket, so there is no `{kind}`: handlers of a `#[gateway]` take it; to push to sockets, inject `Inject<Hub>` into the struct"),
            );
        }
    }
}

/// A reply that is text or bytes.
fn no_json(reply: &syn::Type) -> Option<String> {
    const OTHERS: [&str; 6] = ["String", "Html", "Bytes", "Response", "Streamed", "EventStream"];
    match reply {
        syn::Type::Reference(_) => Some("&str".to_owned()),
        syn::Type::Path(path) => {
            let last = path.path.segments.last()?;
            let name = last.ident.to_string();
            if OTHERS.contains(&name.as_str()) {
                return Some(name);
            }
            let (kind, inner) = first_of(reply)?;
            if kind == "Result" || kind == "Option" { no_json(inner) } else { None }
        }
        _ => None,
    }
}

/// An event of a gateway: a route without a path of its own.
pub(crate) fn event(args: &Args, route: &Route, errors: &mut Errors) {
    check_access(route, errors);
    check_receiver(route, errors);
    check_names(route, errors);
    check_arguments(route, errors);
    if let Some(kind) = no_json(&route.reply) {
        errors.at(
            &route.reply,
            format!("an answer to a message is JSON: write `Json<..>` instead of `{kind}`, or `()` for none"),
        );
    }
    let prefix = args.prefix.as_ref().map(LitStr::value).unwrap_or_default();
    let names = parameters(&prefix).unwrap_or_default();
    for argument in &route.arguments {
        if let Some(name) = argument.reads.iter().find(|name| !names.contains(name)) {
            errors.on(
                argument.span,
                format!("the path of the gateway, `{prefix}`, has no parameter `{{{name}}}`; what a message carries is read by `Json<..>`"),
            );
        }
        if matches!(kind_of(&argument.ty).as_deref(), Some("Form" | "Multipart" | "RawBody")) {
            errors.at(&argument.ty, "the data of a message is JSON: take `Json<..>`");
        }
    }
}

/// Faults between the routes of one controller. A second id goes: the proof would
/// report it once more.
pub(super) fn together(routes: &mut [Route], errors: &mut Errors) {
    let mut known: Vec<String> = vec![];
    for route in routes {
        let Some(id) = &mut route.args.operation_id else { continue };
        if known.contains(&id.value()) {
            errors.at(&*id, "another operation has this id; an id names one operation");
            *id = LitStr::new("", id.span());
        }
        known.push(id.value());
    }
}

fn check_access(route: &Route, errors: &mut Errors) {
    match route.rules.as_slice() {
        [] => errors.at(
            &route.handler,
            format!(
                "`{}` says nothing about who may call it: add `#[can(..)]`, `#[authenticated]` or `#[public]`",
                route.handler
            ),
        ),
        [_] => {}
        [_, (second, span), ..] => {
            let name = match second {
                Rule::Public => "public",
                Rule::Authenticated => "authenticated",
                Rule::Can(_) => "can",
            };
            errors.on(*span, format!("two access rules on one operation: remove `#[{name}]` or the other"));
        }
    }
}

fn check_receiver(route: &Route, errors: &mut Errors) {
    if route
        .receiver
        .as_ref()
        .is_none_or(|receiver| !matches!(receiver.kind, syn::ReceiverKind::Reference(_, _, None)))
    {
        errors.at(
            &route.handler,
            "a route is a method of its controller: make `&self` the first argument",
        );
    }
    if matches!(route.reply, syn::Type::ImplTrait(_)) {
        errors.at(
            &route.reply,
            "name the type that the operation answers with: it is what the document shows",
        );
    }
}

fn check_path(args: &Args, route: &Route, errors: &mut Errors) {
    let path = &route.args.path;
    if !path.value().starts_with('/') {
        errors.at(path, format!("a path begins with `/`: `\"/{}\"`", path.value()));
        return;
    }
    let mut names = match parameters(&path.value()) {
        Ok(names) => names,
        Err(fault) => {
            errors.at(path, fault);
            return;
        }
    };
    if path.value().len() > 1 && path.value().ends_with('/') {
        let better = path.value().trim_end_matches('/').to_owned();
        let better = if better.is_empty() { "/".to_owned() } else { better };
        errors.at(
            path,
            format!("a path does not end with `/`, clients would have to write it: `\"{better}\"`"),
        );
        return;
    }
    let prefix = args.prefix.as_ref().map(LitStr::value).unwrap_or_default();
    names.extend(parameters(&prefix).unwrap_or_default());
    let read: Vec<&String> = route.arguments.iter().flat_map(|argument| &argument.reads).collect();
    for name in &names {
        if read.contains(&name) {
            continue;
        }
        if let Some(argument) = route.arguments.iter().find(|argument| argument.name == *name) {
            let ty = argument.ty.to_token_stream().to_string().replace(' ', "");
            let advice = if ty.contains("Path<") {
                format!(
                    "write `{name}: Path<..>` by itself: a parameter is always there, and its type says what it may be"
                )
            } else {
                format!("write `{name}: Path<{ty}>`")
            };
            errors.at(
                &argument.ty,
                format!("`{{{name}}}` is read from the path by `Path`: {advice}"),
            );
        } else {
            errors.at(
                path,
                format!("the path has `{{{name}}}`, but no argument is named `{name}`: add `{name}: Path<..>`"),
            );
        }
    }
    for argument in &route.arguments {
        for name in &argument.reads {
            if !names.contains(name) {
                errors.on(
                    argument.span,
                    format!("the path `{}{}` has no parameter `{{{name}}}`: write it into the path, or rename the argument", prefix, path.value()),
                );
            }
        }
    }
}

/// Names that `#[name(..)]` gives.
fn check_names(route: &Route, errors: &mut Errors) {
    for argument in &route.arguments {
        let Some(name) = &argument.given_name else { continue };
        let mut kind = argument.ty.clone();
        while let Some((_, inner)) =
            first_of(&kind).filter(|(kind, _)| *kind == "Option" || *kind == "Valid")
        {
            kind = inner.clone();
        }
        let text = name.value();
        let is_token = !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        match kind_of(&kind).as_deref() {
            Some("Header" | "Cookie") if !is_token => errors.at(
                name,
                "a name of a header or cookie is letters, digits and the signs of a token (RFC 9110, section 5.6.2): `x-tenant`",
            ),
            Some(kind @ ("Query" | "Json" | "Form" | "Multipart" | "RawBody" | "Caller" | "Inject" | "Scope")) => {
                errors.at(name, format!("`{kind}` has no name of its own, so this has no effect; fields are renamed by `#[serde(rename = \"..\")]`"));
            }
            _ => {}
        }
    }
}

/// The body is read once, and `Caller` refuses whom `#[public]` lets in.
fn check_arguments(route: &Route, errors: &mut Errors) {
    let (mut reads_body, mut reads_query) = (false, false);
    for argument in &route.arguments {
        let kind = kind_of(&argument.ty);
        if let Some(advice) = misplaced(&argument.ty) {
            errors.at(&argument.ty, advice);
        }
        if matches!(kind.as_deref(), Some("Query")) {
            if reads_query {
                errors.at(
                    &argument.ty,
                    "a second argument reads the query, and each would refuse the parameters of the other: take one struct that has the fields of both",
                );
            }
            reads_query = true;
        }
        if let Some((kind, single)) = single_value(&argument.ty) {
            let (name, ty) = (&argument.name, single.to_token_stream());
            errors.at(
                single,
                format!("`{kind}` is read into a struct, whose fields are the parameters' names: `struct Parameters {{ {name}: {ty} }}`"),
            );
        }
        if matches!(kind.as_deref(), Some("Json" | "Form" | "Multipart" | "RawBody")) {
            if matches!(route.method.as_str(), "GET" | "HEAD") {
                errors.at(
                    &argument.ty,
                    format!("a {} has no body (RFC 9110, section 9.3): take `Query<..>`, or answer a `#[post(..)]`", route.method),
                );
            }
            if reads_body {
                errors.at(
                    &argument.ty,
                    "a second argument reads the body: take one struct that has the fields of both",
                );
            }
            reads_body = true;
        }
        if matches!(kind.as_deref(), Some("Caller"))
            && matches!(route.rules.as_slice(), [(Rule::Public, _)])
        {
            errors.at(
                &argument.ty,
                "anybody may call this, and `Caller` refuses who is not authenticated: write `Option<Caller>`, or `#[authenticated]` instead of `#[public]`",
            );
        }
    }
}

/// Wrappers in the wrong order, and what to write.
fn misplaced(ty: &syn::Type) -> Option<String> {
    let (outer, inner) = first_of(ty)?;
    let outer = outer.to_string();
    let text = |ty: &syn::Type| ty.to_token_stream().to_string().replace(' ', "");
    if matches!(outer.as_str(), "Header" | "Cookie" | "Query" | "Json" | "Form")
        && let Some((wrapper, value)) = first_of(inner)
        && (wrapper == "Valid" || wrapper == "Option" && outer != "Json")
    {
        return Some(format!(
            "write it the other way round: `{wrapper}<{outer}<{}>>`",
            text(value)
        ));
    }
    None
}

/// A `Query` or `Form` of one value without a name.
fn single_value(ty: &syn::Type) -> Option<(String, &syn::Type)> {
    const VALUES: [&str; 18] = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64", "bool", "char", "String", "Vec",
    ];
    let (kind, inner) = first_of(ty)?;
    if kind == "Option" || kind == "Valid" {
        return single_value(inner);
    }
    let syn::Type::Path(path) = inner else { return None };
    let name = path.path.segments.last()?.ident.to_string();
    let is_read = kind == "Query" || kind == "Form";
    (is_read && VALUES.contains(&name.as_str())).then(|| (kind.to_string(), inner))
}

/// The name of an argument kind, what stands in `Valid` looked into.
pub(crate) fn kind_of(ty: &syn::Type) -> Option<String> {
    let syn::Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if last.ident == "Valid"
        && let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(syn::GenericArgument::Type(inner)) = arguments.args.first()
    {
        return kind_of(inner);
    }
    Some(last.ident.to_string())
}

/// `YYYY-MM-DDTHH:MM:SSZ`.
fn is_date(text: &LitStr) -> bool {
    let text = text.value();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z"
}

/// Bytes of `64KiB`.
pub(super) fn byte_size(text: &LitStr) -> Option<u64> {
    let text = text.value();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}
