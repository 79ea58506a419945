//! From bytes to messages.

use std::fmt;
use std::mem;

use super::deflate;
use super::header::{FIN, HEADER_MAX, Header, MASKED, Opcode, unmask};
use super::message::Message;
use super::{CloseFrame, Deflate, Violation};

/// The first byte of most text messages.
const SHORT_TEXT: u8 = FIN | Opcode::Text as u8;
/// The first byte of most binary messages.
const SHORT_BINARY: u8 = FIN | Opcode::Binary as u8;
/// The second byte of a frame whose length takes two bytes more.
const EXTENDED: u8 = MASKED | 126;

/// How much one client may send at once, in bytes of payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest frame, as it is on the wire.
    pub frame_max: usize,
    /// The longest message, of all its fragments together; of a deflated one,
    /// also what it is when inflated.
    pub message_max: usize,
}

/// What a client sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming<'b> {
    /// A text message.
    Text(&'b str),
    /// A binary message.
    Binary(&'b [u8]),
    /// A ping: answer it with [`pong`](super::pong) and the same payload.
    Ping(&'b [u8]),
    /// A pong, whether it was asked for or not.
    Pong(&'b [u8]),
    /// The client's last frame: answer it with [`close`](super::close), unless a
    /// close frame was sent already, and end the connection.
    Close(Option<CloseFrame<'b>>),
}

/// Reads what one client sends.
///
/// It keeps nothing on the heap but the beginning of a message that is not
/// whole, and gives that back with the message.
pub struct Decoder {
    limits: Limits,
    deflate: bool,
    /// Nothing has begun, nothing was handed out and the end has not come: what
    /// all fields below say together. Invariant: never true if one says else.
    idle: bool,
    /// After a close frame or a violation nothing more is read.
    ended: bool,
    /// A header whose end has not come.
    header: [u8; HEADER_MAX],
    header_len: u8,
    frame: Option<Frame>,
    message: Option<Message>,
    /// Bytes on the wire of the message so far, with all of the present frame.
    message_len: usize,
    /// The payload of a control frame that did not come at once; it may come
    /// between two fragments.
    control: Vec<u8>,
    /// What was handed out last and can be given back.
    handed: Handed,
}

/// A frame whose payload has not all come.
struct Frame {
    opcode: Opcode,
    fin: bool,
    /// Turned so that its first byte is for the next byte of payload.
    key: [u8; 4],
    left: usize,
}

#[derive(PartialEq, Eq)]
enum Handed {
    Nothing,
    Message,
    Control,
}

/// What [`Decoder::advance`] found; it borrows from the input alone.
enum Step<'a> {
    Ready(Incoming<'a>),
    /// `message` is whole.
    Message,
    /// `control` is whole.
    Control(Opcode),
    /// The input is used up.
    Nothing,
}

impl Decoder {
    /// A decoder for one connection; `deflate` is what its handshake agreed on.
    #[must_use]
    pub fn new(limits: Limits, deflate: Option<Deflate>) -> Self {
        Self {
            limits,
            deflate: deflate.is_some(),
            idle: true,
            ended: false,
            header: [0; HEADER_MAX],
            header_len: 0,
            frame: None,
            message: None,
            message_len: 0,
            control: Vec::new(),
            handed: Handed::Nothing,
        }
    }

    /// Takes the next thing out of `input`, which then begins behind it.
    ///
    /// A whole message of one frame is unmasked where it lies and borrowed from
    /// there. What is not whole is taken over, so `input` is empty when this
    /// says `Ok(None)`. After a close frame, and after a violation, all further
    /// input is thrown away.
    ///
    /// # Errors
    ///
    /// The client broke the protocol or a limit, or sent text that is not UTF-8:
    /// as soon as the bytes show it.
    #[inline]
    pub fn next<'s, 'a: 's>(
        &'s mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Incoming<'s>>, Violation> {
        if self.idle {
            if input.is_empty() {
                return Ok(None);
            }
            if let Some((opcode, payload)) = self.short_message(input) {
                if opcode == Opcode::Binary {
                    return Ok(Some(Incoming::Binary(payload)));
                }
                return match std::str::from_utf8(payload) {
                    Ok(text) => Ok(Some(Incoming::Text(text))),
                    Err(_) => Err(self.end(Violation::NOT_UTF8)),
                };
            }
        }
        self.next_of_any(input)
    }

    /// The message that most are: one frame, below 64 KiB, not deflated, wholly
    /// there. Whatever else comes, and all that is wrong, is left where it is for
    /// [`next_of_any`](Self::next_of_any), which could read this one too.
    #[inline]
    fn short_message<'a>(&self, input: &mut &'a mut [u8]) -> Option<(Opcode, &'a [u8])> {
        let (start, len, key) = match &**input {
            [_, second @ MASKED..EXTENDED, key @ ..] => {
                (6, usize::from(second - MASKED), key.first_chunk()?)
            }
            [_, EXTENDED, high, low, key @ ..] => {
                (8, usize::from(u16::from_be_bytes([*high, *low])), key.first_chunk()?)
            }
            _ => return None,
        };
        let opcode = match input[0] {
            SHORT_TEXT => Opcode::Text,
            SHORT_BINARY => Opcode::Binary,
            _ => return None,
        };
        let (key, end) = (*key, start + len);
        let too_big = len > self.limits.frame_max.min(self.limits.message_max);
        if too_big || end > input.len() || (start == 8 && len < 126) {
            return None;
        }
        let (frame, rest) = mem::take(input).split_at_mut(end);
        *input = rest;
        let payload = &mut frame[start..];
        unmask(payload, key);
        Some((opcode, payload))
    }

    #[inline(never)]
    fn next_of_any<'s, 'a: 's>(
        &'s mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Incoming<'s>>, Violation> {
        match self.handed {
            Handed::Nothing => {}
            Handed::Message => self.message = None,
            Handed::Control => self.control = Vec::new(),
        }
        self.handed = Handed::Nothing;
        if self.ended {
            *input = &mut [];
            return Ok(None);
        }
        let step = match self.advance(input) {
            Ok(step) => step,
            Err(violation) => return Err(self.end(violation)),
        };
        self.idle = self.header_len == 0 && self.frame.is_none() && self.message.is_none();
        match step {
            Step::Ready(incoming) => {
                if matches!(incoming, Incoming::Close(_)) {
                    (self.ended, self.idle, self.message) = (true, false, None);
                }
                Ok(Some(incoming))
            }
            Step::Message => {
                (self.handed, self.idle) = (Handed::Message, false);
                Ok(self.message.as_ref().map(|message| match message {
                    Message::Text(text) => Incoming::Text(text.as_str()),
                    Message::Binary(bytes) | Message::Deflated { bytes, .. } => {
                        Incoming::Binary(bytes)
                    }
                }))
            }
            Step::Control(opcode) => {
                (self.handed, self.idle) = (Handed::Control, false);
                if opcode == Opcode::Close {
                    (self.ended, self.message) = (true, None);
                }
                control(opcode, &self.control).map(Some)
            }
            Step::Nothing => Ok(None),
        }
    }

    /// Nothing is read or kept after a violation.
    #[cold]
    fn end(&mut self, violation: Violation) -> Violation {
        (self.ended, self.idle) = (true, false);
        (self.header_len, self.frame, self.message) = (0, None, None);
        self.control = Vec::new();
        violation
    }

    /// Whether a message or a control frame has begun and not ended: someone who
    /// lets the server wait, to whom a deadline may be set.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.header_len > 0
            || self.frame.is_some()
            || (self.message.is_some() && self.handed != Handed::Message)
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.control.capacity() + self.message.as_ref().map_or(0, Message::capacity)
    }

    fn advance<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Step<'a>, Violation> {
        loop {
            if let Some(frame) = &mut self.frame {
                let part = take(input, frame.left.min(input.len()));
                unmask(part, frame.key);
                frame.key.rotate_left(part.len() % 4);
                frame.left -= part.len();
                let (opcode, fin, left) = (frame.opcode, frame.fin, frame.left);
                if opcode.is_control() {
                    self.control.extend_from_slice(part);
                } else {
                    self.add(part, fin)?;
                }
                if left > 0 {
                    return Ok(Step::Nothing);
                }
                self.frame = None;
                if opcode.is_control() {
                    return Ok(Step::Control(opcode));
                }
                if fin {
                    return self.end_message();
                }
                continue;
            }
            let Some(header) = self.header(input)? else { return Ok(Step::Nothing) };
            let len = self.admit(&header)?;
            if input.len() < len {
                self.begin_message(&header);
                let Header { opcode, fin, key, .. } = header;
                self.frame = Some(Frame { opcode, fin, key, left: len });
                continue;
            }
            let payload = take(input, len);
            unmask(payload, header.key);
            let payload = &*payload;
            if header.opcode.is_control() {
                return control(header.opcode, payload).map(Step::Ready);
            }
            if header.fin && !header.compressed {
                // The usual case: nothing is copied.
                match header.opcode {
                    Opcode::Text => {
                        let text = std::str::from_utf8(payload).map_err(|_| Violation::NOT_UTF8)?;
                        return Ok(Step::Ready(Incoming::Text(text)));
                    }
                    Opcode::Binary => return Ok(Step::Ready(Incoming::Binary(payload))),
                    _ => {}
                }
            }
            if header.fin && header.compressed {
                self.inflate(header.opcode == Opcode::Text, payload)?;
                return Ok(Step::Message);
            }
            self.begin_message(&header);
            self.add(payload, header.fin)?;
            if header.fin {
                return self.end_message();
            }
        }
    }

    /// The next frame's header, or `None` and what there is of it kept.
    #[inline]
    fn header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, Violation> {
        if self.header_len == 0 {
            if let Some(header) = Header::parse(input)? {
                take(input, header.size);
                return Ok(Some(header));
            }
            // Shorter than a header.
            let rest = take(input, input.len());
            self.header[..rest.len()].copy_from_slice(rest);
            self.header_len = rest.len() as u8;
            return Ok(None);
        }
        let had = usize::from(self.header_len);
        let more = input.len().min(HEADER_MAX - had);
        self.header[had..had + more].copy_from_slice(&input[..more]);
        let Some(header) = Header::parse(&self.header[..had + more])? else {
            self.header_len += more as u8;
            take(input, more);
            return Ok(None);
        };
        self.header_len = 0;
        take(input, header.size - had);
        Ok(Some(header))
    }

    /// Judges a frame by its header, before any of its payload is looked at.
    /// Returns the payload's length.
    #[inline]
    fn admit(&mut self, header: &Header) -> Result<usize, Violation> {
        if header.opcode.is_control() {
            return Ok(header.len as usize);
        }
        if header.compressed && !self.deflate {
            return Err(Violation::RESERVED_BIT);
        }
        let deflated = match (&self.message, header.opcode) {
            (None, Opcode::Continuation) => return Err(Violation::NOT_STARTED),
            (Some(_), Opcode::Text | Opcode::Binary) => return Err(Violation::NOT_ENDED),
            (None, _) => {
                self.message_len = 0;
                header.compressed
            }
            (Some(message), _) => matches!(message, Message::Deflated { .. }),
        };
        let message_max = self.wire_max(deflated);
        match usize::try_from(header.len) {
            Ok(len) if len <= self.limits.frame_max && len <= message_max - self.message_len => {
                self.message_len += len;
                Ok(len)
            }
            _ => Err(Violation::TOO_BIG),
        }
    }

    /// How long a message may be on the wire.
    fn wire_max(&self, deflated: bool) -> usize {
        let max = self.limits.message_max;
        // What cannot be deflated becomes longer by it: by an eighth, if the client
        // uses the standard's fixed code.
        if deflated { max.saturating_add(max / 8 + 64) } else { max }
    }

    fn begin_message(&mut self, header: &Header) {
        if !header.opcode.is_control() && header.opcode != Opcode::Continuation {
            self.message = Some(Message::new(header.opcode == Opcode::Text, header.compressed));
        }
    }

    /// Adds what came of the present frame to its message.
    fn add(&mut self, part: &[u8], fin: bool) -> Result<(), Violation> {
        let Some(message) = &mut self.message else { return Err(Violation::NOT_STARTED) };
        // With the last frame's header the whole length is known.
        let len_max = if fin { self.message_len } else { self.limits.message_max };
        message.push(part, len_max)
    }

    fn end_message(&mut self) -> Result<Step<'static>, Violation> {
        match &mut self.message {
            Some(Message::Text(text)) => text.end()?,
            Some(Message::Deflated { text, bytes }) => {
                let (text, bytes) = (*text, mem::take(bytes));
                self.inflate(text, &bytes)?;
            }
            Some(Message::Binary(_)) | None => {}
        }
        Ok(Step::Message)
    }

    /// Makes `message` of what was deflated.
    fn inflate(&mut self, text: bool, deflated: &[u8]) -> Result<(), Violation> {
        let mut message = Message::new(text, false);
        deflate::inflate(deflated, self.limits.message_max, &mut message)?;
        if let Message::Text(text) = &message {
            text.end()?;
        }
        self.message = Some(message);
        Ok(())
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the client's data.
        f.debug_struct("Decoder")
            .field("limits", &self.limits)
            .field("deflate", &self.deflate)
            .field("ended", &self.ended)
            .field("is_partial", &self.is_partial())
            .finish_non_exhaustive()
    }
}

fn control(opcode: Opcode, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    Ok(match opcode {
        Opcode::Ping => Incoming::Ping(payload),
        Opcode::Pong => Incoming::Pong(payload),
        _ => Incoming::Close(CloseFrame::parse(payload)?),
    })
}

/// Cuts `count` bytes off the front of `input`.
#[inline]
fn take<'a>(input: &mut &'a mut [u8], count: usize) -> &'a mut [u8] {
    let (taken, rest) = mem::take(input).split_at_mut(count);
    *input = rest;
    taken
}
