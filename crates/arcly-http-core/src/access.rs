//! Who may do what: words, no engine.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::di::{ActionMeta, Dep, DepKind, DepSpec, Key, Needer, Needs, Token};
use crate::problem::{Problem, kinds};
use crate::scope::Claims;

/// The access rule of one operation. There is no default: an operation without
/// a rule does not compile.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// Anybody, with or without credentials. Credentials that are present must
    /// still be valid.
    Public,
    /// Any caller whose credentials are valid.
    Authenticated,
    /// Callers to whom the action's declared roles and scopes apply.
    Can(&'static ActionMeta),
}

impl Access {
    /// As shown in route lists: `public`, `authenticated`, `can Article::Publish`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Public => "public".to_owned(),
            Self::Authenticated => "authenticated".to_owned(),
            Self::Can(action) => format!("can {}", action.name),
        }
    }

    /// Decides over a caller; `None` is an anonymous one.
    ///
    /// # Errors
    /// 401 for an anonymous caller where one has to be known, 403 for one that may not.
    pub fn decide(&self, claims: Option<&Claims>) -> Result<(), Problem> {
        let refusal = match (self, claims) {
            (Self::Public, _) | (Self::Authenticated, Some(_)) => return Ok(()),
            (Self::Can(action), Some(claims)) => {
                if action.permits(|role| claims.has_role(role), |scope| claims.has_scope(scope)) {
                    return Ok(());
                }
                &kinds::FORBIDDEN
            }
            (Self::Authenticated | Self::Can(_), None) => &kinds::UNAUTHENTICATED,
        };
        Err(Problem::of(refusal))
    }
}

impl ActionMeta {
    /// Whether roles and scopes of a caller satisfy the action.
    #[must_use]
    pub fn permits(
        &self,
        has_role: impl Fn(&str) -> bool,
        has_scope: impl Fn(&str) -> bool,
    ) -> bool {
        (self.roles.is_empty() || self.roles.iter().any(|role| has_role(role)))
            && self.scopes.iter().all(|scope| has_scope(scope))
    }
}

/// An enum of actions. Written by `#[derive(Action)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` declares no actions",
    label = "not an action enum",
    note = "add `#[derive(Action)]` to an enum and list it in `actions(..)` of a module"
)]
pub trait ActionSet: Copy + 'static {
    /// All of them.
    const ACTIONS: &'static [ActionMeta];
}

/// Credentials as a client presents them.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The authentication scheme (RFC 9110, section 11.1), as sent.
    pub scheme: &'a str,
    /// What follows it.
    pub token: &'a str,
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({} ..)", self.scheme)
    }
}

/// Why credentials were not accepted. The client learns only that they were
/// not; the text is for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// They are wrong, expired or of an unknown scheme.
    #[error("credentials refused: {0}")]
    Refused(String),
    /// They could not be checked.
    #[error("credentials could not be checked")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What checking credentials yields.
pub type AuthFuture<'a> = Pin<Box<dyn Future<Output = Result<Arc<Claims>, AuthError>> + Send + 'a>>;

/// Checks credentials: the port between the pipeline and authentication.
///
/// Every route that is not `#[public]` depends on one, so that the proof asks for
/// it. Provide it in a global module:
///
/// ```
/// # use std::sync::Arc;
/// # use arcly_http::access::Authenticator;
/// # use arcly_http::config::Secret;
/// # use arcly_http::prelude::*;
/// # use arcly_http::security::{JwtAuthenticator, JwtConfig, JwtConfigError, JwtService};
/// # use arcly_http::security::{SecretError, SigningSecret};
/// # use arcly_http::time::SystemClock;
/// # #[derive(Config)] struct Settings { #[config(secret)] secret: Secret }
/// # #[derive(Debug, thiserror::Error)]
/// # enum SetupError {
/// #     #[error("the secret cannot be used")] Secret(#[from] SecretError),
/// #     #[error("tokens cannot be used")] Tokens(#[from] JwtConfigError),
/// # }
/// #[provider]
/// fn tokens(settings: Inject<Settings>, clock: Inject<dyn Clock>) -> Result<JwtService, SetupError> {
///     let secret = SigningSecret::try_new(settings.secret.expose())?;
///     Ok(JwtService::try_new(JwtConfig::new("shop", "shop", secret), clock.into_arc())?)
/// }
///
/// #[provider]
/// fn authenticator(tokens: Inject<JwtService>) -> Arc<dyn Authenticator> {
///     Arc::new(JwtAuthenticator::new(tokens.into_arc()))
/// }
///
/// #[module(
///     global,
///     providers(Settings, SystemClock as dyn Clock, tokens, authenticator),
///     exports(dyn Clock, tokens, authenticator)
/// )]
/// pub struct AuthModule;
/// # #[module(root, imports(AuthModule))] struct AppModule;
/// ```
///
/// Whoever injects `Inject<JwtService>` issues tokens; a test replaces the whole by
/// `TestApp::builder().replace::<dyn Authenticator>(..)`.
pub trait Authenticator: Send + Sync + 'static {
    /// The schemes it accepts, the preferred one first: `["Bearer"]`.
    fn schemes(&self) -> &'static [&'static str];

    /// Checks credentials of one of the schemes.
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> AuthFuture<'a>;
}

pub(crate) const AUTHENTICATOR_KEY: Key = Key::of("dyn arcly_http::Authenticator", 0, 0);

impl Token for dyn Authenticator {
    const KEY: Key = AUTHENTICATOR_KEY;
}

/// The edge that an access rule other than `#[public]` adds to the graph.
pub const AUTHENTICATED_NEEDS: Needs = Needs {
    of: Needer::Rule,
    deps: &[Dep {
        field: "access rule",
        spec: DepSpec { key: AUTHENTICATOR_KEY, kind: DepKind::One, many: false },
        line: 0,
    }],
};
