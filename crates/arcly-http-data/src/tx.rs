//! Transactions: `Tx` writes, `ReadDb` reads.

use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{DataError, Database};

/// A write transaction, from [`Database::begin`].
///
/// While it lives, no other transaction writes: keep it short and never wait
/// for a client or a remote system in between.
#[derive(Debug)]
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Tx {
    // Declared before `_database`: it is dropped first, and a temporary database lasts until then.
    transaction: Transaction<'static, Sqlite>,
    _database: Database,
}

impl Tx {
    pub(crate) fn new(transaction: Transaction<'static, Sqlite>, database: Database) -> Self {
        Self { transaction, _database: database }
    }

    /// The connection, to run queries with sqlx.
    pub fn as_sqlite(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Makes the changes lasting and visible to others.
    ///
    /// # Errors
    /// [`DataError::ForeignKeyViolation`] if a deferred constraint does not hold,
    /// [`DataError::Unavailable`] if the file fails; nothing is changed then.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the changes committed or undone, never half of them.
    pub async fn commit(self) -> Result<(), DataError> {
        Ok(self.transaction.commit().await?)
    }

    /// Undoes the changes, and waits until they are undone.
    ///
    /// Dropping does the same without waiting.
    ///
    /// # Errors
    /// [`DataError::Unavailable`] if the file fails.
    pub async fn rollback(self) -> Result<(), DataError> {
        Ok(self.transaction.rollback().await?)
    }
}

impl AsMut<SqliteConnection> for Tx {
    fn as_mut(&mut self) -> &mut SqliteConnection {
        self.as_sqlite()
    }
}

/// A consistent view of the database, from [`Database::read`].
///
/// What others commit meanwhile stays unseen until the next one. Writing fails
/// with [`DataError::Unavailable`]. A view held for long keeps the write-ahead
/// log from being folded back, so the file grows: drop it when done.
#[derive(Debug)]
#[must_use = "a view that is not used holds a connection for nothing"]
pub struct ReadDb {
    // Declared before `_database`: it is dropped first, and a temporary database lasts until then.
    transaction: Transaction<'static, Sqlite>,
    _database: Database,
}

impl ReadDb {
    pub(crate) fn new(transaction: Transaction<'static, Sqlite>, database: Database) -> Self {
        Self { transaction, _database: database }
    }

    /// The connection, to run queries with sqlx.
    pub fn as_sqlite(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}

impl AsMut<SqliteConnection> for ReadDb {
    fn as_mut(&mut self) -> &mut SqliteConnection {
        self.as_sqlite()
    }
}
