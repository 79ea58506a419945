//! Ends connections that are idle or slow for too long.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::meter::{Meter, Reading};

/// Time limits of one connection; see [`crate::app::LaunchConfig`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) header: Duration,
    pub(super) body: Duration,
    pub(super) keep_alive: Duration,
    pub(super) write: Duration,
}

/// How often a connection that is under suspicion is looked at, which is how late a
/// slow client may be cut. An idle one may stay five times as long.
const TICK: Duration = Duration::from_secs(1);
/// Below this many bytes a second, a client that keeps us waiting is too slow.
pub(crate) const RATE_MIN: u64 = 1024;

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
        }
    }

    /// Resolves with the reason for which the connection is to be closed. Called
    /// after each poll of the connection; the timer is polled only when it was set.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let is_early = self.is_lax && self.is_suspicious();
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

    fn look(&mut self, now: Instant) -> Option<&'static str> {
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
            Some("the client did not take its response in time")
        } else if reading.open > 0 {
            None
        } else if is_over(self.head_since, self.limits.header) {
            Some("the head of a request did not arrive in time")
        } else if is_over(Some(self.since), self.limits.keep_alive) {
            Some("the connection was idle for too long")
        } else {
            None
        }
    }

    fn next_look(&self) -> Duration {
        if self.head_since.is_some() || self.stalled.is_some() {
            return TICK.min(self.limits.header).min(self.limits.write);
        }
        (self.limits.keep_alive / 4).clamp(Duration::from_millis(10), 5 * TICK)
    }
}
