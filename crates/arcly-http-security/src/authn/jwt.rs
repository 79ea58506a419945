//! JSON Web Tokens (RFC 7519), issued and verified strictly (RFC 8725).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::scope::Claims;
use arcly_http_core::time::Clock;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::secret::SigningSecret;

/// What tokens are issued and accepted with. Signatures are HMAC SHA-256.
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
    /// Id and secret of the key that signs.
    pub key: (String, SigningSecret),
    /// Keys that signed before: their tokens are accepted until they expire.
    pub previous_keys: Vec<(String, SigningSecret)>,
}

impl JwtConfig {
    /// Defaults around one key, called `1`.
    #[must_use]
    pub fn new(issuer: &str, audience: &str, secret: SigningSecret) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            ttl: Duration::from_secs(3600),
            leeway: Duration::from_secs(5),
            token_bytes_max: 8 * 1024,
            key: ("1".to_owned(), secret),
            previous_keys: vec![],
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
}

/// `typ` of the tokens that are issued (RFC 9068).
const TYPE: &str = "at+jwt";

/// Header parameters that would change what a token means, or where its key
/// comes from.
const REFUSED_PARAMETERS: [&str; 9] =
    ["crit", "b64", "zip", "jku", "jwk", "x5u", "x5c", "x5t", "cty"];

/// Issues and verifies tokens.
pub struct JwtService {
    config: JwtConfig,
    signing: EncodingKey,
    keys: BTreeMap<String, DecodingKey>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for JwtService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwtService(issuer: {}, keys: {})", self.config.issuer, self.keys.len())
    }
}

impl JwtService {
    /// A service that tells the time by `clock`.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn try_new(config: JwtConfig, clock: Arc<dyn Clock>) -> Result<Self, JwtConfigError> {
        // The library verifies through a process-wide provider and panics
        // without one. Somebody else may have installed it already.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        if config.issuer.is_empty() || config.audience.is_empty() {
            return Err(JwtConfigError::Nameless);
        }
        if i64::try_from(config.ttl.as_secs()).is_err() {
            return Err(JwtConfigError::Lifetime);
        }
        let mut keys = BTreeMap::new();
        for (id, secret) in std::iter::once(&config.key).chain(&config.previous_keys) {
            if keys.insert(id.clone(), DecodingKey::from_secret(secret.bytes())).is_some() {
                return Err(JwtConfigError::DuplicateKey(id.clone()));
            }
        }
        let signing = EncodingKey::from_secret(config.key.1.bytes());
        Ok(Self { config, signing, keys, clock })
    }

    /// Issues a token: issuer, audience, times and a random id are set here.
    ///
    /// # Errors
    /// [`TokenError::Signing`] when a claim cannot be written, or the operating
    /// system gives no random bytes.
    pub fn issue(&self, mut claims: Claims) -> Result<String, TokenError> {
        let now = self.clock.now().timestamp();
        let ttl = i64::try_from(self.config.ttl.as_secs()).unwrap_or(i64::MAX);
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| TokenError::Signing)?;
        claims.iss.clone_from(&self.config.issuer);
        claims.aud = vec![self.config.audience.clone()];
        claims.iat = now;
        claims.exp = now.saturating_add(ttl);
        claims.jti = Some(URL_SAFE_NO_PAD.encode(id));
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.config.key.0.clone());
        jsonwebtoken::encode(&header, &claims, &self.signing).map_err(|_| TokenError::Signing)
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
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, _signature] = parts.as_slice() else {
            return Err(TokenError::Malformed);
        };
        let header = object(header)?;
        let key = self.check_header(&header)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        jsonwebtoken::decode::<serde::de::IgnoredAny>(token, key, &validation)
            .map_err(|_| TokenError::Signature)?;
        self.check_claims(&object(payload)?)
    }

    fn check_header(&self, header: &BTreeMap<String, Value>) -> Result<&DecodingKey, TokenError> {
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        if let Some(name) = REFUSED_PARAMETERS.iter().find(|name| header.contains_key(**name)) {
            return Err(TokenError::Header(name));
        }
        if text("alg") != Some("HS256") {
            return Err(TokenError::Header("alg"));
        }
        let typ = text("typ").unwrap_or_default();
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        if !typ.eq_ignore_ascii_case(TYPE) {
            return Err(TokenError::Header("typ"));
        }
        let id = text("kid").ok_or(TokenError::Header("kid"))?;
        self.keys.get(id).ok_or(TokenError::UnknownKey)
    }

    fn check_claims(&self, payload: &BTreeMap<String, Value>) -> Result<Claims, TokenError> {
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
        let object = payload.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let claims: Claims =
            serde_json::from_value(Value::Object(object)).map_err(|_| TokenError::Malformed)?;
        if claims.iss != self.config.issuer {
            return Err(TokenError::Refused("iss"));
        }
        if !claims.aud.contains(&self.config.audience) {
            return Err(TokenError::Refused("aud"));
        }
        Ok(claims)
    }
}

/// A JSON object whose members are all different: with two of one name, two
/// programs may read two different tokens.
fn object(part: &str) -> Result<BTreeMap<String, Value>, TokenError> {
    struct Members(BTreeMap<String, Value>);

    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Unique;
            impl<'de> Visitor<'de> for Unique {
                type Value = Members;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object without repeated members")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = BTreeMap::new();
                    while let Some((name, value)) = map.next_entry::<String, Value>()? {
                        if members.insert(name, value).is_some() {
                            return Err(serde::de::Error::custom("repeated member"));
                        }
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(Unique)
        }
    }

    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    let members: Members = serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)?;
    Ok(members.0)
}
