//! Who asks for what another is already making waits for it.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use arcly_http_core::cache::Mark;
use arcly_http_core::task::{Stop, Tasks};
use tokio::sync::{OnceCell, watch};

use super::entry::Entry;
use super::key::Key;

/// What the work of one came to, for all that wait.
#[derive(Clone)]
pub(super) enum Outcome {
    Kept(Arc<Entry>),
    /// It cannot be given to others: each works for itself, all at once.
    Passed,
}

struct Flight {
    /// Whoever sets it works; when that is given up, the next who waits does.
    outcome: OnceCell<Outcome>,
    /// From before any work began.
    mark: Mark,
    /// How many are in it. Changes under the lock of all flights.
    joined: watch::Sender<usize>,
}

/// Invariant: a flight is in here as long as someone is in it, or until another has
/// taken its place, so that the requests in all are its bound.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Arc<Flight>>>);

impl Flights {
    fn open(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins those who wait for the same; unless that is done, or was begun before
    /// something was invalidated, so that it would be too old for who comes now.
    pub(super) fn join(
        &self,
        key: &Key,
        mark: impl FnOnce() -> Mark,
        is_current: impl FnOnce(&Mark) -> bool,
    ) -> Joined<'_> {
        let mut open = self.open();
        if let Some(flight) = open.get(key)
            && !flight.outcome.initialized()
            && is_current(&flight.mark)
        {
            flight.joined.send_modify(|joined| *joined += 1);
            let flight = Arc::clone(flight);
            return Joined { flights: self, key: key.clone(), flight };
        }
        let joined = watch::Sender::new(1);
        let flight = Arc::new(Flight { outcome: OnceCell::new(), mark: mark(), joined });
        open.insert(key.clone(), Arc::clone(&flight));
        Joined { flights: self, key: key.clone(), flight }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.open().len()
    }
}

/// A place among those who wait; dropping it gives it up.
pub(super) struct Joined<'f> {
    flights: &'f Flights,
    key: Key,
    flight: Arc<Flight>,
}

impl Joined<'_> {
    /// Waits for the outcome, or works for it if nobody does.
    pub(super) async fn outcome(&self, work: impl Future<Output = Outcome>) -> Outcome {
        self.flight.outcome.get_or_init(|| work).await.clone()
    }

    /// From here on, until the value is dropped, this request works for the others.
    pub(super) fn lead(&self, leading: Option<Arc<Leading>>) -> Leads {
        if let Some(leading) = &leading {
            leading.set(Some(Arc::clone(&self.flight)));
        }
        Leads(leading)
    }
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        let mut open = self.flights.open();
        self.flight.joined.send_modify(|joined| *joined -= 1);
        if *self.flight.joined.borrow() == 0
            && open.get(&self.key).is_some_and(|known| Arc::ptr_eq(known, &self.flight))
        {
            open.remove(&self.key);
        }
    }
}

/// What a request that is being answered works for, as whoever holds its work sees it.
pub(crate) struct Leading {
    flight: Mutex<Option<Arc<Flight>>>,
    tasks: Tasks,
}

impl Leading {
    pub(super) fn new(tasks: Tasks) -> Arc<Self> {
        Arc::new(Self { flight: Mutex::default(), tasks })
    }

    fn set(&self, flight: Option<Arc<Flight>>) {
        *self.flight.lock().unwrap_or_else(PoisonError::into_inner) = flight;
    }

    /// What others wait for as well.
    fn awaited(&self) -> Option<Arc<Flight>> {
        let flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner).clone();
        flight.filter(|flight| *flight.joined.borrow() > 1)
    }
}

/// A request leads as long as this is there.
pub(super) struct Leads(Option<Arc<Leading>>);

impl Drop for Leads {
    fn drop(&mut self) {
        if let Some(leading) = &self.0 {
            leading.set(None);
        }
    }
}

/// The work of a request, which goes on without its client while others wait for what it
/// makes: else each who leaves would make the next begin from the start, and some who
/// come and leave would keep all others waiting. It ends when nobody waits any more, by
/// its own deadline, or with the application.
pub(crate) struct Shared<W: Future + Send + 'static> {
    work: Option<Pin<Box<W>>>,
    leading: Arc<Leading>,
}

impl<W: Future + Send + 'static> Shared<W> {
    pub(crate) fn new(work: W, leading: Arc<Leading>) -> Self {
        Self { work: Some(Box::pin(work)), leading }
    }
}

impl<W: Future + Send + 'static> Future for Shared<W> {
    type Output = W::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<W::Output> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<W: Future + Send + 'static> Drop for Shared<W> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        let Some(flight) = self.leading.awaited() else { return };
        let run = async move |stop: Stop| {
            let mut joined = flight.joined.subscribe();
            // The value is looked at under a lock, which whoever leaves takes as well.
            let alone = async { drop(joined.wait_for(|joined| *joined <= 1).await) };
            tokio::select! {
                biased;
                _ = alone => {}
                _ = stop.until(work) => {}
            }
        };
        // Where no task can be had, the next who waits begins anew.
        if let Err(error) = self.leading.tasks.spawn("shared-answer", run) {
            tracing::debug!(%error, "work that others wait for was given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use arcly_http_core::cache::ResponseCache;
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn nothing_is_left_of_who_has_gone() {
        let (flights, cache) = (Flights::default(), ResponseCache::new());
        let join = |path: &str| {
            let key = Key::of_path(path);
            flights.join(&key, || cache.mark([]), |mark| cache.is_current(mark))
        };
        let (first, second, other) = (join("a"), join("a"), join("b"));
        assert!(Arc::ptr_eq(&first.flight, &second.flight));
        assert_eq!(flights.count(), 2);
        drop(first);
        assert_eq!(flights.count(), 2);
        // After a change, another flight takes the place of the one before.
        cache.invalidate_all();
        let third = join("a");
        assert!(!Arc::ptr_eq(&third.flight, &second.flight));
        drop(second);
        assert!(Arc::ptr_eq(&third.flight, &join("a").flight));
        // What is done is not joined, either.
        let outcome = third.outcome(async { Outcome::Passed }).now_or_never();
        assert!(matches!(outcome, Some(Outcome::Passed)));
        assert!(!Arc::ptr_eq(&third.flight, &join("a").flight));
        drop((third, other));
        assert_eq!(flights.count(), 0);
    }
}
