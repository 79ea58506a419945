//! Ends connections that are idle or slow for too long.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::listener::Held;
use super::meter::{Meter, Offer, Reading};
use crate::app::LaunchConfig;

/// Time limits of one connection; see [`crate::app::LaunchConfig`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) header: Duration,
    pub(super) body: Duration,
    pub(super) keep_alive: Duration,
    pub(super) write: Duration,
}

impl Limits {
    pub(super) fn of(config: &LaunchConfig) -> Self {
        Self {
            header: config.header_timeout,
            body: config.body_timeout,
            keep_alive: config.keep_alive,
            write: config.write_timeout,
        }
    }
}

/// How often a connection that is under suspicion is looked at, which is how late a
/// slow client may be cut. An idle one may stay five times as long.
const TICK: Duration = Duration::from_secs(1);
/// Below this many bytes a second, a client that keeps us waiting is too slow.
pub(crate) const RATE_MIN: u64 = 1024;

/// How many bytes a client has to take in a time.
fn least(time: Duration) -> u64 {
    RATE_MIN * time.as_secs().max(1)
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A response, or what the system holds of it, does not go out.
    Untaken,
    Head,
    Idle,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untaken => "the client did not take its response in time",
            Self::Head => "the head of a request did not arrive in time",
            Self::Idle => "the connection was idle for too long",
        })
    }
}

/// What is known of the bytes that the system still holds. A small response fits into
/// its buffers: for the server it is written, and nobody sees that it does not move.
///
/// Invariant: no request of the client's changes this. What it was found to hold is
/// followed until the client has made room for all of it, or for enough.
#[derive(Debug, Clone, Copy)]
enum Unsent {
    /// It held nothing after so much had been written.
    Nothing(u64),
    Asked(Option<Waiting>),
    Waiting(Waiting),
}

/// Since when the client is waited for, and what it had taken by then: comparable while
/// `is_full` stays.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    since: Instant,
    taken: u64,
    is_full: bool,
}

/// Looks at the meter of one connection: seldom when all is well, every second
/// when a head is incomplete or the client does not take its response.
pub(super) struct Watchdog {
    meter: Arc<Meter>,
    limits: Limits,
    is_http2: bool,
    timer: Pin<Box<Sleep>>,
    is_armed: bool,
    /// The next look is far away, because all was well at the last one.
    is_lax: bool,
    /// The last look, and since when requests have stood as it says.
    seen: Reading,
    since: Instant,
    /// Since when the head of the next request has been arriving.
    head_since: Option<Instant>,
    /// Since when the client has not taken its response fast enough, and how much
    /// had been written then.
    stalled: Option<(Instant, u64)>,
    unsent: Unsent,
}

impl Watchdog {
    pub(super) fn new(meter: Arc<Meter>, limits: Limits, is_http2: bool) -> Self {
        let now = Instant::now();
        Self {
            seen: meter.look(),
            meter,
            limits,
            is_http2,
            timer: Box::pin(tokio::time::sleep_until(now + TICK.min(limits.header))),
            is_armed: false,
            is_lax: false,
            since: now,
            head_since: (!is_http2).then_some(now),
            stalled: None,
            unsent: Unsent::Nothing(0),
        }
    }

    /// Resolves with the reason for which the connection is to be closed. Called
    /// after each poll of the connection; the timer is polled only when it was set.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        let is_early = self.is_lax && self.is_suspicious() || self.is_told();
        if self.is_armed && !is_early && !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        loop {
            if self.is_armed {
                let now = Instant::now();
                if let Some(reason) = self.look(now) {
                    return Poll::Ready(reason);
                }
                let wait = self.next_look();
                self.is_lax = wait > TICK;
                self.timer.as_mut().reset(now + wait);
                if matches!(self.unsent, Unsent::Asked(_)) {
                    // The connection answers when it is polled.
                    cx.waker().wake_by_ref();
                }
            }
            self.is_armed = true;
            ready!(self.timer.as_mut().poll(cx));
        }
    }

    /// Whether something began, since the last look, that has to be timed closely.
    fn is_suspicious(&self) -> bool {
        let now = self.meter.look();
        if now.open == 0 { self.is_head_pending(now) } else { now.is_stalled }
    }

    /// Whether bytes of a head have arrived, and no request has come of them yet.
    fn is_head_pending(&self, now: Reading) -> bool {
        // HTTP/2 also reads pings, and bounds heads itself.
        !self.is_http2 && now.requests == self.seen.requests && now.read != self.seen.read
    }

    /// Whether a question was answered since the last look.
    fn is_told(&self) -> bool {
        matches!(self.unsent, Unsent::Asked(_)) && self.meter.held().is_some()
    }

    /// Follows what the system holds; says whether the client takes too little of it.
    fn is_untaken(&mut self, now: Instant, reading: Reading) -> bool {
        match self.unsent {
            Unsent::Nothing(written) if written != reading.written => self.ask(None),
            Unsent::Waiting(waiting) if now - waiting.since >= self.limits.write => {
                self.ask(Some(waiting));
            }
            Unsent::Asked(before) => {
                let Some(held) = self.meter.held() else { return false };
                let (taken, is_full) = match held {
                    Held::Nothing => {
                        self.unsent = Unsent::Nothing(reading.written);
                        return false;
                    }
                    Held::Some { taken } => (taken, false),
                    Held::Full => (reading.made_room, true),
                };
                if let Some(waiting) = before.filter(|waiting| waiting.is_full == is_full)
                    && taken.saturating_sub(waiting.taken) < least(now - waiting.since)
                {
                    return true;
                }
                self.unsent = Unsent::Waiting(Waiting { since: now, taken, is_full });
            }
            Unsent::Nothing(_) | Unsent::Waiting(_) => {}
        }
        false
    }

    fn ask(&mut self, before: Option<Waiting>) {
        self.meter.ask_held();
        self.unsent = Unsent::Asked(before);
    }

    fn look(&mut self, now: Instant) -> Option<Reason> {
        let reading = self.meter.look();
        let seen = self.seen;
        if reading.requests != seen.requests || (reading.open == 0) != (seen.open == 0) {
            self.since = now;
            self.head_since = None;
        } else if reading.open == 0 && self.is_head_pending(reading) {
            self.head_since.get_or_insert(now);
        }
        self.stalled = match self.stalled {
            _ if !reading.is_stalled => None,
            None => Some((now, reading.written)),
            // Fast enough: the count begins anew.
            Some((since, written)) if reading.written - written > least(now - since) => {
                Some((now, reading.written))
            }
            slow => slow,
        };
        self.seen = reading;
        let is_over = |since: Option<Instant>, limit| since.is_some_and(|at| now - at >= limit);
        let is_stalled = is_over(self.stalled.map(|(at, _)| at), self.limits.write);
        if is_stalled || self.is_untaken(now, reading) {
            Some(Reason::Untaken)
        } else if reading.open > 0 {
            None
        } else if is_over(self.head_since, self.limits.header) {
            Some(Reason::Head)
        } else if is_over(Some(self.since), self.limits.keep_alive) {
            Some(Reason::Idle)
        } else {
            None
        }
    }

    fn next_look(&self) -> Duration {
        let is_held = matches!(self.unsent, Unsent::Waiting(_));
        if self.head_since.is_some() || self.stalled.is_some() || is_held {
            return TICK.min(self.limits.header).min(self.limits.write);
        }
        (self.limits.keep_alive / 4).clamp(Duration::from_millis(10), 5 * TICK)
    }
}

/// Ends one response over HTTP/2 whose client takes nothing of it, however much it takes
/// of others on the same connection: its piece has the write timeout, and a second for
/// each KiB.
pub(super) struct Offered {
    offer: Option<Arc<Offer>>,
    write: Duration,
    /// Of the offer with this number.
    timer: Option<(u32, Pin<Box<Sleep>>)>,
}

impl Offered {
    pub(super) fn new(offer: Option<Arc<Offer>>, write: Duration) -> Self {
        Self { offer, write, timer: None }
    }

    /// Resolves when the response is to be given up. Called when it waits.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let untaken = self.offer.as_ref().and_then(|offer| offer.untaken());
        let Some((number, bytes)) = untaken else { return Poll::Pending };
        let end = || Instant::now() + self.write + Duration::from_secs(bytes / RATE_MIN);
        let (timed, timer) =
            self.timer.get_or_insert_with(|| (number, Box::pin(tokio::time::sleep_until(end()))));
        if *timed != number {
            *timed = number;
            timer.as_mut().reset(end());
        }
        timer.as_mut().poll(cx)
    }
}
