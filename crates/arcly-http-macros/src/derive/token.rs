//! `#[derive(Token)]`: a name in the graph.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;

use crate::support::{Errors, key, rt};

pub(crate) fn expand(input: DeriveInput, _errors: &mut Errors) -> TokenStream {
    let generics = bounded(&input.generics);
    implement(&input.ident, &generics)
}

/// The generics with the bounds that a name in the graph needs.
pub(crate) fn bounded(generics: &syn::Generics) -> syn::Generics {
    let rt = rt();
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(#rt::Token));
        parameter.bounds.push(syn::parse_quote!(::core::marker::Send));
        parameter.bounds.push(syn::parse_quote!(::core::marker::Sync));
        parameter.bounds.push(syn::parse_quote!('static));
    }
    generics
}

pub(crate) fn implement(name: &syn::Ident, generics: &syn::Generics) -> TokenStream {
    let rt = rt();
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let key = key("", name);
    let arguments = generics.type_params().map(|parameter| {
        let ident = &parameter.ident;
        quote_spanned!(ident.span()=> <#ident as #rt::Token>::KEY)
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #rt::asks::OneOfInjectableConfigToken for #name #type_generics #where_clause {}
        #[automatically_derived]
        impl #impl_generics #rt::Token for #name #type_generics #where_clause {
            const KEY: #rt::Key = #key.with(&[#(#arguments),*]);
        }
    }
}
