//! One kept answer.

use std::hash::{DefaultHasher, Hasher as _};
use std::time::{Duration, SystemTime};

use arcly_http_core::cache::Mark;
use arcly_http_core::time::Clock;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AGE, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::pipeline::Packed;
use crate::reply::knows;
use crate::{Body, Response};

/// In the extensions of a response that stands for a problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused;

pub(super) struct Entry {
    headers: HeaderMap,
    body: Bytes,
    /// How old it was when it was kept, if it had been kept elsewhere before.
    age: Duration,
    /// On the application's clock.
    pub(super) since: Duration,
    pub(super) until: Duration,
    pub(super) mark: Mark,
    packed: Packed,
}

/// What an answer says to caches further out, unless it says so itself.
pub(super) struct Headers {
    control: HeaderValue,
    vary: Option<HeaderValue>,
}

impl Headers {
    pub(super) fn new(
        scope: &str,
        max_age: Option<Duration>,
        vary: &[HeaderName],
    ) -> Result<Self, String> {
        let control = match max_age {
            Some(age) => format!("{scope}, max-age={}", age.as_secs()),
            None => format!("{scope}, no-cache"),
        };
        let names: Vec<&str> = vary.iter().map(HeaderName::as_str).collect();
        let value = |text: String| HeaderValue::try_from(text).map_err(|error| error.to_string());
        Ok(Self {
            control: value(control)?,
            vary: (!names.is_empty()).then(|| value(names.join(", "))).transpose()?,
        })
    }
}

/// What belongs to one connection (RFC 9111, section 3.1), or to one answer.
const NOT_KEPT: [HeaderName; 7] = [
    AGE,
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What 304 says as well (RFC 9110, section 15.4.5), and what is not about the body.
const OF_NOT_MODIFIED: [HeaderName; 9] =
    [AGE, CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, SET_COOKIE, VARY];

impl Entry {
    /// `None` when the body is not there at once.
    pub(super) fn new(
        response: &Response,
        own: &Headers,
        age: Duration,
        since: Duration,
        until: Duration,
        mark: Mark,
    ) -> Option<Self> {
        let body = response.body().as_full()?;
        let mut headers = response.headers().clone();
        for name in &NOT_KEPT {
            headers.remove(name);
        }
        if !headers.contains_key(ETAG) {
            headers.insert(ETAG, tag(&headers, &body));
        }
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, own.control.clone());
        }
        if let Some(vary) = &own.vary {
            headers.append(VARY, vary.clone());
        }
        Some(Self { headers, body, age, since, until, mark, packed: Packed::default() })
    }

    pub(super) fn body_len(&self) -> usize {
        self.body.len()
    }

    pub(super) fn len(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        // Once as it is and, in time, once compressed.
        self.body.len() * 2 + headers.sum::<usize>()
    }

    /// The answer to a request with these headers. `kept`: for how long it was, unless
    /// it was made for this request.
    pub(super) fn respond(&self, asked: &HeaderMap, kept: Option<Duration>) -> Response {
        let mut response = http::Response::new(Body::from(self.body.clone()));
        *response.headers_mut() = self.headers.clone();
        if asked.contains_key(ACCEPT_ENCODING) {
            response.extensions_mut().insert(self.packed.clone());
        }
        if kept.is_some() || !self.age.is_zero() {
            let age = self.age.saturating_add(kept.unwrap_or_default());
            response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
        }
        conditional(asked, response)
    }
}

/// Changes nothing for everyone else: 304, if the client has it already.
pub(super) fn conditional(asked: &HeaderMap, mut response: Response) -> Response {
    if response.status() != StatusCode::OK || !has(asked, response.headers()) {
        return response;
    }
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::empty();
    let whole = std::mem::take(response.headers_mut());
    let headers = response.headers_mut();
    for name in OF_NOT_MODIFIED {
        for value in whole.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    response
}

/// Whether the client has it (RFC 9110, section 13.2.2).
fn has(asked: &HeaderMap, answer: &HeaderMap) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        let tag = answer.get(ETAG).and_then(|tag| std::str::from_utf8(tag.as_bytes()).ok());
        return tag.is_some_and(|tag| knows(asked, tag));
    }
    let date = |headers: &HeaderMap, name: HeaderName| {
        httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
    };
    match (date(asked, IF_MODIFIED_SINCE), date(answer, LAST_MODIFIED)) {
        (Some(known), Some(changed)) => changed <= known,
        _ => false,
    }
}

/// Longer ages are told as this one (RFC 9111, section 1.2.2).
const AGE_MAX: Duration = Duration::from_secs(1 << 31);

/// How old a response is that was `made_in` so long: zero, unless it says that it was
/// kept elsewhere, or made at another time (RFC 9111, section 4.2.3).
pub(super) fn age_of(response: &Response, made_in: Duration, clock: &dyn Clock) -> Duration {
    let headers = response.headers();
    let told = headers.get(AGE).and_then(|age| age.to_str().ok()).map(|age| age.trim());
    let told = told.filter(|age| !age.is_empty() && age.bytes().all(|b| b.is_ascii_digit()));
    let told = told.map_or(Duration::ZERO, |age| {
        let age = age.parse().map_or(AGE_MAX, Duration::from_secs);
        // Asking for it took a part of that at most.
        age.saturating_add(made_in)
    });
    let date =
        headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let apparent = date.and_then(|date| SystemTime::from(clock.now()).duration_since(date).ok());
    told.max(apparent.unwrap_or_default()).min(AGE_MAX)
}

/// How long a response may be given to others, which is so old already; `None`: not at
/// all.
pub(super) fn time_to_live(
    response: &Response,
    age: Duration,
    most: Duration,
    is_shared: bool,
    clock: &dyn Clock,
) -> Option<Duration> {
    let headers = response.headers();
    let is_kept = response.status() == StatusCode::OK
        && response.extensions().get::<Refused>().is_none()
        && ![SET_COOKIE, CONTENT_ENCODING, CONTENT_RANGE]
            .iter()
            .any(|name| headers.contains_key(name));
    if !is_kept {
        return None;
    }
    let (mut max_age, mut shared_age) = (None, None);
    for line in headers.get_all(CACHE_CONTROL) {
        for directive in line.to_str().ok()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let seconds =
                || value.trim().trim_matches('"').parse().map_or(0, |seconds: u64| seconds);
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return None,
                "private" if is_shared => return None,
                "max-age" => max_age = Some(Duration::from_secs(seconds())),
                "s-maxage" if is_shared => shared_age = Some(Duration::from_secs(seconds())),
                _ => {}
            }
        }
    }
    let own = match (shared_age.or(max_age), headers.get(EXPIRES)) {
        (None, Some(expires)) => {
            let expires = httpdate::parse_http_date(expires.to_str().ok()?).ok()?;
            let date = headers.get(DATE).and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
            let from = date.unwrap_or_else(|| clock.now().into());
            Some(expires.duration_since(from).ok()?)
        }
        (own, _) => own,
    };
    let ttl = own.map_or(most, |own| own.saturating_sub(age).min(most));
    (!ttl.is_zero()).then_some(ttl)
}

/// A strong tag: 128 bits of the bytes, and of how they are to be read.
fn tag(headers: &HeaderMap, body: &[u8]) -> HeaderValue {
    let half = |number: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(number);
        for name in [CONTENT_TYPE, CONTENT_LANGUAGE] {
            let value = headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
            hasher.write_usize(value.len());
            hasher.write(value);
        }
        hasher.write(body);
        hasher.finish()
    };
    HeaderValue::try_from(format!("\"{:016x}{:016x}\"", half(0), half(1)))
        .expect("hexadecimal digits in quotes are a header value")
}

#[cfg(test)]
mod tests {
    use arcly_http_core::time::ManualClock;
    use http::header::IF_NONE_MATCH;

    use super::*;

    const MOST: Duration = Duration::from_secs(60);

    #[track_caller]
    fn check(headers: &[(&str, &str)], is_shared: bool, expected: Option<u64>) {
        let mut builder = http::Response::builder();
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let response = builder.body(Body::from("x")).unwrap();
        let start = chrono::DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap();
        let clock = ManualClock::at(start.into());
        let age = age_of(&response, Duration::from_secs(1), &clock);
        let ttl = time_to_live(&response, age, MOST, is_shared, &clock);
        assert_eq!(ttl.map(|ttl| ttl.as_secs()), expected, "{headers:?}");
    }

    #[test]
    fn responses_say_how_long_they_are_good() {
        let control = |value: &'static str| [("cache-control", value)];
        check(&[], true, Some(60));
        check(&control("public"), true, Some(60));
        check(&control("max-age=10"), true, Some(10));
        check(&control("max-age=\"10\""), true, Some(10));
        check(&control("Max-Age=100"), true, Some(60));
        check(&control("max-age=10, s-maxage=20"), true, Some(20));
        check(&control("max-age=10, s-maxage=20"), false, Some(10));
        check(&control("private"), true, None);
        check(&control("private, max-age=5"), false, Some(5));
        for none in ["no-store", "No-Cache", "max-age=0", "max-age=x", "no-cache=\"a, b\""] {
            check(&control(none), true, None);
            check(&control(none), false, None);
        }
        check(&[("expires", "Thu, 01 Jan 2026 00:00:30 GMT")], true, Some(30));
        check(&[("expires", "Wed, 31 Dec 2025 23:00:00 GMT")], true, None);
        check(&[("expires", "0")], true, None);
        // What was kept elsewhere has used up some of its time; a second went by since.
        let aged = |age: &'static str| [("cache-control", "max-age=10"), ("age", age)];
        check(&aged("5"), true, Some(4));
        check(&aged("99999999999999999999"), true, None);
        check(&aged("x"), true, Some(10));
        check(&aged("-1"), true, Some(10));
        check(&[("age", "1000")], true, Some(60));
        let dated = ("date", "Wed, 31 Dec 2025 23:59:57 GMT");
        check(&[dated, ("cache-control", "max-age=10")], true, Some(7));
        check(&[dated, ("expires", "Thu, 01 Jan 2026 00:00:05 GMT")], true, Some(5));
        check(&[("set-cookie", "a=1")], false, None);
        check(&[("content-encoding", "gzip")], true, None);
    }

    #[test]
    fn a_condition_is_for_what_the_client_has() {
        let answer = |tag: &'static str| {
            let builder = http::Response::builder().header("etag", tag).header("x-a", "1");
            let builder = builder.header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
            builder.body(Body::from("x")).unwrap()
        };
        let status = |asked: &[(HeaderName, &'static str)]| {
            let asked = asked.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v)));
            let response = conditional(&asked.collect(), answer("\"1\""));
            assert_eq!(response.headers().contains_key("x-a"), response.status() == 200);
            response.status().as_u16()
        };
        assert_eq!(status(&[]), 200);
        assert_eq!(status(&[(IF_NONE_MATCH, "\"2\", W/\"1\"")]), 304);
        assert_eq!(status(&[(IF_NONE_MATCH, "\"1;br\"")]), 304);
        assert_eq!(status(&[(IF_NONE_MATCH, "*")]), 304);
        assert_eq!(status(&[(IF_MODIFIED_SINCE, "Thu, 01 Jan 2026 00:00:00 GMT")]), 304);
        assert_eq!(status(&[(IF_MODIFIED_SINCE, "Wed, 31 Dec 2025 00:00:00 GMT")]), 200);
        // Tags go before dates.
        let both = [(IF_NONE_MATCH, "\"2\""), (IF_MODIFIED_SINCE, "Thu, 01 Jan 2026 00:00:00 GMT")];
        assert_eq!(status(&both), 200);
    }
}
