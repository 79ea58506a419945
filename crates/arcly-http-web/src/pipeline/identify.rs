//! Stages 2 and 5: which request, and who asks.

use arcly_http_core::access::{Access, AuthError, Authenticator, Credentials};
use arcly_http_core::problem::{Problem, error_chain, kinds};
use arcly_http_core::scope::spans::Tracing;
use arcly_http_core::scope::{RequestId, TraceContext, current};
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName};

use super::Runtime;
use crate::context::{REQUEST_ID, Seen, TRACEPARENT};
use crate::{Head, Response};

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Stage 2: the client's ids if they are well formed, fresh ones otherwise.
pub(super) fn trace(
    headers: &HeaderMap,
    seen: Seen,
    tracing: Option<&Tracing>,
) -> (RequestId, TraceContext) {
    let trace = if seen.has(Seen::TRACEPARENT) {
        headers.get(TRACEPARENT).and_then(|parent| {
            // Several lines are one list (Trace Context, section 3.3.1).
            let lines = headers.get_all(TRACESTATE).iter().map(|line| line.to_str().ok());
            let state = lines.collect::<Option<Vec<_>>>().map(|lines| lines.join(","));
            TraceContext::continue_from(parent.as_bytes(), state.as_deref())
        })
    } else {
        None
    };
    let id = if seen.has(Seen::REQUEST_ID) {
        headers.get(REQUEST_ID).and_then(|value| RequestId::parse(value.as_bytes()))
    } else {
        None
    };
    let is_continued = trace.is_some();
    let trace = trace.unwrap_or_else(|| tracing.map_or_else(TraceContext::root, Tracing::root));
    let id = id.unwrap_or_else(|| {
        // A trace that came from elsewhere has more than one request.
        if is_continued { RequestId::fresh() } else { RequestId::of_trace(&trace) }
    });
    (id, trace)
}

/// Stage 5. Credentials are checked when they are there, also on public routes:
/// wrong ones are refused, not ignored.
pub(super) async fn authenticate(
    runtime: &Runtime,
    head: &mut Head,
    access: &Access,
) -> Result<(), Problem> {
    let Some(authenticator) = &runtime.authenticator else {
        return match access {
            Access::Public => Ok(()),
            // The proof asks for one; hand-written metadata may lack it.
            Access::Authenticated | Access::Can(_) => {
                Err(Problem::internal("a protected route without an authenticator"))
            }
        };
    };
    let challenge = *authenticator.schemes().first().unwrap_or(&"Bearer");
    if !head.seen.has(Seen::AUTHORIZATION) {
        return match access {
            Access::Public => Ok(()),
            Access::Authenticated | Access::Can(_) => Err(unauthenticated(challenge, "")),
        };
    }
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let refused = || unauthenticated(challenge, "invalid_token");
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused());
    };
    let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Err(refused());
    };
    if !authenticator.schemes().iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return Err(refused());
    }
    let credentials = Credentials { scheme, token: token.trim_start_matches(' ') };
    match authenticator.authenticate(credentials).await {
        Ok(claims) => {
            let span = tracing::Span::current();
            if !span.is_disabled() {
                span.record("principal", claims.subject());
            }
            current::note_principal(&claims);
            head.claims = Some(claims);
            Ok(())
        }
        Err(AuthError::Unavailable(cause)) => {
            tracing::error!(cause = %error_chain(&*cause), "credentials could not be checked");
            Err(Problem::of(&kinds::UNAVAILABLE))
        }
        Err(error) => {
            tracing::debug!(reason = %error, "credentials refused");
            Err(refused())
        }
    }
}

/// 401 with the challenge that RFC 9110, section 11.6.1 asks for.
fn unauthenticated(scheme: &str, error: &str) -> Problem {
    let challenge =
        if error.is_empty() { scheme.to_owned() } else { format!("{scheme} error=\"{error}\"") };
    let value = HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Bearer"));
    let detail = if error.is_empty() {
        format!("send `authorization: {scheme} ..` with your credentials")
    } else {
        format!("the credentials are not valid; send `authorization: {scheme} ..` with valid ones")
    };
    Problem::of(&kinds::UNAUTHENTICATED).with_detail(detail).with_header(WWW_AUTHENTICATE, value)
}

/// Names the application's scheme where a 401 names none, as that of a handler's own
/// error: without it a client is not told how to go on (RFC 9110, section 15.5.2).
#[cold]
pub(super) fn challenge(response: &mut Response, authenticator: Option<&dyn Authenticator>) {
    let scheme = authenticator.and_then(|known| known.schemes().first().copied());
    if let Some(Ok(scheme)) = scheme.map(HeaderValue::from_str) {
        response.headers_mut().entry(WWW_AUTHENTICATE).or_insert(scheme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_state_of_several_lines_is_passed_on_whole() {
        let mut headers = HeaderMap::new();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.insert(TRACEPARENT, HeaderValue::from_static(parent));
        headers.append(TRACESTATE, HeaderValue::from_static("a=1"));
        headers.append(TRACESTATE, HeaderValue::from_static("b=2"));
        let (_, trace) = trace(&headers, Seen::of(&headers), None);
        assert_eq!(trace.tracestate(), Some("a=1,b=2"));
    }
}
