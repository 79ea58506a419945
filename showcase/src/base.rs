//! What every module stands on: time, data, tokens, passwords.

use std::path::PathBuf;
use std::sync::Arc;

use arcly_http::access::Authenticator;
use arcly_http::config::Secret;
use arcly_http::data::{DataError, Database, DatabaseOptions};
use arcly_http::di::HookError;
use arcly_http::prelude::*;
use arcly_http::security::{
    JwtAuthenticator, JwtConfig, JwtConfigError, JwtService, PasswordConfig, PasswordError,
    PasswordHasher, SecretError, SigningSecret,
};
use arcly_http::time::SystemClock;

/// Where data lives and what tokens are signed with.
#[derive(Debug, Config)]
pub(crate) struct Settings {
    /// Folder of the database and of the generated signing secret.
    #[config(default = "data", env = "DATA_DIR", flag = "data")]
    data: PathBuf,
    /// Secret that signs tokens, 32 bytes at least; without it one is generated
    /// and kept in the data folder, in profile `dev` only.
    #[config(secret, optional_in_dev, env = "JWT_SECRET", flag = "jwt-secret")]
    jwt_secret: Option<Secret>,
}

/// The application's database.
#[derive(Qualifier)]
#[qualifier(Database)]
pub(crate) struct Main;

/// Types of other crates are told apart by markers.
#[derive(Qualifier)]
#[qualifier(JwtService, PasswordHasher)]
pub(crate) struct Auth;

/// How stores name the database.
pub(crate) type Db = Inject<Database, Main>;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

#[provider(qualifier = Main)]
async fn database(settings: Inject<Settings>) -> Result<Database, DataError> {
    let path = settings.data.join("conduit.db");
    let database = Database::open(DatabaseOptions::file(&path)).await?;
    database.migrate(&MIGRATIONS).await?;
    tracing::info!(path = %path.display(), "database is ready");
    Ok(database)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthSetupError {
    #[error("the signing secret cannot be used")]
    Secret(#[source] SecretError),
    #[error("tokens cannot be issued")]
    Jwt(#[source] JwtConfigError),
}

#[provider(qualifier = Auth)]
fn tokens(
    settings: Inject<Settings>,
    clock: Inject<dyn Clock>,
) -> Result<JwtService, AuthSetupError> {
    let secret = match &settings.jwt_secret {
        Some(secret) => SigningSecret::try_new(secret.expose()),
        None => SigningSecret::load_or_generate(&settings.data.join("jwt.key")),
    };
    let config = JwtConfig::new("conduit", "conduit", secret.map_err(AuthSetupError::Secret)?);
    let config = JwtConfig { ttl: std::time::Duration::from_secs(24 * 3600), ..config };
    JwtService::try_new(config, clock.into_arc()).map_err(AuthSetupError::Jwt)
}

#[provider]
fn authenticator(tokens: Inject<JwtService, Auth>) -> Arc<dyn Authenticator> {
    Arc::new(JwtAuthenticator::new(tokens.into_arc()).with_schemes(&["Token", "Bearer"]))
}

#[provider(qualifier = Auth)]
fn passwords() -> Result<PasswordHasher, PasswordError> {
    PasswordHasher::try_new(PasswordConfig::default())
}

#[provider]
fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Says whether the database answers, and closes it when everything else has stopped.
#[derive(Injectable)]
pub(crate) struct Keeper {
    db: Db,
}

impl Lifecycle for Keeper {
    async fn on_shutdown(&self) -> Result<(), HookError> {
        self.db.close().await;
        Ok(())
    }
}

impl HealthCheck for Keeper {
    fn name(&self) -> &str {
        "database"
    }

    fn check(&self) -> HealthFuture<'_> {
        Box::pin(async { self.db.ping().await.map_err(|error| error.to_string()) })
    }
}

/// Seen by every module without importing it.
#[module(
    global,
    providers(Settings, database, tokens, authenticator, passwords, clock, Keeper as dyn HealthCheck),
    exports(database, tokens, authenticator, passwords, clock)
)]
pub(crate) struct BaseModule;
