//! The request that asks for a WebSocket (RFC 6455, section 4.2).
//!
//! Host, origin and who may connect are not judged here: they are the
//! application's rules, not the protocol's.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};

use super::Deflate;

/// What a key is hashed with, so that nothing but a WebSocket server answers it.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bits after a key's last whole byte mean nothing; some clients set them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A request that may become a WebSocket.
#[derive(Clone, Debug)]
pub struct Handshake<'h> {
    headers: &'h HeaderMap,
    accept: HeaderValue,
    deflate: Option<Deflate>,
}

/// Why a request cannot become a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFault {
    /// Not a GET.
    #[error("a WebSocket is asked for with GET")]
    Method,
    /// Not HTTP/1.1.
    #[error("a WebSocket is asked for over HTTP/1.1")]
    HttpVersion,
    /// No `upgrade: websocket`: an ordinary request at a WebSocket's address.
    #[error("`upgrade` does not say `websocket`")]
    Upgrade,
    /// No `connection: upgrade`; often a proxy took it away.
    #[error("`connection` does not say `upgrade`")]
    Connection,
    /// Another version of the protocol than 13, or none.
    #[error("`sec-websocket-version` is not 13")]
    Version,
    /// Not exactly one key of 16 bytes in base64.
    #[error("`sec-websocket-key` is not one key of 16 bytes in base64")]
    Key,
    /// Sub-protocols that are not tokens.
    #[error("`sec-websocket-protocol` is not a list of tokens")]
    Protocol,
    /// Extensions that are not written as the standard says.
    #[error("`sec-websocket-extensions` is not a list of extensions")]
    Extensions,
}

impl HandshakeFault {
    /// The status to answer with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Upgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The headers that must go with the status, which say what would do.
    #[must_use]
    pub fn headers(self) -> &'static [(HeaderName, HeaderValue)] {
        static ALLOW: [(HeaderName, HeaderValue); 1] =
            [(http::header::ALLOW, HeaderValue::from_static("GET"))];
        static WEBSOCKET: [(HeaderName, HeaderValue); 3] = [
            (UPGRADE, HeaderValue::from_static("websocket")),
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        ];
        match self {
            Self::Method => &ALLOW,
            Self::Upgrade | Self::Version => &WEBSOCKET,
            _ => &[],
        }
    }
}

/// Judges a request that asks for a WebSocket.
///
/// # Errors
///
/// The first thing that it lacks.
pub fn check<'h>(
    method: &Method,
    version: Version,
    headers: &'h HeaderMap,
) -> Result<Handshake<'h>, HandshakeFault> {
    if method != Method::GET {
        return Err(HandshakeFault::Method);
    }
    if version != Version::HTTP_11 {
        return Err(HandshakeFault::HttpVersion);
    }
    if !lists(headers, &UPGRADE, "websocket") {
        return Err(HandshakeFault::Upgrade);
    }
    if !lists(headers, &CONNECTION, "upgrade") {
        return Err(HandshakeFault::Connection);
    }
    if single(headers, &SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return Err(HandshakeFault::Version);
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY).ok_or(HandshakeFault::Key)?;
    // 18: what 24 characters hold, before the padding is seen.
    if BASE64.decode_slice(key, &mut [0; 18]) != Ok(16) {
        return Err(HandshakeFault::Key);
    }
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let value = value.to_str().map_err(|_| HandshakeFault::Protocol)?;
        if !value.split(',').all(|protocol| is_token(protocol.trim_matches(BLANK))) {
            return Err(HandshakeFault::Protocol);
        }
    }
    let mut deflate = None;
    for value in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let value = value.to_str().map_err(|_| HandshakeFault::Extensions)?;
        let mut offers = Offers(value);
        while let Some(offer) = offers.next()? {
            if deflate.is_none() && offer.name.eq_ignore_ascii_case("permessage-deflate") {
                deflate = Deflate::accept(offer.parameters.iter().copied());
            }
        }
    }
    Ok(Handshake { headers, accept: accept_key(key), deflate })
}

impl<'h> Handshake<'h> {
    /// The sub-protocols that the client speaks, the dearest first.
    pub fn protocols(&self) -> impl Iterator<Item = &'h str> + use<'h> {
        self.headers
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|protocol| protocol.trim_matches(BLANK))
    }

    /// What the client offered of compression and can be agreed to: its first
    /// such offer.
    #[must_use]
    pub const fn deflate(&self) -> Option<Deflate> {
        self.deflate
    }

    /// The answer that makes the connection a WebSocket. `protocol` is one of
    /// [`protocols`](Self::protocols) and `deflate` is [`deflate`](Self::deflate),
    /// or neither is used.
    #[must_use]
    pub fn response(&self, protocol: Option<&str>, deflate: Option<Deflate>) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(protocol) = protocol.and_then(|it| HeaderValue::from_str(it).ok()) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        if let Some(deflate) = deflate {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, deflate.header());
        }
        response
    }
}

/// The value of `sec-websocket-accept` for a `sec-websocket-key`.
#[must_use]
pub fn accept_key(key: &[u8]) -> HeaderValue {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    // 20 bytes.
    let mut accept = [0; 28];
    match BASE64.encode_slice(hash.finish(), &mut accept) {
        Ok(_) => HeaderValue::from_bytes(&accept).unwrap_or(HeaderValue::from_static("")),
        Err(_) => HeaderValue::from_static(""),
    }
}

const BLANK: [char; 2] = [' ', '\t'];

/// Whether the lists of header `name` hold `token`, whatever its case.
fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim_matches(BLANK).eq_ignore_ascii_case(token))
}

/// The value of header `name`, if it stands there exactly once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes().trim_ascii())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What is left of a list of extensions.
struct Offers<'h>(&'h str);

struct Offer<'h> {
    name: &'h str,
    parameters: Vec<(&'h str, Option<&'h str>)>,
}

impl<'h> Offers<'h> {
    /// The next offer, or `None` at the end.
    fn next(&mut self) -> Result<Option<Offer<'h>>, HandshakeFault> {
        // A list may have empty places.
        while self.skip(',') {}
        if self.0.is_empty() {
            return Ok(None);
        }
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.skip(';') {
            let name = self.token()?;
            let value = if self.skip('=') { Some(self.value()?) } else { None };
            parameters.push((name, value));
        }
        if self.skip(',') || self.0.is_empty() {
            Ok(Some(Offer { name, parameters }))
        } else {
            Err(HandshakeFault::Extensions)
        }
    }

    /// Steps over blanks, and over `mark` if it is there.
    fn skip(&mut self, mark: char) -> bool {
        self.0 = self.0.trim_start_matches(BLANK);
        let rest = self.0.strip_prefix(mark);
        self.0 = rest.unwrap_or(self.0).trim_start_matches(BLANK);
        rest.is_some()
    }

    fn token(&mut self) -> Result<&'h str, HandshakeFault> {
        let end = self.0.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        if token.is_empty() { Err(HandshakeFault::Extensions) } else { Ok(token) }
    }

    /// A token, which may be in quotes; what quotes hold must be a token too.
    fn value(&mut self) -> Result<&'h str, HandshakeFault> {
        let Some(rest) = self.0.strip_prefix('"') else { return self.token() };
        self.0 = rest;
        let token = self.token()?;
        self.0 = self.0.strip_prefix('"').ok_or(HandshakeFault::Extensions)?;
        Ok(token)
    }
}
