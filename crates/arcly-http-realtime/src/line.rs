//! What one socket still has to be sent.
//!
//! Whoever sends writes to the socket directly, if there is room and nothing waits: one
//! system call, no task woken, nothing allocated. What the socket does not take is kept,
//! within bounds, and written by the socket's own task when there is room.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use arcly_http_web::serve::Socket;
use bytes::{Buf as _, Bytes};
use futures_util::task::AtomicWaker;

use crate::protocol::{self, CloseCode};

/// Why the server ends a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The application said so.
    Closed,
    /// The client did not take what was sent: its queue is full, or stands still.
    Slow,
    /// Nothing was heard of the client for too long.
    Idle,
    /// The client broke the protocol, or a limit.
    Violation,
    /// Its credentials ran out, or were revoked.
    Revoked,
    /// The application stops.
    GoingAway,
    /// The time for stopping was over.
    Cut,
}

/// How the server ends a socket.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) cause: Cause,
    pub(crate) code: CloseCode,
    pub(crate) reason: Box<str>,
}

/// Bounds of what waits for one socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The system has it, or it waits its turn.
    Taken,
    /// There is no room; the socket is to be evicted.
    Full,
    /// The socket is ending.
    Over,
}

#[derive(Default)]
struct Out {
    queue: VecDeque<Bytes>,
    bytes: usize,
    /// Frames are kept together until the task has read all that came at once.
    is_corked: bool,
    /// The registry's tick at which the socket took no more.
    blocked_at: Option<u64>,
    verdict: Option<Verdict>,
    /// The close frame is in the queue: nothing may follow it.
    is_closed: bool,
}

/// One socket's way out.
pub(crate) struct Line {
    out: Mutex<Out>,
    /// There once the upgrade is done.
    socket: OnceLock<Socket>,
    has_verdict: AtomicBool,
    waker: AtomicWaker,
    bounds: Bounds,
    /// What is taken from here is not frames, so there is no close frame.
    is_events: bool,
}

impl Line {
    pub(crate) fn new(bounds: Bounds, is_events: bool) -> Self {
        Self {
            out: Mutex::default(),
            socket: OnceLock::new(),
            has_verdict: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            bounds,
            is_events,
        }
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The upgrade is done.
    pub(crate) fn open(&self, socket: Socket) {
        let _ = self.socket.set(socket);
    }

    pub(crate) fn socket(&self) -> Option<&Socket> {
        self.socket.get()
    }

    /// Has the socket's task woken by whatever happens here.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Wakes the socket's task.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// Sends whole frames.
    pub(crate) fn send(&self, frames: Cow<'_, Bytes>, tick: u64) -> Sent {
        let mut out = self.out();
        if out.is_closed {
            return Sent::Over;
        }
        let mut begun = 0;
        if out.queue.is_empty()
            && !out.is_corked
            && let Some(socket) = self.socket.get()
        {
            match socket.try_write(&frames) {
                Ok(written) if written == frames.len() => return Sent::Taken,
                Ok(written) => begun = written,
                // There is no room; the task meets any other error again, and ends.
                Err(_) => {}
            }
            // What was begun has to be ended, whatever the bounds say.
            out.blocked_at.get_or_insert(tick);
        } else if out.queue.len() >= self.bounds.frames
            || (!out.queue.is_empty() && out.bytes + frames.len() > self.bounds.bytes)
        {
            return Sent::Full;
        }
        if self.is_events {
            out.blocked_at.get_or_insert(tick);
        }
        let mut rest = frames.into_owned();
        rest.advance(begun);
        out.bytes += rest.len();
        out.queue.push_back(rest);
        let is_corked = out.is_corked;
        drop(out);
        if !is_corked {
            self.wake();
        }
        Sent::Taken
    }

    /// Ends the socket: what waits is still sent, if `verdict` is not that the client does
    /// not take it, then a close frame. The first verdict counts, but a cut always does.
    pub(crate) fn end(&self, verdict: Verdict) -> bool {
        let mut out = self.out();
        let is_cut = verdict.cause == Cause::Cut;
        if out.verdict.is_some() && !is_cut {
            return false;
        }
        if !out.is_closed {
            out.is_closed = true;
            if matches!(verdict.cause, Cause::Slow | Cause::Cut) {
                // What is half written has to be ended, for the close frame to be one.
                out.queue.truncate(1);
            }
            if !self.is_events {
                out.queue.push_back(protocol::close(Some(verdict.code), &verdict.reason));
            }
            out.bytes = out.queue.iter().map(Bytes::len).sum();
        }
        out.verdict = Some(verdict);
        drop(out);
        self.has_verdict.store(true, Ordering::Release);
        self.wake();
        true
    }

    /// The client said that it is over: answers with the same, and sends no more.
    pub(crate) fn answer_close(&self, code: Option<CloseCode>) {
        let mut out = self.out();
        if !out.is_closed {
            out.is_closed = true;
            let frame = protocol::close(code, "");
            out.bytes += frame.len();
            out.queue.push_back(frame);
        }
    }

    /// Takes nothing any more.
    pub(crate) fn shut(&self) {
        let mut out = self.out();
        out.is_closed = true;
        out.queue = VecDeque::new();
        out.bytes = 0;
    }

    /// Why the server ends the socket, if it does.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        if self.has_verdict.load(Ordering::Acquire) { self.out().verdict.clone() } else { None }
    }

    /// Whether the socket has taken nothing since before `tick`.
    pub(crate) fn is_blocked_since(&self, tick: u64) -> bool {
        self.out().blocked_at.is_some_and(|at| at <= tick)
    }

    /// How many frames wait.
    pub(crate) fn depth(&self) -> usize {
        self.out().queue.len()
    }

    /// Whether so much waits that the client had better not ask for more.
    pub(crate) fn is_backed_up(&self) -> bool {
        let out = self.out();
        out.queue.len() > self.bounds.frames / 2 || out.bytes > self.bounds.bytes / 2
    }

    /// Keeps what is sent from now on together.
    pub(crate) fn cork(&self) {
        self.out().is_corked = true;
    }

    /// Takes what waits, for who writes it otherwise; `None` when the line has ended.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.register(cx.waker());
        let mut out = self.out();
        out.blocked_at = None;
        match out.queue.pop_front() {
            Some(bytes) => {
                out.bytes = out.bytes.saturating_sub(bytes.len());
                Poll::Ready(Some(bytes))
            }
            None if out.is_closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Writes what waits; `Ready` when nothing does.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>, tick: u64) -> Poll<io::Result<()>> {
        let mut out = self.out();
        out.is_corked = false;
        let Some(socket) = self.socket.get() else { return Poll::Ready(Ok(())) };
        // Mostly one frame waits, that of an answer, and there is room.
        if out.queue.len() == 1
            && let Ok(written) = socket.try_write(&out.queue[0])
        {
            out.advance(written);
        }
        while !out.queue.is_empty() {
            let written = {
                let mut slices = [io::IoSlice::new(&[]); SLICES_MAX];
                let mut count = 0;
                for (slice, frame) in slices.iter_mut().zip(&out.queue) {
                    *slice = io::IoSlice::new(frame);
                    count += 1;
                }
                match socket.poll_write(cx, &slices[..count]) {
                    Poll::Pending => {
                        out.blocked_at.get_or_insert(tick);
                        return Poll::Pending;
                    }
                    Poll::Ready(written) => written?,
                }
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            out.advance(written);
        }
        out.blocked_at = None;
        if out.queue.capacity() > KEPT_MAX {
            out.queue = VecDeque::new();
        }
        drop(out);
        ready!(socket.poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }
}

/// Most frames that one system call writes.
const SLICES_MAX: usize = 16;
/// Most places for frames that an empty queue keeps.
const KEPT_MAX: usize = 8;

impl Out {
    fn advance(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        // It took something: it does not stand still.
        self.blocked_at = None;
        while written > 0 {
            let Some(front) = self.queue.front_mut() else { return };
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.queue.pop_front();
        }
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({} frames wait)", self.depth())
    }
}
