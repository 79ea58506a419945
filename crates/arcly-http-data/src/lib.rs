//! Data sources of arcly-http: embedded SQLite, migrations, transactions.
//!
//! [`Database`] is the handle an application opens once and clones freely.
//! [`Database::begin`] gives a [`Tx`], the only way to write;
//! [`Database::read`] gives a [`ReadDb`], one consistent snapshot.
//!
//! ```
//! use arcly_http_data::{Database, DatabaseOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let db = Database::open(DatabaseOptions::temporary()).await?;
//!
//! let mut tx = db.begin().await?;
//! sqlx::query("CREATE TABLE notes (body TEXT NOT NULL)").execute(tx.as_sqlite()).await?;
//! sqlx::query("INSERT INTO notes VALUES (?)").bind("hello").execute(tx.as_sqlite()).await?;
//! tx.commit().await?;
//!
//! let mut read = db.read().await?;
//! let body: String =
//!     sqlx::query_scalar("SELECT body FROM notes").fetch_one(read.as_sqlite()).await?;
//! assert_eq!(body, "hello");
//! # Ok(())
//! # }
//! ```

mod error;
mod migrate;
mod source;
mod tx;

pub use error::{Cause, DataError};
pub use source::{Database, DatabaseOptions};
pub use tx::{ReadDb, Tx};
