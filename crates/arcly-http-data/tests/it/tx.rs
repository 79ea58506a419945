use arcly_http_data::{DataError, DatabaseOptions};

use crate::{count, notes, write};

#[tokio::test]
async fn dropping_rolls_back() {
    let db = notes(DatabaseOptions::temporary()).await;
    let mut tx = db.begin().await.unwrap();
    sqlx::query("INSERT INTO notes (body) VALUES ('x')").execute(tx.as_mut()).await.unwrap();
    drop(tx);
    assert_eq!(count(&db).await, 0);
    write(&db, "x").await.unwrap();
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_failed_statement_leaves_the_transaction_usable() {
    let db = notes(DatabaseOptions::temporary()).await;
    write(&db, "x").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let twice = sqlx::query("INSERT INTO notes (body) VALUES ('x')").execute(tx.as_sqlite()).await;
    assert!(twice.is_err());
    sqlx::query("INSERT INTO notes (body) VALUES ('y')").execute(tx.as_sqlite()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn a_view_is_one_snapshot() {
    let db = notes(DatabaseOptions::temporary()).await;
    let mut read = db.read().await.unwrap();
    let count_sql = "SELECT count(*) FROM notes";
    let before: i64 = sqlx::query_scalar(count_sql).fetch_one(read.as_sqlite()).await.unwrap();
    write(&db, "x").await.unwrap();
    let after: i64 = sqlx::query_scalar(count_sql).fetch_one(read.as_mut()).await.unwrap();
    assert_eq!((before, after), (0, 0));
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_view_cannot_write() {
    let db = notes(DatabaseOptions::temporary()).await;
    let mut read = db.read().await.unwrap();
    let refused = sqlx::query("INSERT INTO notes (body) VALUES ('x')")
        .execute(read.as_sqlite())
        .await
        .map_err(DataError::from);
    assert!(matches!(refused, Err(DataError::Unavailable { .. })), "{refused:?}");
}

#[tokio::test]
async fn names_the_unique_column() {
    let db = notes(DatabaseOptions::temporary()).await;
    write(&db, "x").await.unwrap();
    let error = write(&db, "x").await.unwrap_err();
    assert_eq!(error.is_unique_violation(), Some("notes.body"));
    assert_eq!(error.to_string(), "a row with the same `notes.body` exists");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn enforces_foreign_keys() {
    let db = notes(DatabaseOptions::temporary()).await;
    let mut tx = db.begin().await.unwrap();
    let error = sqlx::query("INSERT INTO notes (body, parent) VALUES ('x', 7)")
        .execute(tx.as_sqlite())
        .await
        .map_err(DataError::from)
        .unwrap_err();
    assert!(matches!(error, DataError::ForeignKeyViolation { .. }));
    assert_eq!(error.is_unique_violation(), None);
}

#[tokio::test]
async fn many_writers_queue_up() {
    let db = notes(DatabaseOptions::temporary()).await;
    let read_then_write = async |name: &str| -> Result<(), DataError> {
        let mut tx = db.begin().await?;
        // The read first is what makes a deferred transaction fail with BUSY on upgrade.
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM notes").fetch_one(tx.as_sqlite()).await?;
        sqlx::query("INSERT INTO notes (body) VALUES (?)")
            .bind(format!("{name}{count}"))
            .execute(tx.as_sqlite())
            .await?;
        tx.commit().await
    };
    tokio::try_join!(
        read_then_write("a"),
        read_then_write("b"),
        read_then_write("c"),
        read_then_write("d"),
        read_then_write("e"),
    )
    .unwrap();
    assert_eq!(count(&db).await, 5);
}
