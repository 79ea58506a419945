//! What one origin was told in confidence.

use http::{HeaderMap, HeaderName};

/// The last letters of a word in the name of a header whose value is a secret.
const WORDS: [&str; 16] = [
    "auth",
    "authenticate",
    "authentication",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "csrf",
    "jwt",
    "password",
    "secret",
    "session",
    "signature",
    "sessionid",
    "token",
    "xsrf",
];

/// Removes the headers that another origin is not to see: those whose value is marked as
/// sensitive, and those whose name says that it is a secret. Nobody is asked whether it
/// is one: a header too few is an error that is seen, a secret too many is not.
pub(crate) fn forget(headers: &mut HeaderMap) {
    let secrets = headers.iter().filter(|(name, value)| value.is_sensitive() || is_secret(name));
    let names: Vec<HeaderName> = secrets.map(|(name, _)| name.clone()).collect();
    for name in names {
        headers.remove(name);
    }
}

fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    // It tells attempts apart, and is to be the same at the place that is redirected to.
    if name == "idempotency-key" {
        return false;
    }
    name.split(['-', '_']).any(|word| {
        WORDS.iter().any(|secret| word.ends_with(secret))
            || word == "key"
            || word.ends_with("apikey")
    })
}
