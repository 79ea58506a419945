//! Which lines are written, changed while the process runs.

use std::fmt;
use std::future::pending;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use arcly_http_core::scope::current::{self, Identity};
use arcly_http_core::task::Stop;
use arcly_http_macros::{Token, module, provider};
use arcly_http_web::admin::LogControl;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use super::ACCESS;

/// Most rules at a time.
const RULES_MAX: usize = 32;
/// How long a rule may hold.
const RULE_TIME_MAX: Duration = Duration::from_secs(3_600);
/// Longest filter, route or principal, in bytes.
const TEXT_MAX: usize = 1_024;

/// Changes which lines of the log are written, without a restart: the filter itself,
/// or rules that show more of one route or one principal for a while.
///
/// While there is no rule, a line that is not written costs what it always does: its
/// callsite is off. With one, callsites up to its level ask for the identity of the
/// work that they are in.
///
/// An application injects it, when a module imports [`struct@LogLevelModule`]. Operators use
/// the admin listener:
///
/// ```sh
/// curl localhost:3001/loglevel
/// curl localhost:3001/loglevel -H 'content-type: application/json' \
///   -d '{"rule": {"route": "/articles/{slug}", "principal": "ann", "level": "debug", "seconds": 300}}'
/// curl localhost:3001/loglevel -H 'content-type: application/json' \
///   -d '{"filter": "info,my_app=debug", "seconds": 600}'
/// curl localhost:3001/loglevel -H 'content-type: application/json' -d '{"reset": true}'
/// ```
#[derive(Clone, Token)]
pub struct LogLevels(Arc<Shared>);

impl fmt::Debug for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogLevels").field(&self.show()).finish()
    }
}

struct Shared {
    state: RwLock<State>,
    changed: Notify,
}

struct State {
    /// Added to every filter, unless the filter speaks of it.
    addition: &'static str,
    configured: String,
    filter: String,
    /// When the filter is the configured one again.
    filter_until: Option<Instant>,
    /// What the text of the filter means.
    base: EnvFilter,
    rules: Vec<Active>,
}

struct Active {
    rule: LogRule,
    until: Instant,
}

/// Shows lines that the filter leaves out; it never hides any.
///
/// Without route and principal, it is for everything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRule {
    /// Only of requests that this route answers: its path as the log shows it.
    pub route: Option<String>,
    /// Only of this principal's requests, from where it is known who asks.
    pub principal: Option<String>,
    /// The least important level that is shown.
    pub level: Level,
}

impl LogRule {
    /// Shows all lines of this level and above.
    #[must_use]
    pub fn all(level: Level) -> Self {
        Self { route: None, principal: None, level }
    }

    /// Only those of one route.
    #[must_use]
    pub fn of_route(mut self, route: impl Into<String>) -> Self {
        self.route = Some(route.into());
        self
    }

    /// Only those of one principal.
    #[must_use]
    pub fn of_principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    fn fits(&self, identity: Option<&Identity>) -> bool {
        if self.route.is_none() && self.principal.is_none() {
            return true;
        }
        let Some(identity) = identity else { return false };
        let principal = || identity.principal.as_ref().map(|claims| claims.subject());
        self.route.as_deref().is_none_or(|route| route == identity.route)
            && self.principal.as_deref().is_none_or(|wanted| principal() == Some(wanted))
    }
}

/// Why levels stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogLevelError {
    /// The filter cannot be read.
    #[error("`{filter}` is not a log filter: write it as in `info,my_app=debug`")]
    Filter {
        /// What was given.
        filter: String,
    },
    /// Something is to hold for no time, or for too long.
    #[error("say for how long: from 1 s to {} s", RULE_TIME_MAX.as_secs())]
    Time,
    /// A text is too long.
    #[error("a filter, a route or a principal may have {TEXT_MAX} bytes")]
    TooLong,
    /// As many rules hold as may.
    #[error("{RULES_MAX} rules hold, which is the most; reset them, or wait for their end")]
    Full,
}

impl LogLevels {
    /// Levels of their own, for a subscriber of your own: give [`LogLevels::filter`] to
    /// the layer that writes.
    ///
    /// # Errors
    /// When the filter cannot be read.
    pub fn new(filter: &str) -> Result<Self, LogLevelError> {
        Ok(Self::of(filter, parsed(filter, "")?))
    }

    fn of(filter: &str, base: EnvFilter) -> Self {
        let state = State {
            addition: "",
            configured: filter.to_owned(),
            filter: filter.to_owned(),
            filter_until: None,
            base,
            rules: vec![],
        };
        Self(Arc::new(Shared { state: RwLock::new(state), changed: Notify::new() }))
    }

    /// The levels of the log that `#[arcly_http::main]` starts; before that, and in
    /// tests, changing them has no effect.
    #[must_use]
    pub fn of_process() -> Self {
        static OWN: OnceLock<LogLevels> = OnceLock::new();
        OWN.get_or_init(|| Self::of("info", EnvFilter::new("info"))).clone()
    }

    /// Takes the configuration's filter; `addition` stands for what every later one
    /// leaves open.
    pub(super) fn configure(&self, filter: &str, addition: &'static str) {
        self.change(|state| {
            state.addition = addition;
            state.base = parsed(filter, addition).unwrap_or_else(|_| EnvFilter::new("info"));
            filter.clone_into(&mut state.configured);
            filter.clone_into(&mut state.filter);
        });
    }

    /// The filter for a layer that writes.
    pub fn filter<S>(&self) -> impl Filter<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        Written(Arc::clone(&self.0))
    }

    /// Replaces the filter, as in `info,my_app=debug`; values of fields
    /// (`[span{field=value}]`) are texts, not patterns. After `time`, at most 1 hour, the
    /// configured one holds again. Without a time it holds until the process ends.
    ///
    /// # Errors
    /// [`LogLevelError`].
    pub fn set_filter(&self, filter: &str, time: Option<Duration>) -> Result<(), LogLevelError> {
        if filter.len() > TEXT_MAX {
            return Err(LogLevelError::TooLong);
        }
        let until = time.map(end_of).transpose()?;
        let base = parsed(filter, self.state().addition)?;
        self.change(|state| {
            state.base = base;
            filter.clone_into(&mut state.filter);
            state.filter_until = until;
        });
        Ok(())
    }

    /// Adds a rule for `time`, at most 1 hour, or lets one that is like it hold so long.
    ///
    /// # Errors
    /// [`LogLevelError`]; 32 rules may hold at a time.
    pub fn add(&self, rule: LogRule, time: Duration) -> Result<(), LogLevelError> {
        let is_long = |text: &Option<String>| text.as_ref().is_some_and(|t| t.len() > TEXT_MAX);
        if is_long(&rule.route) || is_long(&rule.principal) {
            return Err(LogLevelError::TooLong);
        }
        let until = end_of(time)?;
        self.change(|state| {
            match state.rules.iter().position(|active| active.rule == rule) {
                Some(at) => state.rules[at].until = until,
                None if state.rules.len() >= RULES_MAX => return Err(LogLevelError::Full),
                None => state.rules.push(Active { rule, until }),
            }
            Ok(())
        })
    }

    /// Ends all rules, and lets the configured filter hold again.
    pub fn reset(&self) {
        self.change(|state| {
            state.rules.clear();
            state.restore();
        });
    }

    /// Ends what is over, until it is told to stop; `#[arcly_http::main]` has a task for
    /// it. A rule ends by itself without this, but callsites go on asking for it, and a
    /// filter for a while stays until the next change.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn run(&self, stop: Stop) {
        loop {
            // Made before the state is read, so that no change is missed.
            let changed = self.0.changed.notified();
            let next = self.state().next_end();
            let end = async {
                match next {
                    Some(end) => sleep_until(end).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = stop.requested() => return,
                () = changed => {}
                () = end => self.change(|_| ()),
            }
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.state()
    }

    /// Forgets what is over as well, and makes callsites ask anew.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = {
            let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            state.rules.retain(|active| active.until > now);
            if state.filter_until.is_some_and(|until| until <= now) {
                state.restore();
            }
            change(&mut state)
        };
        tracing_core::callsite::rebuild_interest_cache();
        self.0.changed.notify_one();
        result
    }
}

fn end_of(time: Duration) -> Result<Instant, LogLevelError> {
    if time.is_zero() || time > RULE_TIME_MAX {
        return Err(LogLevelError::Time);
    }
    Ok(Instant::now() + time)
}

fn parsed(filter: &str, addition: &str) -> Result<EnvFilter, LogLevelError> {
    let text = match addition.is_empty() || filter.contains(ACCESS) {
        true => filter.to_owned(),
        false => format!("{filter},{addition}"),
    };
    // Without patterns for values of fields: one of a hundred signs may take minutes, and
    // all memory.
    let builder = EnvFilter::builder().with_regex(false);
    builder.parse(text).map_err(|_| LogLevelError::Filter { filter: filter.to_owned() })
}

impl State {
    fn restore(&mut self) {
        if self.filter != self.configured
            && let Ok(base) = parsed(&self.configured, self.addition)
        {
            self.base = base;
            self.filter.clone_from(&self.configured);
        }
        self.filter_until = None;
    }

    fn next_end(&self) -> Option<Instant> {
        self.rules.iter().map(|active| active.until).chain(self.filter_until).min()
    }

    /// Whether a rule asks for lines of this level at all.
    fn has_rule_for(&self, level: Level) -> bool {
        self.rules.iter().any(|active| level <= active.rule.level)
    }

    fn is_shown_by_a_rule(&self, metadata: &Metadata<'_>) -> bool {
        if !self.has_rule_for(*metadata.level()) {
            return false;
        }
        let now = Instant::now();
        current::with(|identity| {
            // The pipeline asks beforehand whether anybody reads the line about an
            // answered request; when it writes it, it is known whose it is.
            if identity.is_none() && metadata.target() == ACCESS {
                return true;
            }
            self.rules.iter().any(|Active { rule, until }| {
                *metadata.level() <= rule.level && *until > now && rule.fits(identity)
            })
        })
    }
}

impl Shared {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets lines through.
struct Written(Arc<Shared>);

/// Everything that is not about rules is [`EnvFilter`]'s.
impl<S> Filter<S> for Written
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        let state = self.0.state();
        Filter::<S>::enabled(&state.base, metadata, context) || state.is_shown_by_a_rule(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let state = self.0.state();
        let interest = Filter::<S>::callsite_enabled(&state.base, metadata);
        if !interest.is_always() && state.has_rule_for(*metadata.level()) {
            return Interest::sometimes();
        }
        interest
    }

    fn event_enabled(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool {
        let state = self.0.state();
        Filter::<S>::event_enabled(&state.base, event, context)
            || state.is_shown_by_a_rule(event.metadata())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let state = self.0.state();
        let base = Filter::<S>::max_level_hint(&state.base)?;
        let rules = state.rules.iter().map(|active| LevelFilter::from_level(active.rule.level));
        Some(rules.fold(base, LevelFilter::max))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_new_span(&self.0.state().base, attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Filter::<S>::on_record(&self.0.state().base, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_enter(&self.0.state().base, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_exit(&self.0.state().base, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Filter::<S>::on_close(&self.0.state().base, id, context);
    }
}

/// What is asked for by JSON: one of the three.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    untagged,
    expecting = "write {\"rule\": {\"route\": .., \
    \"principal\": .., \"level\": \"debug\", \"seconds\": 300}}, {\"filter\": \"info\", \
    \"seconds\": 300} or {\"reset\": true}"
)]
enum Wanted {
    Rule { rule: WantedRule },
    Filter(WantedFilter),
    Reset(WantedReset),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedRule {
    route: Option<String>,
    principal: Option<String>,
    level: String,
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedFilter {
    filter: String,
    seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedReset {
    reset: bool,
}

#[derive(Serialize)]
struct Shown<'s> {
    configured: &'s str,
    filter: &'s str,
    filter_ends_in_s: Option<u64>,
    rules: Vec<ShownRule<'s>>,
}

#[derive(Serialize)]
struct ShownRule<'s> {
    route: Option<&'s str>,
    principal: Option<&'s str>,
    level: String,
    ends_in_s: u64,
}

impl LogControl for LogLevels {
    fn show(&self) -> Value {
        let state = self.state();
        let now = Instant::now();
        let left = |until: Instant| until.saturating_duration_since(now).as_secs();
        let rules = state.rules.iter().filter(|active| active.until > now);
        let rules = rules.map(|Active { rule, until }| ShownRule {
            route: rule.route.as_deref(),
            principal: rule.principal.as_deref(),
            level: rule.level.as_str().to_ascii_lowercase(),
            ends_in_s: left(*until),
        });
        let shown = Shown {
            configured: &state.configured,
            filter: &state.filter,
            filter_ends_in_s: state.filter_until.map(left),
            rules: rules.collect(),
        };
        serde_json::to_value(shown).unwrap_or_default()
    }

    fn change(&self, wanted: Value) -> Result<(), String> {
        let wanted: Wanted = serde_json::from_value(wanted).map_err(|error| error.to_string())?;
        let changed = match wanted {
            Wanted::Rule { rule: WantedRule { route, principal, level, seconds } } => {
                let level: Level = level
                    .parse()
                    .map_err(|_| "`level` is one of error, warn, info, debug, trace".to_owned())?;
                self.add(LogRule { route, principal, level }, Duration::from_secs(seconds))
            }
            Wanted::Filter(WantedFilter { filter, seconds }) => {
                self.set_filter(&filter, seconds.map(Duration::from_secs))
            }
            Wanted::Reset(WantedReset { reset: true }) => {
                self.reset();
                Ok(())
            }
            Wanted::Reset(WantedReset { reset: false }) => {
                return Err("`reset` can only be true".to_owned());
            }
        };
        changed.map_err(|error| error.to_string())
    }
}

/// The levels of the process's log, as a provider.
#[provider]
pub fn log_levels() -> LogLevels {
    LogLevels::of_process()
}

/// Provides [`LogLevels`] to the modules that import it.
#[module(providers(log_levels), exports(log_levels))]
pub struct LogLevelModule;
