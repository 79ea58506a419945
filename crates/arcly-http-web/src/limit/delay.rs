//! Refuses a share of the requests while work waits too long for a thread.
//!
//! Limits of requests in flight see what waits inside of operations. A handler that
//! computes is no longer in flight when the next one begins: what waits then are
//! connections with a request that nobody has read yet. How long that is, the server
//! measures on itself: it sends work to the threads that answer requests, has it woken
//! a moment later like a connection is, and sees how late it is.
//!
//! A thread of its own sends it, so that a handler that keeps *one* thread is not taken
//! for an overload: whichever thread is free takes what is sent. It also makes up for
//! what the runtime leaves undone then: when the thread that waited for sockets is kept
//! by a handler, the others may sleep on, and nobody looks at the sockets. Whoever is
//! woken by what is sent goes on to do that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arcly_http_core::observe::Gauge;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// How often it is measured, when nothing waits.
const EVERY: Duration = Duration::from_millis(20);
/// How long what is sent sleeps: a timer is looked at where sockets are.
const NAP: Duration = Duration::from_millis(1);
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

    /// Measures until it is dropped, on the threads of the present runtime. What it sends
    /// there is one of `tasks`.
    ///
    /// # Cancel safety
    /// Dropping it ends the measuring, and nothing is refused any more.
    pub(crate) async fn watch(self: &Arc<Self>, tasks: &TaskTracker) {
        let Some(bound) = self.bound else { return std::future::pending().await };
        let (tell, told) = mpsc::channel();
        let sending = Sending { tasks: tasks.clone(), runtime: Handle::current(), tell };
        let (stop, delay) = (sending.tell.clone(), Arc::clone(self));
        let measure = move || {
            let mut patience = Patience::default();
            while let Some((late, now)) = sending.measure(&told) {
                delay.note(late, bound, patience.is_over(now, late, bound));
            }
        };
        let _measuring = match std::thread::Builder::new().name("delay".to_owned()).spawn(measure) {
            Ok(thread) => Measuring { delay: self, stop, thread: Some(thread) },
            Err(error) => {
                tracing::error!(%error, "nothing is refused for a delay, which nobody measures");
                return std::future::pending().await;
            }
        };
        std::future::pending().await
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

#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// What was sent has been woken.
    Woken(Instant),
    Stop,
}

/// What the measuring thread has of the runtime.
struct Sending {
    tasks: TaskTracker,
    runtime: Handle,
    tell: mpsc::Sender<Told>,
}

impl Sending {
    /// Waits, and sees how late work is; `None` when it is to stop.
    fn measure(&self, told: &mpsc::Receiver<Told>) -> Option<(Duration, Instant)> {
        if told.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
            return None;
        }
        let (sent, tell) = (Instant::now(), self.tell.clone());
        let nap = async move {
            tokio::time::sleep(NAP).await;
            drop(tell.send(Told::Woken(Instant::now())));
        };
        drop(self.tasks.spawn_on(nap, &self.runtime));
        let nothing = Arc::new(());
        loop {
            match told.recv_timeout(EVERY) {
                Ok(Told::Woken(now)) => {
                    let late = now.saturating_duration_since(sent).saturating_sub(NAP);
                    return Some((late, now));
                }
                Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
                // Whoever was to wake it may have gone to work; one more, and no more
                // than one, wakes another to look.
                Err(RecvTimeoutError::Timeout) if Arc::strong_count(&nothing) == 1 => {
                    let nothing = Arc::clone(&nothing);
                    drop(self.tasks.spawn_on(async move { drop(nothing) }, &self.runtime));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// A pause is no overload.
#[derive(Default)]
struct Patience {
    late_since: Option<Instant>,
}

impl Patience {
    /// Whether what was seen now counts.
    fn is_over(&mut self, now: Instant, late: Duration, bound: Duration) -> bool {
        if late <= bound {
            self.late_since = None;
            return true;
        }
        now.duration_since(*self.late_since.get_or_insert(now)) >= PATIENCE
    }
}

/// Nothing is refused for a delay that nobody measures any more.
struct Measuring<'d> {
    delay: &'d Delay,
    stop: mpsc::Sender<Told>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Measuring<'_> {
    fn drop(&mut self) {
        drop(self.stop.send(Told::Stop));
        // It waits for nothing else for long.
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        self.delay.share.store(0, Ordering::Relaxed);
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

    #[test]
    fn a_pause_is_not_counted() {
        let mut patience = Patience::default();
        let start = Instant::now();
        let mut is_over = |millis: u64, late: u64| {
            let now = start + Duration::from_millis(millis);
            patience.is_over(now, Duration::from_millis(late), BOUND)
        };
        assert!(is_over(0, 0));
        assert!(!is_over(3000, 3000));
        assert!(is_over(3020, 100));
        assert!(!is_over(3200, 180) && !is_over(3500, 300));
        assert!(is_over(3700, 200) && is_over(4000, 300));
        assert!(is_over(4020, 0));
        assert!(!is_over(4200, 180));
    }

    #[test]
    fn a_thread_that_is_taken_is_noticed_and_forgotten() {
        let delay = Arc::new(delay());
        let tasks = TaskTracker::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let busy = async {
            let begun = Instant::now();
            while refused(&delay) < 500 {
                assert!(begun.elapsed() < Duration::from_secs(20), "nothing is refused");
                let until = Instant::now() + 3 * BOUND;
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
                tokio::task::yield_now().await;
            }
            assert!(begun.elapsed() >= PATIENCE);
        };
        runtime.block_on(async {
            tokio::select! {
                () = delay.watch(&tasks) => {}
                () = busy => {}
            }
            assert_eq!(refused(&delay), 0);
            tasks.close();
            tasks.wait().await;
        });
    }
}
