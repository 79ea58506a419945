//! Stage 13: from problems to responses.

use std::any::Any;
use std::sync::Arc;

use arcly_http_core::problem::{Problem, error_chain};
use arcly_http_core::scope::RequestId;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, Entry, HeaderName, HeaderValue};
use http::{Extensions, StatusCode, Uri};
use http_body::Body as _;

use crate::context::REQUEST_ID;
use crate::stage::AnyFilter;
use crate::{Body, Head, Response};

/// Gives a problem to the filters, innermost first, and renders what is left.
pub(super) async fn filtered(
    mut problem: Problem,
    head: &Head,
    filters: &[Arc<dyn AnyFilter>],
) -> Response {
    log(&problem);
    for filter in filters.iter().rev() {
        match filter.catch(problem, head).await {
            Ok(response) => return response,
            Err(changed) => problem = changed,
        }
    }
    self::problem(&problem, &head.request_id)
}

/// Renders a problem where there are no filters.
pub(super) fn unfiltered(problem: &Problem, head: &Head) -> Response {
    log(problem);
    self::problem(problem, &head.request_id)
}

/// The cause goes to the log, and nowhere else.
fn log(problem: &Problem) {
    if problem.status().is_server_error() {
        match problem.cause() {
            Some(cause) => tracing::error!(
                code = problem.kind().code,
                cause = %error_chain(cause),
                "request failed"
            ),
            None => tracing::error!(code = problem.kind().code, "request failed"),
        }
    } else if let Some(cause) = problem.cause() {
        tracing::debug!(code = problem.kind().code, cause = %error_chain(cause), "request refused");
    }
}

/// A problem document (RFC 9457). The instance is the request id, by which the
/// log can be searched.
pub(crate) fn problem(problem: &Problem, request_id: &RequestId) -> Response {
    let mut instance = String::with_capacity(80);
    instance.push_str("urn:request:");
    instance.push_str(request_id.as_str());
    let mut response = http::Response::new(Body::from(problem.to_json(Some(&instance))));
    *response.status_mut() = problem.status();
    let headers = response.headers_mut();
    headers.extend(problem.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// Adds what every response carries: its id, and the security headers that it does
/// not set itself.
pub(super) fn sign(
    response: &mut Response,
    request_id: &RequestId,
    security_headers: &[(HeaderName, HeaderValue)],
) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_bytes(request_id.as_bytes()) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in security_headers {
        if let Entry::Vacant(vacant) = headers.entry(name) {
            vacant.insert(value.clone());
        }
    }
}

/// HEAD: the head of GET, its length included, and no body.
pub(super) fn take_body(response: &mut Response) {
    let body = std::mem::take(response.body_mut());
    // Without a body already, as a mounted service answers, it does not tell GET's length.
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0)
        && !response.headers().contains_key(CONTENT_LENGTH)
        && !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text")
}

/// The head without what a mounted service takes over.
pub(super) fn shallow(head: &Head) -> Head {
    Head {
        method: head.method.clone(),
        uri: head.uri.clone(),
        version: head.version,
        headers: http::HeaderMap::new(),
        extensions: Extensions::new(),
        seen: head.seen,
        params: head.params,
        fact: None,
        request_id: head.request_id,
        trace: head.trace.clone(),
        claims: None,
        peer: head.peer,
        client: head.client,
        budget: head.budget.clone(),
    }
}

/// The URI as a mounted service sees it.
pub(super) fn without_prefix(uri: &Uri, prefix: &str) -> Uri {
    let rest = uri.path().strip_prefix(prefix).unwrap_or(uri.path());
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    Uri::try_from(format!("{slash}{rest}{query}")).unwrap_or_else(|_| uri.clone())
}
