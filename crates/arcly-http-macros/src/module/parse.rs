//! The sections of `#[module(..)]`.

use syn::parse::{Parse, ParseStream};
use syn::{Fields, Path, Token, Type};

use super::gated::{Gated, comma, list};
use super::stages::{NAMES, Stages};
use crate::support::Errors;

/// A line of `providers(..)`: `Provider as dyn Trait`.
pub(crate) struct Provider {
    pub(crate) ty: Type,
    pub(crate) bindings: Vec<Type>,
}

impl Parse for Provider {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ty = Type::without_plus(input)?;
        let mut bindings = vec![];
        while input.peek(Token![as]) {
            let _: Token![as] = input.parse()?;
            bindings.push(Type::without_plus(input)?);
        }
        Ok(Self { ty, bindings })
    }
}

/// An entry of `exports(..)`: a provider, or `dyn Trait`.
pub(crate) struct Exported(pub(crate) Type);

impl Parse for Exported {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Type::without_plus(input).map(Self)
    }
}

/// The parsed attribute.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) root: Option<syn::Ident>,
    pub(crate) global: bool,
    pub(crate) imports: Vec<Gated<Path>>,
    pub(crate) plugins: Vec<Gated<Path>>,
    pub(crate) reexports: Vec<Gated<Path>>,
    pub(crate) providers: Vec<Gated<Provider>>,
    pub(crate) controllers: Vec<Gated<Path>>,
    pub(crate) gateways: Vec<Gated<Path>>,
    pub(crate) exports: Vec<Gated<Exported>>,
    pub(crate) actions: Vec<Gated<Path>>,
    pub(crate) prefix: Option<syn::LitStr>,
    pub(crate) stages: Stages,
}

const SECTIONS: &str = "imports, plugins, reexports, providers, controllers, gateways, exports, actions, prefix, global, root";

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut args = Self::default();
        let mut seen: Vec<String> = vec![];
        while !input.is_empty() {
            let section: syn::Ident = input.parse()?;
            let name = section.to_string();
            if seen.contains(&name) && name != "rate_limit" {
                return Err(syn::Error::new(
                    section.span(),
                    format!("`{name}` is given twice; write one list"),
                ));
            }
            match name.as_str() {
                "root" => args.root = Some(section),
                "global" => args.global = true,
                "imports" => args.imports = list(input)?,
                "plugins" => args.plugins = list(input)?,
                "reexports" => args.reexports = list(input)?,
                "providers" => args.providers = list(input)?,
                "controllers" => args.controllers = list(input)?,
                "gateways" => args.gateways = list(input)?,
                "exports" => args.exports = list(input)?,
                "actions" => args.actions = list(input)?,
                "prefix" => {
                    let _: Token![=] = input.parse()?;
                    args.prefix = Some(input.parse()?);
                }
                other => {
                    if !args.stages.take(other, input)? {
                        return Err(syn::Error::new(
                            section.span(),
                            format!(
                                "unknown section `{other}`\n       expected one of: {SECTIONS}, {NAMES}"
                            ),
                        ));
                    }
                }
            }
            seen.push(name);
            comma(input)?;
        }
        Ok(args)
    }
}

pub(crate) fn validate(args: &Args, item: &syn::ItemStruct, errors: &mut Errors) {
    if !matches!(item.fields, Fields::Unit) {
        errors.at(&item.fields, "a module is a unit struct: write `pub struct Name;`");
    }
    if !item.generics.params.is_empty() {
        errors.at(&item.generics, "a module has no generics; what varies is a provider");
    }
    if let Some(prefix) = &args.prefix {
        let text = prefix.value();
        if !text.starts_with('/') || text.ends_with('/') || text.contains(['{', '}', '?', '#']) {
            errors.at(prefix, "a module's prefix begins with `/`, does not end with it, and has no parameters: `/api`");
        }
    }
}
