//! What is asked for, and by whom: requests with the same key get the same answer.

use std::borrow::Cow;

use arcly_http_core::di::RouteFact;
use arcly_http_core::scope::Claims;
use http::header::{
    ACCEPT_ENCODING, COOKIE, HOST, IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, VARY,
};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;

use super::CachePer;
use crate::Head;
use crate::context::Seen;

/// Invariant: whatever an answer may depend on is in here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The address of the route's metadata, which is static.
    route: usize,
    /// As clients wrote it, in lower case: an answer may have links.
    authority: Box<str>,
    path: Box<str>,
    query: Box<str>,
    tenant: Option<Box<str>>,
    who: Who,
    /// The values of the headers that `vary` names, in that order.
    variant: Box<[Option<Box<[u8]>>]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    /// Nobody who said who they are, or it does not matter.
    Anybody,
    /// What the credentials say, but for their own times and number.
    Principal(Box<str>),
    Roles(Box<str>),
}

/// Most bytes of a key: they are a part of what is kept.
const KEY_MAX: usize = 4 << 10;

impl Key {
    /// Whether it is for more than one caller.
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self.who, Who::Principal(_))
    }

    /// Whether it is for strangers as well.
    pub(super) fn is_public(&self) -> bool {
        self.who == Who::Anybody
    }

    pub(super) fn len(&self) -> usize {
        let who = match &self.who {
            Who::Anybody => 0,
            Who::Principal(text) | Who::Roles(text) => text.len(),
        };
        let tenant = self.tenant.as_ref().map_or(0, |tenant| tenant.len());
        let variant: usize = self.variant.iter().flatten().map(|value| value.len()).sum();
        self.authority.len() + self.path.len() + self.query.len() + tenant + who + variant
    }
}

#[cfg(test)]
impl Key {
    pub(super) fn of_path(path: &str) -> Self {
        Self {
            route: 0,
            authority: "".into(),
            path: path.into(),
            query: "".into(),
            tenant: None,
            who: Who::Anybody,
            variant: [].into(),
        }
    }
}

/// How the keys of a route are made.
pub(super) struct KeyRule {
    pub(super) fact: &'static RouteFact,
    pub(super) per: CachePer,
    pub(super) vary: Vec<HeaderName>,
}

impl KeyRule {
    /// `None`: the cache is passed by.
    pub(super) fn key(&self, head: &Head) -> Option<Key> {
        let headers = &head.headers;
        let asks_for_more = [RANGE, IF_RANGE, IF_MATCH, IF_UNMODIFIED_SINCE]
            .iter()
            .any(|n| headers.contains_key(n));
        // What a cookie means is not known here.
        let is_unknown = head.seen.has(Seen::COOKIE)
            && self.per != CachePer::Everyone
            && !self.vary.contains(&COOKIE);
        if asks_for_more || is_unknown {
            return None;
        }
        let claims = head.claims.as_deref();
        let who = match (self.per, claims) {
            (CachePer::Everyone, _) => Who::Anybody,
            (CachePer::Principal, Some(claims)) => Who::Principal(principal(claims)?),
            (CachePer::Roles, Some(claims)) => Who::Roles(roles(claims)?),
            // Credentials that nothing reads.
            (_, None) if head.seen.has(Seen::AUTHORIZATION) => return None,
            (_, None) => Who::Anybody,
        };
        let tenant = match self.per {
            CachePer::Everyone => None,
            CachePer::Principal | CachePer::Roles => tenant(head),
        };
        let key = Key {
            route: std::ptr::from_ref(self.fact) as usize,
            authority: authority(head)?,
            path: head.uri.path().into(),
            query: normal(head.uri.query().unwrap_or_default()),
            tenant,
            who,
            variant: self.vary.iter().map(|name| value(headers, name)).collect(),
        };
        (key.len() <= KEY_MAX).then_some(key)
    }

    /// Whether the key has all that a response says it depends on.
    pub(super) fn covers(&self, response: &HeaderMap) -> bool {
        response.get_all(VARY).iter().all(|line| {
            line.to_str().is_ok_and(|line| {
                line.split(',').map(str::trim).filter(|name| !name.is_empty()).all(|name| {
                    // What is kept has not been compressed yet.
                    name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str())
                        // Roles are not all that credentials say.
                        || (self.per == CachePer::Principal
                            && name.eq_ignore_ascii_case("authorization"))
                        // Requests with one pass by.
                        || (self.per != CachePer::Everyone && name.eq_ignore_ascii_case("cookie"))
                        || self.vary.iter().any(|known| name.eq_ignore_ascii_case(known.as_str()))
                })
            })
        })
    }
}

/// The tenant of the request: that of the credentials, as long as nothing else says it.
fn tenant(head: &Head) -> Option<Box<str>> {
    head.claims.as_ref().and_then(|claims| claims.tenant()).map(Into::into)
}

/// JSON, so that no two of them read the same.
fn principal(claims: &Claims) -> Option<Box<str>> {
    let Claims { iss, sub, aud, roles, scopes, extra, .. } = claims;
    serde_json::to_string(&(iss, sub, aud, roles, scopes, extra)).ok().map(Into::into)
}

fn roles(claims: &Claims) -> Option<Box<str>> {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list.dedup();
        list
    };
    serde_json::to_string(&(sorted(&claims.roles), sorted(&claims.scopes))).ok().map(Into::into)
}

fn authority(head: &Head) -> Option<Box<str>> {
    let authority = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => match head.headers.get(HOST) {
            Some(host) => host.to_str().ok()?,
            None => "",
        },
    };
    Some(authority.to_ascii_lowercase().into())
}

/// Several lines are one list.
fn value(headers: &HeaderMap, name: &HeaderName) -> Option<Box<[u8]>> {
    let mut lines = headers.get_all(name).iter();
    let mut value = lines.next()?.as_bytes().to_vec();
    for line in lines {
        value.push(b',');
        value.extend_from_slice(line.as_bytes());
    }
    Some(value.into())
}

/// The pairs of a query by their names; those of one name keep their order, which may
/// mean something.
fn normal(query: &str) -> Box<str> {
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_by_cached_key(|pair| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        let name = if name.contains('+') {
            Cow::Owned(name.replace('+', " "))
        } else {
            Cow::Borrowed(name)
        };
        Cow::from(percent_decode_str(&name)).into_owned()
    });
    pairs.join("&").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_the_same_when_they_mean_the_same() {
        #[track_caller]
        fn check(query: &str, expected: &str) {
            assert_eq!(&*normal(query), expected, "{query}");
        }
        check("", "");
        check("b=1&a=2", "a=2&b=1");
        check("a=2&b=1&&", "a=2&b=1");
        // Several values of one name are a list.
        check("b=1&a=2&a=1", "a=2&a=1&b=1");
        // A name is what it reads as.
        check("%61=2&a=1", "%61=2&a=1");
        check("a=1&%61=2", "a=1&%61=2");
        check("c=1&%61=2&b+c=1", "%61=2&b+c=1&c=1");
        check("a&a=", "a&a=");
    }

    #[test]
    fn a_principal_is_all_that_its_credentials_say() {
        let claims = Claims::about("anna");
        let same = Claims { exp: 7, jti: Some("1".into()), ..claims.clone() };
        assert_eq!(principal(&claims), principal(&same));
        for other in [
            Claims::about("bob"),
            claims.clone().with_scope("read"),
            claims.clone().with_role("editor"),
            Claims { iss: "else".into(), ..claims.clone() },
        ] {
            assert_ne!(principal(&claims), principal(&other));
        }
        let (ab, ba) = (
            claims.clone().with_role("a").with_role("b"),
            Claims::about("bob").with_role("b").with_role("a"),
        );
        assert_eq!(roles(&ab), roles(&ba));
        assert_ne!(roles(&ab), roles(&claims.with_role("a b")));
    }
}
