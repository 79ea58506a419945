//! How many sockets there may be. A place is taken before the upgrade, by one
//! compare-and-swap, so that two handshakes cannot both have the last one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{ConnectionRegistry, lock};

#[derive(Default)]
pub(super) struct Counts {
    total: AtomicUsize,
    is_closed: AtomicBool,
    by: Mutex<HashMap<Whose, usize>>,
}

/// Who has a place beside that in the total.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Address(IpAddr),
    Principal(Box<str>),
    Tenant(Box<str>),
}

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// In all, or because the application stops.
    All,
    /// For this address, principal or tenant.
    Own(&'static str),
}

impl Counts {
    pub(super) fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }
}

/// A place among the sockets; free again when it is dropped.
pub(crate) struct Permit {
    registry: ConnectionRegistry,
    whose: Vec<Whose>,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit(..)")
    }
}

impl ConnectionRegistry {
    /// Takes a place; `max` 0: there is no limit.
    pub(crate) fn admit(&self, max: usize) -> Result<Permit, Full> {
        let counts = &self.0.counts;
        if counts.is_closed.load(Ordering::Relaxed) {
            return Err(Full::All);
        }
        let more = |taken: usize| (max == 0 || taken < max).then_some(taken + 1);
        counts
            .total
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, more)
            .map_err(|_| Full::All)?;
        Ok(Permit { registry: self.clone(), whose: vec![] })
    }
}

impl Permit {
    /// Takes one of the places that `whose` may have; `max` 0: there is no limit, and
    /// nothing is counted.
    pub(crate) fn also(&mut self, whose: Whose, max: usize) -> Result<(), Full> {
        if max == 0 {
            return Ok(());
        }
        let what = match whose {
            Whose::Address(_) => "address",
            Whose::Principal(_) => "principal",
            Whose::Tenant(_) => "tenant",
        };
        let mut by = lock(&self.registry.0.counts.by);
        let taken = by.entry(whose.clone()).or_default();
        if *taken >= max {
            return Err(Full::Own(what));
        }
        *taken += 1;
        drop(by);
        self.whose.push(whose);
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let counts = &self.registry.0.counts;
        if !self.whose.is_empty() {
            let mut by = lock(&counts.by);
            for whose in self.whose.drain(..) {
                if let Entry::Occupied(mut taken) = by.entry(whose) {
                    *taken.get_mut() -= 1;
                    if *taken.get() == 0 {
                        taken.remove();
                    }
                }
            }
        }
        counts.total.fetch_sub(1, Ordering::AcqRel);
    }
}
