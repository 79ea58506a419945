//! `/users` and `/user`.

use arcly_http::prelude::*;
use arcly_http::security::{JwtService, PasswordError, PasswordHasher};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::current::CurrentUser;
use super::store::{SaveUserError, UserChange, UserRow, UserStore};
use crate::base::Auth;
use crate::errors::StoreError;

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct LoginRequest {
    #[garde(dive)]
    user: LoginUser,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct LoginUser {
    #[garde(length(chars, min = 1, max = 254))]
    email: String,
    #[garde(length(chars, min = 1, max = 1024))]
    #[schemars(extend("format" = "password"))]
    password: String,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct NewUserRequest {
    #[garde(dive)]
    user: NewUser,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct NewUser {
    #[garde(length(chars, min = 1, max = 64))]
    username: String,
    #[garde(length(chars, min = 1, max = 254))]
    email: String,
    #[garde(length(chars, min = 8, max = 256))]
    #[schemars(extend("format" = "password"))]
    password: String,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct UpdateUserRequest {
    #[garde(dive)]
    user: UpdateUser,
}

/// What to change; at least one field.
#[derive(Deserialize, JsonSchema, Validate, Input)]
#[schemars(extend("minProperties" = 1))]
pub(crate) struct UpdateUser {
    #[garde(length(chars, min = 1, max = 254))]
    email: Option<String>,
    #[garde(length(chars, min = 8, max = 256))]
    password: Option<String>,
    #[garde(length(chars, min = 1, max = 64))]
    username: Option<String>,
    #[garde(length(chars, max = 4096))]
    bio: Option<String>,
    #[garde(length(chars, max = 2048))]
    image: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct UserResponse {
    user: User,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct User {
    email: String,
    /// Send it as `Authorization: Token <token>`.
    token: String,
    username: String,
    bio: String,
    image: String,
}

#[derive(Debug, thiserror::Error, Problem)]
pub(crate) enum AccountError {
    #[error("email or password is wrong")]
    #[problem(status = 401)]
    WrongCredentials,
    #[error("the user no longer exists")]
    #[problem(status = 401)]
    Gone,
    #[error("at least one field is required")]
    #[problem(status = 422)]
    NothingToChange,
    #[error("too many logins at once; try again")]
    #[problem(status = 503)]
    Busy,
    #[error("passwords cannot be checked")]
    #[problem(internal)]
    Password(#[source] PasswordError),
    #[error("a token cannot be issued")]
    #[problem(internal)]
    Token(#[source] arcly_http::security::TokenError),
    #[error(transparent)]
    #[problem(transparent)]
    Save(#[from] SaveUserError),
    #[error(transparent)]
    #[problem(transparent)]
    Store(#[from] StoreError),
}

impl From<PasswordError> for AccountError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            other => Self::Password(other),
        }
    }
}

#[derive(Injectable)]
pub(crate) struct AccountController {
    users: Inject<UserStore>,
    tokens: Inject<JwtService, Auth>,
    passwords: Inject<PasswordHasher, Auth>,
}

#[controller("/", tags("User and Authentication"))]
impl AccountController {
    /// Existing user login.
    ///
    /// Login for existing user.
    #[post("/users/login", operation_id = "Login")]
    #[public]
    async fn login(
        &self,
        body: Valid<Json<LoginRequest>>,
    ) -> Result<Json<UserResponse>, AccountError> {
        let login = &body.user;
        let Some(user) = self.users.by_email(&login.email).await? else {
            // As slow as a wrong password, so that nobody learns who has an account.
            self.passwords.verify_absent(&login.password).await?;
            return Err(AccountError::WrongCredentials);
        };
        let Some(verified) = self.passwords.verify(&login.password, &user.password).await? else {
            return Err(AccountError::WrongCredentials);
        };
        if verified.needs_rehash {
            let hash = self.passwords.hash(&login.password).await?;
            let change = UserChange { password: Some(&hash), ..UserChange::default() };
            self.users.update(user.id, change).await?;
        }
        self.respond(user)
    }

    /// Register a new user.
    ///
    /// Name and email address must not be taken.
    #[post("/users", operation_id = "CreateUser")]
    #[public]
    async fn register(
        &self,
        body: Valid<Json<NewUserRequest>>,
    ) -> Result<Created<Json<UserResponse>>, AccountError> {
        let new = &body.user;
        let hash = self.passwords.hash(&new.password).await?;
        let user = self.users.create(&new.username, &new.email, &hash).await?;
        self.respond(user).map(Created)
    }

    /// Get current user.
    ///
    /// Gets the currently logged-in user.
    #[get("/user", operation_id = "GetCurrentUser")]
    #[authenticated]
    async fn current(&self, me: CurrentUser) -> Result<Json<UserResponse>, AccountError> {
        let user = self.users.by_id(me.0).await?.ok_or(AccountError::Gone)?;
        self.respond(user)
    }

    /// Update current user.
    ///
    /// What is missing stays; at least one field is required.
    #[put("/user", operation_id = "UpdateCurrentUser")]
    #[authenticated]
    async fn update(
        &self,
        me: CurrentUser,
        body: Valid<Json<UpdateUserRequest>>,
    ) -> Result<Json<UserResponse>, AccountError> {
        let new = &body.user;
        let texts = [&new.email, &new.password, &new.username, &new.bio, &new.image];
        if texts.iter().all(|text| text.is_none()) {
            return Err(AccountError::NothingToChange);
        }
        let hash = match &new.password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        let change = UserChange {
            username: new.username.as_deref(),
            email: new.email.as_deref(),
            password: hash.as_deref(),
            bio: new.bio.as_deref(),
            image: new.image.as_deref(),
        };
        let user = self.users.update(me.0, change).await?.ok_or(AccountError::Gone)?;
        self.respond(user)
    }
}

impl AccountController {
    fn respond(&self, user: UserRow) -> Result<Json<UserResponse>, AccountError> {
        let claims = Claims::about(user.id.to_string());
        let token = self.tokens.issue(claims).map_err(AccountError::Token)?;
        let UserRow { username, email, bio, image, .. } = user;
        Ok(Json(UserResponse { user: User { email, token, username, bio, image } }))
    }
}
