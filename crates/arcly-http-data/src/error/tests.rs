use super::*;

#[track_caller]
fn check(message: &str, expected: &str) {
    assert_eq!(constraint_of(message), expected);
}

#[test]
fn names_the_constraint() {
    check("UNIQUE constraint failed: users.email", "users.email");
    check("UNIQUE constraint failed: follows.a, follows.b", "follows.a, follows.b");
    check("UNIQUE constraint failed: index 'users_email'", "users_email");
    check("something new", "something new");
}

#[test]
fn sorts_errors_without_a_database() {
    assert!(matches!(DataError::from(sqlx::Error::RowNotFound), DataError::RowMissing));
    assert!(matches!(DataError::from(sqlx::Error::PoolTimedOut), DataError::Timeout { .. }));
    assert!(matches!(DataError::from(sqlx::Error::PoolClosed), DataError::Unavailable { .. }));
    let mistake = DataError::from(sqlx::Error::ColumnNotFound("x".into()));
    assert!(matches!(mistake, DataError::Query { .. }));
    assert!(!mistake.is_transient());
}
