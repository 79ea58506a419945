//! The text of the faults, written without a heap.

use crate::di::key::Key;
use crate::di::meta::Place;

const TEXT_MAX: usize = 16 * 1024;

/// Collects faults.
pub(super) struct Text {
    bytes: [u8; TEXT_MAX],
    len: usize,
    cut: bool,
    faults: usize,
}

/// What the proof found.
pub struct Report {
    bytes: [u8; TEXT_MAX],
    len: usize,
    faults: usize,
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_proved(&self) -> bool {
        self.len == 0
    }

    /// How many faults were found.
    #[must_use]
    pub const fn fault_count(&self) -> usize {
        self.faults
    }

    /// The faults, for people; empty when there are none.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            // Invariant: only whole `str`s are put into the buffer.
            Err(_) => "the faults cannot be shown",
        }
    }
}

impl Text {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; TEXT_MAX], len: 0, cut: false, faults: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn put(&mut self, text: &str) {
        let bytes = text.as_bytes();
        if self.cut || self.len + bytes.len() > TEXT_MAX - 64 {
            self.cut = true;
            return;
        }
        let mut i = 0;
        while i < bytes.len() {
            self.bytes[self.len] = bytes[i];
            self.len += 1;
            i += 1;
        }
    }

    pub(super) const fn put_key(&mut self, key: &Key) {
        self.put(key.name);
        if !key.args.is_empty() {
            self.put("<");
            let mut i = 0;
            while i < key.args.len() {
                if i > 0 {
                    self.put(", ");
                }
                self.put_key(&key.args[i]);
                i += 1;
            }
            self.put(">");
        }
    }

    pub(super) const fn put_number(&mut self, number: u32) {
        const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        if number >= 10 {
            self.put_number(number / 10);
        }
        self.put(DIGITS[(number % 10) as usize]);
    }

    pub(super) const fn put_place(&mut self, place: &Place) {
        self.put("  (");
        self.put(place.file);
        self.put(":");
        self.put_number(place.line);
        self.put(")");
    }

    /// Starts a fault.
    pub(super) const fn fault(&mut self, what: &str) {
        self.faults += 1;
        self.put("\n    ");
        self.put(what);
        let bytes = what.as_bytes();
        if !bytes.is_empty() && bytes[bytes.len() - 1] == b':' {
            self.put("\n");
        }
    }

    /// Names a place on a line of its own.
    pub(super) const fn at(&mut self, file: &str, line: u32) {
        self.put("        at ");
        self.put(file);
        self.put(":");
        self.put_number(line);
        self.put("\n");
    }

    /// Ends a fault with a way out.
    pub(super) const fn help(&mut self, how: &str) {
        self.help_head();
        self.put(how);
        self.put("\n");
    }

    pub(super) const fn help_head(&mut self) {
        self.put("        help: ");
    }

    /// Ends the text. Nothing beyond `head` means nothing to report.
    pub(super) const fn into_report(mut self, head: usize) -> Report {
        if self.cut {
            self.cut = false;
            let room = TEXT_MAX - 64;
            if self.len > room {
                self.len = room;
            }
            let note = "\n    .. and more; mend these first\n".as_bytes();
            let mut i = 0;
            while i < note.len() {
                self.bytes[self.len] = note[i];
                self.len += 1;
                i += 1;
            }
        }
        let len = if self.len == head { 0 } else { self.len };
        Report { bytes: self.bytes, len, faults: self.faults }
    }
}
