//! `#[controller(..)]`: methods that answer HTTP requests.

mod cache;
pub(crate) mod expand;
pub(crate) mod foreign;
pub(crate) mod parse;
pub(crate) mod validate;

use proc_macro2::TokenStream;

use crate::support::Errors;

pub(crate) fn expand(
    mut args: parse::Args,
    mut item: syn::ItemImpl,
    errors: &mut Errors,
) -> TokenStream {
    parse::stages_below(&mut args, &mut item, errors);
    let meant = parse::meant_as_routes(&item);
    let routes = parse::routes(&args, &mut item, errors);
    // A route with a fault is left out, so that one mistake gives one message.
    let mut routes: Vec<_> = routes
        .into_iter()
        .filter(|route| {
            let before = errors.count();
            validate::route(&args, route, errors);
            validate::no_socket(route, errors);
            errors.count() == before
        })
        .collect();
    validate::controller(&args, &item, errors);
    validate::together(&mut routes, errors);
    if meant.is_empty() && errors.count() == 0 {
        errors.at(&item.self_ty, "this controller has no routes: put `#[get(\"/..\")]` or another method on one of its methods");
    }
    expand::emit(&args, &item, &routes, &meant)
}
