//! A message that is not whole yet.

use super::Violation;

/// What has come of a message. Its memory grows with what has come, never with
/// what was announced.
#[derive(Debug)]
pub(super) enum Message {
    Text(Text),
    Binary(Vec<u8>),
    /// Deflated; inflated when it is whole, so that no socket keeps a window.
    Deflated {
        text: bool,
        bytes: Vec<u8>,
    },
}

impl Message {
    pub(super) const fn new(text: bool, compressed: bool) -> Self {
        match (compressed, text) {
            (true, text) => Self::Deflated { text, bytes: Vec::new() },
            (false, true) => Self::Text(Text::new()),
            (false, false) => Self::Binary(Vec::new()),
        }
    }

    /// Adds `part`. The whole message will not be longer than `len_max`.
    pub(super) fn push(&mut self, part: &[u8], len_max: usize) -> Result<(), Violation> {
        match self {
            Self::Text(text) => return text.push(part, len_max),
            Self::Binary(bytes) | Self::Deflated { bytes, .. } => {
                let more = growth(bytes.len(), bytes.capacity(), part.len(), len_max);
                bytes.reserve_exact(more);
                bytes.extend_from_slice(part);
            }
        }
        Ok(())
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(text) => text.whole.capacity(),
            Self::Binary(bytes) | Self::Deflated { bytes, .. } => bytes.capacity(),
        }
    }
}

/// Text whose every byte so far can be UTF-8.
#[derive(Debug)]
pub(super) struct Text {
    whole: String,
    /// The beginning of a character whose end has not come: at most three bytes.
    cut: [u8; 4],
    cut_len: usize,
}

impl Text {
    const fn new() -> Self {
        Self { whole: String::new(), cut: [0; 4], cut_len: 0 }
    }

    /// The text, if it does not end inside a character.
    pub(super) fn end(&self) -> Result<(), Violation> {
        if self.cut_len == 0 { Ok(()) } else { Err(Violation::NOT_UTF8) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }

    fn push(&mut self, mut part: &[u8], len_max: usize) -> Result<(), Violation> {
        let more =
            growth(self.whole.len(), self.whole.capacity(), part.len() + self.cut_len, len_max);
        self.whole.reserve_exact(more);
        while self.cut_len > 0 {
            let Some((&byte, rest)) = part.split_first() else { return Ok(()) };
            part = rest;
            self.cut[self.cut_len] = byte;
            self.cut_len += 1;
            match std::str::from_utf8(&self.cut[..self.cut_len]) {
                Ok(character) => {
                    self.whole.push_str(character);
                    self.cut_len = 0;
                }
                // `error_len` is `None` only while some next byte could make it
                // valid, which four bytes never need.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Violation::NOT_UTF8),
            }
        }
        match std::str::from_utf8(part) {
            Ok(text) => self.whole.push_str(text),
            Err(error) if error.error_len().is_none() => {
                let (valid, cut) = part.split_at(error.valid_up_to());
                self.whole.push_str(std::str::from_utf8(valid).map_err(|_| Violation::NOT_UTF8)?);
                self.cut[..cut.len()].copy_from_slice(cut);
                self.cut_len = cut.len();
            }
            Err(_) => return Err(Violation::NOT_UTF8),
        }
        Ok(())
    }
}

/// How much room to ask for beyond `len`, so that `part` fits: double at least,
/// since exact steps would copy a message of many fragments again and again,
/// but never over `len_max`.
fn growth(len: usize, capacity: usize, part: usize, len_max: usize) -> usize {
    if capacity - len >= part {
        return part;
    }
    capacity.saturating_mul(2).min(len_max).max(len + part) - len
}
