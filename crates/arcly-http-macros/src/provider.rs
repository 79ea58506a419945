//! `#[provider]` on functions and `#[injectable]` on traits.

mod hooks;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{FnArg, GenericArgument, ItemFn, ItemTrait, Pat, PathArguments, ReturnType, Token, Type};

use crate::derive::injectable::{scope_name, word};
use crate::support::{Errors, key, rt, rt_at};

/// Arguments of `#[injectable(..)]`.
pub(crate) struct TraitArgs {
    many: bool,
}

impl Parse for TraitArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(Self { many: false });
        }
        let word: syn::Ident = input.parse()?;
        if word != "many" || !input.is_empty() {
            return Err(syn::Error::new(word.span(), "expected nothing or `many`"));
        }
        Ok(Self { many: true })
    }
}

pub(crate) fn injectable_trait(
    args: TraitArgs,
    mut item: ItemTrait,
    errors: &mut Errors,
) -> TokenStream {
    if !item.generics.params.is_empty() {
        errors.at(&item.generics, "a generic trait cannot be injected: `dyn Trait` needs one name");
        return quote!(#item);
    }
    item.colon_token.get_or_insert_default();
    item.supertraits.push(syn::parse_quote!(::core::marker::Send));
    item.supertraits.push(syn::parse_quote!(::core::marker::Sync));
    item.supertraits.push(syn::parse_quote!('static));
    let rt = rt();
    let name = &item.ident;
    let key = key("dyn ", name);
    let many = args.many;
    quote! {
        #item
        #[automatically_derived]
        impl #rt::Token for dyn #name {
            const KEY: #rt::Key = #key;
            const MANY: bool = #many;
        }
    }
}

/// Arguments of `#[provider(..)]`.
pub(crate) struct FactoryArgs {
    scope: syn::Ident,
    qualifier: Option<syn::Path>,
}

impl Parse for FactoryArgs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut args = Self { scope: syn::Ident::new("Singleton", input.span()), qualifier: None };
        while !input.is_empty() {
            let setting: syn::Ident = input.parse()?;
            let _: Token![=] = input.parse()?;
            if setting == "scope" {
                args.scope = scope_name(&word(input)?)?;
            } else if setting == "qualifier" {
                if input.peek(syn::Lit) {
                    return Err(input.error("name the marker's type, without quotes"));
                }
                args.qualifier = Some(input.parse()?);
            } else {
                return Err(syn::Error::new(
                    setting.span(),
                    "expected `scope = ..` or `qualifier = ..`",
                ));
            }
            if !input.is_empty() {
                let _: Token![,] = input.parse()?;
            }
        }
        Ok(args)
    }
}

pub(crate) fn factory(args: FactoryArgs, item: ItemFn, errors: &mut Errors) -> TokenStream {
    if !item.sig.generics.params.is_empty() {
        errors.at(
            &item.sig.generics,
            "a factory has no generics: the graph must know what it provides",
        );
    }
    let Some((output, fallible)) = output_of(&item.sig.output) else {
        errors.at(&item.sig.ident, "a factory returns what it provides, or a `Result` of it");
        return quote!(#item);
    };
    if matches!(output.provided, Type::ImplTrait(_)) {
        errors.at(
            &output.provided,
            "the graph must know what is provided: name the type, which derives `Token`, and list the factory as `factory as dyn Trait`; or return `Arc<dyn Trait>`",
        );
        return quote!(#item);
    }
    let mut names = vec![];
    for argument in &item.sig.inputs {
        match argument {
            FnArg::Typed(argument) => match &*argument.pat {
                Pat::Ident(pattern) => names.push((pattern.ident.to_string(), argument.ty.clone())),
                other => errors.at(
                    other,
                    "name the argument: the name is shown when the dependency is missing",
                ),
            },
            FnArg::Receiver(receiver) => {
                errors.at(
                    receiver,
                    "a factory is a free function; its arguments are its dependencies",
                );
            }
        }
    }
    if errors.count() > 0 {
        return quote!(#item);
    }
    emit_factory(&args, &item, &output, fallible, &names)
}

fn emit_factory(
    args: &FactoryArgs,
    item: &ItemFn,
    output: &Output,
    fallible: bool,
    names: &[(String, Box<Type>)],
) -> TokenStream {
    let rt = rt();
    let name = &item.sig.ident;
    let vis = &item.vis;
    let scope = &args.scope;
    let ty = &output.provided;
    let qualifier =
        args.qualifier.as_ref().map_or_else(|| quote!(#rt::Unqualified), |path| quote!(#path));
    let ty_span = ty.span();
    let key = quote_spanned!(ty_span=> <#qualifier as #rt::Qualifier<#ty>>::KEY);
    let deps = names.iter().map(|(label, ty)| {
        quote_spanned! {ty.span()=>
            #rt::Dep { field: #label, spec: <#ty as #rt::Dependency>::SPEC, line: line!() }
        }
    });
    let arguments = names
        .iter()
        .map(|(_, ty)| quote_spanned!(ty.span()=> <#ty as #rt::Dependency>::resolve(resolver)?));
    let wait = item.sig.asyncness.map(|_| quote!(.await));
    let call = quote!(#name(#(#arguments),*) #wait);
    let call = match &output.error {
        Some(error) => {
            let (at, fault) = (rt_at(error.span()), syn::Ident::new("fault", error.span()));
            let report = quote_spanned!(error.span()=> #at::asks::factory_error(#fault));
            quote! {
                match #call {
                    ::core::result::Result::Ok(made) => made,
                    ::core::result::Result::Err(#fault) => {
                        return ::core::result::Result::Err(#report);
                    }
                }
            }
        }
        None if fallible => quote!((#call).map_err(#rt::BuildError::factory)?),
        None => call,
    };
    let value = if output.shared { call } else { quote!(::std::sync::Arc::new(#call)) };
    let line = quote_spanned!(name.span()=> line!());
    let mut item = item.clone();
    if output.dynamic {
        let block = hooks::watched(item.block.to_token_stream());
        // What cannot be read back stays as it was written.
        item.block = syn::parse2(block).map_or(item.block, Box::new);
    }
    let doc = format!("The factory `{name}` as a provider.");
    let sized = if output.dynamic {
        quote!(::core::option::Option::None)
    } else {
        quote! {{
            #[allow(unused_imports, reason = "one of the two is used, depending on the type")]
            use #rt::{NoHooks as _, WithHooks as _};
            (&#rt::Probe::<#ty>::new()).hooks()
        }}
    };
    quote! {
        #item
        #[doc = #doc]
        #[allow(non_camel_case_types, reason = "named after the function, so that `providers(..)` can list it")]
        #[derive(Debug)]
        #vis struct #name {}
        // No constant around them: within an `impl` block, where all of this cannot stand,
        // its contents would be reported as well.
        #[automatically_derived]
        impl #name {
            #[doc(hidden)]
            fn __arcly_build<'r>(resolver: &'r #rt::Resolver<'r>) -> #rt::BuildFuture<'r> {
                ::std::boxed::Box::pin(async move {
                    let value: ::std::sync::Arc<#ty> = #value;
                    ::core::result::Result::Ok(#rt::Instance::new(value))
                })
            }
            #[doc(hidden)]
            fn __arcly_hooks() -> ::core::option::Option<#rt::HookTable> { #sized }
        }
        #[automatically_derived]
        impl #rt::Provide for #name {
            type Output = #ty;
            const PROVIDER: &'static #rt::ProviderMeta = &#rt::ProviderMeta {
                key: #key,
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

struct Output {
    provided: Type,
    /// Whether the function returns `Arc<provided>` itself.
    shared: bool,
    dynamic: bool,
    /// The `E` of `Result<T, E>`.
    error: Option<Type>,
}

/// What a factory provides, and whether it may fail. `None`: nothing.
fn output_of(output: &ReturnType) -> Option<(Output, bool)> {
    let ReturnType::Type(_, ty) = output else { return None };
    let (inner, fallible) = match argument_of(ty, "Result") {
        Some(inner) => (inner, true),
        None => ((**ty).clone(), false),
    };
    let (provided, shared) = match argument_of(&inner, "Arc") {
        Some(provided) => (provided, true),
        None => (inner, false),
    };
    let dynamic = matches!(provided, Type::TraitObject(_));
    let error = if fallible { second_argument_of(ty) } else { None };
    Some((Output { provided, shared, dynamic, error }, fallible))
}

/// `E` of `Result<T, E>`.
fn second_argument_of(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    match arguments.args.iter().nth(1)? {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    }
}

/// `T` of `name<T, ..>`.
fn argument_of(ty: &Type, name: &str) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if last.ident != name {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    }
}
