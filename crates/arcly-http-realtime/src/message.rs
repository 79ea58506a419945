//! What clients send and are sent: envelopes of JSON, or raw messages.

use std::borrow::Cow;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::Problem;
use arcly_http_web::Context;
use arcly_http_web::argument::{Argument, BindError, Binder};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::protocol::{self, FrameWriter};

/// A message as it is, for gateways without events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WsMessage {
    /// UTF-8.
    Text(WsText),
    /// Any bytes.
    Binary(Bytes),
}

impl WsMessage {
    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => &text.0,
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn frame(&self) -> Bytes {
        match self {
            Self::Text(text) => protocol::text_of(&text.0),
            Self::Binary(bytes) => protocol::binary(bytes),
        }
    }
}

/// Text that shares its bytes; made of what was UTF-8 already.
#[derive(Clone, PartialEq, Eq)]
pub struct WsText(Bytes);

impl WsText {
    pub(crate) fn copied(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// As it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Checked where it was made; asking again costs less than a byte a cycle.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<String> for WsText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for WsText {
    fn from(text: &str) -> Self {
        Self::copied(text)
    }
}

impl std::fmt::Debug for WsText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// The argument of `#[message]` handlers of a raw gateway.
impl Argument for WsMessage {
    type Bound = ();
    const IMMEDIATE: bool = true;

    fn describe(_name: &str, operation: &mut Operation) {
        operation.body_raw("*/*", true);
    }

    fn bind(name: &'static str, binder: &Binder<'_>) -> Result<(), BindError> {
        if binder.is_of_gateway() {
            return Ok(());
        }
        let reason = "a request is no message; take its body as `Bytes` or `Json`".to_owned();
        Err(BindError::Name { name, reason })
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        let is_binary = context.is_binary();
        let bytes = context.take_message();
        Ok(if is_binary { Self::Binary(bytes) } else { Self::Text(WsText(bytes)) })
    }
}

/// What a client sends: `{"event": "tag.watch", "data": {..}, "id": 7}`.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow)]
    pub(crate) event: Cow<'a, str>,
    /// `null` when it is missing.
    #[serde(borrow, default)]
    pub(crate) data: Option<&'a RawValue>,
    /// There when the client wants an answer: a text or a number, given back as it came.
    #[serde(borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
}

/// Longest id of a message, in bytes.
const ID_MAX: usize = 128;

/// Reads an envelope; `None` when it is none, or nested more deeply than `depth_max`.
pub(crate) fn envelope(text: &str, depth_max: usize) -> Option<Envelope<'_>> {
    // serde would read the fields out of an array, too.
    let is_object = text.trim_ascii_start().starts_with('{');
    if !is_object || depth(text.as_bytes()) > depth_max {
        return None;
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
    let is_id = |id: &&RawValue| {
        let text = id.get();
        text.len() <= ID_MAX && !text.starts_with(['{', '[', 't', 'f', 'n'])
    };
    match &envelope.id {
        Some(id) if id.get() == "null" => Some(Envelope { id: None, ..envelope }),
        Some(id) if !is_id(id) => None,
        _ => Some(envelope),
    }
}

/// How deep brackets are nested outside of strings.
fn depth(text: &[u8]) -> usize {
    let (mut deepest, mut now, mut is_string, mut is_escaped) = (0, 0_usize, false, false);
    for byte in text {
        if is_string {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => is_string = true,
            b'{' | b'[' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// `{"event":..,"data":..}`, as one frame.
pub(crate) fn event(name: &str, data: &impl Serialize) -> serde_json::Result<Bytes> {
    let mut out = BytesMut::with_capacity(128);
    let mut frame = FrameWriter::text(&mut out);
    frame.put(b"{\"event\":");
    serde_json::to_writer(&mut frame, name)?;
    frame.put(b",\"data\":");
    serde_json::to_writer(&mut frame, data)?;
    frame.put(b"}");
    frame.finish();
    Ok(out.freeze())
}

/// `id`, `event` and `data` as a server-sent event.
pub(crate) fn server_sent(
    id: Option<&str>,
    name: &str,
    data: &impl Serialize,
) -> Result<Bytes, Problem> {
    let mut out = vec![];
    if let Some(id) = id {
        if id.contains(['\n', '\r', '\0']) {
            return Err(Problem::internal("the id of an event is one line"));
        }
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(id.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut out, data).map_err(Problem::internal)?;
    out.extend_from_slice(b"\n\n");
    Ok(out.into())
}

/// What [`event`] wrote, as a server-sent event.
pub(crate) fn as_server_sent(envelope: &[u8], out: &mut BytesMut) {
    const BEGIN: &[u8] = b"{\"event\":\"";
    const MIDDLE: &[u8] = b"\",\"data\":";
    // Names of events need no escapes, so that the first quote ends it.
    let Some(rest) = envelope.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(b"}")) else {
        return;
    };
    let Some(end) = rest.iter().position(|byte| *byte == b'"') else { return };
    let (name, rest) = rest.split_at(end);
    let Some(data) = rest.strip_prefix(MIDDLE) else { return };
    for part in [b"event: ".as_slice(), name, b"\ndata: ", data, b"\n\n"] {
        out.extend_from_slice(part);
    }
}

/// `{"id":..,"data":..}` or `{"id":..,"error":..}`, as one frame; the value is JSON.
pub(crate) fn answer(id: &str, key: &str, value: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(id.len() + value.len() + 48);
    let mut frame = FrameWriter::text(&mut out);
    frame.put(b"{\"id\":");
    frame.put(id.as_bytes());
    frame.put(b",\"");
    frame.put(key.as_bytes());
    frame.put(b"\":");
    frame.put(value);
    frame.put(b"}");
    frame.finish();
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_are_read_or_refused() {
        let read = |text| {
            envelope(text, 4).map(|read| {
                (
                    read.event.into_owned(),
                    read.data.is_some(),
                    read.id.map(|id| id.get().to_owned()),
                )
            })
        };
        assert_eq!(read(r#"{"event":"a"}"#), Some(("a".into(), false, None)));
        assert_eq!(
            read(r#"{"event":"a","data":null,"id":7}"#),
            Some(("a".into(), false, Some("7".into())))
        );
        assert_eq!(
            read(r#"{"id":"x","data":[1],"event":"a\n"}"#),
            Some(("a\n".into(), true, Some("\"x\"".into())))
        );
        for bad in [
            "",
            r#"["a"]"#,
            "{}",
            "[]",
            "{\"event\":1}",
            r#"{"event":"a""#,
            r#"{"event":"a","id":{}}"#,
            r#"{"event":"a","id":[1]}"#,
            r#"{"event":"a","id":true}"#,
            r#"{"event":"a","data":[[[[1]]]]}"#,
            r#"{"event":"a","event":"b"}"#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(read(r#"{"event":"a","data":"[[[[[[["}"#).is_some());
    }

    /// Pieces of envelopes in any order: what is read is what a JSON parser reads.
    #[test]
    fn whatever_is_read_is_what_a_json_parser_reads() {
        const PIECES: [&str; 24] = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"event\"",
            "\"data\"",
            "\"id\"",
            "\"a.b\"",
            "\"\"",
            "null",
            "true",
            "7",
            "-1.5e3",
            "\"\\u00e9\\n\"",
            "\"\\\"[\"",
            " ",
            "\n",
            "\"x\"",
            "é",
            "\\",
            "{}",
            "[]",
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut roll = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut read = 0;
        for round in 0..200_000 {
            let mut text = String::new();
            if round % 2 == 0 {
                text.push_str("{\"event\":\"a\"");
            }
            for _ in 0..roll(12) {
                text.push_str(PIECES[roll(PIECES.len())]);
            }
            if round % 4 == 0 {
                text.push('}');
            }
            let Some(envelope) = envelope(&text, 8) else { continue };
            read += 1;
            let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(whole["event"].as_str(), Some(&*envelope.event), "{text}");
            let part = |part: Option<&RawValue>| {
                part.map_or(serde_json::Value::Null, |part| {
                    serde_json::from_str(part.get()).unwrap()
                })
            };
            assert_eq!(whole["data"], part(envelope.data), "{text}");
            assert_eq!(whole["id"], part(envelope.id), "{text}");
        }
        assert!(read > 500, "{read}");
    }
}
