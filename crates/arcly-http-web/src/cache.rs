//! Responses that are kept, and given to others who ask for the same.

mod entry;
mod flight;
mod key;
mod store;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::access::Access;
use arcly_http_core::cache::{Mark, ResponseCache};
use arcly_http_core::contract::Operation;
use arcly_http_core::di::RouteFact;
use arcly_http_core::problem::Problem;
use arcly_http_core::time::Clock;
use http::header::{AUTHORIZATION, COOKIE, Entry as HeaderEntry, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, Method};
use http_body::Body as _;
use percent_encoding::percent_decode_str;

use crate::context::parameter_position;
use crate::pipeline::Route;
use crate::{Context, Head, Response};
pub(crate) use entry::Refused;
use entry::{Entry, Headers};
use flight::Outcome;
pub(crate) use flight::{Leading, Shared};
use key::{Key, KeyRule};
pub(crate) use store::{Store, StoreLimits};

/// How an operation's answers are kept: `cache("30s", ..)` in `#[get(..)]`.
///
/// ```
/// use std::time::Duration;
/// use arcly_http_web::Stages;
/// use arcly_http_web::cache::Cache;
///
/// // What `cache("30s", vary("accept-language"), tags("articles"))` stands for:
/// let cache = Cache::new(Duration::from_secs(30)).vary(&["accept-language"]).tags(&["articles"]);
/// let _ = Stages::new().cache(cache);
/// ```
///
/// | part | what it says |
/// |---|---|
/// | `"30s"` | how long an answer is given to others, at most; an answer whose own `cache-control` says less has less |
/// | `per = principal` | the default: those who send no credentials share an answer, on `#[public]` operations; whoever sends some has one of their own |
/// | `per = roles` | callers with the same tenant, roles and scopes share one: it may depend on these, and not on who they are |
/// | `per = everyone` | all share one, whatever credentials they send; on `#[public]` operations only |
/// | `vary("accept-language")` | headers of the request that the answer depends on: each value has an answer of its own |
/// | `tags("articles", "article:{slug}")` | what [`ResponseCache::invalidate_tag`] takes out; `{slug}` is what the path has there |
/// | `max_age = "10s"` | how long clients may use an answer without asking again; as nothing can be taken out of theirs, the default is to ask each time (`no-cache`), which costs a 304 |
///
/// Only access rule, rate limits and guards go before it: who may not call the operation
/// gets nothing out of the cache. Tower layers, interceptors and the handler are what is
/// kept. **The answer may depend on nothing but the path, the query, the host, the
/// caller and what `vary` names.** What reads something else does not compile where
/// that can be seen (a cookie, a `Header<..>` that `vary` does not name, a `ClientAddr`),
/// and does not launch where a provider reads it (`Scope`, where others get the answer).
///
/// # What is kept
/// Answers with status 200 and a body that is there at once, of at most
/// [`crate::app::LaunchConfig::cache_entry_max`] bytes; none with `set-cookie`,
/// `content-encoding`, a `vary` that is not declared, or a `cache-control` of `no-store`,
/// `no-cache` or, when others would get it, `private`. All together take up to
/// [`crate::app::LaunchConfig::cache_bytes_max`] bytes, then those that were not asked
/// for lately go. A kept answer has an `etag` of its bytes, unless it has one of its
/// own, an `age`, and a `cache-control`; who has it already gets 304. An answer that says
/// by `age` or `date` that it was kept elsewhere before, as that of another service may,
/// is so much older, and has so much less of its own time.
///
/// # At the same time
/// When several ask for what is not there, one handler works, and the others wait for
/// it, each until its own deadline. When its client leaves, it goes on as long as others
/// wait, as a task of the application, and counts with the status of its answer. If its
/// deadline ends it, or it panics, the next of them begins anew, which each does once at
/// most; if its answer cannot be kept, each works for itself. A tag that is invalidated
/// meanwhile is honoured: what was begun before is not kept, and who asks after it
/// does not get it.
///
/// # What clients say
/// `cache-control` of a request has no effect (`no-cache`, `no-store`): the cache is a
/// part of the operation, and nobody is to make it more expensive than it is. Requests
/// with `range`, `if-match`, a body, or a query and path of more than 4 KiB pass it by,
/// and so do requests with a cookie, unless `vary("cookie")` or `per = everyone`
/// stands there.
#[derive(Debug, Clone)]
pub struct Cache {
    ttl: Duration,
    per: CachePer,
    vary: &'static [&'static str],
    tags: &'static [&'static str],
    max_age: Option<Duration>,
}

/// Who shares an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CachePer {
    /// Whoever sends no credentials; each caller who does has one of its own.
    #[default]
    Principal,
    /// Callers with the same tenant, roles and scopes.
    Roles,
    /// All, whatever credentials they send.
    Everyone,
}

impl Cache {
    /// Keeps answers for so long.
    #[must_use]
    pub const fn new(ttl: Duration) -> Self {
        Self { ttl, per: CachePer::Principal, vary: &[], tags: &[], max_age: None }
    }

    /// Says who shares an answer.
    #[must_use]
    pub const fn per(mut self, per: CachePer) -> Self {
        self.per = per;
        self
    }

    /// Names headers of the request that the answer depends on.
    #[must_use]
    pub const fn vary(mut self, names: &'static [&'static str]) -> Self {
        self.vary = names;
        self
    }

    /// Names what takes an answer out.
    #[must_use]
    pub const fn tags(mut self, tags: &'static [&'static str]) -> Self {
        self.tags = tags;
        self
    }

    /// Lets clients use an answer without asking again.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Whether one caller gets what was made for another.
    pub(crate) fn mixes_callers(&self) -> bool {
        self.per != CachePer::Principal
    }

    pub(crate) fn describe(&self, operation: &mut Operation) {
        operation.reply_empty(304);
        for status in [200, 304] {
            operation.reply_header::<String>(status, "etag", "The version of the answer.");
        }
        let millis = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
        operation.extension("x-cache-ms", millis.into());
    }
}

/// The cache of one route.
pub(crate) struct Cached {
    rule: KeyRule,
    ttl: Duration,
    tags: Vec<TagText>,
    public: Headers,
    private: Headers,
    store: Arc<Store>,
    invalidated: ResponseCache,
    clock: Arc<dyn Clock>,
}

impl Cached {
    /// # Errors
    /// What is wrong with the settings.
    pub(crate) fn new(
        cache: &Cache,
        fact: &'static RouteFact,
        store: Arc<Store>,
        invalidated: ResponseCache,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        if cache.per == CachePer::Everyone && !matches!(fact.access, Access::Public) {
            return Err("`cache(.., per = everyone)` needs `#[public]`".to_owned());
        }
        let name = |name: &&str| {
            HeaderName::try_from(*name).map_err(|_| format!("cache: `{name}` is no header"))
        };
        let vary: Vec<HeaderName> = cache.vary.iter().map(name).collect::<Result<_, _>>()?;
        let mut told = vary.clone();
        if cache.per != CachePer::Everyone {
            // Whoever keeps answers on the way has to know that as well.
            told.extend([AUTHORIZATION, COOKIE].into_iter().filter(|name| !vary.contains(name)));
        }
        let headers = |scope| Headers::new(scope, cache.max_age, &told);
        Ok(Self {
            ttl: cache.ttl,
            tags: cache.tags.iter().map(|tag| TagText::new(tag, fact)).collect::<Result<_, _>>()?,
            public: headers("public")?,
            private: headers("private")?,
            rule: KeyRule { fact, per: cache.per, vary },
            store,
            invalidated,
            clock,
        })
    }

    /// For one request: tells whether it works for others.
    pub(crate) fn leading(&self) -> Arc<Leading> {
        Leading::new(self.store.tasks.clone())
    }

    /// Stage 8: answers with what is kept, or lets the route answer, and keeps that.
    ///
    /// # Cancel safety
    /// Who is dropped while it works for others lets the next of them begin anew; who
    /// is in a [`Shared`] goes on.
    pub(crate) async fn answer(
        &self,
        route: &Route,
        context: &mut Context,
    ) -> Result<Response, Problem> {
        let has_body = context.body.as_ref().is_some_and(|body| !body.is_end_stream());
        let key = if has_body { None } else { self.rule.key(&context.head) };
        let Some(key) = key else { return route.handle(context).await };
        if let Some(entry) = self.find(&key) {
            self.store.counts.hits.increment();
            return Ok(self.give(&entry, &context.head.headers));
        }
        let joined = self.store.flights.join(
            &key,
            || self.mark(&context.head),
            |mark| self.invalidated.is_current(mark),
        );
        let leading = context.leading.clone();
        let (mut own, mut has_worked) = (None, false);
        let work = async {
            // Another may have been done between the look and the joining.
            if let Some(entry) = self.find(&key) {
                return Outcome::Kept(entry);
            }
            has_worked = true;
            let _leads = joined.lead(leading);
            self.store.counts.misses.increment();
            let mark = self.mark(&context.head);
            let begun = self.clock.elapsed();
            // The answer is to be whole, so that there is something to keep.
            let conditions = take_conditions(&mut context.head.headers);
            let method = std::mem::replace(&mut context.head.method, Method::GET);
            let answered = route.handle(context).await;
            context.head.method = method;
            context.head.headers.extend(conditions);
            let kept = match &answered {
                Ok(response) => self.keep(&key, mark, begun, response),
                Err(_) => None,
            };
            kept.map_or_else(
                || {
                    own = Some(answered);
                    Outcome::Passed
                },
                Outcome::Kept,
            )
        };
        let outcome = joined.outcome(work).await;
        drop(joined);
        let asked = &context.head.headers;
        match (outcome, own) {
            (Outcome::Kept(entry), _) if has_worked => Ok(entry.respond(asked, None)),
            (Outcome::Kept(entry), _) => {
                self.store.counts.shared.increment();
                Ok(self.give(&entry, asked))
            }
            (Outcome::Passed, Some(own)) => own.map(|response| entry::conditional(asked, response)),
            (Outcome::Passed, None) => route.handle(context).await,
        }
    }

    fn find(&self, key: &Key) -> Option<Arc<Entry>> {
        let entry = self.store.get(key)?;
        let is_fresh =
            entry.until > self.clock.elapsed() && self.invalidated.is_current(&entry.mark);
        if is_fresh {
            return Some(entry);
        }
        self.store.remove(key, &entry);
        None
    }

    fn give(&self, entry: &Entry, asked: &HeaderMap) -> Response {
        let age = self.clock.elapsed().saturating_sub(entry.since);
        entry.respond(asked, Some(age))
    }

    /// `None` when it cannot be given to others.
    fn keep(
        &self,
        key: &Key,
        mark: Mark,
        begun: Duration,
        response: &Response,
    ) -> Option<Arc<Entry>> {
        let since = self.clock.elapsed();
        let age = entry::age_of(response, since.saturating_sub(begun), &*self.clock);
        let ttl = entry::time_to_live(response, age, self.ttl, key.is_shared(), &*self.clock)?;
        if !self.rule.covers(response.headers()) {
            return None;
        }
        let headers = if key.is_public() { &self.public } else { &self.private };
        let until = since.saturating_add(ttl);
        let entry = Entry::new(response, headers, age, since, until, mark)?;
        let entry = Arc::new(entry);
        // What was invalidated meanwhile is for those who had asked before, and no one
        // else; it would not be found, either.
        if self.invalidated.is_current(&entry.mark) {
            self.store.insert(key, Arc::clone(&entry));
        }
        Some(entry)
    }

    fn mark(&self, head: &Head) -> Mark {
        let tags = self.tags.iter().map(|tag| self.invalidated.tag(&tag.of(head)));
        self.invalidated.mark(tags)
    }
}

fn take_conditions(headers: &mut HeaderMap) -> HeaderMap {
    let mut taken = HeaderMap::new();
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        if let HeaderEntry::Occupied(occupied) = headers.entry(name) {
            let (name, values) = occupied.remove_entry_mult();
            for value in values {
                taken.append(name.clone(), value);
            }
        }
    }
    taken
}

/// The text of a tag, and where the path goes into it.
struct TagText(Vec<TagPart>);

enum TagPart {
    Fixed(&'static str),
    Parameter(usize),
}

impl TagText {
    fn new(tag: &'static str, fact: &RouteFact) -> Result<Self, String> {
        let mut parts = vec![];
        let mut rest = tag;
        while let Some((fixed, behind)) = rest.split_once('{') {
            let parameter = behind
                .split_once('}')
                .and_then(|(name, behind)| Some((parameter_position(fact.path, name)?, behind)));
            let Some((position, behind)) = parameter else {
                return Err(format!("cache: `{tag}` names no parameter of `{}`", fact.path));
            };
            parts.extend([TagPart::Fixed(fixed), TagPart::Parameter(position)]);
            rest = behind;
        }
        parts.push(TagPart::Fixed(rest));
        Ok(Self(parts))
    }

    fn of(&self, head: &Head) -> Cow<'static, str> {
        if let [TagPart::Fixed(fixed)] = self.0.as_slice() {
            return Cow::Borrowed(fixed);
        }
        let mut text = String::new();
        for part in &self.0 {
            match part {
                TagPart::Fixed(fixed) => text.push_str(fixed),
                TagPart::Parameter(position) => {
                    let value = head.parameter_at(*position).unwrap_or_default();
                    text.push_str(&percent_decode_str(value).decode_utf8_lossy());
                }
            }
        }
        Cow::Owned(text)
    }
}
