use arcly_http_data::{DataError, Database, DatabaseOptions};
use sqlx::migrate::Migrator;

use crate::{count, write};

static FIRST: Migrator = sqlx::migrate!("tests/it/migrations/first");
static EDITED: Migrator = sqlx::migrate!("tests/it/migrations/edited");
static BROKEN: Migrator = sqlx::migrate!("tests/it/migrations/broken");

#[tokio::test]
async fn runs_once() {
    let db = Database::open(DatabaseOptions::temporary()).await.unwrap();
    db.migrate(&FIRST).await.unwrap();
    write(&db, "x").await.unwrap();
    db.migrate(&FIRST).await.unwrap();
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn refuses_an_edited_migration() {
    let db = Database::open(DatabaseOptions::temporary()).await.unwrap();
    db.migrate(&FIRST).await.unwrap();
    assert!(matches!(db.migrate(&EDITED).await, Err(DataError::Migrate { .. })));
}

#[tokio::test]
async fn a_broken_migration_leaves_nothing_behind() {
    let db = Database::open(DatabaseOptions::temporary()).await.unwrap();
    assert!(matches!(db.migrate(&BROKEN).await, Err(DataError::Migrate { .. })));
    db.migrate(&FIRST).await.unwrap();
}
