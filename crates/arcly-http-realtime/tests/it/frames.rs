//! The fuzzer's property on streams made from a seed: nearly right ones, which
//! bytes at random hardly ever are. `ARCLY_FRAMES_ROUNDS` asks for more of them.

mod property;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// A stream a round.
const ROUNDS: u64 = 3000;

#[test]
fn any_stream_is_read_the_same_however_it_is_cut() {
    let rounds = option_env!("ARCLY_FRAMES_ROUNDS").map_or(ROUNDS, |it| it.parse().unwrap());
    for round in 0..rounds {
        let stream = Random(round).stream();
        property::frames(&stream);
    }
}

struct Random(u64);

impl Random {
    /// Splitmix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn stream(&mut self) -> Vec<u8> {
        let mut out = vec![self.next() as u8, self.next() as u8];
        let deflate = out[0] & 1 != 0;
        for _ in 0..self.below(8) {
            self.message(deflate, &mut out);
        }
        // Nearly right: a few bits are turned, or the end is missing.
        if self.once_in(3) {
            for _ in 0..=self.below(3) {
                let at = self.below(out.len() as u64) as usize;
                out[at] ^= 1 << self.below(8);
            }
        }
        if self.once_in(4) {
            out.truncate(self.below(out.len() as u64) as usize);
        }
        out
    }

    fn message(&mut self, deflate: bool, out: &mut Vec<u8>) {
        if self.once_in(5) {
            return self.control(out);
        }
        let text = self.once_in(2);
        let payload = self.payload(text);
        let (payload, mut bit) = if deflate && self.once_in(2) {
            (deflated(&payload, self.below(10) as u32), 0x40)
        } else {
            (payload, 0)
        };
        let mut opcode = if text { 1 } else { 2 };
        let mut rest = payload.as_slice();
        while self.once_in(2) {
            let (part, after) = rest.split_at(self.below(rest.len() as u64 + 1) as usize);
            self.frame(bit | opcode, part, out);
            (opcode, bit, rest) = (0, 0, after);
            if self.once_in(4) {
                self.control(out);
            }
        }
        self.frame(0x80 | bit | opcode, rest, out);
    }

    fn control(&mut self, out: &mut Vec<u8>) {
        let opcode = [8, 9, 10, 9, 10, 10][self.below(6) as usize];
        let mut payload = self.payload(true);
        payload.truncate(120);
        if opcode == 8 && !payload.is_empty() {
            let code = [1000, 1001, 1011, 3000, 4999, 1005][self.below(6) as usize];
            payload.splice(0..0, u16::to_be_bytes(code));
        }
        self.frame(0x80 | opcode, &payload, out);
    }

    fn payload(&mut self, text: bool) -> Vec<u8> {
        let len = [0, 1, 5, 125, 126, 300, 1000, 70_000][self.below(8) as usize];
        // Long ones seldom: the time goes to the cuts of many short ones.
        let len = if len > 1000 && !self.once_in(20) { 60 } else { len };
        let mut out = Vec::with_capacity(len + 4);
        while out.len() < len {
            if text {
                let character = ["a", "é", "€", "😀"][self.below(4) as usize];
                out.extend_from_slice(character.as_bytes());
            } else {
                out.push(self.next() as u8);
            }
        }
        if self.once_in(20) {
            out.truncate(len);
        }
        out
    }

    fn frame(&mut self, first: u8, payload: &[u8], out: &mut Vec<u8>) {
        out.push(first);
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
        let key = (self.next() as u32).to_ne_bytes();
        out.extend(key);
        out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

fn deflated(payload: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(payload).expect("a Vec takes all");
    encoder.flush().expect("a Vec takes all");
    let mut out = encoder.get_ref().clone();
    if out.ends_with(&[0, 0, 0xff, 0xff]) {
        out.truncate(out.len() - 4);
    }
    out
}
