//! Media types: `Accept` and `Content-Type`.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::ACCEPT;

/// What `Accept` says. Several lines are one list (RFC 9110, section 5.3).
pub(crate) fn accept_of(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    if headers.len() == headers.keys_len() {
        // No header has several lines.
        return headers.get(ACCEPT)?.to_str().ok().map(Cow::Borrowed);
    }
    let mut lines = headers.get_all(ACCEPT).iter();
    let first = lines.next()?.to_str().ok()?;
    let mut accept = Cow::Borrowed(first);
    for line in lines {
        accept.to_mut().push_str(", ");
        accept.to_mut().push_str(line.to_str().ok()?);
    }
    Some(accept)
}

/// Whether an `Accept` header (RFC 9110, section 12.5.1) admits one of the media
/// types. A header that cannot be read admits everything.
pub(crate) fn accepts(accept: &str, produced: &[&'static str]) -> bool {
    if produced.is_empty() || accept.trim().is_empty() {
        return true;
    }
    produced.iter().any(|media| quality(accept, essence(media)) > 0)
}

/// Quality times 1000 that `accept` gives to a media type; the most specific
/// range decides.
fn quality(accept: &str, media: &str) -> u32 {
    if media == "*/*" {
        return 1000;
    }
    let (kind, _) = media.split_once('/').unwrap_or((media, ""));
    let mut best = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let specificity = if name.eq_ignore_ascii_case(media) {
            3
        } else if name.strip_suffix("/*").is_some_and(|k| k.eq_ignore_ascii_case(kind)) {
            2
        } else if name == "*/*" || name == "*" {
            1
        } else {
            continue;
        };
        let q = parts
            .filter_map(|part| part.split_once('='))
            .rfind(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(1000, |(_, text)| {
                text.trim().parse::<f32>().map_or(1000, |q| (q * 1000.0) as u32)
            });
        if specificity > best.0 {
            best = (specificity, q);
        }
    }
    best.1
}

fn essence(media: &str) -> &str {
    media.split(';').next().unwrap_or(media).trim()
}

/// Whether a `Content-Type` is one of those that an operation reads. JSON
/// includes the `+json` suffix.
pub(crate) fn matches_type(content_type: &str, consumed: &[&'static str]) -> bool {
    let sent = essence(content_type);
    consumed.iter().any(|wanted| {
        *wanted == "*/*"
            || sent.eq_ignore_ascii_case(wanted)
            || (*wanted == "application/json"
                && sent.len() > 5
                && sent.to_ascii_lowercase().ends_with("+json"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_weighed() {
        let json = &["application/json"][..];
        for (accept, expected) in [
            ("application/json", true),
            ("*/*", true),
            ("application/*", true),
            ("text/html", false),
            ("application/json;q=0", false),
            ("application/json; Q=0", false),
            ("*/*;q=0.1, application/json;q=0", false),
            ("text/html, application/json;q=0.5", true),
            ("", true),
        ] {
            assert_eq!(accepts(accept, json), expected, "{accept}");
        }
        assert!(accepts("text/html", &["text/html; charset=utf-8"]));
        assert!(accepts("image/png", &[]));
    }

    #[test]
    fn content_types_are_compared_by_essence() {
        let json = &["application/json"][..];
        assert!(matches_type("application/json; charset=utf-8", json));
        assert!(matches_type("Application/JSON", json));
        assert!(matches_type("application/merge-patch+json", json));
        assert!(!matches_type("text/plain", json));
        assert!(matches_type("text/plain", &["*/*"]));
    }
}
