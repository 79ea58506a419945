//! The WebSocket protocol (RFC 6455, RFC 7692) of the server's side, without I/O.
//!
//! Bytes go in and messages come out ([`Decoder`]); messages go in and frames
//! come out ([`text`], [`binary`], [`close`], …). No socket, task or timer is
//! touched here, so whoever owns the socket decides who waits for what.
//!
//! - [`handshake`] judges the request that asks for a WebSocket.
//! - [`Decoder`] reads what the client sends. It refuses the first byte that
//!   breaks the protocol, and a length over the limit before its payload comes.
//! - [`text`] and its kin write frames that all sockets share.
//! - [`Deflate`] is permessage-deflate without context takeover: no socket keeps
//!   a window, each thread keeps the few that it needs.

mod close;
mod decode;
mod deflate;
mod encode;
pub mod handshake;
mod header;
mod message;

pub use close::{CloseCode, CloseFrame, Violation};
pub use decode::{Decoder, Incoming, Limits};
pub use deflate::Deflate;
pub(crate) use encode::text_of;
pub use encode::{
    FrameWriter, binary, close, ping, pong, put_binary, put_close, put_ping, put_pong, put_text,
    text,
};

#[cfg(test)]
mod tests;
