//! Request id and W3C Trace Context.

use std::cell::RefCell;
use std::fmt;

/// Random bytes from the operating system, fetched in blocks of 1 KiB a thread,
/// so that an id costs no system call.
fn random<const N: usize>() -> [u8; N] {
    const BLOCK: usize = 1024;
    thread_local! {
        static POOL: RefCell<([u8; BLOCK], usize)> = const { RefCell::new(([0; BLOCK], BLOCK)) };
    }
    POOL.with_borrow_mut(|(bytes, at)| {
        if *at + N > BLOCK {
            getrandom::fill(bytes)
                .expect("the operating system gives random bytes to a running process");
            *at = 0;
        }
        let mut out = [0; N];
        out.copy_from_slice(&bytes[*at..*at + N]);
        // A byte that was given out is not kept.
        bytes[*at..*at + N].fill(0);
        *at += N;
        out
    })
}

/// The two digits of each byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut all = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        all[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    all
};

fn write_hex(bytes: &[u8], out: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair.copy_from_slice(&HEX[usize::from(*byte)]);
    }
}

fn read_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

/// Longest request id that is taken over from a client, in bytes.
const ID_MAX: usize = 64;

/// Identifies one request in logs and in the `x-request-id` header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    text: [u8; ID_MAX],
    len: u8,
}

impl RequestId {
    /// A fresh one: 128 random bits, as 32 hexadecimal digits.
    #[must_use]
    pub fn fresh() -> Self {
        let mut text = [0; ID_MAX];
        write_hex(&random::<16>(), &mut text[..32]);
        Self { text, len: 32 }
    }

    /// The id of a request that has a trace and no id of its own: the trace's, so that
    /// one search finds both.
    #[must_use]
    pub fn of_trace(trace: &TraceContext) -> Self {
        let mut text = [0; ID_MAX];
        write_hex(&trace.trace_id, &mut text[..32]);
        Self { text, len: 32 }
    }

    /// Takes over a client's id: 1 to 64 letters, digits, `-`, `_` or `.`;
    /// anything else is refused, so that nobody writes into the logs.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > ID_MAX || !text.iter().all(plain) {
            return None;
        }
        let mut own = [0; ID_MAX];
        own[..text.len()].copy_from_slice(text);
        Some(Self { text: own, len: text.len() as u8 })
    }

    /// Its text, which is ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A position in a distributed trace (W3C Trace Context, level 1).
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) parent_id: Option<[u8; 8]>,
    flags: u8,
    pub(super) state: Option<Box<str>>,
}

/// Longest `tracestate` that is passed on, in bytes (section 3.3.1.5).
const STATE_MAX: usize = 512;

impl TraceContext {
    /// The root of a new trace, not sampled.
    #[must_use]
    pub fn root() -> Self {
        Self { trace_id: nonzero(), span_id: nonzero(), parent_id: None, flags: 0, state: None }
    }

    /// Continues the trace of a `traceparent` header with a span of its own.
    /// A header that the standard calls invalid gives `None`: start a new trace
    /// and ignore `tracestate`.
    #[must_use]
    pub fn continue_from(traceparent: &[u8], tracestate: Option<&str>) -> Option<Self> {
        let version = read_hex::<1>(traceparent.get(..2)?)?[0];
        let rest = traceparent.get(2..)?;
        if version == 0xff || rest.len() < 53 || (version == 0 && rest.len() != 53) {
            return None;
        }
        if rest[0] != b'-' || rest[33] != b'-' || rest[50] != b'-' {
            return None;
        }
        if rest.len() > 53 && rest[53] != b'-' {
            return None;
        }
        let trace_id = read_hex::<16>(&rest[1..33])?;
        let parent = read_hex::<8>(&rest[34..50])?;
        let flags = read_hex::<1>(&rest[51..53])?[0];
        if trace_id == [0; 16] || parent == [0; 8] {
            return None;
        }
        let state = tracestate.map(str::trim).filter(|s| !s.is_empty() && s.len() <= STATE_MAX);
        Some(Self {
            trace_id,
            span_id: nonzero(),
            parent_id: Some(parent),
            // Only the flags that level 1 defines are passed on.
            flags: flags & 1,
            state: state.map(Into::into),
        })
    }

    /// The same trace with a span of its own below this one: what a call that this
    /// work makes sends along.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: nonzero(), parent_id: Some(self.span_id), ..self.clone() }
    }

    /// The same place in the trace, with this decision on whether it is recorded.
    #[must_use]
    pub fn sampled(mut self, is_sampled: bool) -> Self {
        self.flags = u8::from(is_sampled);
        self
    }

    /// The same trace, seen from another of its spans.
    #[must_use]
    pub(super) fn at(mut self, span_id: [u8; 8]) -> Self {
        if span_id != self.span_id {
            self.parent_id = Some(self.span_id);
            self.span_id = span_id;
        }
        self
    }

    /// Whether the trace is recorded: what its first service decided.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex(&self.trace_id)
    }

    /// The span's id as it is: 8 bytes that are not all zero.
    #[must_use]
    pub fn id(&self) -> [u8; 8] {
        self.span_id
    }

    /// 16 hexadecimal digits: this unit of work.
    #[must_use]
    pub fn span_id(&self) -> String {
        hex(&self.span_id)
    }

    /// The caller's span, if it sent one.
    #[must_use]
    pub fn parent_id(&self) -> Option<String> {
        self.parent_id.as_ref().map(|id| hex(id))
    }

    /// The `traceparent` header for a call that this work makes.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let mut text = [b'-'; 55];
        text[..2].copy_from_slice(b"00");
        write_hex(&self.trace_id, &mut text[3..35]);
        write_hex(&self.span_id, &mut text[36..52]);
        write_hex(&[self.flags], &mut text[53..]);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The `tracestate` header to send along, unchanged.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len() * 2];
    write_hex(bytes, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The standard gives all-zero ids no meaning.
fn nonzero<const N: usize>() -> [u8; N] {
    loop {
        let id = random::<N>();
        if id != [0; N] {
            return id;
        }
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.traceparent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_valid_parent_is_continued() {
        let trace = TraceContext::continue_from(VALID, Some("vendor=1")).unwrap();
        assert_eq!(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.parent_id().as_deref(), Some("b7ad6b7169203331"));
        assert!(trace.is_sampled());
        assert_eq!(trace.tracestate(), Some("vendor=1"));
        assert_ne!(trace.span_id(), "b7ad6b7169203331");
        assert!(trace.traceparent().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(trace.traceparent().ends_with("-01"));
    }

    #[test]
    fn invalid_parents_start_anew() {
        let bad: [&[u8]; 8] = [
            b"",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"00-00000000000000000000000000000000-b7ad6b7169203331-01",
            b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            b"0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ];
        for text in bad {
            assert!(TraceContext::continue_from(text, None).is_none(), "{text:?}");
        }
        // A later version may carry more.
        let later = b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert!(TraceContext::continue_from(later, None).is_some());
    }

    #[test]
    fn ids_are_taken_over_only_when_harmless() {
        assert_eq!(RequestId::parse(b"abc-1_2.3").unwrap().as_str(), "abc-1_2.3");
        for text in [&b""[..], b"a b", b"a\nb", &[b'x'; 65]] {
            assert!(RequestId::parse(text).is_none());
        }
        assert_ne!(RequestId::fresh(), RequestId::fresh());
        assert_eq!(RequestId::fresh().as_str().len(), 32);
    }
}
