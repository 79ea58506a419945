//! `#[derive(ServerEvent)]`: what gateways send.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, LitStr};

use crate::support::{Errors, is_event_name, rt};

const LOOK: &str = "name it as clients know it: `#[server_event(\"article.published\")]`";

pub(crate) fn expand(input: DeriveInput, errors: &mut Errors) -> TokenStream {
    let rt = rt();
    let mut found: Option<LitStr> = None;
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("server_event")) {
        match attr.parse_args::<LitStr>() {
            Ok(name) if found.is_some() => errors.at(name, "an event has one name"),
            Ok(name) => found = Some(name),
            Err(_) => {
                errors.at(attr, LOOK);
                return TokenStream::new();
            }
        }
    }
    let Some(event) = found else {
        errors.at(&input.ident, LOOK);
        return TokenStream::new();
    };
    if !is_event_name(&event.value()) {
        errors.at(
            &event,
            "the name of an event is letters, digits, `.`, `_`, `:` and `-`: `article.published`",
        );
        return TokenStream::new();
    }
    let name = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #generics #rt::ServerEvent for #name #types #bounds {
            const NAME: &'static str = #event;
        }
    }
}
