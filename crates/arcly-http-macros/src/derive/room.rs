//! `#[derive(Room)]`: places of a gateway.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, ExprPath, Fields, Path, Token};

use crate::module::gated::comma;
use crate::support::{Errors, rt};

const LOOK: &str = "say whose sockets may be in it, and who may join: `#[room(gateway = LiveGateway, public)]`, with `authenticated` or `can(Article::Read)` where not everybody may";

#[derive(Default)]
struct Args {
    gateway: Option<Path>,
    rules: Vec<TokenStream>,
    is_checked: bool,
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let rt = rt();
        let mut args = Self::default();
        while !input.is_empty() {
            let word: syn::Ident = input.parse()?;
            match word.to_string().as_str() {
                "gateway" => {
                    let _: Token![=] = input.parse()?;
                    args.gateway = Some(input.parse()?);
                }
                "public" => args.rules.push(quote!(#rt::Access::Public)),
                "authenticated" => args.rules.push(quote!(#rt::Access::Authenticated)),
                "can" => {
                    let inner;
                    syn::parenthesized!(inner in input);
                    let action: ExprPath = inner.parse()?;
                    let span = action.span();
                    args.rules
                        .push(quote_spanned!(span=> #rt::Access::Can((#action).__arcly_action())));
                }
                "checked" => args.is_checked = true,
                _ => {
                    return Err(syn::Error::new(
                        word.span(),
                        format!(
                            "unknown setting `{word}`\n       expected one of: gateway, public, authenticated, can, checked"
                        ),
                    ));
                }
            }
            comma(input)?;
        }
        Ok(args)
    }
}

pub(crate) fn expand(input: DeriveInput, errors: &mut Errors) -> TokenStream {
    let rt = rt();
    let name = &input.ident;
    let mut attrs = input.attrs.iter().filter(|attr| attr.path().is_ident("room"));
    let args = match (attrs.next(), attrs.next()) {
        (Some(attr), None) => match attr.parse_args::<Args>() {
            Ok(args) => args,
            Err(error) => {
                errors.push(error);
                return TokenStream::new();
            }
        },
        _ => {
            errors.at(name, LOOK);
            return TokenStream::new();
        }
    };
    let (Some(gateway), [rule]) = (&args.gateway, args.rules.as_slice()) else {
        errors.at(name, LOOK);
        return TokenStream::new();
    };
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "a room has no generics; its fields tell rooms apart");
        return TokenStream::new();
    }
    let Data::Struct(data) = &input.data else {
        errors.at(name, "a room is a struct, whose fields tell rooms of one kind apart");
        return TokenStream::new();
    };
    let parts: Vec<_> = match &data.fields {
        Fields::Unit => vec![],
        fields => fields
            .iter()
            .enumerate()
            .map(|(index, field)| match &field.ident {
                Some(ident) => quote_spanned!(field.ty.span()=> &self.#ident),
                None => {
                    let index = syn::Index::from(index);
                    quote_spanned!(field.ty.span()=> &self.#index)
                }
            })
            .collect(),
    };
    // Each with its length before it, so that no two keys are the same by chance.
    let locals: Vec<_> = (0..parts.len()).map(|index| format_ident!("part{index}")).collect();
    let kind = name.to_string();
    let admits = args.is_checked.then(|| {
        quote! {
            fn admits(
                &self,
                client: &#rt::WsClient,
            ) -> ::core::result::Result<(), #rt::problem::Problem> {
                #rt::AdmitsTo::admits(self, client)
            }
        }
    });
    let key = if parts.len() == 1 {
        let part = &parts[0];
        quote!(::std::string::ToString::to_string(#part))
    } else {
        quote! {{
            let mut key = ::std::string::String::new();
            #(
                let #locals = ::std::string::ToString::to_string(#parts);
                key.push_str(&::std::string::ToString::to_string(&#locals.len()));
                key.push(':');
                key.push_str(&#locals);
            )*
            key
        }}
    };
    quote! {
        #[automatically_derived]
        impl #rt::Room for #name {
            type Gateway = #gateway;
            const NAME: &'static str = concat!(module_path!(), "::", #kind);
            const ACCESS: #rt::Access = #rule;
            fn key(&self) -> ::std::string::String {
                #key
            }
            #admits
        }
    }
}
