//! `#[derive(Input)]`: the client's names of an input's fields.

use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, GenericArgument, LitStr, PathArguments, Type};

use crate::support::{Errors, rt};

#[derive(Default)]
struct Renames {
    own: Option<String>,
    all: Option<String>,
    is_flat: bool,
}

pub(crate) fn expand(input: DeriveInput, errors: &mut Errors) -> TokenStream {
    let rt = rt();
    let container = serde_names(&input.attrs);
    let mut rows = vec![];
    let all_fields = match &input.data {
        Data::Struct(data) => vec![&data.fields],
        Data::Enum(data) => data.variants.iter().map(|variant| &variant.fields).collect(),
        Data::Union(_) => vec![],
    };
    for field in all_fields.into_iter().flatten() {
        for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("garde")) {
            if let Ok(list) = attr.meta.require_list() {
                count_characters(&field.ty, list.tokens.clone(), errors);
            }
        }
    }
    match &input.data {
        Data::Struct(data) => rows.extend(fields(&data.fields, container.all.as_deref())),
        Data::Enum(data) => {
            for variant in &data.variants {
                let own = serde_names(&variant.attrs);
                rows.extend(fields(&variant.fields, own.all.as_deref()));
            }
        }
        Data::Union(_) => errors.at(&input.ident, "`Input` is derived for a struct or an enum"),
    }
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #rt::validate::Input for #name #type_generics #where_clause {
            const FIELDS: &'static [#rt::validate::InputField] = &[#(#rows),*];
        }
    }
}

fn fields(fields: &Fields, rename_all: Option<&str>) -> Vec<TokenStream> {
    let rt = rt();
    let mut rows = vec![];
    for (index, field) in fields.iter().enumerate() {
        let rust = field.ident.as_ref().map_or(index.to_string(), |ident| {
            ident.to_string().trim_start_matches("r#").to_owned()
        });
        let names = serde_names(&field.attrs);
        let client = names.own.unwrap_or_else(|| match rename_all {
            Some(rule) if field.ident.is_some() => rename(&rust, rule),
            _ => rust.clone(),
        });
        let is_flat = names.is_flat || (field.ident.is_none() && fields.len() == 1);
        let nested = if dives(&field.attrs) {
            let inner = innermost(&field.ty);
            quote_spanned! {inner.span()=>
                ::core::option::Option::Some(|| <#inner as #rt::validate::Input>::FIELDS)
            }
        } else {
            quote!(::core::option::Option::None)
        };
        rows.push(quote! {
            #rt::validate::InputField { rust: #rust, client: #client, flat: #is_flat, nested: #nested }
        });
    }
    rows
}

fn serde_names(attrs: &[syn::Attribute]) -> Renames {
    let mut names = Renames::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        // What does not parse is serde's to report.
        let _ = attr.parse_nested_meta(|meta| {
            let is_all = meta.path.is_ident("rename_all");
            if meta.path.is_ident("flatten") {
                names.is_flat = true;
            } else if is_all || meta.path.is_ident("rename") {
                let text = if meta.input.peek(syn::token::Paren) {
                    let mut found = None;
                    meta.parse_nested_meta(|inner| {
                        let text: LitStr = inner.value()?.parse()?;
                        if inner.path.is_ident("deserialize") {
                            found = Some(text.value());
                        }
                        Ok(())
                    })?;
                    found
                } else {
                    Some(meta.value()?.parse::<LitStr>()?.value())
                };
                if is_all { names.all = text } else { names.own = text }
            } else if meta.input.peek(syn::Token![=]) {
                let _: syn::Expr = meta.value()?.parse()?;
            } else if meta.input.peek(syn::token::Paren) {
                let _: proc_macro2::Group = meta.input.parse()?;
            }
            Ok(())
        });
    }
    names
}

/// Refuses a `length` of a text that does not say what it counts: garde would
/// count bytes, the document and its readers count characters.
fn count_characters(ty: &Type, rules: TokenStream, errors: &mut Errors) {
    let ty = within(ty, &["Option", "Box", "Arc", "Rc"]);
    let mut rules = rules.into_iter().peekable();
    while let Some(rule) = rules.next() {
        let TokenTree::Ident(rule) = rule else { continue };
        let Some(TokenTree::Group(arguments)) = rules.peek() else { continue };
        if rule == "inner" {
            count_characters(within(ty, &["Vec"]), arguments.stream(), errors);
        } else if rule == "length" && is_text(ty) {
            let says = arguments.stream().into_iter().any(|token| {
                let modes = ["chars", "bytes", "graphemes", "utf16", "simple"];
                matches!(token, TokenTree::Ident(ident) if modes.iter().any(|mode| ident == mode))
            });
            if !says {
                errors.at(&rule, "say what is counted: `length(chars, ..)` counts characters, as the document does");
            }
        }
    }
}

fn is_text(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "String")
}

/// `T` of `Option<T>`, for the wrappers that are named, however many.
fn within<'t>(ty: &'t Type, wrappers: &[&str]) -> &'t Type {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && wrappers.iter().any(|wrapper| last.ident == wrapper)
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(inner)) = arguments.args.first()
    {
        return within(inner, wrappers);
    }
    ty
}

/// Whether garde looks into the field.
fn dives(attrs: &[syn::Attribute]) -> bool {
    fn has_dive(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "dive",
            TokenTree::Group(group) => has_dive(group.stream()),
            _ => false,
        })
    }
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("garde"))
        .any(|attr| attr.meta.require_list().is_ok_and(|list| has_dive(list.tokens.clone())))
}

/// `T` of `Option<Vec<T>>`, `Box<T>`, `HashMap<K, T>`.
fn innermost(ty: &Type) -> &Type {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && ["Option", "Vec", "Box", "HashMap", "BTreeMap"].iter().any(|known| last.ident == known)
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(inner)) = arguments.args.last()
    {
        return innermost(inner);
    }
    ty
}

/// serde's renaming rules, from `snake_case` fields.
fn rename(name: &str, rule: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect::<String>()
        })
    };
    let pascal: String = name.split('_').map(capitalised).collect();
    match rule {
        "camelCase" => {
            let mut letters = pascal.chars();
            letters
                .next()
                .map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        }
        "PascalCase" => pascal,
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => name.to_uppercase(),
        "kebab-case" => name.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => name.to_uppercase().replace('_', "-"),
        _ => name.to_owned(),
    }
}
