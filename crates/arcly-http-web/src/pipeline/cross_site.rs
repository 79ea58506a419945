//! Requests that pages of other sites make browsers send (CSRF).
//!
//! No token is needed: browsers say where a request comes from, by `sec-fetch-site`,
//! and older ones by `origin`. What says neither was not sent by a page.

use arcly_http_core::problem::{Problem, kinds};
use http::header::{HOST, ORIGIN};
use http::{HeaderName, HeaderValue, Method, Uri};

use super::cors::Rule;
use crate::Head;
use crate::context::{FETCH_SITE, Seen};

/// Whether a method changes things, so that another site must not cause it.
pub(crate) fn changes_things(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Refuses what a page of another origin caused, unless CORS lets it.
pub(super) fn refuse(head: &Head, cors: Option<&Rule>) -> Result<(), Problem> {
    if !(head.seen.has(Seen::ORIGIN) || head.seen.has(Seen::FETCH_SITE)) {
        return Ok(());
    }
    let only = |name: HeaderName| {
        let mut values = head.headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())
    };
    let origin = only(ORIGIN);
    let is_own = match head.seen.has(Seen::FETCH_SITE) {
        true => only(FETCH_SITE).is_some_and(|site| site == "same-origin" || site == "none"),
        false => origin.is_some_and(|origin| is_same_host(origin, head)),
    };
    if is_own || origin.is_some_and(|origin| cors.is_some_and(|cors| cors.trusts(origin, head))) {
        return Ok(());
    }
    Err(Problem::of(&kinds::FORBIDDEN)
        .with_detail("pages of other origins may not call this operation"))
}

/// The scheme is left out: behind a proxy that ends TLS it is not known here.
fn is_same_host(origin: &HeaderValue, head: &Head) -> bool {
    let Some(origin) = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok()) else {
        return false;
    };
    let own = match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => head.headers.get(HOST).and_then(|host| host.to_str().ok()),
    };
    match (origin.authority(), own) {
        (Some(asking), Some(own)) => {
            origin.scheme().is_some() && asking.as_str().eq_ignore_ascii_case(own)
        }
        _ => false,
    }
}
