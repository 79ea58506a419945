//! What is kept of all routes together.

use std::hash::RandomState;
use std::sync::Arc;

use arcly_http_core::observe::{Counter, Metrics};
use arcly_http_core::task::Tasks;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::entry::Entry;
use super::flight::Flights;
use super::key::Key;

/// The answers of an application.
pub(crate) struct Store {
    /// Its seed is random, so that nobody can choose keys that collide.
    entries: Cache<Key, Kept, Weigh, RandomState, Evicted>,
    /// Least that an answer counts for, so that there are not too many.
    weight_min: u64,
    body_max: u64,
    pub(super) flights: Flights,
    /// Who owns work whose client has left.
    pub(super) tasks: Tasks,
    pub(super) counts: Counts,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreLimits {
    pub(crate) bytes: u64,
    pub(crate) entries: usize,
    pub(crate) entry_bytes: u64,
}

#[derive(Clone)]
struct Kept {
    entry: Arc<Entry>,
    weight: u64,
}

pub(super) struct Counts {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    /// Who waited for what another made.
    pub(super) shared: Counter,
    stored: Counter,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Kept> for Weigh {
    fn weight(&self, _key: &Key, kept: &Kept) -> u64 {
        kept.weight
    }
}

#[derive(Clone)]
struct Evicted(Counter);

impl Lifecycle<Key, Kept> for Evicted {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _key: Key, _kept: Kept) {
        self.0.increment();
    }
}

/// Beside bytes of headers and body: the tables, and what allocating costs.
const OVERHEAD: usize = 512;

/// Parts that are locked apart. Each has its share of the room, so that there are
/// fewer where one answer may take much of it.
const SHARDS_MAX: u64 = 16;

impl Store {
    pub(crate) fn new(limits: StoreLimits, metrics: &Metrics, tasks: &Tasks) -> Self {
        let counter = |name, help| metrics.counter(name, help);
        let evicted = Evicted(counter(
            "http_response_cache_evicted",
            "Kept responses that made room for others",
        ));
        let shards = (limits.bytes / limits.entry_bytes.max(1) / 8).clamp(1, SHARDS_MAX);
        // The next lower power of two.
        let shards = 1_usize << shards.ilog2();
        let options = OptionsBuilder::new()
            .shards(shards)
            .estimated_items_capacity(limits.entries.max(1))
            .weight_capacity(limits.bytes)
            .build();
        let entries = match options {
            Ok(options) => Cache::with_options(options, Weigh, RandomState::new(), evicted),
            Err(_) => Cache::with(limits.entries, limits.bytes, Weigh, RandomState::new(), evicted),
        };
        Self {
            weight_min: (limits.bytes / limits.entries.max(1) as u64).max(1),
            body_max: limits.entry_bytes,
            entries,
            flights: Flights::default(),
            tasks: tasks.group("response-cache"),
            counts: Counts {
                hits: counter("http_response_cache_hits", "Responses that had been kept"),
                misses: counter(
                    "http_response_cache_misses",
                    "Responses that had to be made, though they might have been kept",
                ),
                shared: counter(
                    "http_response_cache_shared",
                    "Responses that were made for another request at the same time",
                ),
                stored: counter("http_response_cache_stored", "Responses that are kept"),
            },
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.entries.get(key).map(|kept| kept.entry)
    }

    /// Makes room at once, unless it has been replaced already.
    pub(super) fn remove(&self, key: &Key, entry: &Arc<Entry>) {
        self.entries.remove_if(key, |kept| Arc::ptr_eq(&kept.entry, entry));
    }

    /// Keeps an answer, unless it is too large.
    pub(super) fn insert(&self, key: &Key, entry: Arc<Entry>) {
        let weight = ((entry.len() + key.len() + OVERHEAD) as u64).max(self.weight_min);
        if entry.body_len() as u64 > self.body_max || weight > self.entries.shard_capacity() {
            return;
        }
        self.counts.stored.increment();
        self.entries.insert(key.clone(), Kept { entry, weight });
    }
}
