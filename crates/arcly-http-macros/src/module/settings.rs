//! Settings of requests that every level may have.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Ident, LitBool, LitInt, LitStr, Path, Token, parenthesized};

use crate::support::rt;

/// Settings that are left open are said further out.
#[derive(Default)]
pub(crate) struct Settings {
    /// Milliseconds; `Some(None)`: no deadline at all.
    deadline: Option<Option<u64>>,
    rate_limits: Vec<RateLimit>,
    rate_cost: Option<u32>,
    /// The function that makes it; `Some(None)`: none at all.
    cors: Option<Option<Path>>,
    csrf: Option<bool>,
    /// A variant of `Compress`.
    compress: Option<Ident>,
    /// The function that makes them; `Some(None)`: none at all.
    security_headers: Option<Option<Path>>,
}

/// `rate_limit("100/min", per = address)`.
struct RateLimit {
    count: u32,
    period_millis: u64,
    /// A variant of `Per`.
    per: Ident,
}

impl Settings {
    /// Takes one setting, if it is one of these.
    pub(crate) fn take(&mut self, name: &str, input: ParseStream<'_>) -> syn::Result<bool> {
        match name {
            "deadline" => {
                once(name, self.deadline.is_some(), input)?;
                self.deadline = Some(deadline(input)?);
            }
            "rate_limit" => self.rate_limits.push(rate_limit(input)?),
            "rate_cost" => {
                once(name, self.rate_cost.is_some(), input)?;
                self.rate_cost = Some(rate_cost(input)?);
            }
            "cors" => {
                once(name, self.cors.is_some(), input)?;
                self.cors = Some(function(input, "Cors", "cors = shop_pages")?);
            }
            "security_headers" => {
                once(name, self.security_headers.is_some(), input)?;
                let example = "security_headers = of_pages";
                self.security_headers = Some(function(input, "SecurityHeaders", example)?);
            }
            "csrf" => {
                once(name, self.csrf.is_some(), input)?;
                let _: Token![=] = input.parse()?;
                let choice: LitBool = input.parse().map_err(|error| {
                    syn::Error::new(error.span(), "write `csrf = false` or `csrf = true`")
                })?;
                self.csrf = Some(choice.value);
            }
            "compress" => {
                once(name, self.compress.is_some(), input)?;
                self.compress = Some(compress(input)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The calls that set them on the level's stages.
    pub(crate) fn calls(&self) -> TokenStream {
        let rt = rt();
        let deadline = self.deadline.map(|limit| match limit {
            Some(millis) => quote! {
                .deadline(::core::option::Option::Some(
                    ::core::time::Duration::from_millis(#millis)
                ))
            },
            None => quote!(.deadline(::core::option::Option::None)),
        });
        let rate_limits = self.rate_limits.iter().map(|RateLimit { count, period_millis, per }| {
            quote! {
                .rate_limit(#rt::RateLimit::new(
                    #count,
                    ::core::time::Duration::from_millis(#period_millis),
                    #rt::Per::#per,
                ))
            }
        });
        let rate_cost = self.rate_cost.map(|cost| quote!(.rate_cost(#cost)));
        let cors = self.cors.as_ref().map(|make| made("cors", make.as_ref()));
        let security_headers =
            self.security_headers.as_ref().map(|make| made("security_headers", make.as_ref()));
        let csrf = self.csrf.map(|is_refused| quote!(.csrf(#is_refused)));
        let compress = self.compress.as_ref().map(|rule| quote!(.compress(#rt::Compress::#rule)));
        quote!(#deadline #(#rate_limits)* #rate_cost #cors #csrf #compress #security_headers)
    }
}

/// `.setting(Some(make()))`.
fn made(setting: &str, make: Option<&Path>) -> TokenStream {
    let span = make.map_or_else(Span::call_site, Spanned::span);
    let setting = Ident::new(setting, span);
    match make {
        Some(make) => quote_spanned!(span=> .#setting(::core::option::Option::Some(#make()))),
        None => quote!(.#setting(::core::option::Option::None)),
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

/// `= function` or `= None`.
fn function(input: ParseStream<'_>, ty: &str, example: &str) -> syn::Result<Option<Path>> {
    let _: Token![=] = input.parse()?;
    let make: Path = input.parse().map_err(|error| {
        let text = format!("name a function that returns `{ty}`: `{example}`; or `None`");
        syn::Error::new(error.span(), text)
    })?;
    Ok((!make.is_ident("None")).then_some(make))
}

const COMPRESS: &str = "write `compress = off`, `compress = safe` (not for requests with credentials that browsers add by themselves) or `compress = always`";

/// `= off`.
fn compress(input: ParseStream<'_>) -> syn::Result<Ident> {
    let _: Token![=] = input.parse()?;
    let word: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), COMPRESS))?;
    let variant = match word.to_string().as_str() {
        "off" => "Off",
        "safe" => "Safe",
        "always" => "Always",
        _ => return Err(syn::Error::new(word.span(), COMPRESS)),
    };
    Ok(Ident::new(variant, word.span()))
}

const RATE_LIMIT: &str =
    "a rate is a number of requests in a time, both more than zero: `\"100/min\"`, `\"5/10s\"`";
const PER: &str = "a rate limit counts for each `address`, `principal` or `tenant`: `rate_limit(\"100/min\", per = principal)`";

/// `("100/min", per = address)`.
fn rate_limit(input: ParseStream<'_>) -> syn::Result<RateLimit> {
    let content;
    parenthesized!(content in input);
    if !content.peek(LitStr) {
        return Err(content.error(RATE_LIMIT));
    }
    let text: LitStr = content.parse()?;
    let fault = || syn::Error::new(text.span(), RATE_LIMIT);
    let (count, period_millis) = rate(&text.value()).ok_or_else(fault)?;
    if content.parse::<Option<Token![,]>>()?.is_none() || content.is_empty() {
        return Err(content.error(PER));
    }
    let word: Ident = content.parse()?;
    if word != "per" {
        return Err(syn::Error::new(word.span(), PER));
    }
    let _: Token![=] = content.parse()?;
    let per: Ident = content.parse().map_err(|error| syn::Error::new(error.span(), PER))?;
    let variant = match per.to_string().as_str() {
        "address" => "Address",
        "principal" => "Principal",
        "tenant" => "Tenant",
        _ => return Err(syn::Error::new(per.span(), PER)),
    };
    content.parse::<Option<Token![,]>>()?;
    if !content.is_empty() {
        return Err(content.error("a rate limit has a rate and `per`, and nothing else"));
    }
    Ok(RateLimit { count, period_millis, per: Ident::new(variant, per.span()) })
}

/// Requests and milliseconds of `100/min` or `5/10s`.
fn rate(text: &str) -> Option<(u32, u64)> {
    let (count, period) = text.split_once('/')?;
    let period = period.trim();
    let period = match period.starts_with(|c: char| c.is_ascii_digit()) {
        true => millis(period)?,
        false => millis(&format!("1{period}"))?,
    };
    let count = count.trim().parse().ok()?;
    (count > 0 && period > 0).then_some((count, period))
}

/// `= 5`.
fn rate_cost(input: ParseStream<'_>) -> syn::Result<u32> {
    let _: Token![=] = input.parse()?;
    let number: LitInt = input.parse()?;
    match number.base10_parse() {
        Ok(cost) if cost > 0 => Ok(cost),
        _ => Err(syn::Error::new(number.span(), "a cost is a whole number, at least 1")),
    }
}

/// Milliseconds of `30s`.
pub(crate) fn millis(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let unit = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}
