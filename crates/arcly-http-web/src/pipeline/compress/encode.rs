//! Which responses are compressed, and what their headers say then.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::Body as _;

use super::codec::{Coding, Compressed, Copied, TURN_MAX};
use super::negotiate::best;
use super::{Compress, Tags};
use crate::context::Seen;
use crate::reply::coded_tag;
use crate::{Body, Head, Response};

/// Those that name the bytes as they were.
const DIGESTS: [HeaderName; 3] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
];

/// A kept answer, compressed, as soon as somebody has asked for it: in one coding, which
/// is that of whoever came first. In the extensions of a response.
#[derive(Clone, Default)]
pub(crate) struct Packed(Arc<OnceLock<(&'static str, Bytes)>>);

impl Packed {
    fn get(&self, coding: &str) -> Option<Bytes> {
        self.0.get().filter(|(known, _)| *known == coding).map(|(_, bytes)| bytes.clone())
    }

    /// Invariant: no more bytes than the body has, so that its owner can count on it.
    pub(super) fn set(&self, coding: &'static str, bytes: Bytes) {
        let _ = self.0.set((coding, bytes));
    }
}

pub(super) fn compress(response: &mut Response, head: &Head, rule: Compress, tags: Tags) {
    if !is_compressible(response) {
        return;
    }
    vary(response.headers_mut());
    if !head.seen.has(Seen::ACCEPT_ENCODING)
        || (rule == Compress::Safe && has_ambient_credentials(head))
    {
        return;
    }
    let lines = head.headers.get_all(ACCEPT_ENCODING).iter();
    let Some(coding) = best(lines.filter_map(|line| line.to_str().ok())) else { return };
    let packed = response.extensions_mut().remove::<Packed>();
    // A HEAD that was answered without a body is to have the head of GET.
    if head.method != Method::HEAD || !response.body().is_end_stream() {
        let (body, is_changed) = encoded(std::mem::take(response.body_mut()), coding, packed);
        *response.body_mut() = body;
        if !is_changed {
            return;
        }
    }
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    let tag = headers.get(ETAG).and_then(|tag| changed_tag(tag, coding, tags));
    if let Some(tag) = tag {
        headers.insert(ETAG, tag);
    }
}

/// The compressed body; or, where that would not be less, the same one.
fn encoded(mut body: Body, coding: Coding, packed: Option<Packed>) -> (Body, bool) {
    if let Some(known) = packed.as_ref().and_then(|packed| packed.get(coding.name())) {
        return (Body::from(known), true);
    }
    let Some(bytes) = body.take_full() else {
        return (Body::new(Compressed::new(body, coding, None)), true);
    };
    if bytes.len() > TURN_MAX {
        let copy = packed.map(|packed| Copied::new(packed, bytes.len()));
        return (Body::new(Compressed::new(Body::from(bytes), coding, copy)), true);
    }
    match coding.compress(&bytes) {
        Ok(compressed) if compressed.len() < bytes.len() => {
            let compressed = Bytes::from(compressed);
            if let Some(packed) = packed {
                packed.set(coding.name(), compressed.clone());
            }
            (Body::from(compressed), true)
        }
        _ => (Body::from(bytes), false),
    }
}

/// 304 names the version that the client has: the compressed one, if that is what it
/// asked for.
pub(super) fn name_known_tag(response: &mut Response, head: &Head, tags: Tags) {
    let Some(tag) = response.headers().get(ETAG).cloned() else { return };
    vary(response.headers_mut());
    let known = |tag: &HeaderValue| {
        let lines = head.headers.get_all(IF_NONE_MATCH).iter();
        lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .any(|known| known.trim().as_bytes() == tag.as_bytes())
    };
    if known(&tag) {
        return;
    }
    let changed = Coding::ALL.iter().filter_map(|coding| changed_tag(&tag, *coding, tags));
    if let Some(changed) = changed.into_iter().find(known) {
        response.headers_mut().insert(ETAG, changed);
    }
}

/// The tag of the compressed representation; `None` for a weak one, which stays.
fn changed_tag(tag: &HeaderValue, coding: Coding, tags: Tags) -> Option<HeaderValue> {
    let text = tag.to_str().ok()?;
    if !text.starts_with('"') {
        return None;
    }
    let changed = match tags {
        Tags::Named => coded_tag(text, coding.name())?,
        Tags::Weak => format!("W/{text}"),
    };
    HeaderValue::try_from(changed).ok()
}

fn is_compressible(response: &Response) -> bool {
    let (status, headers) = (response.status(), response.headers());
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    !matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::SWITCHING_PROTOCOLS)
        && media_type.is_some_and(is_text)
        && ![CONTENT_ENCODING, CONTENT_RANGE].iter().any(|name| headers.contains_key(name))
        && headers.get(ACCEPT_RANGES).is_none_or(|value| value == "none")
        && !DIGESTS.iter().any(|name| headers.contains_key(name))
        && !says(headers, &CACHE_CONTROL, "no-transform")
}

/// Whether a media type is one that compresses well. Images, films, archives and
/// fonts of the web are compressed already; what is not known may be.
fn is_text(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or(media_type).trim();
    let essence = essence.to_ascii_lowercase();
    match essence.split_once('/') {
        // Each event is to arrive when it happens, also through proxies that unpack.
        Some(("text", kind)) => kind != "event-stream",
        Some((_, kind)) if kind.ends_with("+json") || kind.ends_with("+xml") => true,
        Some(("application", kind)) => matches!(
            kind,
            "json"
                | "xml"
                | "javascript"
                | "wasm"
                | "yaml"
                | "x-ndjson"
                | "json-seq"
                | "jsonl"
                | "graphql"
                | "manifest+json"
                | "rtf"
                | "sql"
        ),
        _ => false,
    }
}

/// Whether a header that is a list has a word.
fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|known| known.trim().eq_ignore_ascii_case(word))
}

/// Tells caches that the client's `Accept-Encoding` decides, also where it decided
/// for the plain one.
fn vary(headers: &mut HeaderMap) {
    if !says(headers, &VARY, "accept-encoding") && !says(headers, &VARY, "*") {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// Credentials that a browser sends whichever page caused the request.
fn has_ambient_credentials(head: &Head) -> bool {
    if head.seen.has(Seen::COOKIE) {
        return true;
    }
    if !head.seen.has(Seen::AUTHORIZATION) {
        return false;
    }
    !head.headers.get_all(AUTHORIZATION).iter().all(|value| {
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_from_what_is_packed() {
        for media_type in [
            "text/plain; charset=utf-8",
            "text/html",
            "application/json",
            "Application/Problem+JSON",
            "image/svg+xml",
            "application/javascript",
        ] {
            assert!(is_text(media_type), "{media_type}");
        }
        for media_type in [
            "text/event-stream",
            "text/event-stream; charset=utf-8",
            "image/png",
            "application/zip",
            "application/octet-stream",
            "video/mp4",
            "font/woff2",
            "",
        ] {
            assert!(!is_text(media_type), "{media_type}");
        }
    }
}
