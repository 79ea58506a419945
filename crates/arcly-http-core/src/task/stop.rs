//! How a task learns that it has to end.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// Says when a task has to end: its application, its group or it alone is being
/// stopped. Clones say the same.
#[derive(Debug, Clone)]
pub struct Stop(CancellationToken);

impl Stop {
    pub(super) fn new(token: CancellationToken) -> Self {
        Self(token)
    }

    /// Whether to end now.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Resolves when it is time to end; at once, if it was before.
    ///
    /// # Cancel safety
    /// May be dropped and awaited again.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// Runs `work` until it is done or it is time to end, when `work` is dropped
    /// and this gives `None`.
    ///
    /// # Cancel safety
    /// Dropping it drops `work`.
    pub async fn until<F: Future>(&self, work: F) -> Option<F::Output> {
        self.0.run_until_cancelled(work).await
    }
}
