use std::io::Write as _;

use bytes::BytesMut;

use super::{LIMITS, Seen, feed};
use crate::protocol::{self, CloseCode, Decoder, FrameWriter};

/// Reads server frames: a client's decoder would accept what this one does once
/// they are masked.
fn read(mut bytes: &[u8]) -> Vec<Seen> {
    let mut masked = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (len, extra) = match second {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), 2),
            127 => (usize::try_from(u64::from_be_bytes(rest[..8].try_into().unwrap())).unwrap(), 8),
            len => (usize::from(*len), 0),
        };
        masked.extend([*first, 0x80 | second]);
        masked.extend(&rest[..extra]);
        masked.extend([0; 4]);
        masked.extend(&rest[extra..extra + len]);
        bytes = &rest[extra + len..];
    }
    feed(&mut Decoder::new(LIMITS, None), [masked.as_slice()])
}

#[test]
fn frames_are_written_as_the_standard_shows() {
    assert_eq!(protocol::text("Hello"), b"\x81\x05Hello".as_slice());
    assert_eq!(protocol::ping(b"Hello"), b"\x89\x05Hello".as_slice());
    assert_eq!(protocol::pong(b""), b"\x8a\x00".as_slice());
    let frame = protocol::binary(&[0; 256]);
    assert_eq!(&frame[..4], b"\x82\x7e\x01\x00");
    let frame = protocol::binary(&[0; 65_536]);
    assert_eq!(&frame[..10], b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
}

#[test]
fn what_is_written_is_read() {
    let mut out = BytesMut::new();
    let mut expected = Vec::new();
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload = "x".repeat(len);
        out.extend_from_slice(&protocol::text(&payload));
        protocol::put_text(&mut out, &payload);
        protocol::put_binary(&mut out, payload.as_bytes());
        let mut writer = FrameWriter::text(&mut out);
        for piece in payload.as_bytes().chunks(1000) {
            writer.write_all(piece).unwrap();
        }
        assert_eq!(writer.payload(), payload.as_bytes());
        writer.finish();
        let mut writer = FrameWriter::binary(&mut out);
        writer.put(payload.as_bytes());
        writer.finish();
        let (text, binary) = (Seen::Text(payload.clone()), Seen::Binary(payload.into()));
        expected.extend([text.clone(), text.clone(), binary.clone(), text, binary]);
    }
    protocol::put_ping(&mut out, b"1");
    protocol::put_pong(&mut out, b"2");
    protocol::put_close(&mut out, Some(CloseCode::GOING_AWAY), "bye");
    expected.extend([
        Seen::Ping(b"1".into()),
        Seen::Pong(b"2".into()),
        Seen::Close(Some((1001, "bye".into()))),
    ]);
    assert_eq!(read(&out), expected);
}

#[test]
fn an_unfinished_writer_leaves_nothing() {
    let mut out = BytesMut::from(b"before".as_slice());
    let mut writer = FrameWriter::text(&mut out);
    writer.put(b"half");
    drop(writer);
    assert_eq!(out, b"before".as_slice());
}

#[test]
fn control_frames_stay_within_their_limit() {
    assert_eq!(read(&protocol::ping(&[1; 200])), [Seen::Ping(vec![1; 125])]);
    assert_eq!(read(&protocol::close(None, "not said")), [Seen::Close(None)]);
    let long = protocol::close(Some(CloseCode::NORMAL), &"é".repeat(100));
    assert_eq!(read(&long), [Seen::Close(Some((1000, "é".repeat(61))))]);
    let fits = protocol::close(Some(CloseCode::NORMAL), &"a".repeat(123));
    assert_eq!(fits.len(), 127);
}
