//! Bytes in, messages out: each rule, at every cut of the same bytes.

mod decode;
mod deflate;
mod encode;
mod handshake;

use super::{Decoder, Deflate, Incoming, Limits};

const LIMITS: Limits = Limits { frame_max: 1 << 20, message_max: 1 << 20 };

/// What came out, owned.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Fault(u16),
}

impl From<Incoming<'_>> for Seen {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.into()),
            Incoming::Binary(bytes) => Self::Binary(bytes.into()),
            Incoming::Ping(bytes) => Self::Ping(bytes.into()),
            Incoming::Pong(bytes) => Self::Pong(bytes.into()),
            Incoming::Close(said) => {
                Self::Close(said.map(|said| (said.code.get(), said.reason.into())))
            }
        }
    }
}

/// Feeds `parts` one after the other.
fn feed<'p>(decoder: &mut Decoder, parts: impl IntoIterator<Item = &'p [u8]>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for part in parts {
        let mut part = part.to_vec();
        let mut input = part.as_mut_slice();
        loop {
            match decoder.next(&mut input) {
                Ok(Some(incoming)) => seen.push(incoming.into()),
                Ok(None) => break,
                Err(violation) => {
                    assert!(violation.reason().len() <= 123);
                    seen.push(Seen::Fault(violation.code().get()));
                }
            }
        }
        assert!(input.is_empty());
    }
    seen
}

/// Decodes `bytes` whole, cut at every place, and byte by byte.
#[track_caller]
fn check_with(limits: Limits, deflate: Option<Deflate>, bytes: &[u8], expected: &[Seen]) {
    let decoder = || Decoder::new(limits, deflate);
    let compare = |seen: Vec<Seen>, how: &str| {
        // Long messages are not for reading.
        let show = bytes.len() < 500;
        assert!(show || seen == expected, "{how}");
        assert_eq!(seen, expected, "{how}");
    };
    compare(feed(&mut decoder(), [bytes]), "whole");
    // Every place in what is short.
    let step = (bytes.len() / 500).max(1);
    for cut in (0..bytes.len()).step_by(step) {
        let (head, tail) = bytes.split_at(cut);
        compare(feed(&mut decoder(), [head, tail]), &format!("cut at {cut}"));
    }
    compare(feed(&mut decoder(), bytes.chunks(1)), "byte by byte");
}

#[track_caller]
fn check(bytes: &[u8], expected: &[Seen]) {
    check_with(LIMITS, None, bytes, expected);
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame: its first byte, and its payload to be masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(KEY);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

fn binary(bytes: &[u8]) -> Seen {
    Seen::Binary(bytes.into())
}
