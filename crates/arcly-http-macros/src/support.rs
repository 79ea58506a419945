//! What every macro shares: entry points, error collection, paths.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parse;

/// Runs a derive; its errors become compile errors beside whatever it emitted.
pub(crate) fn derive(
    input: proc_macro::TokenStream,
    expand: fn(syn::DeriveInput, &mut Errors) -> TokenStream,
) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    let mut errors = Errors::default();
    let tokens = expand(input, &mut errors);
    errors.beside(tokens).into()
}

/// Runs an attribute. An item or arguments that do not parse leave the item as it
/// stands; `place` says where the attribute belongs.
pub(crate) fn attribute<Args: Parse, Item: Parse>(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
    place: &str,
    expand: fn(Args, Item, &mut Errors) -> TokenStream,
) -> proc_macro::TokenStream {
    let untouched = TokenStream::from(item.clone());
    on_item(item, place, |item, errors| match syn::parse::<Args>(args) {
        Ok(args) => expand(args, item, errors),
        Err(error) => {
            errors.push(error);
            untouched
        }
    })
}

/// Runs an attribute whose item cannot be emitted as it stands: what it gives a
/// meaning to would be reported once more. Wrong arguments count as none.
pub(crate) fn attribute_or_default<Args: Parse + Default, Item: Parse>(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
    place: &str,
    expand: fn(Args, Item, &mut Errors) -> TokenStream,
) -> proc_macro::TokenStream {
    on_item(item, place, |item, errors| {
        let args = syn::parse::<Args>(args).unwrap_or_else(|error| {
            errors.push(error);
            Args::default()
        });
        expand(args, item, errors)
    })
}

fn on_item<Item: Parse>(
    item: proc_macro::TokenStream,
    place: &str,
    expand: impl FnOnce(Item, &mut Errors) -> TokenStream,
) -> proc_macro::TokenStream {
    let untouched = TokenStream::from(item.clone());
    let mut errors = Errors::default();
    let tokens = match syn::parse::<Item>(item.clone()) {
        Ok(item) => expand(item, &mut errors),
        Err(error) => {
            match syn::parse::<syn::Item>(item) {
                // Well-formed, but of another kind.
                Ok(other) if !matches!(other, syn::Item::Verbatim(_)) => {
                    errors.on(error.span(), place)
                }
                _ => errors.push(error),
            }
            untouched
        }
    };
    errors.beside(tokens).into()
}

/// Collects errors, so that one does not hide another.
#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn on(&mut self, span: Span, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new(span, message));
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    fn beside(self, tokens: TokenStream) -> TokenStream {
        let errors = self.0.iter().map(syn::Error::to_compile_error);
        quote!(#tokens #(#errors)*)
    }
}

/// Whether a binary is compiled, which no other crate can use. Cargo says so; without it,
/// any crate could be a library.
pub(crate) fn in_binary() -> bool {
    std::env::var_os("CARGO_BIN_NAME").is_some()
}

/// The hidden module that expansions name.
pub(crate) fn rt() -> TokenStream {
    rt_at(Span::call_site())
}

/// The same, as if it had been written where `span` stands: what the compiler says
/// of it is said there, and once.
pub(crate) fn rt_at(span: Span) -> TokenStream {
    quote_spanned!(span=> ::arcly_http::__rt)
}

/// A key for a thing that is declared where `name` stands.
pub(crate) fn key(prefix: &str, name: &syn::Ident) -> TokenStream {
    let rt = rt();
    let text = name.to_string();
    quote!(#rt::Key::of(concat!(#prefix, module_path!(), "::", #text), line!(), column!()))
}

/// The text of a doc comment: summary (first paragraph) and the rest.
pub(crate) fn docs(attrs: &[syn::Attribute]) -> (String, String) {
    let mut lines = vec![];
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        if let syn::Meta::NameValue(meta) = &attr.meta
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &meta.value
        {
            let text = text.value();
            lines.push(text.strip_prefix(' ').unwrap_or(&text).trim_end().to_owned());
        }
    }
    let split = lines.iter().position(String::is_empty).unwrap_or(lines.len());
    let summary = lines[..split].join(" ");
    let summary = summary.strip_suffix('.').unwrap_or(&summary).to_owned();
    let description = lines[split..].join("\n").trim().to_owned();
    (summary, description)
}

/// Whether clients may know an event by this name; it needs no escapes in JSON.
pub(crate) fn is_event_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}
