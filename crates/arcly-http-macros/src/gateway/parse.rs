//! From attributes to a model of the gateway.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{ImplItem, ItemImpl, LitStr, Path, Token, Type};

use crate::controller::foreign::{self, Place};
use crate::controller::parse::{self as of_controller, Route};
use crate::module::gated::{Given, comma, list};
use crate::support::Errors;

/// `#[gateway("/live", emits(..), codec = raw, tuning = function, ..)]`.
#[derive(Default)]
pub(crate) struct Args {
    /// Path, stages and the like, as a controller has them.
    pub(crate) base: of_controller::Args,
    pub(crate) emits: Vec<Type>,
    pub(crate) is_raw: bool,
    pub(crate) tuning: Option<Path>,
}

const EXPECTED: &str = "expected one of: emits, codec, tuning, tags, host, elsewhere, version, deprecated, sunset, guards, interceptors, filters, layers, deadline, rate_limit, rate_cost, cors, csrf, security_headers";

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut args = Self::default();
        if !input.peek(LitStr) {
            return Err(input.error("a gateway begins with its path: `#[gateway(\"/live\")]`"));
        }
        // What a controller takes as well is read by its own parser.
        let mut rest = TokenStream::new();
        let path: LitStr = input.parse()?;
        path.to_tokens(&mut rest);
        comma(input)?;
        let mut given = Given::default();
        while !input.is_empty() {
            let name: syn::Ident = input.fork().parse()?;
            given.once(&name)?;
            match name.to_string().as_str() {
                "emits" => {
                    let _: syn::Ident = input.parse()?;
                    args.emits = list(input)?;
                }
                "codec" => {
                    let _: syn::Ident = input.parse()?;
                    let _: Token![=] = input.parse()?;
                    let codec: syn::Ident = input.parse()?;
                    args.is_raw = match codec.to_string().as_str() {
                        "raw" => true,
                        "json" => false,
                        _ => {
                            return Err(syn::Error::new(
                                codec.span(),
                                "write `codec = json`, envelopes with `event`, `data` and `id` (the default), or `codec = raw`, messages as they are",
                            ));
                        }
                    };
                }
                "tuning" => {
                    let _: syn::Ident = input.parse()?;
                    let _: Token![=] = input.parse()?;
                    args.tuning = Some(input.parse()?);
                }
                "body_limit" | "cache" | "compress" => {
                    return Err(syn::Error::new(
                        name.span(),
                        format!(
                            "`{name}` has no effect on sockets; their limits are in `tuning = function`"
                        ),
                    ));
                }
                _ => {
                    rest.extend(quote!(,));
                    setting(input)?.to_tokens(&mut rest);
                }
            }
            comma(input)?;
        }
        args.base = syn::parse2(rest).map_err(|error| {
            if error.to_string().starts_with("unknown setting") {
                let first = error.to_string();
                let first = first.lines().next().unwrap_or_default().to_owned();
                return syn::Error::new(error.span(), format!("{first}\n       {EXPECTED}"));
            }
            error
        })?;
        Ok(args)
    }
}

/// The tokens of one setting, up to the next comma.
fn setting(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?.to_tokens(&mut tokens);
    }
    Ok(tokens)
}

/// What the methods of a gateway are.
#[derive(Default)]
pub(crate) struct Taken {
    /// `#[on_connect]`, as the route of the handshake.
    pub(crate) connect: Option<Route>,
    /// `#[subscribe("..")]`, or the one `#[message]` of a raw gateway.
    pub(crate) events: Vec<Event>,
    pub(crate) disconnect: Option<Disconnect>,
    /// Whether a fault has been told that may be why something is missing.
    pub(crate) is_faulty: bool,
    /// Methods that were meant as `#[on_connect]`.
    pub(crate) connects: Vec<Span>,
}

pub(crate) struct Event {
    /// As clients name it; empty for `#[message]`.
    pub(crate) name: LitStr,
    pub(crate) is_unordered: bool,
    pub(crate) route: Route,
}

pub(crate) struct Disconnect {
    pub(crate) handler: syn::Ident,
    pub(crate) is_async: bool,
    pub(crate) takes_client: bool,
}

/// Takes the attributes of the methods off the block.
pub(crate) fn take(item: &mut ItemImpl, errors: &mut Errors) -> Taken {
    let mut taken = Taken::default();
    let before = errors.count();
    for item in &mut item.items {
        let ImplItem::Fn(function) = item else { continue };
        foreign::refuse(&mut function.attrs, Place::Method, errors);
        let mut marks = vec![];
        function.attrs.retain_mut(|attr| {
            let word = attr.path().segments.last().map(|last| last.ident.to_string());
            let span = attr.path().span();
            match word.as_deref() {
                Some(word @ ("on_connect" | "on_disconnect" | "subscribe" | "message")) => {
                    marks.push((word.to_owned(), span, attr.clone()));
                    false
                }
                _ => true,
            }
        });
        if let [_, (word, span, _), ..] = marks.as_slice() {
            errors.on(
                *span,
                format!("one method, one purpose: remove `#[{word}]`, and write a second method"),
            );
            continue;
        }
        let Some((word, span, attr)) = marks.pop() else {
            if let Some((word, span)) = of_controller::strip(function) {
                let name = &function.sig.ident;
                errors.on(span, if is_stage(&word) {
                    format!("`#[{word}]` has no effect: `{name}` takes no messages; add `#[subscribe(\"event\")]`")
                } else {
                    format!("a gateway has no routes: move `{name}` into a `#[controller(\"/..\")]` block")
                });
            }
            continue;
        };
        match word.as_str() {
            "on_connect" => {
                taken.connects.push(span);
                if attr.meta.require_path_only().is_err() {
                    errors.at(
                        &attr,
                        "`#[on_connect]` stands by itself; the path is that of the gateway",
                    );
                    of_controller::strip(function);
                    continue;
                }
                function.attrs.push(syn::parse_quote_spanned!(span=> #[get("/")]));
                if let Some(route) = of_controller::routes_of(function, errors).pop() {
                    if taken.connect.is_some() {
                        errors.on(span, "a gateway has one `#[on_connect]`");
                    }
                    taken.connect = Some(route);
                }
            }
            "on_disconnect" => match disconnect(function, span, &attr) {
                Ok(found) => {
                    if taken.disconnect.is_some() {
                        errors.on(span, "a gateway has one `#[on_disconnect]`");
                    }
                    taken.disconnect = Some(found);
                }
                Err(error) => {
                    errors.push(error);
                    of_controller::strip(function);
                }
            },
            _ => {
                let subscribe = match subscribe(&word, &attr) {
                    Ok(subscribe) => subscribe,
                    Err(error) => {
                        errors.push(error);
                        of_controller::strip(function);
                        continue;
                    }
                };
                let Subscribe { name, is_unordered, settings } = subscribe;
                let path = LitStr::new(&format!("#{}", name.value()), name.span());
                function
                    .attrs
                    .push(syn::parse_quote_spanned!(span=> #[route("SUBSCRIBE", #path #settings)]));
                if let Some(route) = of_controller::routes_of(function, errors).pop() {
                    taken.events.push(Event { name, is_unordered, route });
                }
            }
        }
    }
    taken.is_faulty = errors.count() > before;
    taken
}

/// What may stand on a handler beside what makes it one.
fn is_stage(word: &str) -> bool {
    matches!(
        word,
        "public" | "authenticated" | "can" | "guards" | "interceptors" | "filters" | "layers"
    )
}

/// `#[subscribe("tag.watch", unordered, guards(..), ..)]`, `#[message(..)]`.
struct Subscribe {
    name: LitStr,
    is_unordered: bool,
    /// What a route takes as well, each with a comma before it.
    settings: TokenStream,
}

fn subscribe(word: &str, attr: &syn::Attribute) -> syn::Result<Subscribe> {
    let tokens = match &attr.meta {
        syn::Meta::Path(_) => TokenStream::new(),
        syn::Meta::List(list) => list.tokens.clone(),
        other @ syn::Meta::NameValue(_) => return Err(syn::Error::new_spanned(other, SUBSCRIBE)),
    };
    let has_name = word == "subscribe";
    let parser = |input: ParseStream<'_>| {
        let name = if has_name {
            if !input.peek(LitStr) {
                return Err(syn::Error::new(attr.path().span(), SUBSCRIBE));
            }
            let name: LitStr = input.parse()?;
            comma(input)?;
            name
        } else {
            LitStr::new("", attr.path().span())
        };
        let mut subscribe = Subscribe { name, is_unordered: false, settings: TokenStream::new() };
        let mut given = Given::default();
        while !input.is_empty() {
            let word: syn::Ident = input.fork().parse()?;
            given.once(&word)?;
            let text = word.to_string();
            match text.as_str() {
                "unordered" => {
                    let _: syn::Ident = input.parse()?;
                    subscribe.is_unordered = true;
                }
                "guards" | "interceptors" | "filters" | "deadline" | "rate_limit" | "rate_cost"
                | "tags" => {
                    subscribe.settings.extend(quote!(,));
                    setting(input)?.to_tokens(&mut subscribe.settings);
                }
                _ => {
                    return Err(syn::Error::new(
                        word.span(),
                        format!(
                            "`{text}` has no effect on a message\n       expected one of: unordered, tags, guards, interceptors, filters, deadline, rate_limit, rate_cost"
                        ),
                    ));
                }
            }
            comma(input)?;
        }
        Ok(subscribe)
    };
    syn::parse::Parser::parse2(parser, tokens)
}

const SUBSCRIBE: &str = "an event begins with its name: `#[subscribe(\"tag.watch\")]`";

fn disconnect(
    function: &syn::ImplItemFn,
    span: Span,
    attr: &syn::Attribute,
) -> syn::Result<Disconnect> {
    attr.meta.require_path_only()?;
    let look = "write `async fn gone(&self, client: &WsClient)`: the socket is over, so that nothing else of it is there, and nobody to be answered";
    let mut inputs = function.sig.inputs.iter();
    if !matches!(inputs.next(), Some(syn::FnArg::Receiver(_))) {
        return Err(syn::Error::new(span, look));
    }
    let client = inputs.next();
    if let Some(client) = client {
        let is_client = matches!(client, syn::FnArg::Typed(argument)
            if matches!(&*argument.ty, Type::Reference(reference) if reference.mutability.is_none()));
        if !is_client || inputs.next().is_some() {
            return Err(syn::Error::new_spanned(client, look));
        }
    }
    if let syn::ReturnType::Type(_, ty) = &function.sig.output {
        return Err(syn::Error::new_spanned(ty, look));
    }
    Ok(Disconnect {
        handler: function.sig.ident.clone(),
        is_async: function.sig.asyncness.is_some(),
        takes_client: client.is_some(),
    })
}
