//! Guards, interceptors, filters, layers and settings: the same at every level.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Path, Type};

use super::gated::list;
use super::settings::Settings;
use crate::support::rt;

/// What every level takes, for messages.
pub(crate) const NAMES: &str = "guards, interceptors, filters, layers, deadline, rate_limit, rate_cost, cors, csrf, compress, security_headers";

/// Guards, interceptors, filters and layers, in the order they are written; and
/// settings.
#[derive(Default)]
pub(crate) struct Stages {
    pub(crate) guards: Vec<Type>,
    pub(crate) interceptors: Vec<Type>,
    pub(crate) filters: Vec<Type>,
    pub(crate) layers: Vec<Path>,
    settings: Settings,
}

impl Stages {
    /// Takes one section, if it is one of these.
    pub(crate) fn take(&mut self, section: &str, input: ParseStream<'_>) -> syn::Result<bool> {
        if matches!(section, "guards" | "interceptors" | "filters" | "layers")
            && input.peek(syn::token::Paren)
            && input
                .fork()
                .parse::<proc_macro2::Group>()
                .is_ok_and(|group| group.stream().is_empty())
        {
            return Err(input.error(format!("`{section}()` names nothing; leave it out")));
        }
        match section {
            "guards" => self.guards = types(input)?,
            "interceptors" => self.interceptors = types(input)?,
            "filters" => self.filters = types(input)?,
            "layers" => self.layers = list(input)?,
            other => return self.settings.take(other, input),
        }
        Ok(true)
    }
}

impl Stages {
    /// Adds those of the same place that were written apart.
    pub(crate) fn append(&mut self, other: Self) {
        self.guards.extend(other.guards);
        self.interceptors.extend(other.interceptors);
        self.filters.extend(other.filters);
        self.layers.extend(other.layers);
    }
}

/// `(A, B, ..)`: providers, which the container builds.
fn types(input: ParseStream<'_>) -> syn::Result<Vec<Type>> {
    Ok(list::<Provided>(input)?.into_iter().map(|provided| provided.0).collect())
}

struct Provided(Type);

impl Parse for Provided {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(syn::Lit) {
            return Err(input.error("name its type, without quotes"));
        }
        let ahead = input.fork();
        match ahead.parse::<syn::Expr>() {
            Ok(value @ (syn::Expr::Call(_) | syn::Expr::Struct(_) | syn::Expr::MethodCall(_))) => {
                Err(syn::Error::new_spanned(
                    value,
                    "name its type alone: it is a provider, listed in `providers(..)`, and the container builds it",
                ))
            }
            _ => Ok(Self(input.parse()?)),
        }
    }
}

/// The edges that guards, interceptors and filters add to the graph.
pub(crate) fn stage_deps(stages: &Stages) -> Vec<TokenStream> {
    let rt = rt();
    let types = stages.guards.iter().chain(&stages.interceptors).chain(&stages.filters);
    let deps = types.map(|ty| {
        let label = ty.to_token_stream().to_string().replace(' ', "");
        quote_spanned! {ty.span()=>
            &[#rt::Dep { field: #label, spec: #rt::shared(<#rt::Inject<#ty> as #rt::Dependency>::SPEC), line: line!() }]
        }
    });
    deps.collect()
}

/// The stages as the transport takes them.
pub(crate) fn stages(stages: &Stages) -> TokenStream {
    let rt = rt();
    let guards = stages.guards.iter().map(|ty| quote_spanned!(ty.span()=> .guard::<#ty>()));
    let interceptors =
        stages.interceptors.iter().map(|ty| quote_spanned!(ty.span()=> .interceptor::<#ty>()));
    let filters = stages.filters.iter().map(|ty| quote_spanned!(ty.span()=> .filter::<#ty>()));
    let layers = stages.layers.iter().map(|path| quote_spanned!(path.span()=> .layer(#path())));
    let settings = stages.settings.calls();
    quote!(#rt::Stages::new() #(#guards)* #(#interceptors)* #(#filters)* #(#layers)* #settings)
}
