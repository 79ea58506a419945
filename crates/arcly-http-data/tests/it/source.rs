use std::time::Duration;

use arcly_http_data::{DataError, Database, DatabaseOptions};

use crate::{count, notes, write};

#[tokio::test]
async fn creates_folder_and_file_and_keeps_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/notes.db");
    let db = notes(DatabaseOptions::file(&path)).await;
    write(&db, "kept").await.unwrap();
    db.close().await;
    assert!(!path.with_extension("db-wal").exists(), "closing folds the log back");

    let db = Database::open(DatabaseOptions::file(&path)).await.unwrap();
    assert_eq!(db.path(), path);
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn sets_the_pragmas_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(DatabaseOptions::file(folder.path().join("x.db"))).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let mut read = db.read().await.unwrap();
    for connection in [tx.as_sqlite(), read.as_sqlite()] {
        let (journal, foreign_keys): (String, i64) =
            sqlx::query_as("SELECT * FROM pragma_journal_mode, pragma_foreign_keys")
                .fetch_one(connection)
                .await
                .unwrap();
        assert_eq!((journal.as_str(), foreign_keys), ("wal", 1));
    }
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(tx.as_sqlite()).await.unwrap();
    assert_eq!(synchronous, 1, "1 is NORMAL");
}

#[tokio::test]
async fn a_temporary_database_goes_with_its_last_handle() {
    let db = notes(DatabaseOptions::temporary()).await;
    let path = db.path().to_owned();
    let other = db.clone();
    drop(db);
    let mut tx = other.begin().await.unwrap();
    drop(other);
    assert!(path.exists(), "a transaction is a handle too");
    sqlx::query("INSERT INTO notes (body) VALUES ('x')").execute(tx.as_sqlite()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn two_temporary_databases_are_apart() {
    let one = notes(DatabaseOptions::temporary()).await;
    let two = notes(DatabaseOptions::temporary()).await;
    write(&one, "x").await.unwrap();
    assert_eq!((count(&one).await, count(&two).await), (1, 0));
}

#[tokio::test]
async fn refuses_a_single_connection() {
    let error = Database::open(DatabaseOptions::temporary().with_connections_max(1)).await;
    assert!(matches!(error, Err(DataError::Options { option: "connections_max", .. })));
}

#[tokio::test]
async fn names_the_file_it_cannot_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not-a-database.db");
    std::fs::write(&path, "plain text, and long enough to hold the header of a database file")
        .unwrap();
    let error = Database::open(DatabaseOptions::file(&path)).await.unwrap_err();
    assert!(matches!(&error, DataError::Open { path: named, .. } if *named == path), "{error:?}");

    let below_a_file = path.join("x.db");
    let error = Database::open(DatabaseOptions::file(&below_a_file)).await.unwrap_err();
    assert!(matches!(error, DataError::Open { .. }));
}

#[tokio::test]
async fn a_second_writer_waits_and_then_times_out() {
    let options = DatabaseOptions::temporary().with_acquire_timeout(Duration::from_millis(50));
    let db = notes(options).await;
    let tx = db.begin().await.unwrap();
    let error = db.begin().await.unwrap_err();
    assert!(matches!(error, DataError::Timeout { .. }) && error.is_transient());
    assert_eq!(count(&db).await, 0, "readers do not wait for the writer");
    tx.rollback().await.unwrap();
    write(&db, "x").await.unwrap();
}

#[tokio::test]
async fn another_process_that_holds_the_lock_times_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let one = notes(DatabaseOptions::file(&path)).await;
    let options = DatabaseOptions::file(&path).with_busy_timeout(Duration::from_millis(20));
    let two = Database::open(options).await.unwrap();
    let held = one.begin().await.unwrap();
    assert!(matches!(two.begin().await, Err(DataError::Timeout { .. })));
    drop(held);
}

#[tokio::test]
async fn closing_refuses_new_work() {
    let db = notes(DatabaseOptions::temporary()).await;
    db.close().await;
    db.close().await;
    assert!(matches!(db.begin().await, Err(DataError::Unavailable { .. })));
    assert!(matches!(db.read().await, Err(DataError::Unavailable { .. })));
}

#[tokio::test]
async fn a_closed_database_does_not_answer() {
    let database = Database::open(DatabaseOptions::temporary()).await.unwrap();
    database.ping().await.unwrap();
    database.close().await;
    assert!(matches!(database.ping().await, Err(DataError::Unavailable { .. })));
}
