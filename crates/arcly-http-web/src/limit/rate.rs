//! Rate limits of operations.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::contract::Operation;
use arcly_http_core::observe::Counter;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::rate::{Quota, RateLimitStore, Verdict};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Head;
use crate::serve::network;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Whom a rate limit counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// The address of the connection; of IPv6, its /64. Counted before credentials
    /// are looked at. Behind a proxy that is the proxy's.
    Address,
    /// The subject of the caller's credentials, after the access rule; the address
    /// of an anonymous caller.
    Principal,
    /// The tenant of the caller's credentials, after the access rule; the principal
    /// of a caller without one.
    Tenant,
}

/// How often an operation may be called. All operations below the level that says
/// it share it.
///
/// `rate_limit("100/min", per = principal)` on a route, a controller or a module is
/// the same as this, which is for all operations:
///
/// ```
/// use std::time::Duration;
/// use arcly_http_web::App;
/// use arcly_http_web::limit::{Per, RateLimit};
///
/// fn limited(app: App) -> App {
///     let limit = RateLimit::new(100, Duration::from_secs(60), Per::Principal);
///     app.configure(|config| config.rate_limits.push(limit))
/// }
/// # let _ = limited;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    quota: Quota,
    per: Per,
}

impl RateLimit {
    /// `count` requests in `period` for each of `per`.
    #[must_use]
    pub const fn new(count: u32, period: Duration, per: Per) -> Self {
        Self { quota: Quota::new(count, period), per }
    }
}

/// A rate limit of one level.
#[derive(Debug, Clone)]
pub(crate) struct Rated {
    limit: RateLimit,
    /// What its counts are kept under.
    policy: Arc<str>,
    /// What clients are told that it is called.
    name: String,
}

impl Rated {
    /// Names the limits of the level `place`, which clients know as `level`.
    pub(crate) fn all(limits: &[RateLimit], level: &str, place: &str) -> Vec<Self> {
        let mut named: Vec<Self> = vec![];
        for limit in limits {
            let per = match limit.per {
                Per::Address => "address",
                Per::Principal => "principal",
                Per::Tenant => "tenant",
            };
            let mut name = format!("{level}-{per}");
            if named.iter().any(|other| other.name == name) {
                let _ = write!(name, "-{}", named.len() + 1);
            }
            let policy = format!("{place}:{name}").into();
            named.push(Self { limit: *limit, policy, name });
        }
        named
    }
}

/// All rate limits of one operation.
pub(crate) struct Rates {
    limits: Vec<Rated>,
    cost: u32,
    store: Arc<dyn RateLimitStore>,
    refused: Counter,
    /// `ratelimit-policy`.
    policies: HeaderValue,
}

impl Rates {
    /// `None` when there are none.
    ///
    /// # Errors
    /// When one request costs more than a limit has.
    pub(crate) fn new(
        limits: Vec<Rated>,
        cost: u32,
        store: &Arc<dyn RateLimitStore>,
        refused: &Counter,
    ) -> Result<Option<Self>, String> {
        if limits.is_empty() {
            return Ok(None);
        }
        let mut policies = String::new();
        for Rated { limit: RateLimit { quota, .. }, name, .. } in &limits {
            if cost > quota.count() {
                return Err(format!(
                    "`rate_cost = {cost}` is more than the limit `{name}` ever has, {}",
                    quota.count()
                ));
            }
            let separator = if policies.is_empty() { "" } else { ", " };
            let window = seconds(quota.period());
            let _ = write!(policies, "{separator}\"{name}\";q={};w={window}", quota.count());
        }
        let policies = HeaderValue::try_from(policies).map_err(|error| error.to_string())?;
        Ok(Some(Self {
            limits,
            cost,
            store: Arc::clone(store),
            refused: refused.clone(),
            policies,
        }))
    }

    pub(crate) fn describe(operation: &mut Operation) {
        operation.problems(&[&kinds::TOO_MANY_REQUESTS, &kinds::UNAVAILABLE]);
        operation.header_everywhere::<String>(
            "ratelimit",
            "What is left of each limit (`r`), and in how many seconds all of it is there again (`t`).",
        );
        operation.header_everywhere::<String>(
            "ratelimit-policy",
            "The limits: so many requests (`q`) in so many seconds (`w`).",
        );
    }

    /// Counts what is known by now: addresses before credentials, callers after
    /// the access rule. `told` is what the client will be told.
    pub(crate) async fn take(
        &self,
        head: &Head,
        is_known: bool,
        told: &mut String,
    ) -> Result<(), Problem> {
        for rated in &self.limits {
            let RateLimit { quota, per } = rated.limit;
            if (per != Per::Address) != is_known {
                continue;
            }
            let key = key(per, head);
            let verdict = self.store.take(&rated.policy, &key, quota, self.cost).await;
            let verdict =
                verdict.map_err(|error| Problem::of(&kinds::UNAVAILABLE).caused_by(error))?;
            tell(told, &rated.name, verdict);
            if !verdict.is_admitted {
                self.refused.increment();
                let wait = seconds(verdict.retry_after);
                return Err(Problem::of(&kinds::TOO_MANY_REQUESTS)
                    .with_detail(format!(
                        "the limit `{}` is used up; try again in {wait} s",
                        rated.name
                    ))
                    .with_header(RETRY_AFTER, HeaderValue::from(wait)));
            }
        }
        Ok(())
    }

    /// Adds the headers of draft-ietf-httpapi-ratelimit-headers.
    pub(crate) fn sign(&self, told: &str, headers: &mut HeaderMap) {
        headers.insert(RATELIMIT_POLICY, self.policies.clone());
        if !told.is_empty()
            && let Ok(told) = HeaderValue::from_str(told)
        {
            headers.insert(RATELIMIT, told);
        }
    }
}

fn tell(told: &mut String, name: &str, verdict: Verdict) {
    let separator = if told.is_empty() { "" } else { ", " };
    let (remaining, reset) = (verdict.remaining, seconds(verdict.reset));
    let _ = write!(told, "{separator}\"{name}\";r={remaining};t={reset}");
}

/// Whole seconds, and rather one more: who comes back by then is not refused again.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn key(per: Per, head: &Head) -> String {
    let claims = head.claims.as_ref();
    match (per, claims, claims.and_then(|claims| claims.tenant())) {
        (Per::Tenant, _, Some(tenant)) => format!("tenant {tenant}"),
        (Per::Principal | Per::Tenant, Some(claims), _) => {
            format!("principal {} {}", claims.iss, claims.subject())
        }
        _ => match head.client.map(network) {
            Some(address) => address.to_string(),
            None => "unknown".to_owned(),
        },
    }
}
