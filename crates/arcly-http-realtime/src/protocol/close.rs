//! Why a WebSocket ends: the codes, and the rule that was broken.

use std::fmt;

/// A close code that may stand in a close frame.
///
/// 1005, 1006 and 1015 tell a program what happened without a close frame and
/// are never sent; they cannot be made here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the other side broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that is not accepted.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: data that is not what its type says, as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a rule of the application was broken.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message over the limit.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client misses an extension. Servers do not send it.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts; come again.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: overloaded; come again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway had a bad answer from behind.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code, if it may stand in a close frame: 1000 to 1003, 1007 to 1014,
    /// and 3000 to 4999, which belong to libraries and applications.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the client said in its close frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CloseFrame<'b> {
    /// The code.
    pub code: CloseCode,
    /// The reason, at most 123 bytes; often empty. Client's text: do not trust it.
    pub reason: &'b str,
}

impl<'b> CloseFrame<'b> {
    /// Reads a close frame's payload; an empty one says nothing.
    pub(super) fn parse(payload: &'b [u8]) -> Result<Option<Self>, Violation> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() { Ok(None) } else { Err(Violation::CLOSE_CODE) };
        };
        let code = CloseCode::new(u16::from_be_bytes(*code)).ok_or(Violation::CLOSE_CODE)?;
        let reason = std::str::from_utf8(reason).map_err(|_| Violation::NOT_UTF8)?;
        Ok(Some(Self { code, reason }))
    }
}

/// What the client did wrong. The connection is over: send
/// [`close`](super::close)`(violation.code(), violation.reason())` and end it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    code: CloseCode,
    reason: &'static str,
}

impl Violation {
    pub(super) const RESERVED_BIT: Self = Self::protocol("a reserved bit is set");
    pub(super) const OPCODE: Self = Self::protocol("an unknown opcode");
    pub(super) const UNMASKED: Self = Self::protocol("a frame without a mask");
    pub(super) const CONTROL_LONG: Self = Self::protocol("a control frame over 125 bytes");
    pub(super) const CONTROL_FRAGMENT: Self = Self::protocol("a fragmented control frame");
    pub(super) const LENGTH: Self = Self::protocol("a length not written in the shortest way");
    pub(super) const NOT_STARTED: Self = Self::protocol("a continuation of no message");
    pub(super) const NOT_ENDED: Self = Self::protocol("a message inside another one");
    pub(super) const CLOSE_CODE: Self = Self::protocol("a close code that may not be sent");
    pub(super) const NOT_UTF8: Self = Self::payload("text that is not UTF-8");
    pub(super) const NOT_DEFLATE: Self = Self::payload("data that cannot be inflated");
    pub(super) const TOO_BIG: Self =
        Self { code: CloseCode::MESSAGE_TOO_BIG, reason: "a message over the limit" };

    const fn protocol(reason: &'static str) -> Self {
        Self { code: CloseCode::PROTOCOL_ERROR, reason }
    }

    const fn payload(reason: &'static str) -> Self {
        Self { code: CloseCode::INVALID_PAYLOAD, reason }
    }

    /// The code to close with: 1002, 1007 or 1009.
    #[must_use]
    pub const fn code(self) -> CloseCode {
        self.code
    }

    /// A few words for the close frame and the log, without the client's data.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.reason
    }
}
