//! From the model to metadata and endpoints; no decisions are left here.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::parse::{Args, Disconnect, Taken};
use crate::controller::expand as of_controller;
use crate::controller::parse::Route;
use crate::module::stages::stages;
use crate::support::{Errors, rt, rt_at};

pub(super) fn emit(
    args: &Args,
    item: &syn::ItemImpl,
    taken: Taken,
    errors: &Errors,
) -> TokenStream {
    if !item.generics.params.is_empty() || item.trait_.is_some() {
        return quote!(#item);
    }
    let rt = rt();
    let gateway = &item.self_ty;
    let kind =
        of_controller::Kind { name: "gateway", section: "gateways", effect: "takes no sockets" };
    let listed = of_controller::listed(gateway, args.base.elsewhere, &kind);
    let codec = if args.is_raw { quote!(Raw) } else { quote!(Json) };
    let marker = quote! {
        #[automatically_derived]
        impl #rt::Gateway for #gateway {
            const CODEC: #rt::Codec = #rt::Codec::#codec;
        }
    };
    let emits = args.emits.iter().map(|event| {
        let rt = rt_at(event.span());
        quote_spanned!(event.span()=> #[automatically_derived] impl #rt::SentBy<#gateway> for #event {})
    });
    // One mistake, one message: what uses a faulty gateway finds a gateway all the same.
    let is_whole = errors.count() == 0;
    let Some(connect) = taken.connect.filter(|_| is_whole) else {
        return quote! {
            #item
            #listed
            const _: () = {
                #[automatically_derived]
                impl #rt::Controller for #gateway {
                    const CONTROLLER: &'static #rt::ControllerMeta = &#rt::ControllerMeta {
                        provider: <#gateway as #rt::Provide>::PROVIDER,
                        routes: &[],
                        transport: || ::std::boxed::Box::new(()),
                    };
                }
                #marker
                #(#emits)*
            };
        };
    };
    let names: Vec<_> = taken.events.iter().map(|event| event.name.clone()).collect();
    let unordered =
        taken.events.iter().filter(|event| event.is_unordered).map(|event| event.name.clone());
    let unordered: Vec<_> = unordered.collect();
    let mut routes: Vec<Route> = vec![connect];
    routes.extend(taken.events.into_iter().map(|event| event.route));

    let facts = routes.iter().enumerate().map(|(index, route)| {
        let (cfgs, name) = (&route.cfgs, of_controller::fact_name(index));
        let more = (index == 0)
            .then(|| quote!(#rt::Needs { of: #rt::Needer::Stage, deps: #rt::GATEWAY_NEEDS },));
        let fact = of_controller::fact(&args.base, gateway, index, route, index == 0, more);
        quote!(#(#cfgs)* const #name: #rt::RouteFact = #fact;)
    });
    let fact_names = routes.iter().enumerate().map(|(index, route)| {
        let (cfgs, name) = (&route.cfgs, of_controller::fact_name(index));
        quote!(#(#cfgs)* #name)
    });
    let types = routes.iter().enumerate().map(|(index, route)| {
        let names = of_controller::argument_types(index, route);
        let types = route.arguments.iter().map(|argument| &argument.ty);
        let cfgs = &route.cfgs;
        let types = names.zip(types).map(|(name, ty)| quote!(#(#cfgs)* type #name = #ty;));
        quote!(#(#types)*)
    });
    let events = routes.iter().enumerate().skip(1).zip(&names).map(|((index, route), name)| {
        let cfgs = &route.cfgs;
        let route = of_controller::http_route(&args.base, gateway, index, route);
        quote!(#(#cfgs)* #rt::EventRoute { name: #name, route: #route })
    });
    let emitted = args.emits.iter().map(|event| {
        let rt = rt_at(event.span());
        quote_spanned!(event.span()=> #rt::emitted::<#event>())
    });
    let handshake = handshake(args, gateway, &routes[0], &unordered, taken.disconnect.as_ref());
    let stage_list = stages(&args.base.common.stages);
    let distinct = args.emits.first().map(|first| {
        let names = args.emits.iter().map(|event| {
            let rt = rt_at(event.span());
            quote_spanned!(event.span()=> <#event as #rt::ServerEvent>::NAME)
        });
        quote_spanned!(first.span()=> const _: () = #rt::expect_distinct(&[#(#names),*]);)
    });
    let asks = of_controller::asks(&routes);
    let unasked_rules = of_controller::unasked_rules(&routes);
    quote! {
        #item
        #asks
        #unasked_rules
        #listed
        #distinct
        const _: () = {
            #(#types)*
            #(#facts)*
            fn transport() -> ::std::boxed::Box<dyn ::core::any::Any> {
                ::std::boxed::Box::new(#rt::ControllerHttp::gateway(
                    #stage_list,
                    #handshake,
                    ::std::vec::Vec::from([#(#events),*]),
                    ::std::vec::Vec::from([#(#emitted),*]),
                ))
            }
            #[automatically_derived]
            impl #rt::Controller for #gateway {
                const CONTROLLER: &'static #rt::ControllerMeta = &#rt::ControllerMeta {
                    provider: <#gateway as #rt::Provide>::PROVIDER,
                    routes: &[#(#fact_names),*],
                    transport,
                };
            }
            #marker
            #(#emits)*
        };
    }
}

/// The route that opens sockets: described without the reply of `on_connect`, which is a
/// handshake's, and mounted around it.
fn handshake(
    args: &Args,
    gateway: &syn::Type,
    connect: &Route,
    unordered: &[syn::LitStr],
    disconnect: Option<&Disconnect>,
) -> TokenStream {
    let rt = rt();
    let route = of_controller::http_route(&args.base, gateway, 0, connect);
    let endpoint = of_controller::endpoint(gateway, 0, connect);
    let describe = of_controller::describe_arguments(0, connect);
    let problems = of_controller::error_of(&connect.reply).map(|error| {
        quote_spanned!(error.span()=> operation.problems(<#error as #rt::problem::IntoProblem>::kinds());)
    });
    let codec = if args.is_raw { quote!(Raw) } else { quote!(Json) };
    let emits = args.emits.iter().map(|event| {
        let rt = rt_at(event.span());
        quote_spanned!(event.span()=> <#event as #rt::ServerEvent>::NAME)
    });
    let tuning = match &args.tuning {
        Some(function) => quote_spanned!(function.span()=> #function),
        None => quote!(|tuning| tuning),
    };
    let on_disconnect = match disconnect {
        None => quote!(::core::option::Option::None),
        Some(Disconnect { handler, is_async, takes_client }) => {
            let client = takes_client.then(|| quote!(&client));
            let wait = is_async.then(|| quote!(.await));
            let gone = format_ident!("gateway");
            quote! {{
                let #gone = binder.controller::<#gateway>()?;
                let hook: #rt::OnDisconnect = ::std::sync::Arc::new(move |client| {
                    let #gone = ::std::sync::Arc::clone(&#gone);
                    ::std::boxed::Box::pin(async move {
                        let _ = &client;
                        <#gateway>::#handler(&#gone, #client) #wait;
                    })
                });
                ::core::option::Option::Some(hook)
            }}
        }
    };
    quote! {
        #rt::HttpRoute {
            describe: |operation: &mut #rt::Operation| {
                #(#describe)*
                #problems
                #rt::describe_handshake(operation);
            },
            mount: |binder: &#rt::Binder<'_>| {
                let on_connect: ::core::result::Result<_, _> = { #endpoint };
                #rt::gateway_endpoint(
                    binder,
                    #rt::GatewaySpec {
                        key: <#gateway as #rt::Provide>::PROVIDER.key,
                        codec: #rt::Codec::#codec,
                        unordered: &[#(#unordered),*],
                        emits: &[#(#emits),*],
                        tuning: #tuning,
                        on_disconnect: #on_disconnect,
                    },
                    on_connect?,
                )
            },
            ..#route
        }
    }
}
