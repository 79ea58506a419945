//! Who asks for what another is already making waits for it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arcly_http_core::cache::Mark;
use tokio::sync::OnceCell;

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
    /// Whoever sets it works; when that is dropped, the next who waits does.
    outcome: OnceCell<Outcome>,
    /// From before any work began.
    mark: Mark,
}

struct Open {
    flight: Arc<Flight>,
    joined: usize,
}

/// Invariant: a flight is in here as long as someone is in it, or until another has
/// taken its place, so that the requests in all are its bound.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Open>>);

impl Flights {
    fn open(&self) -> MutexGuard<'_, HashMap<Key, Open>> {
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
        if let Some(known) = open.get_mut(key)
            && !known.flight.outcome.initialized()
            && is_current(&known.flight.mark)
        {
            known.joined += 1;
            let flight = Arc::clone(&known.flight);
            return Joined { flights: self, key: key.clone(), flight };
        }
        let flight = Arc::new(Flight { outcome: OnceCell::new(), mark: mark() });
        open.insert(key.clone(), Open { flight: Arc::clone(&flight), joined: 1 });
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
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        let mut open = self.flights.open();
        if let Some(known) = open.get_mut(&self.key)
            && Arc::ptr_eq(&known.flight, &self.flight)
        {
            known.joined -= 1;
            if known.joined == 0 {
                open.remove(&self.key);
            }
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
