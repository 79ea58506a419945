//! `#[derive(Problem)]`.

mod expand;
mod parse;
mod validate;

use proc_macro2::TokenStream;

pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let expanded = parse::parse(&input)
        .and_then(|parsed| validate::validate(&parsed).map(|model| expand::expand(&model)));
    expanded.unwrap_or_else(|error| expand::fallback(&input.ident, &input.generics, &error))
}
