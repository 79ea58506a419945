//! `#[gateway(..)]`: methods that answer what sockets send.
//!
//! A gateway is a controller of one route, the handshake, and of events. So the model of a
//! controller's routes is the model of both.

mod expand;
mod parse;
mod validate;

use proc_macro2::TokenStream;

use crate::controller::parse as of_controller;
use crate::support::Errors;

pub(crate) fn expand(
    mut args: parse::Args,
    mut item: syn::ItemImpl,
    errors: &mut Errors,
) -> TokenStream {
    of_controller::stages_below(&mut args.base, &mut item, errors);
    let taken = parse::take(&mut item, errors);
    validate::gateway(&args, &item, &taken, errors);
    expand::emit(&args, &item, taken, errors)
}
