//! What a token says of its bearer.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The claims of a verified token (RFC 7519, RFC 9068).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom the token is about.
    pub sub: String,
    /// Who issued it.
    #[serde(default)]
    pub iss: String,
    /// For whom; one or several.
    #[serde(default, deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// Until when, in seconds since 1970.
    #[serde(default)]
    pub exp: i64,
    /// Since when it was issued.
    #[serde(default)]
    pub iat: i64,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The tenant that it is valid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What it may be used for; on the wire one string with spaces.
    #[serde(
        default,
        rename = "scope",
        serialize_with = "spaced",
        deserialize_with = "split",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub scopes: Vec<String>,
    /// Roles of the subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Claims {
    /// Claims about a subject; times, issuer and audience are set when a token
    /// is issued.
    #[must_use]
    pub fn about(subject: impl Into<String>) -> Self {
        Self { sub: subject.into(), ..Self::default() }
    }

    /// Adds a role.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Adds a scope.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Whom the token is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.sub
    }

    /// The tenant that the token is valid for.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Whether the subject has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|known| known == role)
    }

    /// Whether the token carries a scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known == scope)
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Aud {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Aud::deserialize(deserializer)? {
        Aud::One(one) => vec![one],
        Aud::Many(many) => many,
    })
}

#[expect(clippy::ptr_arg, reason = "serde passes the field as it is")]
fn spaced<S: Serializer>(scopes: &Vec<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&scopes.join(" "))
}

fn split<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
}
