//! Attributes outside the block that gives them a meaning.

use proc_macro::TokenStream;
use quote::quote;

pub(crate) fn refuse(name: &str, _args: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    let or_below = match name {
        "guards" | "interceptors" | "filters" | "layers" => ", or below `#[controller(..)]`",
        _ => "",
    };
    let block = match name {
        "on_connect" | "on_disconnect" | "subscribe" | "message" => "gateway",
        _ => "controller",
    };
    let message = format!(
        "`#[{name}]` has no effect here: it belongs on a method inside a `#[{block}(..)]` impl block{or_below}"
    );
    let error = syn::Error::new(proc_macro2::Span::call_site(), message).to_compile_error();
    quote!(#item #error).into()
}
