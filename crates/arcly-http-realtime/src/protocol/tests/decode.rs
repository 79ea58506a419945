use super::{KEY, LIMITS, Seen, binary, check, check_with, feed, frame, text};
use crate::protocol::header::unmask;
use crate::protocol::message::Message;
use crate::protocol::{CloseCode, Decoder, Incoming, Limits, Violation};

const PROTOCOL: Seen = Seen::Fault(1002);
const NOT_UTF8: Seen = Seen::Fault(1007);
const TOO_BIG: Seen = Seen::Fault(1009);

#[test]
fn a_text_is_read() {
    check(&frame(0x81, b"Hello"), &[text("Hello")]);
    check(&frame(0x81, b""), &[text("")]);
    check(&frame(0x81, "κόσμε 😀".as_bytes()), &[text("κόσμε 😀")]);
}

#[test]
fn each_length_is_read() {
    for len in [0, 1, 7, 8, 9, 124, 125, 126, 127, 128, 1000, 65_535, 65_536, 65_537] {
        let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let mut bytes = frame(0x82, &payload);
        bytes.extend(frame(0x81, b"next"));
        check(&bytes, &[binary(&payload), text("next")]);
    }
}

#[test]
fn fragments_are_joined_and_controls_come_between_them() {
    let bytes = [
        frame(0x01, "aκ".as_bytes()),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x00, b"b"),
        frame(0x8a, b""),
        frame(0x80, "😀c".as_bytes()),
        frame(0x02, b""),
        frame(0x80, b""),
        frame(0x02, b"\xff"),
        frame(0x80, b"\xfe"),
    ]
    .concat();
    let expected = [
        Seen::Ping(b"ping".into()),
        Seen::Pong(Vec::new()),
        text("aκb😀c"),
        binary(b""),
        binary(b"\xff\xfe"),
    ];
    check(&bytes, &expected);
}

#[test]
fn a_character_may_be_cut_by_fragments() {
    let whole = "é€😀é€😀";
    for size in 1..6 {
        let pieces: Vec<&[u8]> = whole.as_bytes().chunks(size).collect();
        let mut bytes = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            let opcode = u8::from(at == 0);
            let fin = if at + 1 == pieces.len() { 0x80 } else { 0 };
            bytes.extend(frame(fin | opcode, piece));
        }
        check(&bytes, &[text(whole)]);
    }
}

#[test]
fn what_is_not_utf8_is_refused_as_soon_as_it_shows() {
    // (bytes, how many of them it takes to know)
    let cases: [(&[u8], usize); 12] = [
        (b"\x80", 1),
        (b"\xc0\xaf", 1),
        (b"\xc1\x80", 1),
        (b"\xe0\x80\x80", 2),
        (b"\xed\xa0\x80", 2),
        (b"\xed\xbf\xbf", 2),
        (b"\xf0\x8f\xbf\xbf", 2),
        (b"\xf4\x90\x80\x80", 2),
        (b"\xf5\x80\x80\x80", 1),
        (b"\xff", 1),
        (b"\xe2\x82A", 3),
        (b"\xf0\x9f\x98A", 4),
    ];
    for (bad, known) in cases {
        let payload = [b"ok \xce\xba".as_slice(), bad, b"and more"].concat();
        check(&frame(0x81, &payload), &[NOT_UTF8]);
        let cut = 5 + known;
        // The frame is not whole, and so is not its message.
        for first in [0x81, 0x01] {
            let bytes = frame(first, &payload);
            let header = bytes.len() - payload.len();
            check(&bytes[..header + cut], &[NOT_UTF8]);
            check(&bytes[..header + cut - 1], &[]);
        }
        let fragments = [frame(0x01, &payload[..cut - 1]), frame(0x00, &payload[cut - 1..cut])];
        check(&fragments.concat(), &[NOT_UTF8]);
    }
}

#[test]
fn a_text_that_ends_inside_a_character_is_refused() {
    check(&frame(0x81, b"ab\xe2\x82"), &[NOT_UTF8]);
    check(&[frame(0x01, b"ab\xe2"), frame(0x80, b"\x82")].concat(), &[NOT_UTF8]);
    check(&[frame(0x01, b"ab\xe2"), frame(0x80, b"")].concat(), &[NOT_UTF8]);
    // In a binary message they are bytes as others.
    check(&frame(0x82, b"ab\xe2\x82"), &[binary(b"ab\xe2\x82")]);
}

#[test]
fn frames_without_a_mask_are_refused() {
    check(b"\x81\x05Hello", &[PROTOCOL]);
    check(b"\x81\x00", &[PROTOCOL]);
    check(b"\x89\x00", &[PROTOCOL]);
}

#[test]
fn reserved_bits_and_opcodes_are_refused() {
    for bit in [0x40, 0x20, 0x10] {
        for opcode in [0x00, 0x01, 0x02, 0x08, 0x09, 0x0a] {
            check(&frame(0x80 | bit | opcode, b""), &[PROTOCOL]);
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check(&frame(0x80 | opcode, b""), &[PROTOCOL]);
        check(&frame(opcode, b"payload"), &[PROTOCOL]);
    }
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [0x08, 0x09, 0x0a] {
        check(&frame(opcode, b""), &[PROTOCOL]);
        check(&frame(0x80 | opcode, &[b'a'; 126]), &[PROTOCOL]);
        check(&[0x80 | opcode, 0x80 | 127], &[PROTOCOL]);
    }
    check(&frame(0x89, &[7; 125]), &[Seen::Ping(vec![7; 125])]);
    check(&frame(0x8a, &[7; 125]), &[Seen::Pong(vec![7; 125])]);
}

#[test]
fn lengths_are_written_in_the_shortest_way() {
    check(&[0x82, 0xfe, 0, 125, 0, 0, 0, 0], &[PROTOCOL]);
    // With its payload, too.
    check(b"\x81\xfe\0\x03\0\0\0\0abc", &[PROTOCOL]);
    check(b"\x81\xff\0\0\0\0\0\0\0\x03\0\0\0\0abc", &[PROTOCOL]);
    check(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], &[PROTOCOL]);
    check(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &[PROTOCOL]);
}

#[test]
fn messages_begin_once_and_end_before_the_next() {
    check(&frame(0x80, b"x"), &[PROTOCOL]);
    check(&frame(0x00, b"x"), &[PROTOCOL]);
    check(&[frame(0x01, b"x"), frame(0x81, b"y")].concat(), &[PROTOCOL]);
    check(&[frame(0x01, b"x"), frame(0x02, b"y")].concat(), &[PROTOCOL]);
    check(&[frame(0x81, b"x"), frame(0x80, b"y")].concat(), &[text("x"), PROTOCOL]);
    let twice = [frame(0x01, b"x"), frame(0x80, b"y"), frame(0x80, b"z")].concat();
    check(&twice, &[text("xy"), PROTOCOL]);
}

#[test]
fn a_length_over_a_limit_is_refused_before_its_payload() {
    let limits = Limits { frame_max: 300, message_max: 1000 };
    let at_limit = [7; 300];
    check_with(limits, None, &frame(0x82, &at_limit), &[binary(&at_limit)]);
    for len in [301_u64, 65_536, 1 << 40, i64::MAX as u64] {
        let mut header = vec![0x82];
        if let Ok(len) = u16::try_from(len) {
            header.push(0xfe);
            header.extend(len.to_be_bytes());
        } else {
            header.push(0xff);
            header.extend(len.to_be_bytes());
        }
        header.extend(KEY);
        check_with(limits, None, &header, &[TOO_BIG]);
    }
    let mut bytes = frame(0x02, &at_limit);
    bytes.extend(frame(0x00, &at_limit));
    bytes.extend(frame(0x00, &at_limit));
    let whole = [bytes.clone(), frame(0x80, &at_limit[..100])].concat();
    check_with(limits, None, &whole, &[binary(&[7; 1000])]);
    // The header alone of what would be 1,001.
    bytes.extend(&frame(0x00, &at_limit[..101])[..6]);
    check_with(limits, None, &bytes, &[TOO_BIG]);
    // After a message its bytes no longer count.
    let again = [whole.clone(), whole].concat();
    check_with(limits, None, &again, &[binary(&[7; 1000]), binary(&[7; 1000])]);
}

#[test]
fn close_frames_are_read_and_are_the_last() {
    let after = frame(0x81, b"never seen");
    let closing = |payload: &[u8]| [frame(0x88, payload), after.clone()].concat();
    check(&closing(b""), &[Seen::Close(None)]);
    check(&closing(b"\x03\xe8"), &[Seen::Close(Some((1000, String::new())))]);
    check(&closing(b"\x0f\xa0bye"), &[Seen::Close(Some((4000, "bye".into())))]);
    check(&closing(b"\x03"), &[PROTOCOL]);
    check(&closing(b"\x03\xe8\xff"), &[NOT_UTF8]);
    check(&closing(b"\x03\xe8\xe2\x82"), &[NOT_UTF8]);
    let allowed = [1000..=1003, 1007..=1014, 3000..=4999];
    for code in (0..=5100).chain([0x8000, u16::MAX]) {
        let seen = feed(&mut Decoder::new(LIMITS, None), [closing(&code.to_be_bytes()).as_slice()]);
        let expected = if allowed.iter().any(|range| range.contains(&code)) {
            Seen::Close(Some((code, String::new())))
        } else {
            PROTOCOL
        };
        assert_eq!(seen, [expected], "{code}");
    }
    assert_eq!(CloseCode::new(1006), None);
    // Between fragments it ends the message with the rest.
    let bytes = [frame(0x01, b"begun"), closing(b"")].concat();
    check(&bytes, &[Seen::Close(None)]);
}

#[test]
fn nothing_is_read_after_a_violation() {
    let bytes = [frame(0x81, b"a"), frame(0x83, b""), frame(0x81, b"b")].concat();
    check(&bytes, &[text("a"), PROTOCOL]);
}

#[test]
fn a_whole_message_is_not_copied() {
    let mut bytes = frame(0x81, b"where it lies");
    let range = bytes.as_ptr_range();
    let mut decoder = Decoder::new(LIMITS, None);
    let mut input = bytes.as_mut_slice();
    let Ok(Some(Incoming::Text(text))) = decoder.next(&mut input) else { panic!("no text") };
    assert!(range.contains(&text.as_ptr()));
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() < 200, "{}", size_of::<Decoder>());
    assert!(size_of::<Result<Option<Incoming<'_>>, Violation>>() <= 48);
}

#[test]
fn whether_something_has_begun_is_told() {
    let mut decoder = Decoder::new(LIMITS, None);
    assert!(!decoder.is_partial());
    let bytes = [frame(0x01, b"ab"), frame(0x80, b"cd")].concat();
    for byte in &bytes[..bytes.len() - 1] {
        assert_eq!(feed(&mut decoder, [[*byte].as_slice()]), []);
        assert!(decoder.is_partial());
    }
    assert_eq!(feed(&mut decoder, [&bytes[bytes.len() - 1..]]), [text("abcd")]);
    assert!(!decoder.is_partial());
}

#[test]
fn the_mask_comes_off_at_every_length() {
    for len in 0..70 {
        let plain: Vec<u8> = (0..len).collect();
        let mut bytes: Vec<u8> =
            plain.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        unmask(&mut bytes, KEY);
        assert_eq!(bytes, plain);
    }
}

#[test]
fn memory_grows_with_what_came_and_not_with_what_was_announced() {
    let limits = Limits { frame_max: 1 << 30, message_max: 1 << 30 };
    for text in [true, false] {
        let mut message = Message::new(text, false);
        let mut came = 0;
        for part in [1, 10, 100, 1000, 1000, 5, 30_000] {
            message.push(&vec![b'a'; part], limits.message_max).unwrap();
            came += part;
            assert!(message.capacity() <= came * 2, "{} of {came}", message.capacity());
        }
        // The end is known: no more than that.
        message.push(&[b'a'; 10_000], came + 12_000).unwrap();
        assert!(message.capacity() <= came + 12_000);
    }
    // Fragments of nothing keep nothing.
    let mut bytes = frame(0x02, b"");
    for _ in 0..10_000 {
        bytes.extend(frame(0x00, b""));
    }
    let mut decoder = Decoder::new(limits, None);
    assert_eq!(feed(&mut decoder, [bytes.as_slice()]), []);
    assert_eq!(decoder.kept(), 0);
}

#[test]
fn what_was_kept_is_given_back() {
    let mut decoder = Decoder::new(LIMITS, None);
    let long = "x".repeat(100_000);
    let parts = [frame(0x81, long.as_bytes()), frame(0x89, b"ping"), frame(0x82, b"short")];
    for bytes in parts {
        let (head, tail) = bytes.split_at(bytes.len() - 1);
        assert_eq!(feed(&mut decoder, [head]), []);
        assert!(decoder.kept() > 0);
        assert_eq!(feed(&mut decoder, [tail]).len(), 1);
        assert_eq!(decoder.kept(), 0);
    }
    // A close frame or a violation ends what had begun.
    for last in [frame(0x88, b""), frame(0x83, b"")] {
        let mut decoder = Decoder::new(LIMITS, None);
        assert_eq!(feed(&mut decoder, [frame(0x01, long.as_bytes()).as_slice()]), []);
        assert!(decoder.kept() > 0);
        assert_eq!(feed(&mut decoder, [last.as_slice()]).len(), 1);
        assert_eq!(decoder.kept(), 0);
    }
}
