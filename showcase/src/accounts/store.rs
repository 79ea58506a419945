//! Users in the database.

use arcly_http::data::DataError;
use arcly_http::prelude::*;
use sqlx::FromRow;

use crate::base::Db;
use crate::errors::StoreError;

/// A user as stored.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct UserRow {
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) bio: String,
    pub(crate) image: String,
}

#[derive(Debug, thiserror::Error, Problem)]
pub(crate) enum SaveUserError {
    #[error("username has already been taken")]
    #[problem(status = 422)]
    UsernameTaken,
    #[error("email has already been taken")]
    #[problem(status = 422)]
    EmailTaken,
    #[error(transparent)]
    #[problem(transparent)]
    Store(#[from] StoreError),
}

impl From<DataError> for SaveUserError {
    fn from(error: DataError) -> Self {
        match error.is_unique_violation() {
            Some(columns) if columns.contains("email") => Self::EmailTaken,
            Some(_) => Self::UsernameTaken,
            None => Self::Store(error.into()),
        }
    }
}

#[derive(Injectable)]
pub(crate) struct UserStore {
    db: Db,
}

impl UserStore {
    pub(crate) async fn create(
        &self,
        username: &str,
        email: &str,
        password: &str,
    ) -> Result<UserRow, SaveUserError> {
        let mut tx = self.db.begin().await?;
        let user = sqlx::query_as(
            "INSERT INTO users (username, email, password) VALUES (?, ?, ?) \
             RETURNING id, username, email, password, bio, image",
        )
        .bind(username)
        .bind(email)
        .bind(password)
        .fetch_one(tx.as_sqlite())
        .await
        .map_err(DataError::from)?;
        tx.commit().await?;
        Ok(user)
    }

    pub(crate) async fn by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        let mut read = self.db.read().await?;
        let query = sqlx::query_as(
            "SELECT id, username, email, password, bio, image FROM users WHERE email = ?",
        );
        Ok(query.bind(email).fetch_optional(read.as_sqlite()).await?)
    }

    pub(crate) async fn by_id(&self, id: i64) -> Result<Option<UserRow>, StoreError> {
        let mut read = self.db.read().await?;
        let query = sqlx::query_as(
            "SELECT id, username, email, password, bio, image FROM users WHERE id = ?",
        );
        Ok(query.bind(id).fetch_optional(read.as_sqlite()).await?)
    }

    /// Changes what is given. `None` when the user does not exist.
    pub(crate) async fn update(
        &self,
        id: i64,
        change: UserChange<'_>,
    ) -> Result<Option<UserRow>, SaveUserError> {
        let mut tx = self.db.begin().await?;
        let user = sqlx::query_as(
            "UPDATE users SET username = COALESCE(?, username), email = COALESCE(?, email), \
             password = COALESCE(?, password), bio = COALESCE(?, bio), image = COALESCE(?, image) \
             WHERE id = ? RETURNING id, username, email, password, bio, image",
        )
        .bind(change.username)
        .bind(change.email)
        .bind(change.password)
        .bind(change.bio)
        .bind(change.image)
        .bind(id)
        .fetch_optional(tx.as_sqlite())
        .await
        .map_err(DataError::from)?;
        tx.commit().await?;
        Ok(user)
    }
}

/// What an update changes.
#[derive(Debug, Default)]
pub(crate) struct UserChange<'a> {
    pub(crate) username: Option<&'a str>,
    pub(crate) email: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) bio: Option<&'a str>,
    pub(crate) image: Option<&'a str>,
}
