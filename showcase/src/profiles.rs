//! Profiles of users, and who follows whom.

use arcly_http::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::FromRow;

use crate::accounts::{CurrentUser, Viewer};
use crate::base::Db;
use crate::errors::{ConduitErrors, StoreError};
use crate::paths::Username;

/// A user as others see it.
#[derive(Debug, Clone, Serialize, JsonSchema, FromRow)]
pub(crate) struct Profile {
    pub(crate) username: String,
    pub(crate) bio: String,
    pub(crate) image: String,
    /// Whether the caller follows this user.
    pub(crate) following: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ProfileResponse {
    profile: Profile,
}

#[derive(Debug, thiserror::Error, Problem)]
pub(crate) enum ProfileError {
    #[error("there is no user of this name")]
    #[problem(status = 404)]
    NoSuchUser,
    #[error(transparent)]
    #[problem(transparent)]
    Store(#[from] StoreError),
}

#[derive(Injectable)]
pub(crate) struct ProfileStore {
    db: Db,
}

impl ProfileStore {
    async fn find(&self, username: &str, viewer: i64) -> Result<Profile, ProfileError> {
        let mut read = self.db.read().await.map_err(StoreError::from)?;
        let found = sqlx::query_as(
            "SELECT u.username, u.bio, u.image, EXISTS (SELECT 1 FROM follows f \
             WHERE f.follower_id = ?2 AND f.followed_id = u.id) AS following \
             FROM users u WHERE u.username = ?1",
        )
        .bind(username)
        .bind(viewer)
        .fetch_optional(read.as_sqlite())
        .await
        .map_err(StoreError::from)?;
        found.ok_or(ProfileError::NoSuchUser)
    }

    /// Following twice, or oneself, changes nothing more.
    async fn follow(&self, username: &str, me: i64) -> Result<Profile, ProfileError> {
        self.change(
            "INSERT INTO follows (follower_id, followed_id) \
             SELECT ?2, id FROM users WHERE username = ?1 ON CONFLICT DO NOTHING",
            username,
            me,
        )
        .await
    }

    async fn unfollow(&self, username: &str, me: i64) -> Result<Profile, ProfileError> {
        self.change(
            "DELETE FROM follows WHERE follower_id = ?2 \
             AND followed_id = (SELECT id FROM users WHERE username = ?1)",
            username,
            me,
        )
        .await
    }

    async fn change(
        &self,
        sql: &'static str,
        username: &str,
        me: i64,
    ) -> Result<Profile, ProfileError> {
        let mut tx = self.db.begin().await.map_err(StoreError::from)?;
        let query = sqlx::query(sql).bind(username).bind(me);
        query.execute(tx.as_sqlite()).await.map_err(StoreError::from)?;
        tx.commit().await.map_err(StoreError::from)?;
        self.find(username, me).await
    }
}

#[derive(Injectable)]
pub(crate) struct ProfileController {
    profiles: Inject<ProfileStore>,
}

#[controller("/profiles/{username}", tags("Profile"))]
impl ProfileController {
    /// Get a profile.
    ///
    /// Get a profile of a user of the system. Auth is optional.
    #[get("/", operation_id = "GetProfileByUsername")]
    #[public]
    async fn show(
        &self,
        username: Path<Username>,
        viewer: Viewer,
    ) -> Result<Json<ProfileResponse>, ProfileError> {
        let profile = self.profiles.find(&username, viewer.id()).await?;
        Ok(Json(ProfileResponse { profile }))
    }

    /// Follow a user.
    ///
    /// Follow a user by username.
    #[post("/follow", operation_id = "FollowUserByUsername")]
    #[authenticated]
    async fn follow(
        &self,
        username: Path<Username>,
        me: CurrentUser,
    ) -> Result<Json<ProfileResponse>, ProfileError> {
        let profile = self.profiles.follow(&username, me.0).await?;
        Ok(Json(ProfileResponse { profile }))
    }

    /// Unfollow a user.
    ///
    /// Unfollow a user by username.
    #[delete("/follow", operation_id = "UnfollowUserByUsername")]
    #[authenticated]
    async fn unfollow(
        &self,
        username: Path<Username>,
        me: CurrentUser,
    ) -> Result<Json<ProfileResponse>, ProfileError> {
        let profile = self.profiles.unfollow(&username, me.0).await?;
        Ok(Json(ProfileResponse { profile }))
    }
}

/// Profiles.
#[module(
    prefix = "/api",
    filters(ConduitErrors),
    providers(ProfileStore),
    controllers(ProfileController)
)]
pub(crate) struct ProfileModule;
