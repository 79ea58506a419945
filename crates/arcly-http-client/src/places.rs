//! How many calls go to one host at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hosts that are remembered before those that are not called are forgotten.
const KNOWN_MAX: usize = 1_024;

/// Places for calls, by host and port. Without HTTP/2, a call is a connection.
#[derive(Debug)]
pub(crate) struct Places {
    max: usize,
    by_host: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Places {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, by_host: Mutex::default() }
    }

    /// Waits for a place.
    pub(crate) async fn take(&self, host: &str) -> OwnedSemaphorePermit {
        let of_host = {
            let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
            if by_host.len() >= KNOWN_MAX && !by_host.contains_key(host) {
                // Who waits or has a place holds the semaphore as well.
                by_host.retain(|_, places| Arc::strong_count(places) > 1);
            }
            match by_host.get(host) {
                Some(places) => Arc::clone(places),
                None => {
                    let places = Arc::new(Semaphore::new(self.max));
                    by_host.insert(host.to_owned(), Arc::clone(&places));
                    places
                }
            }
        };
        of_host.acquire_owned().await.expect("nobody closes the semaphore")
    }
}
