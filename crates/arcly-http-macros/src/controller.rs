//! `#[controller(..)]`: methods that answer HTTP requests.

mod expand;
mod parse;
mod validate;

use proc_macro2::TokenStream;

use crate::support::Errors;

pub(crate) fn expand(
    args: parse::Args,
    mut item: syn::ItemImpl,
    errors: &mut Errors,
) -> TokenStream {
    let routes = parse::routes(&args, &mut item, errors);
    // A route with a fault is left out, so that one mistake gives one message.
    let routes: Vec<_> = routes
        .into_iter()
        .filter(|route| {
            let before = errors.count();
            validate::route(&args, route, errors);
            errors.count() == before
        })
        .collect();
    validate::controller(&args, &item, errors);
    expand::emit(&args, &item, &routes)
}
