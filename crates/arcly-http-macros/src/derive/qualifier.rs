//! `#[derive(Qualifier)]`: markers.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{DeriveInput, Token, punctuated::Punctuated};

use crate::support::{Errors, key, rt};

pub(crate) fn expand(input: DeriveInput, errors: &mut Errors) -> TokenStream {
    let rt = rt();
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "a qualifier is a plain marker: remove the generics");
        return TokenStream::new();
    }
    let mut foreign = vec![];
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("qualifier")) {
        match attr.parse_args_with(Punctuated::<syn::Type, Token![,]>::parse_terminated) {
            Ok(types) => foreign.extend(types),
            Err(error) => errors.push(error),
        }
    }
    let marker = key("", name);
    if foreign.is_empty() {
        return quote! {
            #[automatically_derived]
            impl<T: #rt::Token + ?Sized> #rt::Qualifier<T> for #name {
                const KEY: #rt::Key = #marker.with(&[<T as #rt::Token>::KEY]);
                const MANY: bool = <T as #rt::Token>::MANY;
            }
        };
    }
    let impls = foreign.iter().enumerate().map(|(index, ty)| {
        let text = ty.to_token_stream().to_string().replace(' ', "");
        let index = index as u32;
        quote! {
            #[automatically_derived]
            impl #rt::Qualifier<#ty> for #name {
                const KEY: #rt::Key = #marker.with(&[#rt::Key::of(#text, #index, 0)]);
            }
        }
    });
    quote!(#(#impls)*)
}
