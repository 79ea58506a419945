//! The database handle: one file, one writer, several readers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tempfile::TempDir;

use crate::error::Cause;
use crate::{DataError, ReadDb, Tx};

/// Where a database lives and how many may use it at once.
#[derive(Debug, Clone)]
#[must_use = "options do nothing until passed to `Database::open`"]
pub struct DatabaseOptions {
    place: Place,
    connections_max: u32,
    busy_timeout: Duration,
    acquire_timeout: Duration,
}

impl DatabaseOptions {
    /// How many connections are open at most, unless said otherwise.
    pub const CONNECTIONS_MAX: u32 = 8;

    /// How long to wait for another process that holds the file, unless said otherwise.
    pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

    /// How long to wait for a free connection, unless said otherwise.
    pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

    /// A database in a file, created with its folder if missing.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::File(path.into()))
    }

    /// An empty database that is deleted with its last handle, for tests.
    ///
    /// It is a file in a private temporary folder, not SQLite's `:memory:`: that
    /// mode is one database a connection, and its shared-cache form locks whole
    /// tables, so tests would not see what production does.
    pub fn temporary() -> Self {
        Self::at(Place::Temporary)
    }

    /// Sets how many connections are open at most, the writer included; at least 2.
    pub fn with_connections_max(mut self, connections_max: u32) -> Self {
        self.connections_max = connections_max;
        self
    }

    /// Sets how long to wait for another process that holds the file.
    pub fn with_busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.busy_timeout = busy_timeout;
        self
    }

    /// Sets how long [`Database::begin`] and [`Database::read`] wait for their turn.
    pub fn with_acquire_timeout(mut self, acquire_timeout: Duration) -> Self {
        self.acquire_timeout = acquire_timeout;
        self
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            connections_max: Self::CONNECTIONS_MAX,
            busy_timeout: Self::BUSY_TIMEOUT,
            acquire_timeout: Self::ACQUIRE_TIMEOUT,
        }
    }
}

/// An open database. Cloning is cheap and gives the same database.
///
/// SQLite has one writer at a time. Here that is a pool of one connection, so
/// writers queue fairly in the program instead of polling the file's lock, and
/// every write transaction takes the lock when it begins, so it can never fail
/// half way by having to upgrade a read. Readers have connections of their own
/// that refuse to write; they neither wait for the writer nor make it wait.
///
/// Holding one [`Tx`] while asking for another in the same task waits until
/// [`DataError::Timeout`].
#[derive(Debug, Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

impl Database {
    /// Opens the database, creating its folder and file if missing.
    ///
    /// # Errors
    /// [`DataError::Options`] if the options contradict themselves,
    /// [`DataError::Open`] if the file cannot be created or is no database.
    pub async fn open(options: DatabaseOptions) -> Result<Self, DataError> {
        if options.connections_max < 2 {
            return Err(DataError::Options {
                option: "connections_max",
                reason: "at least 2 are needed, one to write and one to read",
            });
        }
        let (path, temporary) = options.place.prepare().await?;
        let open_failed = |error| DataError::Open { path: path.clone(), source: Cause::new(error) };

        let shared = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .busy_timeout(options.busy_timeout);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(options.acquire_timeout)
            // The other end is a thread of this process: it does not go stale.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None);

        let writer_options = shared
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match temporary {
                Some(_) => SqliteSynchronous::Off,
                None => SqliteSynchronous::Normal,
            })
            .optimize_on_close(true, None);
        let writer = pool
            .clone()
            .max_connections(1)
            .connect_with(writer_options)
            .await
            .map_err(open_failed)?;

        // `query_only` instead of opening read-only: a read-only handle cannot create the
        // shared-memory file of a database in WAL mode.
        let readers = pool
            .max_connections(options.connections_max - 1)
            .connect_with(shared.pragma("query_only", "ON"))
            .await
            .map_err(open_failed)?;

        tracing::debug!(path = %path.display(), "database opened");
        Ok(Self { inner: Arc::new(Inner { writer, readers, path, _temporary: temporary }) })
    }

    /// Begins a write transaction, waiting for the one before it to end.
    ///
    /// It is rolled back unless [`Tx::commit`] is called.
    ///
    /// # Errors
    /// [`DataError::Timeout`] if the writer stays busy, here or in another
    /// process; [`DataError::Unavailable`] if the database is closed or its
    /// file fails.
    ///
    /// # Cancel safety
    /// Dropping the future begins nothing.
    pub async fn begin(&self) -> Result<Tx, DataError> {
        let transaction = self.inner.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Tx::new(transaction, self.clone()))
    }

    /// Begins reading: all queries of one [`ReadDb`] see the same snapshot.
    ///
    /// # Errors
    /// [`DataError::Timeout`] if all readers stay busy,
    /// [`DataError::Unavailable`] if the database is closed or its file fails.
    ///
    /// # Cancel safety
    /// Dropping the future begins nothing.
    pub async fn read(&self) -> Result<ReadDb, DataError> {
        let transaction = self.inner.readers.begin().await?;
        Ok(ReadDb::new(transaction, self.clone()))
    }

    /// Asks the file whether it can be read; for health checks.
    ///
    /// # Errors
    /// [`DataError::Timeout`] if all readers stay busy,
    /// [`DataError::Unavailable`] if the database is closed or its file fails.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn ping(&self) -> Result<(), DataError> {
        sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1").execute(&self.inner.readers).await?;
        Ok(())
    }

    /// The file the database lives in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Refuses new work, waits for work under way, then writes the log back and closes.
    ///
    /// It waits as long as a [`Tx`] or [`ReadDb`] lives; the caller sets the
    /// deadline. Closing twice is harmless.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the database refusing work; calling again waits on.
    pub async fn close(&self) {
        // Invariant: the writer closes last. The last connection to close folds the
        // write-ahead log into the file, and readers may not write.
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.inner.writer
    }
}

#[derive(Debug)]
struct Inner {
    writer: SqlitePool,
    readers: SqlitePool,
    path: PathBuf,
    /// Invariant: declared after the pools, so the folder outlives their last use.
    _temporary: Option<TempDir>,
}

#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Temporary,
}

impl Place {
    /// The path to open, in a folder that exists.
    async fn prepare(self) -> Result<(PathBuf, Option<TempDir>), DataError> {
        match self {
            Self::File(path) => {
                if let Some(folder) = path.parent() {
                    tokio::fs::create_dir_all(folder).await.map_err(|error| DataError::Open {
                        path: path.clone(),
                        source: Cause::new(error),
                    })?;
                }
                Ok((path, None))
            }
            Self::Temporary => {
                let folder =
                    tempfile::Builder::new().prefix("arcly-data-").tempdir().map_err(|error| {
                        DataError::Open { path: std::env::temp_dir(), source: Cause::new(error) }
                    })?;
                Ok((folder.path().join("temporary.db"), Some(folder)))
            }
        }
    }
}
