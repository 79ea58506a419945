//! Compressed responses (RFC 9110, section 8.4).

#[cfg(feature = "compression")]
mod codec;
#[cfg(feature = "compression")]
mod encode;
#[cfg(feature = "compression")]
mod negotiate;

/// Without the feature `compression` nothing is compressed.
#[cfg(not(feature = "compression"))]
mod encode {
    use crate::{Head, Response};

    #[derive(Clone, Default)]
    pub(crate) struct Packed();

    pub(super) fn compress(_: &mut Response, _: &Head, _: super::Compress, _: super::Tags) {}

    pub(super) fn name_known_tag(_: &mut Response, _: &Head, _: super::Tags) {}
}

pub(crate) use encode::Packed;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;

use crate::context::Seen;
use crate::{Head, Response};

/// Which responses are compressed, for clients that accept it: `zstd`, `br` or `gzip`,
/// whichever they like best, in this order where they do not care.
///
/// Compressed are texts (`text/*`, JSON, XML, JavaScript, SVG, WebAssembly) of
/// [`crate::app::LaunchConfig::compress_min`] bytes and more, and streams of them,
/// which are flushed whenever there is nothing more to send for now. Never: event
/// streams, parts (206), what offers ranges, what is encoded already, and what says
/// `cache-control: no-transform`. A strong entity tag names one coding only, so `"5"`
/// becomes `"5;zstd"`; [`crate::reply::Tagged`] and [`crate::argument::IfMatch`] know
/// both as the same version, mounted services get a weak one.
///
/// `LaunchConfig::compress` is for the application, and `compress = off`, `compress =
/// safe` or `compress = always` for a module, a controller or a route, the inner one
/// first.
///
/// # Secrets
///
/// Who can make a browser send requests, put a guess into them and see how long the
/// encrypted answers are, can find a secret that stands in the answer beside the
/// guess: it compresses better when the guess is right (BREACH). That takes
/// credentials that a browser adds by itself to requests of any page. `safe`, the
/// default, is therefore: **a request with a cookie, or with an `authorization` other
/// than `Bearer`, is answered uncompressed.** A bearer token is added by the page's own
/// code, which other pages cannot run. Where clients are known by TLS certificates
/// ([`crate::app::LaunchConfig::client_certificates`]), `safe` compresses nothing.
///
/// Say `always` where the answer has no secret, or repeats nothing of the request and
/// nothing that others may write; and `off` where an answer to a bearer token has a
/// secret beside text of others.
///
/// ```
/// use arcly_http_web::{App, Compress};
///
/// fn uncompressed(app: App) -> App {
///     app.configure(|config| config.compress = Compress::Off)
/// }
/// # let _ = uncompressed;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    /// None.
    Off,
    /// All but those to requests with credentials that browsers add by themselves.
    #[default]
    Safe,
    /// Whatever credentials the request has.
    Always,
}

impl Compress {
    /// What it comes to where browsers may add certificates to requests of any page.
    pub(crate) fn with_certificates(self, are_credentials: bool) -> Self {
        if self == Self::Safe && are_credentials { Self::Off } else { self }
    }
}

/// How the entity tag of a compressed response differs from the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    /// It names the coding, which our own preconditions know.
    Named,
    /// It becomes weak, which everybody knows.
    Weak,
}

/// Compresses a response, if it is worth it and the client takes it. Small ones and
/// those of other routes get by without a look at the headers.
pub(super) fn apply(
    response: &mut Response,
    head: &Head,
    rule: Compress,
    size_min: u64,
    tags: Tags,
) {
    if rule == Compress::Off {
        return;
    }
    if response.status() == StatusCode::NOT_MODIFIED {
        encode::name_known_tag(response, head, tags);
    } else if size_max(response, head).is_none_or(|size| size >= size_min.max(1)) {
        encode::compress(response, head, rule, tags);
    }
}

/// The most bytes that the body has, or that of GET would have, where a mounted service
/// answers HEAD by itself.
fn size_max(response: &Response, head: &Head) -> Option<u64> {
    let size = response.body().size_hint().upper();
    if size != Some(0) || head.method != Method::HEAD {
        return size;
    }
    let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    Some(length.and_then(|length| length.parse().ok()).unwrap_or(0))
}

/// The headers of a request that are asked for here, where the others are given away.
pub(super) fn kept(head: &Head) -> HeaderMap {
    let mut kept = HeaderMap::new();
    if head.seen.has(Seen::ACCEPT_ENCODING) {
        for name in [ACCEPT_ENCODING, AUTHORIZATION, IF_NONE_MATCH] {
            for value in head.headers.get_all(&name) {
                kept.append(name.clone(), value.clone());
            }
        }
    }
    kept
}
