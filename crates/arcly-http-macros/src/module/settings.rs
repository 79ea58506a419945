//! Settings of requests that every level may have.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Ident, LitStr, Token};

/// Settings that are left open are said further out.
#[derive(Default)]
pub(crate) struct Settings {
    /// Milliseconds; `Some(None)`: no deadline at all.
    deadline: Option<Option<u64>>,
}

impl Settings {
    /// Takes one setting, if it is one of these.
    pub(crate) fn take(&mut self, name: &str, input: ParseStream<'_>) -> syn::Result<bool> {
        match name {
            "deadline" => {
                once(name, self.deadline.is_some(), input)?;
                self.deadline = Some(deadline(input)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The calls that set them on the level's stages.
    pub(crate) fn calls(&self) -> TokenStream {
        let deadline = self.deadline.map(|limit| match limit {
            Some(millis) => quote! {
                .deadline(::core::option::Option::Some(
                    ::core::time::Duration::from_millis(#millis)
                ))
            },
            None => quote!(.deadline(::core::option::Option::None)),
        });
        quote!(#deadline)
    }
}

fn once(name: &str, is_given: bool, input: ParseStream<'_>) -> syn::Result<()> {
    if is_given {
        return Err(input.error(format!("`{name}` is given twice; one of them has no effect")));
    }
    Ok(())
}

const DEADLINE: &str = "a deadline is a number with a unit, more than zero: `\"500ms\"`, `\"30s\"`, `\"2min\"`; or `None`";

/// `= "5s"` or `= None`.
fn deadline(input: ParseStream<'_>) -> syn::Result<Option<u64>> {
    let _: Token![=] = input.parse()?;
    if input.peek(Ident) {
        let word: Ident = input.parse()?;
        if word == "None" {
            return Ok(None);
        }
        return Err(syn::Error::new(word.span(), DEADLINE));
    }
    if !input.peek(LitStr) {
        return Err(input.error(DEADLINE));
    }
    let text: LitStr = input.parse()?;
    match millis(&text.value()) {
        Some(millis) if millis > 0 => Ok(Some(millis)),
        _ => Err(syn::Error::new(text.span(), DEADLINE)),
    }
}

/// Milliseconds of `30s`.
fn millis(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let unit = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}
