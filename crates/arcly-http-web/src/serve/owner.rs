//! Who owns the connections of a server, and how they are told to stop.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio_util::task::TaskTracker;

use super::meter::Meter;
use super::watchdog::Offered;

/// What the connections of a server have in common: one owner, one way to stop.
#[derive(Clone)]
pub(super) struct Owner {
    pub(super) tasks: TaskTracker,
    stop: Arc<Stop>,
}

#[derive(Default)]
struct Stop {
    stage: AtomicU8,
    changed: Arc<Notify>,
}

pub(super) const RUNNING: u8 = 0;
pub(super) const DRAINING: u8 = 1;
pub(super) const CUT: u8 = 2;

impl Owner {
    pub(super) fn new() -> Self {
        Self { tasks: TaskTracker::new(), stop: Arc::default() }
    }

    /// Asks every connection to finish what it is doing, and no more.
    pub(super) fn drain(&self) {
        self.stop.stage.fetch_max(DRAINING, Ordering::SeqCst);
        self.stop.changed.notify_waiters();
    }

    /// Ends every connection now.
    pub(super) fn cut(&self) {
        self.stop.stage.store(CUT, Ordering::SeqCst);
        self.stop.changed.notify_waiters();
    }

    pub(super) fn watch(&self) -> Watch {
        Watch { stop: Arc::clone(&self.stop), changed: None }
    }
}

/// Runs the streams of one HTTP/2 connection, so that nothing outlives the server.
#[derive(Clone)]
pub(super) struct Streams {
    pub(super) owner: Owner,
    pub(super) meter: Arc<Meter>,
    pub(super) write: Duration,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: F) {
        let mut watch = self.owner.watch();
        // The service was asked right before; what has no offer is not timed.
        let mut offered = Offered::new(self.meter.take_opened(), self.write);
        self.owner.tasks.spawn(async move {
            let mut work = pin!(work);
            poll_fn(|cx| {
                if watch.stage(cx) == CUT || work.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let is_over = offered.poll(cx);
                if is_over.is_ready() {
                    tracing::debug!("a response was given up: the client does not take it");
                }
                is_over
            })
            .await;
        });
    }
}

/// The stage of stopping, as one task sees it. Asking costs one load; the task is
/// woken when it changes.
pub(super) struct Watch {
    stop: Arc<Stop>,
    changed: Option<Pin<Box<OwnedNotified>>>,
}

impl Watch {
    pub(super) fn stage(&mut self, cx: &mut Context<'_>) -> u8 {
        let seen = self.stop.stage.load(Ordering::Relaxed);
        if self.changed.is_some() && seen == RUNNING {
            return RUNNING;
        }
        if seen == CUT {
            return CUT;
        }
        // Registered before the stage is read again, so that no change is missed.
        loop {
            let changed = self
                .changed
                .get_or_insert_with(|| Box::pin(Arc::clone(&self.stop.changed).notified_owned()));
            if changed.as_mut().poll(cx).is_pending() {
                return self.stop.stage.load(Ordering::SeqCst);
            }
            self.changed = None;
        }
    }
}
