//! Entries of lists, each with the `#[cfg(..)]` that it may have.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Token, parenthesized, token};

/// An entry, and under which conditions it is there.
pub(crate) struct Gated<T> {
    cfgs: Vec<Attribute>,
    pub(crate) item: T,
}

impl<T> Gated<T> {
    /// What is written for the entry, under its conditions: an element of an array, a
    /// statement or an item.
    pub(crate) fn write(&self, write: impl FnOnce(&T) -> TokenStream) -> TokenStream {
        let (cfgs, written) = (&self.cfgs, write(&self.item));
        quote!(#(#cfgs)* #written)
    }
}

impl<T: Parse> Parse for Gated<T> {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let cfgs = input.call(Attribute::parse_outer)?;
        if let Some(other) = cfgs.iter().find(|attr| !attr.path().is_ident("cfg")) {
            return Err(syn::Error::new_spanned(
                other,
                "an entry may have `#[cfg(..)]` and no other attribute",
            ));
        }
        Ok(Self { cfgs, item: input.parse()? })
    }
}

/// `(a, b, ..)`.
pub(crate) fn list<T: Parse>(input: ParseStream<'_>) -> syn::Result<Vec<T>> {
    if !input.peek(token::Paren) {
        return Err(input.error("expected a list in parentheses, as in `name(a, b)`"));
    }
    let content;
    parenthesized!(content in input);
    let mut entries = vec![];
    while !content.is_empty() {
        entries.push(content.parse()?);
        comma(&content)?;
    }
    Ok(entries)
}

/// What separates entries and settings, unless it was the last.
pub(crate) fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    if input.peek(token::Paren) {
        return Err(input.error("name it alone, without calling it"));
    }
    if input.peek(Token![=]) {
        return Err(input.error("this stands by itself and takes no value"));
    }
    if input.peek(Token![as]) {
        return Err(
            input.error("`as` stands in `providers(..)`; here, name the trait or the type alone")
        );
    }
    let _: Token![,] = input.parse()?;
    Ok(())
}

/// The settings that a list has had so far: a second one would take the place of the first,
/// which may be a guard.
#[derive(Default)]
pub(crate) struct Given(Vec<String>);

impl Given {
    pub(crate) fn once(&mut self, name: &syn::Ident) -> syn::Result<()> {
        let text = name.to_string();
        if text != "rate_limit" && self.0.contains(&text) {
            let fault = format!("`{text}` is given twice; one of them has no effect");
            return Err(syn::Error::new(name.span(), fault));
        }
        self.0.push(text);
        Ok(())
    }
}
