//! Refuses requests of which two servers could think differently.
//!
//! Request smuggling needs a front server and this one to disagree on where a
//! request ends or for whom it is (RFC 9112, sections 3.2 and 6.3). Hyper resolves
//! some ambiguities in silence, the way the standard allows: it drops
//! `content-length` where `transfer-encoding` stands. So the raw bytes of recent
//! heads are kept, and looked at in the rare case of a `transfer-encoding`.

use arcly_http_core::problem::{Problem, kinds};
use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Version};

use crate::context::{Hosts, Seen};

/// Most bytes that are kept of one connection.
const KEPT_MAX: usize = 64 << 10;
/// Most bytes that stay allocated on an idle connection.
const IDLE_MAX: usize = 2 << 10;
/// As many headers as hyper takes.
const HEADERS_MAX: usize = 100;

/// What a connection received since it was last idle.
#[derive(Debug, Default)]
pub(super) struct Recent {
    bytes: Vec<u8>,
    /// Requests that had begun before the first of `bytes`.
    before: u32,
    is_cut: bool,
    /// HTTP/2 frames its messages by itself, and nothing is ambiguous there.
    is_off: bool,
}

impl Recent {
    /// Keeps what was read. `requests` have begun on the connection so far, and none
    /// is open if `is_idle`.
    pub(super) fn note(&mut self, read: &[u8], requests: u32, is_idle: bool) {
        if self.is_off {
            return;
        }
        if is_idle && requests != self.before {
            self.bytes.clear();
            self.bytes.shrink_to(IDLE_MAX);
            self.before = requests;
            self.is_cut = false;
        }
        // What follows a gap is not kept either: it would be read in the wrong place.
        if self.is_cut || self.bytes.len() + read.len() > KEPT_MAX {
            self.is_cut = true;
        } else {
            self.bytes.extend_from_slice(read);
        }
    }

    /// Keeps nothing from now on; whatever is asked of it then is ambiguous.
    pub(super) fn stop(&mut self) {
        *self = Self { is_cut: true, is_off: true, ..Self::default() };
    }

    /// Whether the head of the latest of `requests` states both a length and an
    /// encoding; also when that cannot be told.
    pub(super) fn is_ambiguous(&self, requests: u32) -> bool {
        let index = requests.wrapping_sub(self.before).wrapping_sub(1);
        if self.is_cut {
            return true;
        }
        match self.framing_of(index) {
            Some(framing) => framing.lengths > 0 && framing.is_encoded,
            None => true,
        }
    }

    fn framing_of(&self, index: u32) -> Option<Framing> {
        let mut rest = self.bytes.as_slice();
        for _ in 0..index {
            let framing = Framing::parse(rest)?;
            rest = framing.skip(rest)?;
        }
        Framing::parse(rest)
    }
}

/// How one head says where its body ends.
struct Framing {
    head: usize,
    lengths: usize,
    length: usize,
    is_encoded: bool,
}

impl Framing {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(head) = request.parse(bytes).ok()? else { return None };
        let mut framing = Self { head, lengths: 0, length: 0, is_encoded: false };
        for header in request.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                framing.lengths += 1;
                framing.length = std::str::from_utf8(header.value).ok()?.trim().parse().ok()?;
            } else if header.name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str()) {
                framing.is_encoded = true;
            }
        }
        Some(framing)
    }

    /// What follows the body.
    fn skip<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let mut rest = bytes.get(self.head..)?;
        if !self.is_encoded {
            return rest.get(self.length..);
        }
        loop {
            let (at, size) = match httparse::parse_chunk_size(rest).ok()? {
                httparse::Status::Complete(found) => found,
                httparse::Status::Partial => return None,
            };
            rest = rest.get(at..)?;
            if size == 0 {
                // Trailers end with an empty line.
                let mut end = 0;
                while !rest.get(end..)?.starts_with(b"\r\n") {
                    end += rest.get(end..)?.windows(2).position(|two| two == b"\r\n")? + 2;
                }
                return rest.get(end + 2..);
            }
            rest = rest.get(usize::try_from(size).ok()?.checked_add(2)?..)?;
        }
    }
}

/// Refuses a request that does not say for whom it is, or where it ends. The
/// connection is closed: what follows on it cannot be trusted.
pub(super) fn refuse(parts: &Parts, seen: Seen, hosts: Hosts<'_>) -> Result<(), Problem> {
    let Parts { version, uri, headers, .. } = parts;
    if seen.has(Seen::TRANSFER_ENCODING) {
        let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
        let only = encodings.next().filter(|_| encodings.next().is_none());
        if !only.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return Err(refused("send one `transfer-encoding`, which is `chunked`"));
        }
    }
    let is_star = uri.path() == "*";
    if is_star && parts.method != Method::OPTIONS {
        return Err(refused("the target `*` is for OPTIONS"));
    }
    let host = match hosts {
        Hosts { has_more: true, .. } => return Err(refused("send one `host` header")),
        Hosts { first: Some(host), .. } => host.as_bytes(),
        // HTTP/2 names the host in `:authority`; HTTP/1.0 need not name it.
        _ if uri.authority().is_some() || *version <= Version::HTTP_10 => return Ok(()),
        _ => return Err(refused("send a `host` header")),
    };
    if !is_host(host) {
        return Err(refused("the `host` header is not a host, with or without a port"));
    }
    match uri.authority() {
        Some(authority) if !is_same(authority, host) => {
            Err(refused("the target and the `host` header name different hosts"))
        }
        _ => Ok(()),
    }
}

pub(super) fn refused(detail: &'static str) -> Problem {
    Problem::of(&kinds::BAD_REQUEST)
        .with_detail(detail)
        .with_header(CONNECTION, HeaderValue::from_static("close"))
}

fn is_same(authority: &Authority, host: &[u8]) -> bool {
    authority.as_str().as_bytes().eq_ignore_ascii_case(host)
}

/// What a name may consist of.
const HOST_LETTERS: [bool; 256] = {
    let mut letters = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let it = byte as u8;
        letters[byte] =
            it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_' | b'~' | b'%');
        byte += 1;
    }
    letters
};

/// `name`, `name:port`, `[v6]` or `[v6]:port`, in the letters of RFC 3986, section
/// 3.2.2, without a user.
fn is_host(host: &[u8]) -> bool {
    let (name, rest) = match host.first() {
        None => return false,
        Some(b'[') => match host.iter().position(|byte| *byte == b']') {
            Some(end) => {
                let is_address = std::str::from_utf8(&host[1..end])
                    .is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
                if !is_address {
                    return false;
                }
                (None, &host[end + 1..])
            }
            None => return false,
        },
        Some(_) => {
            let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
            (Some(&host[..end]), &host[end..])
        }
    };
    let is_letter = |byte: &u8| HOST_LETTERS[usize::from(*byte)];
    if name.is_some_and(|name| name.is_empty() || !name.iter().all(is_letter)) {
        return false;
    }
    match rest {
        [] => true,
        [b':', port @ ..] => port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
