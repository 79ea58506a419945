//! What a connection is doing, as its watchdog sees it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::framing::Recent;

/// Counters of one connection. They are written by the connection's own tasks and
/// read by its watchdog a few times a second, so that a request pays for a few
/// plain stores and never for a clock or a timer.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Requests begun.
    requests: AtomicU32,
    /// Requests whose response has not been handed over whole.
    open: AtomicU32,
    read: AtomicU64,
    written: AtomicU64,
    /// The socket took nothing when it was written to last.
    is_blocked: AtomicBool,
    /// Responses over HTTP/2 that nobody has asked for their next piece: that is done
    /// only while the client takes what it is sent.
    untaken: AtomicU32,
    /// Whether the watchdog asks how much of what was written the client has no room
    /// for. The socket belongs to the protocol, which says so when it is read next.
    is_asked: AtomicBool,
    unsent: AtomicU64,
    is_given_up: AtomicBool,
    recent: Mutex<Recent>,
}

/// One look at a [`Meter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) requests: u32,
    pub(super) open: u32,
    pub(super) read: u64,
    pub(super) written: u64,
    /// Bytes wait for the client to take them.
    pub(super) is_stalled: bool,
}

impl Meter {
    pub(super) fn look(&self) -> Reading {
        Reading {
            requests: self.requests.load(Ordering::Relaxed),
            open: self.open.load(Ordering::Relaxed),
            read: self.read.load(Ordering::Relaxed),
            written: self.written.load(Ordering::Relaxed),
            is_stalled: self.is_blocked.load(Ordering::Relaxed)
                || self.untaken.load(Ordering::Relaxed) > 0,
        }
    }

    /// Whether no request is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Asks for the bytes that the client has not taken; the connection has to be
    /// polled.
    pub(super) fn ask_unsent(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    pub(super) fn tell_unsent(&self, bytes: u64) {
        self.unsent.store(bytes, Ordering::Relaxed);
        self.is_asked.store(false, Ordering::Relaxed);
    }

    /// What was told last, unless that is still awaited.
    pub(super) fn unsent(&self) -> Option<u64> {
        (!self.is_asked()).then(|| self.unsent.load(Ordering::Relaxed))
    }

    /// The connection ends because the client is too slow: nothing more waits for it.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed)
    }

    pub(super) fn note_read(&self, bytes: &[u8]) {
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let requests = self.requests.load(Ordering::Relaxed);
        let is_idle = self.is_idle();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.note(bytes, requests, is_idle);
    }

    /// See [`Recent::is_ambiguous`], of the request that was opened last.
    pub(super) fn is_ambiguous(&self) -> bool {
        let requests = self.requests.load(Ordering::Relaxed);
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.is_ambiguous(requests)
    }

    pub(super) fn note_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.is_blocked.store(false, Ordering::Relaxed);
    }

    pub(super) fn note_blocked(&self) {
        self.is_blocked.store(true, Ordering::Relaxed);
    }

    /// Begins a request; it ends when the value is dropped.
    pub(super) fn open(self: &Arc<Self>, is_http2: bool) -> OpenRequest {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenRequest { meter: Arc::clone(self), is_http2, is_untaken: false }
    }
}

/// A request that is being answered: held by the response's body until that is
/// sent or given up.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    meter: Arc<Meter>,
    is_http2: bool,
    is_untaken: bool,
}

impl OpenRequest {
    /// The response has something to send. Over HTTP/1 the socket says whether that
    /// is taken; over HTTP/2 a client can close the window of one response and keep
    /// the socket busy.
    pub(crate) fn is_offered(&mut self) {
        if self.is_http2 && !self.is_untaken {
            self.is_untaken = true;
            self.meter.untaken.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was offered has been taken, and more is asked for.
    pub(crate) fn is_asked(&mut self) {
        if self.is_untaken {
            self.is_untaken = false;
            self.meter.untaken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.is_asked();
        self.meter.open.fetch_sub(1, Ordering::Relaxed);
    }
}
