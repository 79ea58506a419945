//! The span of a request, under the names of OpenTelemetry's semantic conventions.

use arcly_http_core::scope::Claims;
use arcly_http_core::scope::spans::{OpenSpan, Recorder, SpanKind};
use http::header::USER_AGENT;
use http::{Method, Version};

use super::{METHODS, Route};
use crate::Head;

/// Begins the span of a request that is recorded.
#[cold]
pub(super) fn begin(recorder: &Recorder, head: &Head, route: Option<&Route>) -> Box<OpenSpan> {
    let mut span = recorder.begin_own(&head.trace, SpanKind::Server);
    let method = METHODS.iter().find(|(known, _)| *known == head.method);
    // TRACE has the place of those that a client made up.
    let method = match method {
        Some((Method::TRACE, _)) => "TRACE",
        Some((_, name)) => name,
        None => {
            span.note("http.request.method_original", head.method.as_str().to_owned());
            "_OTHER"
        }
    };
    span.note("http.request.method", method);
    // A method that was made up is no name: there could be any number of them.
    let shown = if method == "_OTHER" { "HTTP" } else { method };
    match route {
        Some(route) => {
            let path = route.metrics.route().to_owned();
            span.name(format!("{shown} {path}"));
            span.note("http.route", path);
        }
        None => span.name(shown),
    }
    span.note("url.path", head.uri.path().to_owned());
    if let Some(scheme) = head.uri.scheme_str() {
        span.note("url.scheme", scheme.to_owned());
    }
    if let Some(host) = head.host() {
        span.note("server.address", host.to_owned());
    }
    if let Some(client) = head.client {
        span.note("client.address", client.to_string());
    }
    if let Some(agent) = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()) {
        span.note("user_agent.original", agent.to_owned());
    }
    let version = match head.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    span.note("network.protocol.version", version);
    span.note("arcly.request_id", head.request_id.as_str().to_owned());
    Box::new(span)
}

/// Ends it. What a server does wrong is a failure; what a client does wrong is not.
#[cold]
pub(super) fn end(mut span: OpenSpan, status: u16, principal: Option<&Claims>) {
    if let Some(claims) = principal {
        span.note("enduser.id", claims.subject().to_owned());
    }
    if status == super::CLIENT_GONE {
        // Nothing was answered.
        span.note("error.type", "client_gone");
        return;
    }
    span.note("http.response.status_code", status);
    if status >= 500 {
        span.note("error.type", status.to_string());
        span.fail("");
    }
}
