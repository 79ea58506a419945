//! The metadata of a module.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::parse::{Args, Provider};
use super::stages::{stage_deps, stages};
use crate::support::{in_binary, key, rt, rt_at};

pub(crate) fn emit(args: &Args, item: &syn::ItemStruct) -> TokenStream {
    let rt = rt();
    let name = &item.ident;
    let key = key("", name);
    let line = quote_spanned!(name.span()=> line!());
    let module = |path: &syn::Path| quote_spanned!(path.span()=> &#path);
    let imports = args.imports.iter().chain(&args.plugins).map(|entry| entry.write(module));
    let reexports = args.reexports.iter().map(|entry| entry.write(module));
    let plugins = args.plugins.iter().map(|entry| {
        entry.write(|path| quote_spanned!(path.span()=> let module = module.plugin::<#path>();))
    });
    let modules = args.imports.iter().chain(&args.plugins).chain(&args.reexports);
    let asked = modules.map(|entry| {
        entry.write(|path| {
            let rt = rt_at(path.span());
            quote_spanned!(path.span()=> const _: () = #rt::asks::module(&#path);)
        })
    });
    let providers = args.providers.iter().map(|entry| entry.write(provider));
    let controllers = args.controllers.iter().map(|entry| {
        entry.write(|path| quote_spanned!(path.span()=> <#path as #rt::Controller>::CONTROLLER))
    });
    let gateways = args.gateways.iter().map(|entry| {
        entry.write(|path| quote_spanned!(path.span()=> <#path as #rt::Gateway>::GATEWAY))
    });
    let controllers = controllers.chain(gateways);
    let listed = args.controllers.iter().chain(&args.gateways).map(|entry| {
        entry.write(|path| quote_spanned!(path.span()=> const _: () = <#path>::ONE_CONTROLLER_BLOCK_LISTED_IN_A_MODULE;))
    });
    let has_any = !(args.controllers.is_empty() && args.gateways.is_empty());
    let listed = has_any.then(|| {
        quote! {
            const _: () = {
                // Of other crates' controllers, and of what is none.
                #[allow(unused_imports, reason = "own controllers have the constant themselves")]
                use #rt::Elsewhere as _;
                #(#listed)*
            };
        }
    });
    let exports = args.exports.iter().map(|entry| entry.write(|exported| key_of(&exported.0)));
    let actions = args.actions.iter().map(|entry| {
        entry.write(|path| quote_spanned!(path.span()=> <#path as #rt::ActionSet>::ACTIONS))
    });
    let global = args.global;
    let deps = stage_deps(&args.stages);
    let stages = stages(&args.stages);
    let prefix = args.prefix.as_ref().map_or_else(String::new, syn::LitStr::value);
    let is_proved = args.root.is_some();
    let proof = args.root.as_ref().map(|root| {
        let rt = rt_at(root.span());
        quote_spanned! {root.span()=>
            #[allow(long_running_const_eval, reason = "the proof walks the whole graph")]
            const _: () = #rt::proof::check(<#name as #rt::Module>::META);
        }
    });
    // A module is a type and a static of one name. Statics may name each other in
    // a circle, where constants of a trait would stop the compiler before the
    // proof can explain the import cycle.
    let (attrs, vis) = (&item.attrs, &item.vis);
    let metadata = quote! {
        {
            fn transport() -> ::std::boxed::Box<dyn ::core::any::Any> {
                let module = #rt::ModuleHttp::new(#stages);
                #(#plugins)*
                ::std::boxed::Box::new(module)
            }
            #rt::ModuleMeta {
                key: #key,
                place: #rt::Place { file: file!(), line: #line },
                imports: &[#(#imports),*],
                providers: &[#(#providers),*],
                controllers: &[#(#controllers),*],
                exports: &[#(#exports),*],
                reexports: &[#(#reexports),*],
                global: #global,
                actions: &[#(#actions),*],
                prefix: #prefix,
                deps: &[#(#deps),*],
                transport,
            }
        }
    };
    // As if the user had written it: what macros write may stay unused unsaid.
    let (keyword, end) = (quote_spanned!(name.span()=> static), quote_spanned!(name.span()=> ;));
    let unused = "no module imports this module, so nothing in it is there: add it to \
                  `imports(..)` of the module that needs it, or launch it; one that only \
                  tests launch has `#[cfg(test)]`";
    // Who allows it on the module itself means it.
    let is_allowed = item.attrs.iter().any(|attr| {
        (attr.path().is_ident("allow") || attr.path().is_ident("expect"))
            && attr.meta.to_token_stream().to_string().contains("dead_code")
    });
    let once =
        (!is_allowed).then(|| quote!(#[allow(dead_code, reason = "said of the static, once")]));
    // Where the crate allows dead code, the impl would count as a use.
    let no_use = (!is_allowed).then(|| quote!(#[deny(dead_code)]));
    let level = if is_allowed { quote!(allow) } else { quote!(deny) };

    let is_public = matches!(vis, syn::Visibility::Public(_));
    // In a binary, a public struct counts as used, and its implementation of `Module` with
    // it: the static that importers name must not be what that returns. A root is launched
    // through it.
    if is_public && args.root.is_none() && !is_allowed && in_binary() {
        let own = quote_spanned!(name.span()=> pub(crate));
        let unused = format!("{unused}; what is launched is `#[module(root, ..)]`");
        return quote! {
            #(#attrs)*
            #vis struct #name {}
            #[doc(hidden)]
            #[deny(dead_code, reason = #unused)]
            #[allow(non_upper_case_globals, reason = "has the name of the module")]
            #own #keyword #name: #rt::ModuleMeta = #name::__ARCLY_META #end
            #[automatically_derived]
            impl #name {
                #[doc(hidden)]
                #[allow(dead_code, reason = "used where the static is")]
                const __ARCLY_META: #rt::ModuleMeta = #metadata;
            }
            #[automatically_derived]
            impl #rt::Module for #name {
                const META: &'static #rt::ModuleMeta = &#name::__ARCLY_META;
            }
            #(#asked)*
            #listed
        };
    }

    let doc = format!("Metadata of the module [`struct@{name}`].");
    quote! {
        #(#attrs)*
        #once
        #vis struct #name {}
        #[doc = #doc]
        #[#level(dead_code, reason = #unused)]
        #[allow(non_upper_case_globals, reason = "has the name of the module")]
        #vis #keyword #name: #rt::ModuleMeta = #metadata #end
        #[automatically_derived]
        #no_use
        impl #rt::Module for #name {
            const META: &'static #rt::ModuleMeta = &#name;
            const PROVED: bool = #is_proved;
        }
        #(#asked)*
        #listed
        #proof
    }
}

fn provider(provider: &Provider) -> TokenStream {
    let rt = rt();
    let ty = &provider.ty;
    let bindings = provider.bindings.iter().map(|binding| {
        quote_spanned! {binding.span()=>
            #rt::Binding {
                key: <#binding as #rt::Token>::KEY,
                many: <#binding as #rt::Token>::MANY,
                upcast: |instance| {
                    let value: ::std::sync::Arc<<#ty as #rt::Provide>::Output> = instance.downcast()?;
                    let value: ::std::sync::Arc<#binding> = value;
                    ::core::option::Option::Some(#rt::Instance::new(value))
                },
            }
        }
    });
    let (name, roles) = (ty.to_token_stream().to_string().replace(' ', ""), roles(ty));
    quote_spanned! {ty.span()=>
        #rt::ProviderEntry {
            name: #name,
            meta: <#ty as #rt::Provide>::PROVIDER,
            bindings: &[#(#bindings),*],
            roles: #roles,
        }
    }
}

/// Asks what the framework would use the provider for; see `asks::Role`.
fn roles(ty: &syn::Type) -> TokenStream {
    let rt = rt();
    let names = [
        "GUARD",
        "INTERCEPTOR",
        "FILTER",
        "HEALTH_CHECK",
        "AUTHENTICATOR",
        "RATE_LIMIT_STORE",
        "CLOCK",
    ];
    let roles = names.map(|name| syn::Ident::new(name, ty.span()));
    quote_spanned! {ty.span()=> {
        #[allow(unused_imports, reason = "used for each role that the type does not have")]
        use #rt::asks::NoRole as _;
        type Listed = #rt::asks::Role<<#ty as #rt::Provide>::Output>;
        #rt::Roles::of(#(Listed::#roles)|*)
    }}
}

/// A trait is exported by its own name, a provider by what it provides.
fn key_of(ty: &syn::Type) -> TokenStream {
    let rt = rt();
    if matches!(ty, syn::Type::TraitObject(_)) {
        quote_spanned!(ty.span()=> <#ty as #rt::Token>::KEY)
    } else {
        quote_spanned!(ty.span()=> <#ty as #rt::asks::Exported>::KEY)
    }
}
