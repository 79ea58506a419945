//! Rate limits of several processes, counted by Redis or Valkey.

use std::fmt;
use std::time::Duration;

use arcly_http_core::di::{Key, Token};
use arcly_http_core::observe::{HealthCheck, HealthFuture};
use arcly_http_core::rate::{Quota, RateLimitError, RateLimitFuture, RateLimitStore, Verdict};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo as _, RedisError, Script};

/// Counts in a Redis (6 or later) or Valkey server, by the rule of [`Quota::take`] and the
/// server's clock, in one script: processes that share the server share the quotas. A key
/// takes about 100 bytes there and is gone when its quota is whole again.
///
/// The server is asked for each limit of each request; an answer that takes longer than
/// the timeout (500 ms) is an error, and then the request is refused. A lost connection is
/// made again by itself.
///
/// A factory provides it:
///
/// ```
/// # use arcly_http::prelude::*;
/// # use arcly_http::observe::HealthCheck;
/// # use arcly_http::rate::RateLimitStore;
/// use arcly_http::web::limit::{RedisRateLimitError, RedisRateLimits};
///
/// #[derive(Config)]
/// #[config(section = "limits")]
/// struct LimitConfig {
///     /// `redis://host:6379/0`, or `rediss://` for TLS.
///     url: String,
/// }
///
/// #[provider]
/// async fn limits(config: Inject<LimitConfig>) -> Result<RedisRateLimits, RedisRateLimitError> {
///     RedisRateLimits::connect(&config.url, "my-shop").await
/// }
///
/// #[module(
///     global,
///     providers(LimitConfig, limits as dyn RateLimitStore as dyn HealthCheck),
///     exports(dyn RateLimitStore)
/// )]
/// struct LimitModule;
/// # #[module(root, imports(LimitModule))] struct AppModule;
/// ```
pub struct RedisRateLimits {
    connection: ConnectionManager,
    script: Script,
    prefix: String,
}

/// Why no store could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisRateLimitError {
    /// The address is none.
    #[error("the address of Redis is not valid; write `redis://host:6379/0`")]
    Address(#[source] RedisError),
    /// The server does not answer, or not as one.
    #[error("Redis cannot be asked for rate limits")]
    Connect(#[source] RedisError),
    /// Its values would mix with others.
    #[error("the prefix of the keys is letters, digits, `-`, `_` and `.`, 64 at most")]
    Prefix,
}

/// How long the server may take to answer.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// How long it may take until there is a connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Microseconds: nanoseconds since 1970 do not fit into the numbers of Lua. An attempt
/// uses a microsecond at least, so a quota of more than a million a second is less there
/// than in one process.
const SCRIPT: &str = r"
local period, count, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local before = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') - now, 0)
local used = before + math.max(math.floor(cost * period / count), cost)
if used > period then
  return {0, before, used - period}
end
redis.call('SET', KEYS[1], string.format('%.0f', now + used), 'PX', math.ceil(used / 1000))
return {1, used, 0}
";

impl fmt::Debug for RedisRateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisRateLimits({})", self.prefix)
    }
}

impl RedisRateLimits {
    /// Connects, and tries the script. All keys begin with `prefix`: the name of the
    /// application, if several share the server.
    ///
    /// # Errors
    /// [`RedisRateLimitError`], whose text has no part of the address: there may be a
    /// password in it.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, RedisRateLimitError> {
        let is_sign = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(is_sign) {
            return Err(RedisRateLimitError::Prefix);
        }
        let address = url.into_connection_info().map_err(RedisRateLimitError::Address)?;
        let client = Client::open(address).map_err(RedisRateLimitError::Address)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(ANSWER_MAX))
            .set_number_of_retries(1)
            .set_max_delay(CONNECT_MAX);
        let connection = client
            .get_connection_manager_with_config(config)
            .await
            .map_err(RedisRateLimitError::Connect)?;
        let store = Self { connection, script: Script::new(SCRIPT), prefix: prefix.to_owned() };
        let probe = Quota::new(1, Duration::from_millis(1));
        store.ask("", "probe", probe, 1).await.map_err(RedisRateLimitError::Connect)?;
        Ok(store)
    }

    async fn ask(
        &self,
        policy: &str,
        key: &str,
        quota: Quota,
        cost: u32,
    ) -> Result<Verdict, RedisError> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX >> 11);
        let period = micros(quota.period()).max(1);
        let mut connection = self.connection.clone();
        let (admitted, used, over): (u8, u64, u64) = self
            .script
            .key(format!("{}:rate:{policy}:{key}", self.prefix))
            .arg(period)
            .arg(quota.count())
            .arg(cost)
            .invoke_async(&mut connection)
            .await?;
        let each = (period / u64::from(quota.count())).max(1);
        let remaining = u32::try_from(period.saturating_sub(used) / each).unwrap_or(u32::MAX);
        Ok(Verdict {
            is_admitted: admitted == 1,
            remaining: remaining.min(quota.count()),
            reset: Duration::from_micros(used),
            retry_after: Duration::from_micros(over),
        })
    }
}

impl RateLimitStore for RedisRateLimits {
    fn take<'a>(
        &'a self,
        policy: &'a str,
        key: &'a str,
        quota: Quota,
        cost: u32,
    ) -> RateLimitFuture<'a> {
        Box::pin(async move {
            let asked = self.ask(policy, key, quota, cost).await;
            asked.map_err(|error| RateLimitError(error.into()))
        })
    }
}

impl HealthCheck for RedisRateLimits {
    fn name(&self) -> &str {
        "rate limits"
    }

    fn check(&self) -> HealthFuture<'_> {
        Box::pin(async {
            let mut connection = self.connection.clone();
            let asked = redis::cmd("PING").query_async::<String>(&mut connection).await;
            asked.map(|_| ()).map_err(|error| error.to_string())
        })
    }
}

impl Token for RedisRateLimits {
    const KEY: Key = Key::of("arcly_http::RedisRateLimits", 0, 0);
}
