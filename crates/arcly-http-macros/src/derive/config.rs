//! `#[derive(Config)]`: a section of the configuration, which is a provider.

mod default;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, LitStr};

use super::token;
use crate::support::{Errors, docs, rt};

struct Field {
    ident: syn::Ident,
    ty: syn::Type,
    doc: String,
    default: Option<LitStr>,
    env: String,
    flag: String,
    is_secret: bool,
    optional_in_dev: bool,
}

struct Section {
    name: String,
    check: Option<syn::Path>,
}

pub(crate) fn expand(input: DeriveInput, errors: &mut Errors) -> TokenStream {
    let section = parse_section(&input, errors);
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) => {
                named.named.iter().map(|f| parse_field(f, &section, errors)).collect()
            }
            Fields::Unit => vec![],
            Fields::Unnamed(_) => {
                errors.at(
                    &data.fields,
                    "a configuration section has named fields: the names are the keys",
                );
                vec![]
            }
        },
        _ => {
            errors.at(&input.ident, "`Config` is derived for a struct with named fields");
            vec![]
        }
    };
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "a configuration section has no generics");
    }
    let has_keys = match &input.data {
        Data::Struct(data) => !matches!(data.fields, Fields::Unnamed(_)),
        _ => false,
    };
    if !has_keys || !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    // With a fault at a field as well: it is one mistake, and the section stays a
    // provider for those who list it.
    emit(&input, &section, &fields)
}

fn parse_section(input: &DeriveInput, errors: &mut Errors) -> Section {
    let mut section = Section { name: String::new(), check: None };
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("config")) {
        let parsed = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("section") {
                let name: LitStr = meta.value()?.parse()?;
                let text = name.value();
                if text.is_empty()
                    || !text
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                {
                    return Err(syn::Error::new_spanned(
                        name,
                        "a section is one word of lower-case letters, digits and `_`",
                    ));
                }
                section.name = text;
                Ok(())
            } else if meta.path.is_ident("check") {
                section.check = Some(meta.value()?.parse()?);
                Ok(())
            } else {
                Err(meta.error("expected `section = \"..\"` or `check = function`"))
            }
        });
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
    section
}

fn parse_field(field: &syn::Field, section: &Section, errors: &mut Errors) -> Field {
    let ident = field.ident.clone().unwrap_or_else(|| syn::Ident::new("field", field.span()));
    let key = ident.to_string();
    let path = if section.name.is_empty() { key } else { format!("{}_{key}", section.name) };
    let (summary, rest) = docs(&field.attrs);
    let mut parsed = Field {
        ident,
        ty: field.ty.clone(),
        doc: format!("{summary} {rest}").trim().to_owned(),
        default: None,
        env: path.to_uppercase(),
        flag: path.replace('_', "-"),
        is_secret: false,
        optional_in_dev: false,
    };
    for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("config")) {
        let result = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("default") {
                let default: syn::Lit = meta.value()?.parse()?;
                let syn::Lit::Str(default) = default else {
                    let text = default.to_token_stream().to_string();
                    return Err(syn::Error::new_spanned(
                        default,
                        format!("write it as the environment would have it: `default = \"{text}\"`"),
                    ));
                };
                parsed.default = Some(default);
            } else if meta.path.is_ident("env") {
                parsed.env = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("flag") {
                let flag: LitStr = meta.value()?.parse()?;
                if flag.value().starts_with('-') {
                    return Err(syn::Error::new_spanned(
                        flag,
                        "write the flag without dashes: `flag = \"listen\"`",
                    ));
                }
                parsed.flag = flag.value();
            } else if meta.path.is_ident("secret") {
                alone(&meta)?;
                parsed.is_secret = true;
            } else if meta.path.is_ident("optional_in_dev") {
                alone(&meta)?;
                if !is_option(&field.ty) {
                    return Err(meta.error(
                        "`optional_in_dev` needs an `Option<..>`, which is `None` in profile `dev` alone",
                    ));
                }
                parsed.optional_in_dev = true;
            } else {
                return Err(meta.error(
                    "expected `default = \"..\"`, `env = \"..\"`, `flag = \"..\"`, `secret` or `optional_in_dev`",
                ));
            }
            Ok(())
        });
        if let Err(error) = result {
            errors.push(error);
        }
    }
    if let Some(default) = &parsed.default
        && let Some(expected) = default::expected(&field.ty, &default.value())
    {
        let ty = field.ty.to_token_stream().to_string().replace(' ', "");
        errors.at(default, format!("this default is no `{ty}`: write {expected}"));
    }
    if parsed.is_secret && is_shown(&field.ty) {
        errors.at(
            &field.ty,
            "a secret is a `Secret` (or `Option<Secret>`), which no `Debug` and no log shows",
        );
    }
    if let (true, Some(default)) = (parsed.is_secret, &parsed.default) {
        errors.at(default, "a secret has no default: whoever reads the source would know it");
    }
    parsed
}

/// Whether it is one of the types that show what they hold.
fn is_shown(ty: &syn::Type) -> bool {
    let syn::Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    if let syn::PathArguments::AngleBracketed(arguments) = &last.arguments {
        return arguments
            .args
            .iter()
            .any(|inner| matches!(inner, syn::GenericArgument::Type(inner) if is_shown(inner)));
    }
    last.ident == "String" || last.ident == "PathBuf"
}

fn alone(meta: &syn::meta::ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(syn::Token![=]) {
        return Err(meta.input.error("this stands by itself and takes no value"));
    }
    Ok(())
}

fn is_option(ty: &syn::Type) -> bool {
    matches!(ty, syn::Type::Path(path) if path.path.segments.last().is_some_and(|s| s.ident == "Option"))
}

fn emit(input: &DeriveInput, section: &Section, fields: &[Field]) -> TokenStream {
    let rt = rt();
    let name = &input.ident;
    let section_name = &section.name;
    let token = token::implement(name, &input.generics);
    let metas = fields.iter().map(|field| {
        let Field { ty, doc, env, flag, is_secret, optional_in_dev, .. } = field;
        let key = field.ident.to_string();
        let default = match &field.default {
            Some(text) => quote!(::core::option::Option::Some(#text)),
            None => quote!(::core::option::Option::None),
        };
        quote_spanned! {ty.span()=>
            #rt::config::FieldMeta {
                key: #key, doc: #doc, env: #env, flag: #flag, default: #default,
                secret: #is_secret, optional_in_dev: #optional_in_dev,
                value: #rt::config::ValueMeta::of::<#ty>(),
            }
        }
    });
    let reads = fields.iter().map(|field| {
        let ident = &field.ident;
        let key = ident.to_string();
        quote_spanned!(field.ty.span()=> let #ident = reader.field(#key);)
    });
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let check = section
        .check
        .as_ref()
        .map(|check| quote_spanned!(check.span()=> reader.check(#check(&section));));
    let line = quote_spanned!(name.span()=> line!());
    quote! {
        #token
        #[automatically_derived]
        impl #rt::config::ConfigSection for #name {
            const SECTION: &'static #rt::config::SectionMeta = &#rt::config::SectionMeta {
                name: #section_name,
                fields: &[#(#metas),*],
            };
            fn read(reader: &mut #rt::config::SectionReader<'_>) -> ::core::option::Option<Self> {
                #(#reads)*
                let section = Self { #(#idents: #idents?),* };
                #check
                ::core::option::Option::Some(section)
            }
        }
        const _: () = {
            fn build<'r>(resolver: &'r #rt::Resolver<'r>) -> #rt::BuildFuture<'r> {
                ::std::boxed::Box::pin(async move {
                    let section = resolver.config().read::<#name>().map_err(#rt::BuildError::factory)?;
                    ::core::result::Result::Ok(#rt::Instance::new(::std::sync::Arc::new(section)))
                })
            }
            #[automatically_derived]
            impl #rt::Provide for #name {
                type Output = Self;
                const PROVIDER: &'static #rt::ProviderMeta = &#rt::ProviderMeta {
                    key: <Self as #rt::Token>::KEY,
                    scope: #rt::ProviderScope::Singleton,
                    place: #rt::Place { file: file!(), line: #line },
                    deps: &[],
                    build,
                    hooks: || ::core::option::Option::None,
                    config: ::core::option::Option::Some(<#name as #rt::config::ConfigSection>::SECTION),
                };
            }
        };
    }
}
