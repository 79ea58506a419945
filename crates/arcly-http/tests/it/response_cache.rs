//! Answers that are kept: for whom, how long, and what takes them out.

mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arcly_http::access::{AuthError, AuthFuture, Authenticator, Credentials};
use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::time::{ManualClock, SystemClock};
use arcly_http::web::app::LaunchConfig;
use arcly_http::web::reply::{Response, with_type};
use arcly_http_testing::{TestApp, TestRequest, TestResponse};
use futures_util::future::join_all;
use http::{HeaderName, HeaderValue, Method};
use tokio::sync::Semaphore;

/// A token is `subject`, `subject/role` or `subject/role/tenant`.
#[derive(Injectable)]
struct Tokens;

impl Authenticator for Tokens {
    fn schemes(&self) -> &'static [&'static str] {
        &["Bearer"]
    }

    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> AuthFuture<'a> {
        let mut parts = credentials.token.split('/');
        let mut claims = Claims::about(parts.next().unwrap());
        claims.roles = parts.next().map(str::to_owned).into_iter().collect();
        claims.tenant = parts.next().map(str::to_owned);
        let claims = match claims.sub.as_str() {
            "bad" => Err(AuthError::Refused("no such token".into())),
            _ => Ok(Arc::new(claims)),
        };
        Box::pin(async move { claims })
    }
}

#[derive(Clone, Copy, Action)]
enum Report {
    #[action(role = "reader", role = "editor")]
    Read,
}

/// How often handlers ran, and a gate for those that wait.
#[derive(Injectable)]
struct Work {
    #[inject(default)]
    done: AtomicUsize,
    #[inject(default = Semaphore::new(0))]
    gate: Semaphore,
}

impl Work {
    /// Each answer is another one.
    fn next(&self) -> String {
        format!("answer {}", self.done.fetch_add(1, Ordering::SeqCst) + 1)
    }

    async fn wait(&self) {
        self.gate.acquire().await.unwrap().forget();
    }
}

#[derive(Injectable)]
struct Closed {
    #[inject(default)]
    is_open: std::sync::atomic::AtomicBool,
}

impl Guard for Closed {
    fn describe(operation: &mut Operation) {
        operation.problem(&arcly_http::problem::kinds::FORBIDDEN);
    }

    async fn check(&self, _head: &Head) -> Result<(), Problem> {
        match self.is_open.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(Problem::of(&arcly_http::problem::kinds::FORBIDDEN)),
        }
    }
}

/// A response with headers of its own.
struct With(String, Vec<(&'static str, &'static str)>);

impl Reply for With {
    fn describe(operation: &mut Operation) {
        operation.reply_raw(200, "text/plain; charset=utf-8");
        for name in ["set-cookie", "etag", "last-modified"] {
            operation.reply_header::<String>(200, name, "For tests.");
            operation.reply_header::<String>(304, name, "For tests.");
        }
    }

    fn reply(self, _head: &Head) -> Result<Response, Problem> {
        let mut response = with_type(self.0, "text/plain; charset=utf-8");
        for (name, value) in self.1 {
            let name = HeaderName::from_static(name);
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }
}

/// The method, as a handler may look at it.
struct HowAsked(Method);

impl FromRequest for HowAsked {
    type Error = Problem;

    fn describe(_operation: &mut Operation) {}

    async fn from_request(head: &Head) -> Result<Self, Problem> {
        Ok(Self(head.method().clone()))
    }
}

/// Answers where nothing is found.
#[derive(Injectable)]
struct Fallback;

impl Filter for Fallback {
    async fn catch(&self, _problem: Problem, _head: &Head) -> Result<Response, Problem> {
        Ok(with_type("fallback", "text/plain; charset=utf-8"))
    }
}

fn unchanged() -> tower::layer::util::Identity {
    tower::layer::util::Identity::new()
}

#[derive(Injectable)]
struct Kept {
    work: Inject<Work>,
}

#[controller("/kept")]
impl Kept {
    #[get("/", cache("30s"))]
    #[public]
    fn plain(&self) -> String {
        self.work.next()
    }

    /// Does no more than it has to.
    #[get("/head", cache("30s"))]
    #[public]
    fn head(&self, method: HowAsked) -> String {
        if method.0 == Method::HEAD { String::new() } else { self.work.next() }
    }

    #[get("/fallback", cache("30s"), filters(Fallback))]
    #[layers(unchanged)]
    #[public]
    fn fallback(&self) -> Option<String> {
        self.work.next();
        None
    }

    #[get("/list", cache("30s", vary("accept-language"), tags("articles"), max_age = "10s"))]
    #[public]
    async fn list(&self, accept_language: Option<Header<String>>) -> Json<String> {
        let language = accept_language.map_or_else(String::new, |language| language.0);
        Json(format!("{} {language}", self.work.next()))
    }

    #[get("/one/{slug}", cache("30s", tags("article:{slug}", "all")))]
    #[public]
    fn one(&self, slug: Path<String>) -> String {
        format!("{} {}", self.work.next(), slug.0)
    }

    #[get("/everyone", cache("30s", per = everyone))]
    #[public]
    fn everyone(&self) -> String {
        self.work.next()
    }

    #[get("/mine", cache("30s"))]
    #[authenticated]
    async fn mine(&self, caller: Caller) -> String {
        format!("{} {}", self.work.next(), caller.subject())
    }

    #[get("/report", cache("30s", per = roles))]
    #[can(Report::Read)]
    async fn report(&self) -> String {
        self.work.next()
    }

    #[get("/report/{what}", cache("30s", per = roles))]
    #[can(Report::Read)]
    async fn report_with(&self, what: Path<String>) -> With {
        let header = match what.0.as_str() {
            "private" => ("cache-control", "private"),
            "s-maxage" => ("cache-control", "max-age=20, s-maxage=0"),
            _ => ("vary", "authorization"),
        };
        With(self.work.next(), vec![header])
    }

    #[get("/guarded", cache("30s"), guards(Closed))]
    #[public]
    fn guarded(&self) -> String {
        self.work.next()
    }

    #[get("/slow", cache("30s", tags("slow")))]
    #[public]
    async fn slow(&self) -> String {
        let answer = self.work.next();
        self.work.wait().await;
        answer
    }

    #[get("/short", cache("30s"), deadline = "5s")]
    #[public]
    async fn short(&self) -> String {
        let answer = self.work.next();
        self.work.wait().await;
        answer
    }

    #[get("/panic", cache("30s"))]
    #[public]
    async fn panic(&self) -> String {
        let answer = self.work.next();
        self.work.wait().await;
        if answer == "answer 1" {
            std::panic::panic_any("on purpose");
        }
        answer
    }

    #[get("/fails", cache("30s"))]
    #[public]
    async fn fails(&self) -> Option<String> {
        self.work.next();
        self.work.wait().await;
        None
    }

    #[get("/with/{what}", cache("30s"))]
    #[public]
    fn with(&self, what: Path<String>) -> With {
        let headers = match what.0.as_str() {
            "cookie" => vec![("set-cookie", "a=1")],
            "no-store" => vec![("cache-control", "no-store")],
            "private" => vec![("cache-control", "private")],
            "short" => vec![("cache-control", "public, max-age=5")],
            "vary" => vec![("vary", "origin")],
            "vary-known" => vec![("vary", "Accept-Encoding")],
            "tag" => vec![("etag", "\"7\"")],
            "commas" => vec![("etag", "\"a,b\"")],
            "aged" => vec![("age", "10"), ("cache-control", "max-age=25")],
            "stale" => vec![("age", "25"), ("cache-control", "max-age=25")],
            "old" => vec![
                ("date", "Wed, 31 Dec 2025 23:59:50 GMT"),
                ("expires", "Thu, 01 Jan 2026 00:00:15 GMT"),
                ("age", "2"),
            ],
            "dated" => vec![("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")],
            _ => vec![],
        };
        With(self.work.next(), headers)
    }

    #[get("/large/{len}", cache("30s"))]
    #[public]
    fn large(&self, len: Path<usize>) -> String {
        format!("{} {}", self.work.next(), "x".repeat(len.0))
    }

    #[get("/tagged", cache("30s"))]
    #[public]
    fn tagged(&self) -> Tagged<String> {
        Tagged::new(5, format!("{} {}", self.work.next(), "x".repeat(5000)))
    }

    /// Takes a while between reading and answering.
    #[get("/current", cache("1h", tags("current")))]
    #[public]
    async fn current(&self) -> String {
        let value = self.work.done.load(Ordering::SeqCst);
        tokio::task::yield_now().await;
        value.to_string()
    }

    /// Waits many times.
    #[get("/steps", cache("1h"))]
    #[public]
    async fn steps(&self) -> String {
        tokio::task::yield_now().await;
        let answer = self.work.next();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        answer
    }

    #[get("/free")]
    #[public]
    fn free(&self) -> String {
        self.work.next()
    }
}

/// What changes articles.
#[derive(Injectable)]
struct Changes {
    cache: Inject<ResponseCache>,
}

#[controller("/changes")]
impl Changes {
    #[post("/{tag}")]
    #[public]
    fn change(&self, tag: Path<String>) -> NoContent {
        self.cache.invalidate_tag(&tag);
        NoContent
    }

    #[delete("/")]
    #[public]
    fn all(&self) -> NoContent {
        self.cache.invalidate_all();
        NoContent
    }
}

#[module(
    root,
    providers(Work, Closed, Fallback, Tokens as dyn Authenticator, SystemClock as dyn Clock),
    controllers(Kept, Changes),
    actions(Report)
)]
struct KeptModule;

struct Launched {
    app: TestApp,
    clock: Arc<ManualClock>,
}

impl Launched {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut LaunchConfig)) -> Self {
        // 2026-01-01, midnight.
        let start = std::time::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let clock = Arc::new(ManualClock::at(start.into()));
        let app = TestApp::builder::<KeptModule>()
            .manual_clock(&clock)
            .map(|app| app.configure(change))
            .launch()
            .await
            .unwrap();
        Self { app, clock }
    }

    async fn get(&self, path: &str) -> TestResponse {
        self.app.get(path).send().await.expect(200)
    }

    async fn text(&self, path: &str) -> String {
        self.get(path).await.text()
    }

    fn work(&self) -> Inject<Work> {
        self.app.provider::<Work>()
    }

    /// Until so many handlers have begun.
    async fn until_begun(&self, count: usize) {
        while self.work().done.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
        // Whoever has been polled once now waits.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    fn count(&self, name: &str) -> u64 {
        let name = format!("http_response_cache_{name}_total ");
        let text = self.app.metrics().encode();
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    }
}

async fn text(request: TestRequest) -> String {
    request.send().await.expect(200).text()
}

#[tokio::test]
async fn an_answer_is_given_again_until_its_time_is_over() {
    let launched = Launched::new().await;
    let first = launched.get("/kept").await;
    assert_eq!(first.text(), "answer 1");
    assert_eq!(first.header("cache-control"), "public, no-cache");
    assert_eq!((first.header("age"), first.header("vary")), ("", "authorization, cookie"));
    launched.clock.advance(Duration::from_millis(29_900));
    let second = launched.get("/kept").await;
    assert_eq!((second.text().as_str(), second.header("age")), ("answer 1", "29"));
    assert_eq!(second.header("etag"), first.header("etag"));
    assert_ne!(second.header("x-request-id"), first.header("x-request-id"));
    let head = launched.app.request(Method::HEAD, "/kept").send().await.expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, "8"));
    // Whoever asks for the head alone gets that of the whole, and keeps the whole.
    let tag = head.header("etag").to_owned();
    assert_eq!(tag, first.header("etag"));
    let head = launched.app.request(Method::HEAD, "/kept/head").send().await.expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, "8"));
    let whole = launched.get("/kept/head").await;
    assert_eq!((whole.text().as_str(), whole.header("etag")), ("answer 2", head.header("etag")));
    launched.clock.advance(Duration::from_millis(100));
    let third = launched.get("/kept").await;
    assert_eq!((third.text().as_str(), third.header("age")), ("answer 3", ""));
    assert_ne!(third.header("etag"), first.header("etag"));
    // What a route has no cache for costs none.
    assert_eq!(launched.text("/kept/free").await, "answer 4");
    assert_eq!(launched.text("/kept/free").await, "answer 5");
    let counts = ["hits", "misses", "stored", "shared", "evicted"].map(|n| launched.count(n));
    assert_eq!(counts, [3, 3, 3, 0, 0]);
    launched.app.finish().await;
}

#[tokio::test]
async fn a_client_that_has_it_is_told_so() {
    let launched = Launched::new().await;
    let known = |path: &'static str, name: &'static str, tag: &str| {
        launched.app.get(path).header(name, tag)
    };
    // Also by the request that makes it, which nobody else is to suffer from.
    let answer = known("/kept/tagged", "if-none-match", "\"5\"").send().await.expect(304);
    assert_eq!((answer.header("etag"), answer.body.len()), ("\"5\"", 0));
    assert_eq!(answer.header("cache-control"), "public, no-cache");
    assert!(launched.text("/kept/tagged").await.starts_with("answer 1 "));
    assert_eq!(launched.count("hits"), 1);
    // Compressed, it is the same version.
    let packed = known("/kept/tagged", "accept-encoding", "br").send().await.expect(200);
    assert_eq!(packed.header("etag"), "\"5;br\"");
    let request = known("/kept/tagged", "if-none-match", "\"5;br\"");
    let answer = request.header("accept-encoding", "br").send().await.expect(304);
    assert_eq!((answer.header("etag"), answer.header("age")), ("\"5;br\"", "0"));
    known("/kept/tagged", "if-none-match", "\"4\"").send().await.expect(200);
    let tag = launched.get("/kept").await.header("etag").to_owned();
    assert!(tag.len() == 34 && tag.starts_with('"'), "{tag}");
    known("/kept", "if-none-match", &tag).send().await.expect(304);
    known("/kept/with/tag", "if-none-match", "\"7\"").send().await.expect(304);
    let date = "Thu, 01 Jan 2026 00:00:00 GMT";
    known("/kept/with/dated", "if-modified-since", date).send().await.expect(304);
    known("/kept/with/commas", "if-none-match", "\"x\", W/\"a,b\"").send().await.expect(304);
    known("/kept/with/commas", "if-none-match", "\"a\", \"b\"").send().await.expect(200);
    let date = "Wed, 31 Dec 2025 00:00:00 GMT";
    known("/kept/with/dated", "if-modified-since", date).send().await.expect(200);
    launched.app.finish().await;
}

/// What a handler got from elsewhere was kept there before (RFC 9111, section 4.2.3).
#[tokio::test]
async fn an_answer_that_was_kept_elsewhere_is_as_old_as_it_says() {
    let launched = Launched::new().await;
    let age = async |path: &str| {
        let answer = launched.get(path).await;
        (answer.text(), answer.header("age").to_owned())
    };
    assert_eq!(age("/kept/with/aged").await, ("answer 1".into(), "10".into()));
    launched.clock.advance(Duration::from_millis(14_900));
    assert_eq!(age("/kept/with/aged").await, ("answer 1".into(), "24".into()));
    launched.clock.advance(Duration::from_millis(100));
    assert_eq!(age("/kept/with/aged").await, ("answer 2".into(), "10".into()));
    // Nothing is left of its time.
    assert_eq!(age("/kept/with/stale").await, ("answer 3".into(), "25".into()));
    assert_eq!(age("/kept/with/stale").await, ("answer 4".into(), "25".into()));
    launched.app.finish().await;

    // Its date says more than its `age`: ten seconds ago, of the 25 it is good for.
    let launched = Launched::new().await;
    assert_eq!(launched.get("/kept/with/old").await.header("age"), "10");
    launched.clock.advance(Duration::from_millis(14_900));
    assert_eq!(launched.get("/kept/with/old").await.header("age"), "24");
    launched.clock.advance(Duration::from_millis(100));
    assert_eq!(launched.text("/kept/with/old").await, "answer 2");
    launched.app.finish().await;
}

#[tokio::test]
async fn requests_that_mean_the_same_share_an_answer() {
    let launched = Launched::new().await;
    assert_eq!(launched.text("/kept?b=1&a=2").await, "answer 1");
    assert_eq!(launched.text("/kept?a=2&b=1").await, "answer 1");
    assert_eq!(launched.text("/kept?a=2&b=2").await, "answer 2");
    assert_eq!(launched.text("/kept?a=1&a=2").await, "answer 3");
    assert_eq!(launched.text("/kept?a=2&a=1").await, "answer 4");
    assert_eq!(launched.text("/kept").await, "answer 5");
    assert_eq!(launched.text("/kept?").await, "answer 5");
    let host = |host: &str| text(launched.app.get("/kept").header("host", host));
    assert_eq!(host("a.example").await, "answer 6");
    assert_eq!(host("B.example").await, "answer 7");
    assert_eq!(host("A.Example").await, "answer 6");
    let language =
        |language: &str| launched.app.get("/kept/list").header("accept-language", language);
    let answer = language("de").send().await.expect(200);
    assert_eq!(answer.text(), "\"answer 8 de\"");
    assert_eq!(answer.header("vary"), "accept-language, authorization, cookie");
    assert_eq!(answer.header("cache-control"), "public, max-age=10");
    assert_eq!(text(language("en")).await, "\"answer 9 en\"");
    assert_eq!(text(language("de")).await, "\"answer 8 de\"");
    assert_eq!(launched.text("/kept/list").await, "\"answer 10 \"");
    assert_eq!(launched.text("/kept/one/a").await, "answer 11 a");
    assert_eq!(launched.text("/kept/one/b").await, "answer 12 b");
    assert_eq!(launched.text("/kept/one/a").await, "answer 11 a");
    launched.app.finish().await;
}

#[tokio::test]
async fn callers_get_what_is_for_them() {
    let launched = Launched::new().await;
    let get = |path: &str, token: &str| text(launched.app.get(path).bearer(token));
    // Of each caller's own.
    assert_eq!(get("/kept/mine", "anna").await, "answer 1 anna");
    assert_eq!(get("/kept/mine", "bob").await, "answer 2 bob");
    assert_eq!(get("/kept/mine", "anna").await, "answer 1 anna");
    assert_eq!(get("/kept/mine", "anna/editor").await, "answer 3 anna");
    assert_eq!(get("/kept/mine", "anna/editor/acme").await, "answer 4 anna");
    let mine = launched.app.get("/kept/mine").bearer("anna").send().await.expect(200);
    assert_eq!(mine.header("cache-control"), "private, no-cache");
    launched.app.get("/kept/mine").send().await.expect(401);
    launched.app.get("/kept/mine").bearer("bad").send().await.expect(401);
    // Of roles, after the access rule.
    assert_eq!(get("/kept/report", "anna/reader").await, "answer 5");
    assert_eq!(get("/kept/report", "bob/reader").await, "answer 5");
    assert_eq!(get("/kept/report", "bob/editor").await, "answer 6");
    assert_eq!(get("/kept/report", "bob/reader/acme").await, "answer 7");
    launched.app.get("/kept/report").bearer("bob/guest").send().await.expect(403);
    // Of all who sent no credentials, and of each who did.
    assert_eq!(launched.text("/kept").await, "answer 8");
    assert_eq!(get("/kept", "anna").await, "answer 9");
    assert_eq!(get("/kept", "anna").await, "answer 9");
    let cookie = |path: &str| text(launched.app.get(path).cookie("session", "1"));
    assert_eq!(cookie("/kept").await, "answer 10");
    assert_eq!(cookie("/kept").await, "answer 11");
    assert_eq!(launched.text("/kept").await, "answer 8");
    // Of everyone.
    assert_eq!(get("/kept/everyone", "anna").await, "answer 12");
    assert_eq!(cookie("/kept/everyone").await, "answer 12");
    let answer = launched.get("/kept/everyone").await;
    assert_eq!((answer.text().as_str(), answer.header("vary")), ("answer 12", ""));
    launched.app.get("/kept/everyone").bearer("bad").send().await.expect(401);
    launched.app.finish().await;
}

#[tokio::test]
async fn what_is_for_one_caller_is_not_given_to_another_with_the_same_roles() {
    let launched = Launched::new().await;
    for what in ["private", "s-maxage", "vary"] {
        let get = |token: &str| {
            let path = format!("/kept/report/{what}");
            text(launched.app.get(&path).bearer(token))
        };
        assert_ne!(get("anna/reader").await, get("bob/reader").await, "{what}");
    }
    assert_eq!(launched.count("stored"), 0);
    launched.app.finish().await;
}

#[tokio::test]
async fn guards_go_first() {
    let launched = Launched::new().await;
    let closed = launched.app.provider::<Closed>();
    launched.app.get("/kept/guarded").send().await.expect(403);
    closed.is_open.store(true, Ordering::SeqCst);
    assert_eq!(launched.text("/kept/guarded").await, "answer 1");
    closed.is_open.store(false, Ordering::SeqCst);
    launched.app.get("/kept/guarded").send().await.expect(403);
    closed.is_open.store(true, Ordering::SeqCst);
    assert_eq!(launched.text("/kept/guarded").await, "answer 1");
    launched.app.finish().await;
}

#[tokio::test]
async fn what_may_not_be_kept_is_not() {
    let launched = Launched::new().await;
    for what in ["cookie", "no-store", "private", "vary"] {
        let path = format!("/kept/with/{what}");
        let first = launched.get(&path).await;
        let second = launched.get(&path).await;
        assert_ne!(first.text(), second.text(), "{what}");
        assert_eq!(second.header("etag"), "", "{what}");
    }
    assert_eq!(launched.count("stored"), 0);
    let answer = launched.get("/kept/with/vary-known").await;
    assert_eq!(launched.text("/kept/with/vary-known").await, answer.text());
    let short = launched.text("/kept/with/short").await;
    launched.clock.advance(Duration::from_secs(4));
    let answer = launched.get("/kept/with/short").await;
    assert_eq!(
        (answer.text(), answer.header("cache-control")),
        (short.clone(), "public, max-age=5")
    );
    launched.clock.advance(Duration::from_secs(1));
    assert_ne!(launched.text("/kept/with/short").await, short);
    // What stands for a problem is no answer, even if it is a 200.
    launched.get("/kept/fallback").await;
    let done = launched.work().done.load(Ordering::SeqCst);
    assert_eq!(launched.text("/kept/fallback").await, "fallback");
    assert_eq!(launched.work().done.load(Ordering::SeqCst), done + 1);
    // Requests that ask for something else, or want it made anew, which is not theirs
    // to say.
    let first = launched.text("/kept").await;
    for (name, value, is_kept) in [
        ("cache-control", "no-cache", true),
        ("cache-control", "no-store", true),
        ("pragma", "no-cache", true),
        ("range", "bytes=0-1", false),
        ("if-match", "\"1\"", false),
    ] {
        let answer = text(launched.app.get("/kept").header(name, value)).await;
        assert_eq!(answer == first, is_kept, "{name}: {value}");
    }
    let long = format!("/kept?q={}", "x".repeat(5000));
    assert_ne!(launched.text(&long).await, launched.text(&long).await);
    launched.app.finish().await;
}

#[tokio::test]
async fn tags_take_answers_out() {
    let launched = Launched::new().await;
    let change = async |tag: &str| {
        launched.app.post(&format!("/changes/{tag}")).send().await.expect(204);
    };
    let all = async || {
        let paths = ["/kept/one/a", "/kept/one/b", "/kept/list", "/kept"];
        let answers = join_all(paths.map(|path| launched.text(path))).await;
        answers
            .iter()
            .map(|answer| answer.split(' ').nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(all().await, ["1", "2", "3", "4"]);
    change("articles").await;
    assert_eq!(all().await, ["1", "2", "5", "4"]);
    change("article:a").await;
    assert_eq!(all().await, ["6", "2", "5", "4"]);
    change("all").await;
    assert_eq!(all().await, ["7", "8", "5", "4"]);
    // The tag is what the parameter reads as.
    assert_eq!(launched.text("/kept/one/a%20b").await, "answer 9 a b");
    launched.app.provider::<ResponseCache>().invalidate_tag("article:a b");
    assert_eq!(launched.text("/kept/one/a%20b").await, "answer 10 a b");
    launched.app.delete("/changes").send().await.expect(204);
    assert_eq!(all().await, ["11", "12", "13", "14"]);
    launched.app.finish().await;
}

#[tokio::test]
async fn there_is_an_end_to_what_is_kept() {
    let launched = Launched::with(|config| {
        config.cache_bytes_max = 100 << 10;
        config.cache_entry_max = 20 << 10;
    });
    let launched = launched.await;
    let large = launched.text("/kept/large/30000").await;
    assert_ne!(launched.text("/kept/large/30000").await, large);
    assert_eq!((launched.count("stored"), launched.count("evicted")), (0, 0));
    for number in 0..50 {
        launched.get(&format!("/kept/large/10000?{number}")).await;
    }
    let (stored, evicted) = (launched.count("stored"), launched.count("evicted"));
    assert_eq!(stored, 50);
    // Each counts twice.
    assert!((45..50).contains(&evicted), "{evicted}");
    launched.app.finish().await;

    let launched = Launched::with(|config| config.cache_entries_max = 40).await;
    for number in 0..200 {
        launched.get(&format!("/kept?{number}")).await;
    }
    assert!(launched.count("evicted") >= 160, "{}", launched.count("evicted"));
    launched.app.finish().await;
    let launched = Launched::with(|config| config.cache_bytes_max = 0).await;
    assert_eq!(launched.text("/kept").await, "answer 1");
    assert_eq!(launched.text("/kept").await, "answer 2");
    launched.app.finish().await;
}

#[tokio::test]
async fn what_is_compressed_once_is_kept() {
    let launched = Launched::new().await;
    for path in ["/kept/large/9000", "/kept/large/200000"] {
        let plain = launched.text(path).await;
        let get = async |coding: &str| {
            let answer =
                launched.app.get(path).header("accept-encoding", coding).send().await.expect(200);
            assert_eq!(answer.header("content-encoding"), coding);
            answer
        };
        let first = get("zstd").await;
        let second = get("zstd").await;
        assert_eq!(first.body, second.body);
        // By now its length is known.
        assert_eq!(second.body, get("zstd").await.body);
        let other = get("gzip").await;
        assert_ne!(other.body, second.body);
        assert_eq!(launched.text(path).await, plain);
        let head = launched.app.request(Method::HEAD, path).header("accept-encoding", "zstd");
        let length = second.body.len().to_string();
        assert_eq!(head.send().await.expect(200).header("content-length"), length);
    }
    launched.app.finish().await;
}

#[tokio::test]
async fn the_document_says_what_is_kept() {
    let launched = Launched::new().await;
    let operation = &launched.app.openapi()["paths"]["/kept"]["get"];
    assert_eq!(operation["x-cache-ms"], 30_000);
    assert!(operation["responses"]["304"]["headers"]["etag"].is_object());
    assert!(operation["responses"]["200"]["headers"]["etag"].is_object());
    let free = &launched.app.openapi()["paths"]["/kept/free"]["get"];
    assert!(free["x-cache-ms"].is_null() && free["responses"]["304"].is_null());
    launched.app.finish().await;
}

#[derive(Injectable)]
#[inject(scope = request)]
struct Who {
    scope: Inject<Scope>,
}

/// Another request-scoped provider between it and the handler.
#[derive(Injectable)]
#[inject(scope = request)]
struct Greeting {
    who: Inject<Who>,
}

#[derive(Injectable)]
struct Greetings;

#[controller("/greetings")]
impl Greetings {
    #[get("/", cache("30s", per = everyone))]
    #[public]
    async fn greet(&self, greeting: Inject<Greeting>) -> String {
        let claims = greeting.who.scope.claims();
        claims.map_or_else(String::new, |claims| claims.sub.clone())
    }
}

#[module(
    root,
    providers(Who, Greeting, Tokens as dyn Authenticator),
    controllers(Greetings)
)]
struct GreetingModule;

#[tokio::test]
async fn an_answer_for_others_is_not_made_from_the_scope_of_one() {
    let launched = TestApp::builder::<GreetingModule>().launch().await;
    let error = launched.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("the argument `greeting` is built from `Scope`"), "{error}");
}
