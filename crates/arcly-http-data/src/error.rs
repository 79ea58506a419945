//! What can go wrong between the application and its database.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;

use sqlx::error::{DatabaseError, ErrorKind};

/// A failure of the database, sorted by what the caller can do about it.
///
/// Queries run through sqlx; `?` turns their errors into the matching variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The options contradict themselves; nothing was opened.
    #[error("database option `{option}` is refused: {reason}")]
    Options {
        /// The option that is wrong.
        option: &'static str,
        /// What it must be instead.
        reason: &'static str,
    },

    /// The database file could not be created or opened.
    #[error("cannot open database file `{}`", path.display())]
    Open {
        /// The file that was tried.
        path: PathBuf,
        /// What the operating system or the driver said.
        #[source]
        source: Cause,
    },

    /// A migration failed, or the applied ones differ from those in the program.
    #[error("cannot migrate the database")]
    Migrate {
        /// Which migration, and why.
        #[source]
        source: Cause,
    },

    /// No connection, or no write lock, became free in time. Trying again later may help.
    #[error("timed out waiting for the database")]
    Timeout {
        /// What was waited for.
        #[source]
        source: Cause,
    },

    /// The database is closed, its disk fails or is full, or its file is damaged.
    #[error("the database is unavailable")]
    Unavailable {
        /// What the driver said.
        #[source]
        source: Cause,
    },

    /// A row with the same unique value exists.
    #[error("a row with the same `{constraint}` exists")]
    UniqueViolation {
        /// The columns (`users.email`, several joined by `, `) or the index that refused.
        constraint: String,
        /// What the driver said.
        #[source]
        source: Cause,
    },

    /// A row refers to one that does not exist, or is still referred to.
    #[error("a row refers to another that does not exist")]
    ForeignKeyViolation {
        /// What the driver said.
        #[source]
        source: Cause,
    },

    /// A query that must return a row returned none.
    #[error("the query returned no row")]
    RowMissing,

    /// Every other failure of a query: a mistake in the program, not in its input.
    #[error("the query failed")]
    Query {
        /// What the driver said.
        #[source]
        source: Cause,
    },
}

impl DataError {
    /// The columns or index of a broken unique constraint, as in `users.email`.
    ///
    /// Columns of one constraint are joined by `, `. An index over an expression
    /// has no columns and answers with its own name.
    #[must_use]
    pub fn is_unique_violation(&self) -> Option<&str> {
        match self {
            Self::UniqueViolation { constraint, .. } => Some(constraint),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without any change by the caller.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Unavailable { .. })
    }
}

impl From<sqlx::Error> for DataError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::RowMissing,
            sqlx::Error::PoolTimedOut => Self::Timeout { source: Cause::new(error) },
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => {
                Self::Unavailable { source: Cause::new(error) }
            }
            sqlx::Error::Database(error) => from_database(error),
            other => Self::Query { source: Cause::new(other) },
        }
    }
}

/// What the driver or the operating system said, for the log.
///
/// It prints its whole story at once, so that walking the chain of sources
/// neither loses nor doubles a line.
#[derive(Debug)]
pub struct Cause(Box<dyn StdError + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl StdError for Cause {}

fn from_database(error: Box<dyn DatabaseError>) -> DataError {
    let kind = error.kind();
    let code = error.code().and_then(|code| code.parse().ok()).map(SqliteCode::from_extended);
    let constraint = constraint_of(error.message()).to_owned();
    let source = Cause::new(error.into_error());
    match (kind, code) {
        (ErrorKind::UniqueViolation, _) => DataError::UniqueViolation { constraint, source },
        (ErrorKind::ForeignKeyViolation, _) => DataError::ForeignKeyViolation { source },
        (_, Some(SqliteCode::Busy)) => DataError::Timeout { source },
        (_, Some(SqliteCode::Storage)) => DataError::Unavailable { source },
        _ => DataError::Query { source },
    }
}

/// SQLite's result codes as far as they change what the caller can do.
enum SqliteCode {
    Busy,
    Storage,
    Other,
}

impl SqliteCode {
    /// The low byte of an extended code is the primary one (sqlite.org/rescode.html).
    fn from_extended(code: u32) -> Self {
        match code & 0xff {
            // BUSY, LOCKED.
            5 | 6 => Self::Busy,
            // READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB.
            8 | 10 | 11 | 13 | 14 | 26 => Self::Storage,
            _ => Self::Other,
        }
    }
}

/// The part of `UNIQUE constraint failed: users.email` or
/// `UNIQUE constraint failed: index 'users_email'` that names the constraint.
///
/// SQLite has no other way to tell; the wording is stable since version 3.8.
fn constraint_of(message: &str) -> &str {
    let named = message.rsplit_once("constraint failed: ").map_or(message, |(_, named)| named);
    named.strip_prefix("index '").and_then(|name| name.strip_suffix('\'')).unwrap_or(named)
}

#[cfg(test)]
mod tests;
