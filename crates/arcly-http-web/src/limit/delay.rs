//! Refuses a share of the requests while work waits too long for a thread.
//!
//! Limits of requests in flight see what waits inside of operations. A handler that
//! computes is no longer in flight when the next one begins: what waits then are
//! connections with a request that nobody has read yet. How long that is, the server
//! measures on itself: it asks to be woken at a moment, and sees how late it is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arcly_http_core::observe::Gauge;
use tokio::time::Instant;

/// How often it is measured, when nothing waits.
const EVERY: Duration = Duration::from_millis(20);
/// A pause is no overload: so long has every look to be late before anything is refused.
const PATIENCE: Duration = Duration::from_millis(500);
/// The whole of a share.
const ALL: f64 = u32::MAX as f64;
/// Some are always let in: what is measured has to be able to fall.
const SHARE_MAX: f64 = 0.98;
/// By how much a delay of twice the bound raises the share, at each look; it falls more
/// slowly, because what caused the delay is mostly still there.
const RISE: f64 = 0.05;
const FALL: f64 = 0.01;

/// A controller of the share that is refused.
pub(crate) struct Delay {
    bound: Option<Duration>,
    /// Of `u32::MAX`.
    share: AtomicU32,
    turn: AtomicU32,
    shown: Gauge,
}

impl Delay {
    pub(crate) fn new(bound: Option<Duration>, shown: Gauge) -> Self {
        Self { bound, share: AtomicU32::new(0), turn: AtomicU32::new(0), shown }
    }

    /// Whether the next request is one of those that are refused.
    pub(crate) fn refuses(&self) -> bool {
        let share = self.share.load(Ordering::Relaxed);
        // Multiples of the golden ratio are spread evenly, without a generator.
        share != 0 && self.turn.fetch_add(0x9E37_79B9, Ordering::Relaxed) < share
    }

    /// Measures for as long as it is polled: on the threads that answer requests.
    pub(crate) async fn watch(&self) {
        let Some(bound) = self.bound else { return std::future::pending().await };
        let _last = Rest(self);
        let mut late_since = None;
        loop {
            let due = Instant::now() + EVERY;
            tokio::time::sleep_until(due).await;
            let now = Instant::now();
            let late = now - due;
            let is_patient = if late <= bound {
                late_since = None;
                false
            } else {
                now - *late_since.get_or_insert(now) < PATIENCE
            };
            self.note(late, bound, !is_patient);
        }
    }

    fn note(&self, late: Duration, bound: Duration, counts: bool) {
        self.shown.set(i64::try_from(late.as_millis()).unwrap_or(i64::MAX));
        if !counts {
            return;
        }
        let over = late.as_secs_f64() / bound.as_secs_f64() - 1.0;
        let change = if over > 0.0 { RISE * over.min(4.0) } else { FALL * over };
        let share = f64::from(self.share.load(Ordering::Relaxed)) / ALL + change;
        let share = (share.clamp(0.0, SHARE_MAX) * ALL) as u32;
        self.share.store(share, Ordering::Relaxed);
    }
}

/// Nothing is refused for a delay that nobody measures any more.
struct Rest<'d>(&'d Delay);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.share.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use arcly_http_core::observe::Metrics;

    use super::*;

    const BOUND: Duration = Duration::from_millis(100);

    fn delay() -> Delay {
        Delay::new(Some(BOUND), Metrics::new().gauge("delay", ""))
    }

    fn refused(delay: &Delay) -> usize {
        (0..1000).filter(|_| delay.refuses()).count()
    }

    #[test]
    fn the_share_follows_the_delay() {
        let delay = delay();
        assert_eq!(refused(&delay), 0);
        for _ in 0..1000 {
            delay.note(Duration::from_millis(50), BOUND, true);
        }
        assert_eq!(refused(&delay), 0);
        for _ in 0..6 {
            delay.note(Duration::from_millis(300), BOUND, true);
        }
        let share = refused(&delay);
        assert!((550..650).contains(&share), "{share}");
        for _ in 0..100 {
            delay.note(Duration::from_secs(30), BOUND, true);
        }
        let share = refused(&delay);
        assert!((970..990).contains(&share), "{share}");
        for _ in 0..100 {
            delay.note(Duration::ZERO, BOUND, true);
        }
        assert_eq!(refused(&delay), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_is_taken_is_noticed_and_forgotten() {
        let delay = delay();
        let watch = async {
            tokio::select! {
                () = delay.watch() => {}
                () = async {
                    // Time passes, and nobody is polled.
                    tokio::time::advance(Duration::from_secs(3)).await;
                    tokio::task::yield_now().await;
                    assert_eq!(refused(&delay), 0, "a pause");
                    for _ in 0..40 {
                        tokio::time::advance(Duration::from_millis(400)).await;
                    }
                    assert!(refused(&delay) > 500);
                } => {}
            }
        };
        watch.await;
        assert_eq!(refused(&delay), 0);
    }
}
