//! A frame's first bytes, and its mask.

use super::Violation;

/// The longest header: two bytes, eight of length, four of mask.
pub(super) const HEADER_MAX: usize = 14;

/// The most bytes that a control frame carries.
pub(super) const CONTROL_MAX: usize = 125;

pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
pub(super) const MASKED: u8 = 0x80;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    pub(super) const fn is_control(self) -> bool {
        self as u8 >= 8
    }

    const fn new(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }
}

/// The header of a client's frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    pub(super) compressed: bool,
    /// Bytes of payload, below 2^63.
    pub(super) len: u64,
    pub(super) key: [u8; 4],
    /// Bytes of this header.
    pub(super) size: usize,
}

impl Header {
    /// Reads a header from the beginning of `bytes`; `None` if it goes on after
    /// them. What it finds depends on the bytes alone, not on how they are cut.
    #[inline]
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (first, second) = (*first, *second);
        if first & RSV2_RSV3 != 0 {
            return Err(Violation::RESERVED_BIT);
        }
        let opcode = Opcode::new(first & 0x0f).ok_or(Violation::OPCODE)?;
        if second & MASKED == 0 {
            return Err(Violation::UNMASKED);
        }
        let (fin, compressed, short) = (first & FIN != 0, first & RSV1 != 0, second & 0x7f);
        if opcode.is_control() {
            if !fin {
                return Err(Violation::CONTROL_FRAGMENT);
            }
            if usize::from(short) > CONTROL_MAX {
                return Err(Violation::CONTROL_LONG);
            }
        }
        // RSV1 marks a message, on its first frame alone.
        if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(Violation::RESERVED_BIT);
        }
        let (len, rest) = match short {
            126 => {
                let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
                let len = u64::from(u16::from_be_bytes(*len));
                if len < 126 {
                    return Err(Violation::LENGTH);
                }
                (len, rest)
            }
            127 => {
                let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
                let len = u64::from_be_bytes(*len);
                if len <= u64::from(u16::MAX) || len >> 63 != 0 {
                    return Err(Violation::LENGTH);
                }
                (len, rest)
            }
            short => (u64::from(short), rest),
        };
        let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let size = bytes.len() - rest.len();
        Ok(Some(Self { opcode, fin, compressed, len, key: *key, size }))
    }
}

/// Takes the mask off `bytes`, of which the first is masked with `key[0]`.
#[inline]
pub(super) fn unmask(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = [a, b, c, d, a, b, c, d];
    let word = u64::from_ne_bytes(wide);
    // The compiler makes vector instructions of this loop.
    let (words, rest) = bytes.as_chunks_mut();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide) {
        *byte ^= key;
    }
}
