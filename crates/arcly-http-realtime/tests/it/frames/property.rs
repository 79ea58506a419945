//! What holds for any bytes that a client sends. The fuzzer and the seeded test
//! share this file.

use arcly_http_realtime::protocol::{
    self, CloseCode, Decoder, Deflate, Incoming, Limits, handshake,
};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Version};

#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Fault(u16, &'static str),
}

/// Decodes `data` (two bytes choose the limits, compression and the cuts; the
/// rest came from the client) and holds that
/// - it does not matter how the bytes were cut;
/// - no message is over the limit, and nothing comes after the end;
/// - what was accepted, written by the server and read again, is the same.
///
/// # Panics
///
/// If one of them does not hold.
pub(super) fn frames(data: &[u8]) {
    let [choice, cuts, stream @ ..] = data else { return };
    let limits = if choice & 2 == 0 {
        Limits { frame_max: 1 << 16, message_max: 1 << 16 }
    } else {
        Limits { frame_max: 200, message_max: 500 }
    };
    let deflate = (choice & 1 != 0).then(|| agreed(9 + choice / 4 % 7));

    let (whole, partial) = decode(limits, deflate, [stream]);
    let mut seed = u64::from(*cuts) + 1;
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let size = 1 << (seed >> 60);
        let (piece, after) = rest.split_at(rest.len().min(size));
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(decode(limits, deflate, pieces), (whole.clone(), partial), "cut anyhow");
    assert_eq!(decode(limits, deflate, stream.chunks(1)), (whole.clone(), partial), "byte by byte");

    let ends = |seen: &Seen| matches!(seen, Seen::Close(_) | Seen::Fault(..));
    if let Some(end) = whole.iter().position(ends) {
        assert_eq!(end + 1, whole.len(), "nothing comes after the end");
        assert!(!partial, "nothing is waited for after the end");
    }
    let mut accepted = whole;
    for seen in &accepted {
        match seen {
            Seen::Text(text) => assert!(text.len() <= limits.message_max),
            Seen::Binary(bytes) => assert!(bytes.len() <= limits.message_max),
            Seen::Ping(bytes) | Seen::Pong(bytes) => assert!(bytes.len() <= 125),
            Seen::Close(said) => assert!(said.as_ref().is_none_or(|(_, said)| said.len() <= 123)),
            Seen::Fault(code, reason) => {
                assert!(matches!(code, 1002 | 1007 | 1009) && reason.len() <= 123);
            }
        }
    }
    if matches!(accepted.last(), Some(Seen::Fault(..))) {
        accepted.pop();
    }
    let again: Vec<u8> = accepted.iter().flat_map(|seen| masked(&write(seen, deflate))).collect();
    let wide = Limits { frame_max: 1 << 17, message_max: 1 << 17 };
    assert_eq!(decode(wide, deflate, [again.as_slice()]), (accepted, false), "written again");
}

/// What came out, and whether something had begun and not ended.
fn decode<'p>(
    limits: Limits,
    deflate: Option<Deflate>,
    parts: impl IntoIterator<Item = &'p [u8]>,
) -> (Vec<Seen>, bool) {
    let mut decoder = Decoder::new(limits, deflate);
    let mut seen = Vec::new();
    for part in parts {
        let mut part = part.to_vec();
        let mut input = part.as_mut_slice();
        loop {
            match decoder.next(&mut input) {
                Ok(Some(incoming)) => seen.push(own(incoming)),
                Ok(None) => break,
                Err(violation) => {
                    seen.push(Seen::Fault(violation.code().get(), violation.reason()));
                }
            }
        }
        assert!(input.is_empty());
    }
    (seen, decoder.is_partial())
}

fn own(incoming: Incoming<'_>) -> Seen {
    match incoming {
        Incoming::Text(text) => Seen::Text(text.into()),
        Incoming::Binary(bytes) => Seen::Binary(bytes.into()),
        Incoming::Ping(bytes) => Seen::Ping(bytes.into()),
        Incoming::Pong(bytes) => Seen::Pong(bytes.into()),
        Incoming::Close(said) => {
            Seen::Close(said.map(|said| (said.code.get(), said.reason.into())))
        }
    }
}

fn write(seen: &Seen, deflate: Option<Deflate>) -> bytes::Bytes {
    match (seen, deflate) {
        (Seen::Text(text), None) => protocol::text(text),
        (Seen::Text(text), Some(deflate)) => deflate.text(text),
        (Seen::Binary(bytes), None) => protocol::binary(bytes),
        (Seen::Binary(bytes), Some(deflate)) => deflate.binary(bytes),
        (Seen::Ping(bytes), _) => protocol::ping(bytes),
        (Seen::Pong(bytes), _) => protocol::pong(bytes),
        (Seen::Close(Some((code, reason))), _) => protocol::close(CloseCode::new(*code), reason),
        (Seen::Close(None) | Seen::Fault(..), _) => protocol::close(None, ""),
    }
}

/// Makes a server's frame a client's.
fn masked(frame: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [1, 0x80, 0xff, 0];
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let mut out = frame[..header].to_vec();
    out[1] |= 0x80;
    out.extend(KEY);
    out.extend(frame[header..].iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

fn agreed(window_bits: u8) -> Deflate {
    let offer = format!("permessage-deflate; server_max_window_bits={window_bits}");
    let headers = HeaderMap::from_iter([
        (UPGRADE, HeaderValue::from_static("websocket")),
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        (SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==")),
        (SEC_WEBSOCKET_EXTENSIONS, HeaderValue::try_from(offer).expect("visible ASCII")),
    ]);
    handshake::check(&Method::GET, Version::HTTP_11, &headers)
        .expect("a whole handshake")
        .deflate()
        .expect("a window that can be had")
}
