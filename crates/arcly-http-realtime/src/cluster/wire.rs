//! What nodes say, as bytes: a head of JSON, its length before it, and frames behind it.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::line::{Cause, Verdict};
use crate::protocol::CloseCode;

/// What this node says.
pub(crate) enum Whole<'a> {
    Hello,
    Frame { rooms: Vec<RoomName>, frame: &'a Bytes },
    End { rooms: Vec<RoomName>, verdict: &'a Verdict },
}

/// What another node said.
pub(crate) enum Said {
    Hello,
    Frame { rooms: Vec<RoomName>, frame: Bytes },
    End { rooms: Vec<RoomName>, verdict: Arc<Verdict> },
}

/// A room, as every node can name it: the path of its gateway, not a key of this build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomName {
    #[serde(rename = "g")]
    pub(crate) gateway: String,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    #[serde(rename = "k")]
    pub(crate) kind: String,
    #[serde(rename = "n")]
    pub(crate) name: String,
}

#[derive(Serialize, Deserialize)]
struct Head {
    /// The node, in hexadecimal.
    id: String,
    number: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<RoomName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<(u16, String)>,
}

/// First byte of each message: this form.
const VERSION: u8 = 1;

pub(super) fn encode(id: u128, number: u64, whole: Whole<'_>) -> Option<Bytes> {
    let id = format!("{id:032x}");
    let (head, frame) = match whole {
        Whole::Hello => (Head { id, number, rooms: vec![], end: None }, None),
        Whole::Frame { rooms, frame } => (Head { id, number, rooms, end: None }, Some(frame)),
        Whole::End { rooms, verdict } => {
            let end = Some((verdict.code.get(), verdict.reason.to_string()));
            (Head { id, number, rooms, end }, None)
        }
    };
    let head = serde_json::to_vec(&head).ok()?;
    let mut message = BytesMut::with_capacity(5 + head.len() + frame.map_or(0, Bytes::len));
    message.put_u8(VERSION);
    message.put_u32(u32::try_from(head.len()).ok()?);
    message.extend_from_slice(&head);
    if let Some(frame) = frame {
        message.extend_from_slice(frame);
    }
    Some(message.freeze())
}

/// The node, the number, and what it said; `None` for what is none of ours.
pub(super) fn decode(message: &Bytes) -> Option<(u128, u64, Said)> {
    let (version, rest) = message.split_first()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    if *version != VERSION || len > rest.len() {
        return None;
    }
    let head: Head = serde_json::from_slice(&rest[..len]).ok()?;
    let id = u128::from_str_radix(&head.id, 16).ok()?;
    let frame = message.slice(5 + len..);
    let said = match (head.end, head.rooms) {
        (None, rooms) if rooms.is_empty() => Said::Hello,
        (None, rooms) => {
            // It is written to sockets as it is: it has to be whole frames.
            if frame.is_empty() || !crate::registry::are_frames(&frame) {
                return None;
            }
            Said::Frame { rooms, frame }
        }
        (Some((code, reason)), rooms) => {
            let code = CloseCode::new(code)?;
            let verdict = Verdict { cause: Cause::Revoked, code, reason: reason.into() };
            Said::End { rooms, verdict: Arc::new(verdict) }
        }
    };
    Some((id, head.number, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol;

    fn room() -> RoomName {
        RoomName {
            gateway: "/live".into(),
            tenant: Some("acme".into()),
            kind: "Tag".into(),
            name: "rust".into(),
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        let frame = protocol::text("{}");
        let whole = Whole::Frame { rooms: vec![room()], frame: &frame };
        let message = encode(7, 3, whole).unwrap();
        let (id, number, said) = decode(&message).unwrap();
        assert_eq!((id, number), (7, 3));
        let Said::Frame { rooms, frame: heard } = said else { panic!("another thing") };
        assert_eq!((rooms, heard), (vec![room()], frame));
        let code = CloseCode::new(4403).unwrap();
        let verdict = Verdict { cause: Cause::Revoked, code, reason: "over".into() };
        let message = encode(7, 4, Whole::End { rooms: vec![room()], verdict: &verdict }).unwrap();
        assert!(matches!(decode(&message), Some((7, 4, Said::End { .. }))));
        let message = encode(7, 4, Whole::Hello).unwrap();
        assert!(matches!(decode(&message), Some((7, 4, Said::Hello))));
    }

    #[test]
    fn what_is_none_of_ours_is_left_out() {
        let frame = protocol::text("{}");
        let whole = Whole::Frame { rooms: vec![room()], frame: &frame };
        let message = encode(7, 3, whole).unwrap();
        for cut in 0..message.len() {
            assert!(decode(&message.slice(..cut)).is_none(), "{cut}");
        }
        let mut more = message.to_vec();
        more.push(0);
        assert!(decode(&more.into()).is_none());
        assert!(decode(&Bytes::from_static(b"\x02\0\0\0\0")).is_none());
        assert!(decode(&Bytes::from_static(b"\x01\xff\xff\xff\xff{}")).is_none());
    }
}
