//! Bringing a database to the schema the program was built for.

use sqlx::migrate::Migrator;

use crate::error::Cause;
use crate::{DataError, Database};

impl Database {
    /// Runs every migration that this database has not seen, in order.
    ///
    /// Pass what `sqlx::migrate!()` embeds. Each migration runs in a transaction
    /// of its own; running the same ones twice changes nothing.
    ///
    /// # Errors
    /// [`DataError::Migrate`] if a migration fails, or if one already applied was
    /// edited or removed since; [`DataError::Timeout`] and
    /// [`DataError::Unavailable`] if no write connection could be had.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the migrations that finished and undoes the
    /// one under way; calling again goes on from there.
    pub async fn migrate(&self, migrator: &'static Migrator) -> Result<(), DataError> {
        let mut connection = self.writer().acquire().await?;
        // `run` is generic over `Acquire` and makes futures that are not provably `Send`;
        // `run_direct` is its body over a plain connection.
        migrator
            .run_direct(None, &mut *connection, false)
            .await
            .map_err(|error| DataError::Migrate { source: Cause::new(error) })
    }
}
