//! `#[module(..)]`: a unit of visibility.

mod expand;
pub(crate) mod gated;
mod parse;
pub(crate) mod settings;
pub(crate) mod stages;

use proc_macro2::TokenStream;

use crate::support::Errors;

pub(crate) fn expand(args: parse::Args, item: syn::ItemStruct, errors: &mut Errors) -> TokenStream {
    parse::validate(&args, &item, errors);
    expand::emit(&args, &item)
}
