//! How many attempts may come on top of the first ones.

use std::sync::atomic::{AtomicU64, Ordering};

/// A bucket of tokens: each call puts a part of one in, each extra attempt takes a
/// whole one out. So a dependency that is down gets little more than its usual load.
#[derive(Debug)]
pub(super) struct Budget {
    thousandths: AtomicU64,
    /// For each call.
    deposit: u64,
    max: u64,
}

const TOKEN: u64 = 1000;

#[derive(Debug, Clone, Copy)]
pub(super) struct BudgetSettings {
    pub(super) percent: u32,
    pub(super) burst: u32,
}

impl Budget {
    /// Full from the start.
    pub(super) fn new(settings: BudgetSettings) -> Self {
        let max = u64::from(settings.burst) * TOKEN;
        let deposit = u64::from(settings.percent) * TOKEN / 100;
        Self { thousandths: AtomicU64::new(max), deposit, max }
    }

    pub(super) fn deposit(&self) {
        let add = |now: u64| Some((now + self.deposit).min(self.max));
        let _ = self.thousandths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether there was a token to take.
    pub(super) fn take(&self) -> bool {
        let take = |now: u64| now.checked_sub(TOKEN);
        self.thousandths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Whole tokens.
    pub(super) fn left(&self) -> u64 {
        self.thousandths.load(Ordering::Relaxed) / TOKEN
    }
}
