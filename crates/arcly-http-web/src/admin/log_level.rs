//! `/loglevel`: which lines of the log are written, shown and changed.

use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::scope::RequestId;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::{StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;

use super::status;
use crate::context::FETCH_SITE;
use crate::pipeline::render_problem;
use crate::route::matches_type;
use crate::{Body, Response};

/// Shows and changes which lines of the log are written.
pub trait LogControl: std::fmt::Debug + Send + Sync + 'static {
    /// What holds now, for people.
    fn show(&self) -> Value;

    /// Changes it.
    ///
    /// # Errors
    /// What is wrong with what is wanted, for people.
    fn change(&self, wanted: Value) -> Result<(), String>;
}

/// Most bytes of what is asked for.
const BODY_MAX: usize = 8 << 10;

pub(super) fn show(control: &dyn LogControl) -> Response {
    status(StatusCode::OK, &control.show())
}

pub(super) async fn change(control: &dyn LogControl, request: http::Request<Body>) -> Response {
    match try_change(control, request).await {
        Ok(()) => show(control),
        Err(problem) => render_problem(&problem, &RequestId::fresh()),
    }
}

async fn try_change(control: &dyn LogControl, request: http::Request<Body>) -> Result<(), Problem> {
    refuse_pages(request.uri(), request.headers())?;
    // A page of another origin cannot send this type without asking beforehand.
    let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !matches_type(sent.unwrap_or_default(), &["application/json"]) {
        return Err(Problem::of(&kinds::UNSUPPORTED_MEDIA_TYPE)
            .with_detail("send `content-type: application/json`"));
    }
    let body = Limited::new(request.into_body(), BODY_MAX).collect().await;
    let body = body.map_err(|error| {
        let kind = match error.is::<http_body_util::LengthLimitError>() {
            true => &kinds::CONTENT_TOO_LARGE,
            false => &kinds::BAD_REQUEST,
        };
        Problem::of(kind).with_detail("the body did not arrive, or is too long")
    })?;
    let refused = |fault: String| Problem::of(&kinds::BAD_REQUEST).with_detail(fault);
    let wanted: Value = serde_json::from_slice(&body.to_bytes())
        .map_err(|error| refused(format!("the body is not JSON: {error}")))?;
    let shown = wanted.to_string();
    control.change(wanted).map_err(refused)?;
    tracing::info!(wanted = shown, "the levels of the log were changed");
    Ok(())
}

/// Whether a request is for a name that somebody in the internet may own and let point
/// here, which makes what is shown readable to that one's pages (DNS rebinding).
pub(super) fn is_for_a_public_name(uri: &Uri, headers: &HeaderMap) -> bool {
    const PRIVATE: [&str; 3] = [".localhost", ".local", ".internal"];
    let Some(host) = host_of(uri, headers) else { return false };
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return true };
    let host = authority.host().trim_matches(['[', ']']).trim_end_matches('.');
    let host = host.to_ascii_lowercase();
    host.contains('.')
        && host.parse::<std::net::IpAddr>().is_err()
        && !PRIVATE.iter().any(|end| host.ends_with(end))
}

fn host_of<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST).and_then(|host| host.to_str().ok()),
    }
}

/// Refuses what a page made a browser send, unless it is a page of this listener, by
/// its address. A name does not do: whoever owns one can let it point here, and has a
/// page of "this" origin.
fn refuse_pages(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let all = |name: HeaderName| headers.get_all(name).iter();
    let is_browser = headers.contains_key(ORIGIN) || headers.contains_key(FETCH_SITE);
    let host = host_of(uri, headers);
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, origin)| host.is_some_and(|own| origin.eq_ignore_ascii_case(own)))
    };
    let is_address = || {
        let authority = host.and_then(|host| host.parse::<http::uri::Authority>().ok());
        authority.is_some_and(|authority| {
            let host = authority.host().trim_matches(['[', ']']);
            host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok()
        })
    };
    if !is_browser
        || (all(FETCH_SITE).all(|site| site == "same-origin" || site == "none")
            && all(ORIGIN).all(is_own)
            && is_address())
    {
        return Ok(());
    }
    Err(Problem::of(&kinds::FORBIDDEN).with_detail("pages of other origins may not change this"))
}
