//! `#[derive(Injectable)]`: a struct whose fields are its dependencies.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, Token};

use super::token;
use crate::support::{Errors, rt, rt_at};

/// Where a field's value comes from.
enum Source {
    Graph,
    Default,
    Value(syn::Expr),
    Config { section: syn::Path, field: syn::Member },
}

struct Field {
    member: syn::Member,
    label: String,
    ty: syn::Type,
    source: Source,
}

pub(crate) fn expand(input: DeriveInput, errors: &mut Errors) -> TokenStream {
    let scope = parse_scope(&input.attrs, errors);
    let fields = match &input.data {
        Data::Struct(data) => parse_fields(&data.fields, errors),
        _ => {
            errors.at(
                &input.ident,
                "`Injectable` is derived for a struct; for an enum write a factory function with `#[provider]`",
            );
            vec![]
        }
    };
    for lifetime in input.generics.lifetimes() {
        errors.at(lifetime, "a provider owns what it holds: remove the lifetime");
    }
    if let Some(attr) = config_attribute(&input) {
        errors.at(
            attr,
            "a struct that derives `Config` is a provider already: take `Injectable` away; what a service needs of it comes by `Inject<..>`",
        );
        return TokenStream::new();
    }
    if errors.count() > 0 {
        // The name alone, so that the mistake is reported once and not again at
        // every place that injects the type.
        return token::implement(&input.ident, &token::bounded(&input.generics));
    }
    emit(&input, &scope, &fields)
}

/// What only `derive(Config)` reads.
fn config_attribute(input: &DeriveInput) -> Option<&syn::Attribute> {
    let fields = match &input.data {
        Data::Struct(data) => data.fields.iter().flat_map(|field| &field.attrs).collect(),
        _ => vec![],
    };
    input.attrs.iter().chain(fields).find(|attr| attr.path().is_ident("config"))
}

fn parse_scope(attrs: &[syn::Attribute], errors: &mut Errors) -> syn::Ident {
    let mut scope = format_ident!("Singleton");
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("inject")) {
        let parsed = attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("scope") {
                return Err(meta.error(
                    "expected `scope = singleton`, `scope = request` or `scope = transient`",
                ));
            }
            scope = scope_name(&word(meta.value()?)?)?;
            Ok(())
        });
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
    scope
}

/// A word without quotes.
pub(crate) fn word(input: syn::parse::ParseStream<'_>) -> syn::Result<syn::Ident> {
    if input.peek(syn::LitStr) {
        let text = input.parse::<syn::LitStr>()?;
        let message = format!("write it without quotes: `{}`", text.value());
        return Err(syn::Error::new(text.span(), message));
    }
    input.parse()
}

/// Maps the word of an attribute to the variant of `ProviderScope`.
pub(crate) fn scope_name(word: &syn::Ident) -> syn::Result<syn::Ident> {
    let variant = match word.to_string().as_str() {
        "singleton" => "Singleton",
        "request" => "Request",
        "transient" => "Transient",
        other => {
            return Err(syn::Error::new(
                word.span(),
                format!("unknown scope `{other}`: write `singleton`, `request` or `transient`"),
            ));
        }
    };
    Ok(syn::Ident::new(variant, word.span()))
}

fn parse_fields(fields: &Fields, errors: &mut Errors) -> Vec<Field> {
    let mut parsed = vec![];
    for (index, field) in fields.iter().enumerate() {
        let member = match &field.ident {
            Some(ident) => syn::Member::Named(ident.clone()),
            None => syn::Member::Unnamed(syn::Index { index: index as u32, span: field.ty.span() }),
        };
        let label = field.ident.as_ref().map_or(index.to_string(), ToString::to_string);
        let mut source = Source::Graph;
        for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("inject")) {
            let result = attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("default") {
                    source = if meta.input.peek(Token![=]) {
                        Source::Value(meta.value()?.parse()?)
                    } else {
                        Source::Default
                    };
                    return Ok(());
                }
                if meta.path.is_ident("config") {
                    let value = meta.value()?.parse::<syn::Expr>()?;
                    if let syn::Expr::Field(expr) = &value
                        && let syn::Expr::Path(base) = &*expr.base
                    {
                        source = Source::Config {
                            section: base.path.clone(),
                            field: expr.member.clone(),
                        };
                        return Ok(());
                    }
                    return Err(syn::Error::new_spanned(value, "write `config = Section.field`"));
                }
                Err(meta.error(
                    "expected `default`, `default = expression` or `config = Section.field`",
                ))
            });
            if let Err(error) = result {
                errors.push(error);
            }
        }
        parsed.push(Field { member, label, ty: field.ty.clone(), source });
    }
    parsed
}

/// Asks for the names of traits before anything else: that a trait without one cannot
/// cross threads either would be said first, and more than once.
fn traits(fields: &[Field]) -> TokenStream {
    let graph = fields.iter().filter(|field| matches!(field.source, Source::Graph));
    let mut traits = graph.filter_map(|field| injected_trait(&field.ty)).peekable();
    if traits.peek().is_none() {
        return TokenStream::new();
    }
    let named = traits.map(|name| {
        let rt = rt_at(name.span());
        quote_spanned!(name.span()=> #rt::asks::Named<#name>)
    });
    quote! {
        const _: () = {
            #[allow(dead_code, reason = "its fields have to be well-formed, and no more")]
            struct Asks(#(#named),*);
        };
    }
}

/// `dyn Trait` of `Inject<dyn Trait>`; one with a marker is named by that.
fn injected_trait(ty: &syn::Type) -> Option<&syn::Type> {
    let syn::Type::Path(path) = ty else { return None };
    let syn::PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments
    else {
        return None;
    };
    let (Some(syn::GenericArgument::Type(inner)), 1) =
        (arguments.args.first(), arguments.args.len())
    else {
        return None;
    };
    match inner {
        syn::Type::TraitObject(_) => Some(inner),
        _ => injected_trait(inner),
    }
}

fn emit(input: &DeriveInput, scope: &syn::Ident, fields: &[Field]) -> TokenStream {
    let rt = rt();
    let name = &input.ident;
    let generics = token::bounded(&input.generics);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let token = token::implement(name, &generics);

    let deps = fields.iter().filter_map(|field| {
        let label = &field.label;
        let span = field.ty.span();
        let ty = match &field.source {
            Source::Graph => {
                let ty = &field.ty;
                quote!(#ty)
            }
            Source::Config { section, .. } => quote!(#rt::Inject<#section>),
            Source::Default | Source::Value(_) => return None,
        };
        Some(quote_spanned! {span=>
            #rt::Dep { field: #label, spec: <#ty as #rt::Dependency>::SPEC, line: line!() }
        })
    });
    // Named from here: where a field comes from a `macro_rules!`, its span cannot
    // see what is local to the expansion.
    let resolver = format_ident!("resolver");
    let values = fields.iter().map(|field| {
        let member = &field.member;
        let ty = &field.ty;
        let span = ty.span();
        match &field.source {
            Source::Graph => {
                quote_spanned!(span=> #member: <#ty as #rt::Dependency>::resolve(#resolver)?)
            }
            Source::Default => {
                quote_spanned!(span=> #member: <#ty as ::core::default::Default>::default())
            }
            Source::Value(value) => quote!(#member: #value),
            Source::Config { section, field } => quote_spanned! {span=>
                #member: ::core::clone::Clone::clone(
                    &<#rt::Inject<#section> as #rt::Dependency>::resolve(#resolver)?.#field
                )
            },
        }
    });
    // `imports(..)` names values, and such a struct has none: the compiler would stop
    // at that before it could say that a provider is not a module.
    let value =
        (matches!(&input.data, syn::Data::Struct(data) if matches!(data.fields, Fields::Named(_)))
            && input.generics.params.is_empty())
        .then(|| {
            let vis = &input.vis;
            quote! {
                #[doc(hidden)]
                #[allow(non_upper_case_globals, dead_code, reason = "has the name of the struct")]
                #vis const #name: #rt::asks::Provider<#name> = #rt::asks::Provider::new();
            }
        });
    let idle_hooks = (scope != "Singleton" && input.generics.params.is_empty()).then(|| {
        quote_spanned! {name.span()=>
            const _: () = {
                #[allow(unused_imports, reason = "used where the type has no hooks")]
                use #rt::Hookless as _;
                ::core::assert!(
                    !#rt::Probe::<#name>::HAS_HOOKS,
                    "hooks run for what lives as long as the application; this is built for each request or each use: leave `impl Lifecycle` out, or the scope"
                );
            };
        }
    });
    let name_span = name.span();
    let line = quote_spanned!(name_span=> line!());
    let asks = traits(fields);
    quote! {
        #asks
        #token
        #value
        #idle_hooks
        #[automatically_derived]
        impl #impl_generics #name #type_generics #where_clause {
            #[doc(hidden)]
            fn __arcly_build<'r>(resolver: &'r #rt::Resolver<'r>) -> #rt::BuildFuture<'r> {
                ::std::boxed::Box::pin(async move {
                    ::core::result::Result::Ok(#rt::Instance::new(::std::sync::Arc::new(Self { #(#values),* })))
                })
            }
            #[doc(hidden)]
            fn __arcly_hooks() -> ::core::option::Option<#rt::HookTable> {
                #[allow(unused_imports, reason = "one of the two is used, depending on the type")]
                use #rt::{NoHooks as _, WithHooks as _};
                (&#rt::Probe::<Self>::new()).hooks()
            }
        }
        #[automatically_derived]
        impl #impl_generics #rt::Provide for #name #type_generics #where_clause {
            type Output = Self;
            const PROVIDER: &'static #rt::ProviderMeta = &#rt::ProviderMeta {
                key: <Self as #rt::Token>::KEY,
                scope: #rt::ProviderScope::#scope,
                place: #rt::Place { file: file!(), line: #line },
                deps: &[#(#deps),*],
                build: Self::__arcly_build,
                hooks: Self::__arcly_hooks,
                config: ::core::option::Option::None,
            };
        }
    }
}
