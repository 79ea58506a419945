//! JSON Web Tokens (RFC 7519), issued and verified strictly (RFC 8725).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::di::{Key, Token};
use arcly_http_core::scope::Claims;
use arcly_http_core::time::Clock;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json;
use super::key::{SigningKey, VerifyingKey};

/// What tokens are issued and accepted with.
///
/// A key is replaced in three steps, each of them rolled out before the next: add
/// the new one to `accepted_keys` everywhere; make it `key`, with the old one among
/// `accepted_keys`; drop the old one once its last token has expired.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// `iss` of every token.
    pub issuer: String,
    /// `aud` of every token.
    pub audience: String,
    /// How long a token is valid. Default 1 hour.
    pub ttl: Duration,
    /// Difference of clocks that is forgiven. Default 5 s.
    pub leeway: Duration,
    /// Longest token that is looked at, in bytes. Default 8 KiB.
    pub token_bytes_max: usize,
    /// The key that signs, and whose tokens are accepted; `None` for a service that
    /// only verifies.
    pub key: Option<SigningKey>,
    /// Other keys whose tokens are accepted.
    pub accepted_keys: Vec<VerifyingKey>,
}

impl JwtConfig {
    /// Defaults around one key that signs. A [`super::secret::SigningSecret`] will
    /// do; it is called `1` then.
    #[must_use]
    pub fn new(issuer: &str, audience: &str, key: impl Into<SigningKey>) -> Self {
        Self { key: Some(key.into()), ..Self::verify_only(issuer, audience, vec![]) }
    }

    /// Defaults for a service that accepts tokens of somebody else.
    #[must_use]
    pub fn verify_only(issuer: &str, audience: &str, keys: Vec<VerifyingKey>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            ttl: Duration::from_secs(3600),
            leeway: Duration::from_secs(5),
            token_bytes_max: 8 * 1024,
            key: None,
            accepted_keys: keys,
        }
    }
}

/// Why a service cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwtConfigError {
    /// Tokens without issuer or audience would be valid anywhere.
    #[error("issuer and audience may not be empty")]
    Nameless,
    /// Two keys would answer to one id.
    #[error("two keys have the id `{0}`")]
    DuplicateKey(String),
    /// Every token would be refused.
    #[error("there is no key")]
    NoKey,
    /// A lifetime that no time can be added to.
    #[error("the lifetime of tokens is too long")]
    Lifetime,
}

/// Why a token is refused. For the log: a client is not told which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than `token_bytes_max`.
    #[error("token is too long")]
    TooLong,
    /// Not three parts of canonical base64url with JSON objects inside, or a
    /// member is given twice.
    #[error("token is malformed")]
    Malformed,
    /// A header parameter that is refused: wrong `alg` or `typ`, `crit`, `b64`,
    /// `zip`, a key or an address of a key.
    #[error("token header parameter `{0}` is refused")]
    Header(&'static str),
    /// No such key.
    #[error("token names an unknown key")]
    UnknownKey,
    /// The signature is not of that key.
    #[error("token signature is wrong")]
    Signature,
    /// A claim is missing or of the wrong type.
    #[error("token claim `{0}` is missing or malformed")]
    Claim(&'static str),
    /// Not for this issuer or audience, not yet or no longer valid.
    #[error("token claim `{0}` does not hold")]
    Refused(&'static str),
    /// The token could not be written.
    #[error("token cannot be signed")]
    Signing,
    /// The service only verifies.
    #[error("there is no key that signs")]
    NoSigningKey,
}

/// `typ` of the tokens that are issued (RFC 9068).
const TYPE: &str = "at+jwt";

/// Header parameters that would change what a token means, or where its key
/// comes from.
const REFUSED_PARAMETERS: [&str; 12] =
    ["crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty", "url"];

/// Issues and verifies tokens. A factory provides it, `Inject<JwtService>` takes it.
pub struct JwtService {
    config: JwtConfig,
    keys: BTreeMap<String, VerifyingKey>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for JwtService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwtService(issuer: {}, keys: {})", self.config.issuer, self.keys.len())
    }
}

impl Token for JwtService {
    const KEY: Key = Key::of("arcly_http::security::JwtService", 0, 0);
}

impl JwtService {
    /// A service that tells the time by `clock`.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn try_new(config: JwtConfig, clock: Arc<dyn Clock>) -> Result<Self, JwtConfigError> {
        if config.issuer.is_empty() || config.audience.is_empty() {
            return Err(JwtConfigError::Nameless);
        }
        if i64::try_from(config.ttl.as_secs()).is_err() {
            return Err(JwtConfigError::Lifetime);
        }
        let mut keys = BTreeMap::new();
        let own = config.key.iter().map(SigningKey::verifying);
        for key in own.chain(config.accepted_keys.iter().cloned()) {
            if let Some(twice) = keys.insert(key.id().to_owned(), key) {
                return Err(JwtConfigError::DuplicateKey(twice.id().to_owned()));
            }
        }
        if keys.is_empty() {
            return Err(JwtConfigError::NoKey);
        }
        Ok(Self { config, keys, clock })
    }

    /// Issues a token: issuer, audience, times and a random id are set here.
    ///
    /// # Errors
    /// [`TokenError::NoSigningKey`]; [`TokenError::Signing`] when a claim cannot be
    /// written, or the operating system gives no random bytes.
    pub fn issue(&self, mut claims: Claims) -> Result<String, TokenError> {
        let key = self.config.key.as_ref().ok_or(TokenError::NoSigningKey)?;
        let now = self.clock.now().timestamp();
        let ttl = i64::try_from(self.config.ttl.as_secs()).unwrap_or(i64::MAX);
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| TokenError::Signing)?;
        claims.iss.clone_from(&self.config.issuer);
        claims.aud = vec![self.config.audience.clone()];
        claims.iat = now;
        claims.exp = now.saturating_add(ttl);
        claims.jti = Some(URL_SAFE_NO_PAD.encode(id));
        let header =
            serde_json::json!({ "alg": key.algorithm().name(), "typ": TYPE, "kid": key.id() });
        let claims = serde_json::to_vec(&claims).map_err(|_| TokenError::Signing)?;
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(&claims));
        let signature = key.sign(message.as_bytes()).ok_or(TokenError::Signing)?;
        Ok(format!("{message}.{}", encode(&signature)))
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// The first thing that is wrong with it; size and header are looked at
    /// before any cryptography, claims only after the signature.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > self.config.token_bytes_max {
            return Err(TokenError::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let key = self.check_header(&object(header)?)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        if !key.verify(message.as_bytes(), &signature) {
            return Err(TokenError::Signature);
        }
        // A payload with a dot in it is not base64url, so that there are three parts.
        self.check_claims(object(payload)?)
    }

    fn check_header(&self, header: &Map<String, Value>) -> Result<&VerifyingKey, TokenError> {
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        if let Some(name) = REFUSED_PARAMETERS.iter().find(|name| header.contains_key(**name)) {
            return Err(TokenError::Header(name));
        }
        let typ = text("typ").unwrap_or_default();
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        if !typ.eq_ignore_ascii_case(TYPE) {
            return Err(TokenError::Header("typ"));
        }
        let id = text("kid").ok_or(TokenError::Header("kid"))?;
        let key = self.keys.get(id).ok_or(TokenError::UnknownKey)?;
        // The key decides; a token may only agree.
        if text("alg") != Some(key.algorithm().name()) {
            return Err(TokenError::Header("alg"));
        }
        Ok(key)
    }

    fn check_claims(&self, payload: Map<String, Value>) -> Result<Claims, TokenError> {
        for name in ["sub", "iss"] {
            let text = payload.get(name).and_then(Value::as_str);
            if text.is_none_or(str::is_empty) {
                return Err(TokenError::Claim(name));
            }
        }
        let moment = |name: &'static str| match payload.get(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or(TokenError::Claim(name)),
        };
        let expires = moment("exp")?.ok_or(TokenError::Claim("exp"))?;
        let issued = moment("iat")?.ok_or(TokenError::Claim("iat"))?;
        let now = self.clock.now().timestamp();
        let leeway = i64::try_from(self.config.leeway.as_secs()).unwrap_or(0);
        if now >= expires.saturating_add(leeway) {
            return Err(TokenError::Refused("exp"));
        }
        if issued > now.saturating_add(leeway) {
            return Err(TokenError::Refused("iat"));
        }
        if moment("nbf")?.is_some_and(|from| from > now.saturating_add(leeway)) {
            return Err(TokenError::Refused("nbf"));
        }
        let claims: Claims =
            serde_json::from_value(Value::Object(payload)).map_err(|_| TokenError::Malformed)?;
        if claims.iss != self.config.issuer {
            return Err(TokenError::Refused("iss"));
        }
        if !claims.aud.contains(&self.config.audience) {
            return Err(TokenError::Refused("aud"));
        }
        Ok(claims)
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    json::object(&bytes).ok_or(TokenError::Malformed)
}
