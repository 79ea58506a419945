//! What a connection is doing, as its watchdog sees it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::framing::Recent;
use super::listener::Held;

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
    /// What had been written when the socket took nothing for the first time, and for
    /// the last: between these, each byte went where the client had made room.
    blocked: (AtomicU64, AtomicU64),
    /// Whether the watchdog asks what the client has no room for. The socket belongs to
    /// the protocol, which says so when it reads or flushes next.
    is_asked: AtomicBool,
    held: Mutex<Option<Held>>,
    is_given_up: AtomicBool,
    recent: Mutex<Recent>,
    /// The response over HTTP/2 that was opened last, until its task takes it.
    opened: Mutex<Option<Arc<Offer>>>,
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
    /// Bytes for which the client has made room while it was waited for.
    pub(super) made_room: u64,
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
            made_room: self
                .blocked
                .1
                .load(Ordering::Relaxed)
                .saturating_sub(self.blocked.0.load(Ordering::Relaxed)),
        }
    }

    /// Whether no request is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Asks what the client has not taken; the connection has to be polled.
    pub(super) fn ask_held(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    pub(super) fn tell_held(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        self.is_asked.store(false, Ordering::Relaxed);
    }

    /// What was told last, unless that is still awaited.
    pub(super) fn held(&self) -> Option<Held> {
        if self.is_asked() {
            return None;
        }
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// See [`Recent::stop`].
    pub(super) fn stop_keeping(&self) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).stop();
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
        let written = self.written.load(Ordering::Relaxed);
        let (first, last) = &self.blocked;
        if last.swap(written, Ordering::Relaxed) == 0 {
            first.store(written, Ordering::Relaxed);
        }
    }

    /// Begins a request; it ends when the value is dropped.
    pub(super) fn open(self: &Arc<Self>, is_http2: bool) -> OpenRequest {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        let offer = is_http2.then(|| {
            let offer = Arc::<Offer>::default();
            *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&offer));
            offer
        });
        OpenRequest { meter: Arc::clone(self), offer }
    }

    /// Takes the offer of the request that was opened last.
    pub(super) fn take_opened(&self) -> Option<Arc<Offer>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a response over HTTP/2 offers its client. Over HTTP/1 the socket says whether
/// something is taken; here a client can close the window of one response and keep the
/// socket busy.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// Odd while something is offered.
    changes: AtomicU32,
    bytes: AtomicU64,
}

impl Offer {
    /// Which offer is not taken yet, if there is one, and how many bytes it has.
    pub(super) fn untaken(&self) -> Option<(u32, u64)> {
        let changes = self.changes.load(Ordering::Relaxed);
        (changes % 2 == 1).then(|| (changes, self.bytes.load(Ordering::Relaxed)))
    }

    fn is_untaken(&self) -> bool {
        self.changes.load(Ordering::Relaxed) % 2 == 1
    }
}

/// A request that is being answered: held by the response's body until that is
/// sent or given up.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    meter: Arc<Meter>,
    /// Of a request over HTTP/2.
    offer: Option<Arc<Offer>>,
}

impl OpenRequest {
    pub(crate) fn is_http2(&self) -> bool {
        self.offer.is_some()
    }

    /// The response has so many bytes to send.
    pub(crate) fn is_offered(&self, bytes: usize) {
        if let Some(offer) = &self.offer
            && !offer.is_untaken()
        {
            offer.bytes.store(bytes as u64, Ordering::Relaxed);
            offer.changes.fetch_add(1, Ordering::Relaxed);
            self.meter.untaken.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was offered has been taken, and more is asked for.
    pub(crate) fn is_asked(&self) {
        if let Some(offer) = &self.offer
            && offer.is_untaken()
        {
            offer.changes.fetch_add(1, Ordering::Relaxed);
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
