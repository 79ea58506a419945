//! Ends connections that are idle or slow for too long.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::meter::{Meter, Reading};
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
#[derive(Debug, Clone, Copy)]
enum Unsent {
    Unknown,
    Asked(Option<(Instant, u64)>),
    Held(Instant, u64),
    Nothing,
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
            unsent: Unsent::Unknown,
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
        matches!(self.unsent, Unsent::Asked(_)) && self.meter.unsent().is_some()
    }

    /// Follows what the system holds while nothing is asked of the server; says
    /// whether the client took too little of it.
    fn is_untaken(&mut self, now: Instant) -> bool {
        match self.unsent {
            Unsent::Unknown => {
                self.meter.ask_unsent();
                self.unsent = Unsent::Asked(None);
            }
            Unsent::Held(since, bytes) if now - since >= self.limits.write => {
                self.meter.ask_unsent();
                self.unsent = Unsent::Asked(Some((since, bytes)));
            }
            Unsent::Asked(before) => match (self.meter.unsent(), before) {
                (None, _) => {}
                (Some(0), _) => self.unsent = Unsent::Nothing,
                (Some(bytes), Some((since, held)))
                    if held.saturating_sub(bytes) < RATE_MIN * (now - since).as_secs().max(1) =>
                {
                    return true;
                }
                (Some(bytes), _) => self.unsent = Unsent::Held(now, bytes),
            },
            Unsent::Held(..) | Unsent::Nothing => {}
        }
        false
    }

    fn look(&mut self, now: Instant) -> Option<Reason> {
        let reading = self.meter.look();
        let seen = self.seen;
        if reading.requests != seen.requests || (reading.open == 0) != (seen.open == 0) {
            self.since = now;
            self.head_since = None;
            self.unsent = Unsent::Unknown;
        } else if reading.open == 0 && self.is_head_pending(reading) {
            self.head_since.get_or_insert(now);
        }
        self.stalled = match self.stalled {
            _ if !reading.is_stalled => None,
            None => Some((now, reading.written)),
            // Fast enough: the count begins anew.
            Some((since, written))
                if reading.written - written > RATE_MIN * (now - since).as_secs().max(1) =>
            {
                Some((now, reading.written))
            }
            slow => slow,
        };
        self.seen = reading;
        let is_over = |since: Option<Instant>, limit| since.is_some_and(|at| now - at >= limit);
        if is_over(self.stalled.map(|(at, _)| at), self.limits.write) {
            Some(Reason::Untaken)
        } else if reading.open > 0 {
            None
        } else if self.is_untaken(now) {
            Some(Reason::Untaken)
        } else if is_over(self.head_since, self.limits.header) {
            Some(Reason::Head)
        } else if is_over(Some(self.since), self.limits.keep_alive) {
            Some(Reason::Idle)
        } else {
            None
        }
    }

    fn next_look(&self) -> Duration {
        let is_held = matches!(self.unsent, Unsent::Held(..));
        if self.head_since.is_some() || self.stalled.is_some() || is_held {
            return TICK.min(self.limits.header).min(self.limits.write);
        }
        (self.limits.keep_alive / 4).clamp(Duration::from_millis(10), 5 * TICK)
    }
}
