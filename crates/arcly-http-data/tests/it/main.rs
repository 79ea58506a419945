//! The data crate against a real SQLite file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod migrate;
mod source;
mod tx;

use arcly_http_data::{DataError, Database, DatabaseOptions};

/// A database with one table, `notes(id, body UNIQUE, parent -> notes)`.
async fn notes(options: DatabaseOptions) -> Database {
    let db = Database::open(options).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    sqlx::query(
        "CREATE TABLE notes (
            id INTEGER PRIMARY KEY,
            body TEXT NOT NULL UNIQUE,
            parent INTEGER REFERENCES notes (id)
        )",
    )
    .execute(tx.as_sqlite())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    db
}

async fn write(db: &Database, body: &str) -> Result<(), DataError> {
    let mut tx = db.begin().await?;
    sqlx::query("INSERT INTO notes (body) VALUES (?)").bind(body).execute(tx.as_sqlite()).await?;
    tx.commit().await
}

async fn count(db: &Database) -> i64 {
    let mut read = db.read().await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM notes").fetch_one(read.as_sqlite()).await.unwrap()
}
