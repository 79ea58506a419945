//! `#[derive(Action)]`: what callers may be allowed to do.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields};

use crate::support::{Errors, key, rt};

pub(crate) fn expand(input: DeriveInput, errors: &mut Errors) -> TokenStream {
    let rt = rt();
    let name = &input.ident;
    let mut rows = vec![];
    let mut arms = vec![];
    match &input.data {
        Data::Enum(data) => {
            for (index, variant) in data.variants.iter().enumerate() {
                if !matches!(variant.fields, Fields::Unit) {
                    errors.at(&variant.fields, "an action carries no data: remove the fields");
                }
                let before = errors.count();
                let (mut roles, mut scopes) = (vec![], vec![]);
                for attr in variant.attrs.iter().filter(|attr| attr.path().is_ident("action")) {
                    let parsed = attr.parse_nested_meta(|meta| {
                        if meta.path.is_ident("role") {
                            roles.push(meta.value()?.parse::<syn::LitStr>()?);
                        } else if meta.path.is_ident("scope") {
                            scopes.push(meta.value()?.parse::<syn::LitStr>()?);
                        } else {
                            return Err(meta.error("expected `role = \"..\"` or `scope = \"..\"`"));
                        }
                        Ok(())
                    });
                    if let Err(error) = parsed {
                        errors.push(error);
                    }
                }
                if roles.is_empty() && scopes.is_empty() && before == errors.count() {
                    errors.at(
                        &variant.ident,
                        "this action asks for nothing, so that every caller may do it: add `#[action(role = \"..\")]` or `#[action(scope = \"..\")]`; for every caller there is `#[authenticated]`",
                    );
                }
                for text in roles.iter().chain(&scopes) {
                    if text.value().is_empty() || text.value().contains(char::is_whitespace) {
                        errors.at(text, "a role or scope is one word without spaces");
                    }
                }
                let ident = &variant.ident;
                let label = format!("{name}::{ident}");
                rows.push(quote!(#rt::ActionMeta { key: #rt::Key::of(concat!(module_path!(), "::", #label), line!(), column!()), name: #label, roles: &[#(#roles),*], scopes: &[#(#scopes),*] }));
                arms.push(quote!(Self::#ident => &<Self as #rt::ActionSet>::ACTIONS[#index]));
            }
            if data.variants.is_empty() {
                errors.at(name, "declare at least one action");
            }
        }
        _ => errors.at(name, "`Action` is derived for an enum whose variants are the actions"),
    }
    // With a fault, one action stands for all, so that the mistake is reported once.
    let body = if errors.count() > 0 {
        let label = name.to_string();
        let key = key("", name);
        rows = vec![quote!(#rt::ActionMeta { key: #key, name: #label, roles: &[], scopes: &[] })];
        quote!({ let _ = self; &<Self as #rt::ActionSet>::ACTIONS[0] })
    } else {
        quote!(match self { #(#arms),* })
    };
    quote! {
        #[automatically_derived]
        impl #rt::ActionSet for #name {
            const ACTIONS: &'static [#rt::ActionMeta] = &[#(#rows),*];
        }
        #[automatically_derived]
        impl #name {
            #[doc(hidden)]
            pub const fn __arcly_action(self) -> &'static #rt::ActionMeta { #body }
        }
    }
}
