//! Messages on their way to many sockets, in each form that sockets take.

use std::cell::OnceCell;

use bytes::{Bytes, BytesMut};

use crate::client::Way;
use crate::message;
use crate::protocol::Deflate;

/// Whole frames as they are, and compressed for those who agreed to it: once for each size
/// of window, when the first socket needs it.
pub(crate) struct Frames {
    plain: Bytes,
    deflated: [OnceCell<Bytes>; WINDOWS],
    events: OnceCell<Bytes>,
}

/// Sizes of windows: 9 to 15 bits.
const WINDOWS: usize = 7;
const WINDOW_BITS_MIN: u8 = 9;

impl From<Bytes> for Frames {
    fn from(plain: Bytes) -> Self {
        Self { plain, deflated: Default::default(), events: OnceCell::new() }
    }
}

impl Frames {
    pub(crate) fn form(&self, way: Way) -> &Bytes {
        let deflate = match way {
            Way::Socket(None) => return &self.plain,
            Way::Socket(Some(deflate)) => deflate,
            Way::Events => return self.events.get_or_init(|| events(&self.plain)),
        };
        let window = usize::from(deflate.window_bits().saturating_sub(WINDOW_BITS_MIN));
        self.deflated[window.min(WINDOWS - 1)].get_or_init(|| compress(&self.plain, deflate))
    }
}

/// Each message as a server-sent event, a ping as a comment.
fn events(plain: &Bytes) -> Bytes {
    let mut whole = BytesMut::new();
    let mut rest = plain.clone();
    while let Some((opcode, header, len)) = head(&rest) {
        let frame = rest.split_to((header + len).min(rest.len()));
        match opcode {
            TEXT => message::as_server_sent(&frame[header.min(frame.len())..], &mut whole),
            PING => whole.extend_from_slice(b":\n\n"),
            _ => {}
        }
    }
    whole.freeze()
}

/// Each message compressed by itself, where that is worth it; control frames as they are.
fn compress(plain: &Bytes, deflate: Deflate) -> Bytes {
    let mut whole = BytesMut::new();
    let mut rest = plain.clone();
    while !rest.is_empty() {
        let Some((opcode, header, len)) = head(&rest) else { break };
        let frame = rest.split_to((header + len).min(rest.len()));
        let payload = &frame[header.min(frame.len())..];
        let compressed = match (opcode, std::str::from_utf8(payload)) {
            (TEXT, Ok(text)) => deflate.text(text),
            (BINARY, _) => deflate.binary(payload),
            _ => frame,
        };
        if rest.is_empty() && whole.is_empty() {
            return compressed;
        }
        whole.extend_from_slice(&compressed);
    }
    whole.freeze()
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const PING: u8 = 9;

/// Whether bytes are whole frames of text or binary messages, as another node says.
pub(crate) fn are_frames(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some((opcode, header, len)) = head(bytes) else { return false };
        let begins = matches!(bytes[0], 0x81 | 0x82) && bytes[1] < 0x80;
        let Some(end) = header.checked_add(len).filter(|end| *end <= bytes.len()) else {
            return false;
        };
        let payload = &bytes[header..end];
        if !begins || (opcode == TEXT && std::str::from_utf8(payload).is_err()) {
            return false;
        }
        bytes = &bytes[end..];
    }
    true
}

/// Opcode, bytes of header and bytes of payload of a frame that we have written.
fn head(frame: &[u8]) -> Option<(u8, usize, usize)> {
    let opcode = frame.first()? & 0x0f;
    Some(match frame.get(1)? & 0x7f {
        126 => (opcode, 4, usize::from(u16::from_be_bytes(frame.get(2..4)?.try_into().ok()?))),
        127 => {
            let len = u64::from_be_bytes(frame.get(2..10)?.try_into().ok()?);
            (opcode, 10, usize::try_from(len).ok()?)
        }
        len => (opcode, 2, usize::from(len)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{self, handshake};

    fn deflate() -> Deflate {
        let mut headers = http::HeaderMap::new();
        for (name, value) in [
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-extensions", "permessage-deflate"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let method = http::Method::GET;
        handshake::check(&method, http::Version::HTTP_11, &headers).unwrap().deflate().unwrap()
    }

    #[test]
    fn each_message_is_compressed_by_itself_and_short_ones_are_not() {
        let long = "a long text ".repeat(100_000);
        let mut all = BytesMut::new();
        for text in ["short", &long, "", &long[..300]] {
            protocol::put_text(&mut all, text);
        }
        protocol::put_binary(&mut all, &[7; 70_000]);
        protocol::put_ping(&mut all, b"x");
        let frames = Frames::from(all.clone().freeze());
        assert_eq!(*frames.form(Way::Socket(None)), all);
        let deflated = frames.form(Way::Socket(Some(deflate())));
        assert!(deflated.len() < 20_000, "{}", deflated.len());
        assert!(deflated.starts_with(&protocol::text("short")));
        assert!(deflated.ends_with(&protocol::ping(b"x")));
        let mut told = BytesMut::new();
        told.extend_from_slice(&message::event("a.b", &[1, 2]).unwrap());
        told.extend_from_slice(&message::event("c", &"x\ny").unwrap());
        protocol::put_ping(&mut told, b"");
        let told = Frames::from(told.freeze());
        let expected = "event: a.b\ndata: [1,2]\n\nevent: c\ndata: \"x\\ny\"\n\n:\n\n";
        assert_eq!(*told.form(Way::Events), expected);
        let one = Frames::from(protocol::text("short"));
        assert_eq!(*one.form(Way::Socket(Some(deflate()))), protocol::text("short"));
    }
}
