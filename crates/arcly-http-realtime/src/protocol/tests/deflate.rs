use std::fmt::Write as _;

use flate2::{Compress, Compression, FlushCompress};

use super::{KEY, LIMITS, Seen, binary, check_with, feed, frame, text};
use crate::protocol::{self, Decoder, Deflate, Limits};

const PROTOCOL: Seen = Seen::Fault(1002);
const NOT_INFLATED: Seen = Seen::Fault(1007);
const TOO_BIG: Seen = Seen::Fault(1009);

fn agreed(parameters: &[(&str, Option<&str>)]) -> Deflate {
    Deflate::accept(parameters.iter().copied()).unwrap()
}

#[track_caller]
fn check(bytes: &[u8], expected: &[Seen]) {
    check_with(LIMITS, Some(agreed(&[])), bytes, expected);
}

fn deflated(payload: &[u8], level: u32) -> Vec<u8> {
    let mut stream = Compress::new(Compression::new(level), false);
    let mut out = Vec::with_capacity(payload.len() * 2 + 100);
    stream.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(stream.total_in(), payload.len() as u64);
    out.truncate(out.len() - 4);
    out
}

/// Text that can be compressed.
fn prose(len: usize) -> String {
    let mut out = String::new();
    for at in 0.. {
        if out.len() >= len {
            break;
        }
        write!(out, "the {at}th word, é ").unwrap();
    }
    out
}

#[test]
fn the_examples_of_the_standard_are_read() {
    let hello = [text("Hello")];
    check(&frame(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"), &hello);
    let fragments = [frame(0x41, b"\xf2\x48\xcd"), frame(0x80, b"\xc9\xc9\x07\x00")];
    check(&fragments.concat(), &hello);
    // A block that is not compressed, a last block, two blocks.
    check(&frame(0xc1, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), &hello);
    check(&frame(0xc1, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), &hello);
    let two = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    check(&frame(0xc1, two), &hello);
    check(&frame(0xc1, b"\x00"), &[text("")]);
    check(&frame(0xc1, b""), &[text("")]);
}

#[test]
fn compressed_and_plain_messages_alternate() {
    let long = prose(5000);
    let bytes = [
        frame(0x81, b"plain"),
        frame(0xc1, &deflated(long.as_bytes(), 6)),
        frame(0x42, &deflated(b"\xff\xfe", 0)[..3]),
        frame(0x89, b"between"),
        frame(0x80, &deflated(b"\xff\xfe", 0)[3..]),
        frame(0x82, b"\x00"),
    ]
    .concat();
    let ping = Seen::Ping(b"between".into());
    check(&bytes, &[text("plain"), text(&long), ping, binary(b"\xff\xfe"), binary(b"\x00")]);
}

#[test]
fn the_bit_stands_where_it_may_alone() {
    check_with(LIMITS, None, &frame(0xc1, b"\x00"), &[PROTOCOL]);
    check(&[frame(0x41, b"\xf2\x48\xcd"), frame(0xc0, b"\xc9\xc9\x07\x00")].concat(), &[PROTOCOL]);
    for control in [0xc8, 0xc9, 0xca, 0xe1, 0xd1] {
        check(&frame(control, b""), &[PROTOCOL]);
    }
}

#[test]
fn what_cannot_be_inflated_is_refused() {
    let whole = deflated(prose(500).as_bytes(), 6);
    let cases: [&[u8]; 7] = [
        b"\xff\xff\xff",
        // A stored block whose length is not confirmed.
        b"\x00\x05\x00\xff\xff",
        // A reference to before the message: no context is taken over.
        b"\x02\x07\x00",
        &whole[..whole.len() / 2],
        &whole[..10],
        // More after the last block.
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
    ];
    for (at, bytes) in cases.iter().enumerate() {
        let seen =
            feed(&mut Decoder::new(LIMITS, Some(agreed(&[]))), [frame(0xc2, bytes).as_slice()]);
        assert_eq!(seen, [NOT_INFLATED], "case {at}");
        check(&frame(0xc2, bytes), &[NOT_INFLATED]);
    }
    // The thread's inflater is as new after a failure.
    check(&frame(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"), &[text("Hello")]);
}

#[test]
fn inflated_text_must_be_utf8() {
    let mut payload = prose(20_000).into_bytes();
    payload[15_000] = 0xff;
    check(&frame(0xc1, &deflated(&payload, 6)), &[NOT_INFLATED]);
    check(&frame(0xc2, &deflated(&payload, 6)), &[binary(&payload)]);
    check(&frame(0xc1, &deflated(b"cut \xe2\x82", 6)), &[NOT_INFLATED]);
    // Characters lie across the edges of what is inflated at once.
    for shift in 0..4 {
        let payload = "x".repeat(shift) + &"😀".repeat(9000);
        let decoder = &mut Decoder::new(LIMITS, Some(agreed(&[])));
        let bytes = frame(0xc1, &deflated(payload.as_bytes(), 6));
        assert_eq!(feed(decoder, [bytes.as_slice()]), [text(&payload)]);
    }
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let bomb = deflated(&vec![0; 8 << 20], 6);
    assert!(bomb.len() < 20_000);
    for message_max in [1000, 100_000, 1 << 20] {
        let limits = Limits { frame_max: 1 << 20, message_max };
        let limits = Limits { message_max: limits.message_max.max(bomb.len()), ..limits };
        let decoder = &mut Decoder::new(limits, Some(agreed(&[])));
        assert_eq!(feed(decoder, [frame(0xc2, &bomb).as_slice()]), [TOO_BIG]);
    }
    for (len, expected) in [(1000, binary(&[0; 1000])), (1001, TOO_BIG)] {
        let limits = Limits { frame_max: 1000, message_max: 1000 };
        let bytes = frame(0xc2, &deflated(&vec![0; len], 9));
        check_with(limits, Some(agreed(&[])), &bytes, &[expected]);
    }
    // Deflated bytes over the limit are not even taken in.
    let limits = Limits { frame_max: 1 << 20, message_max: 1000 };
    let mut bytes = vec![0xc2, 0xff];
    bytes.extend(70_000_u64.to_be_bytes());
    bytes.extend(KEY);
    check_with(limits, Some(agreed(&[])), &bytes, &[TOO_BIG]);
}

#[test]
fn a_message_at_the_limit_that_cannot_be_deflated_fits() {
    let mut seed = 7_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as u8
    })
    .take(100_000)
    .collect();
    let limits = Limits { frame_max: 1 << 20, message_max: noise.len() };
    for level in [0, 1, 9] {
        let bytes = frame(0xc2, &deflated(&noise, level));
        let decoder = &mut Decoder::new(limits, Some(agreed(&[])));
        let read = feed(decoder, [bytes.as_slice()]) == [binary(&noise)];
        assert!(read, "level {level}");
    }
}

/// Masks a server's frame with zeros.
fn masked(frame: &[u8]) -> Vec<u8> {
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let mut out = frame[..header].to_vec();
    out[1] |= 0x80;
    out.extend([0; 4]);
    out.extend(&frame[header..]);
    out
}

#[test]
fn what_is_compressed_is_read_in_each_window() {
    for bits in ["9", "10", "11", "12", "13", "14", "15"] {
        let deflate = agreed(&[("server_max_window_bits", Some(bits))]);
        assert_eq!(deflate.window_bits().to_string(), bits);
        for len in [0, 255, 300, 70_000] {
            let payload = prose(len);
            for _ in 0..2 {
                let frame = deflate.text(&payload);
                assert_eq!(frame[0] & 0x40 != 0, payload.len() >= 256);
                check_once(&masked(&frame), text(&payload));
                let frame = deflate.binary(payload.as_bytes());
                check_once(&masked(&frame), binary(payload.as_bytes()));
            }
            if len == 70_000 {
                assert!(deflate.text(&payload).len() < payload.len() / 2);
            }
        }
    }
}

#[track_caller]
fn check_once(bytes: &[u8], expected: Seen) {
    let decoder = &mut Decoder::new(LIMITS, Some(agreed(&[])));
    assert_eq!(feed(decoder, [bytes]), [expected]);
}

#[test]
fn what_does_not_shrink_is_sent_as_it_is() {
    let mut seed = 1_u64;
    let mut noise = |len: usize| -> Vec<u8> {
        let next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    };
    let deflate = agreed(&[]);
    assert_eq!(deflate.text("short"), protocol::text("short"));
    // Many: what a compressor held back must not add up.
    for len in 256..1000 {
        let noise = noise(len);
        assert_eq!(deflate.binary(&noise), protocol::binary(&noise));
    }
    let prose = prose(1000);
    check_once(&masked(&deflate.text(&prose)), text(&prose));
}
