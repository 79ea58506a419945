//! Levels of the log, changed while the application runs.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arcly_http::prelude::*;
use arcly_http::scope::current::{self, Identity};
use arcly_http::scope::{RequestId, TraceContext};
use arcly_http::telemetry::{
    LogFormat, LogLevelError, LogLevelModule, LogLevels, LogRule, log_layer,
};
use arcly_http::web::admin::{Admin, LogControl as _};
use arcly_http::web::serve::{self, Listener};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tracing::instrument::WithSubscriber as _;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level};
use tracing_subscriber::layer::{Filter, SubscriberExt as _};
use tracing_subscriber::{Layer as _, Registry};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn subscriber(&self, levels: &LogLevels) -> Dispatch {
        let make = self.clone();
        let log =
            log_layer(LogFormat::JsonLines, move || make.clone()).with_filter(levels.filter());
        Dispatch::new(tracing_subscriber::registry().with(log))
    }

    /// The messages since the last time.
    fn taken(&self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        let message = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["message"].as_str().unwrap().to_owned()
        };
        text.lines().map(message).collect()
    }
}

fn hint(levels: &LogLevels) -> Option<LevelFilter> {
    Filter::<Registry>::max_level_hint(&levels.filter())
}

/// Writes a line of each level in a request of somebody.
fn work(route: &'static str, who: &str) {
    let principal = (!who.is_empty()).then(|| Arc::new(Claims::about(who)));
    let (request_id, trace) = (RequestId::fresh(), TraceContext::root());
    let mut identity = Some(Identity { request_id, trace, route, principal, recorder: None });
    let _entered = current::enter(&mut identity);
    tracing::warn!("{route} {who} warn");
    tracing::debug!("{route} {who} debug");
    tracing::trace!("{route} {who} trace");
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_rule_shows_more_of_a_route_or_a_principal_and_ends_by_itself() {
    let levels = LogLevels::new("warn").unwrap();
    let sink = Sink::default();
    let _default = tracing::dispatcher::set_default(&sink.subscriber(&levels));
    let all = || {
        for (route, who) in [("/a", ""), ("/a", "ann"), ("/b", "ann"), ("/b", "bob")] {
            work(route, who);
        }
        let mut lines = sink.taken();
        lines.retain(|line| !line.ends_with("warn"));
        lines
    };
    assert_eq!(all(), [""; 0]);
    assert_eq!(hint(&levels), Some(LevelFilter::WARN));

    levels.add(LogRule::all(Level::DEBUG).of_route("/a"), MINUTE).unwrap();
    assert_eq!(hint(&levels), Some(LevelFilter::DEBUG));
    assert_eq!(all(), ["/a  debug", "/a ann debug"]);
    tracing::debug!("of no request");
    assert_eq!(sink.taken(), [""; 0]);

    levels.add(LogRule::all(Level::TRACE).of_principal("bob"), 2 * MINUTE).unwrap();
    assert_eq!(all(), ["/a  debug", "/a ann debug", "/b bob debug", "/b bob trace"]);

    // The first is over: its lines are gone at once, and its callsites are off as soon
    // as the task has seen it.
    tokio::time::advance(MINUTE).await;
    assert_eq!(all(), ["/b bob debug", "/b bob trace"]);
    let tasks = Tasks::new();
    let own = levels.clone();
    let run = async move |stop: Stop| own.run(stop).await;
    tasks.spawn("levels", run).unwrap();
    tokio::time::sleep(MINUTE + Duration::from_millis(10)).await;
    assert_eq!(hint(&levels), Some(LevelFilter::WARN));
    assert_eq!(all(), [""; 0]);

    let both = LogRule::all(Level::DEBUG).of_route("/b").of_principal("ann");
    levels.add(both, MINUTE).unwrap();
    assert_eq!(all(), ["/b ann debug"]);
    levels.reset();
    assert_eq!(all(), [""; 0]);
    levels.add(LogRule::all(Level::DEBUG), MINUTE).unwrap();
    assert_eq!(all().len(), 4);

    // The same for the filter itself.
    levels.reset();
    levels.set_filter("debug", Some(MINUTE)).unwrap();
    assert_eq!(all().len(), 4);
    tokio::time::sleep(MINUTE + Duration::from_millis(10)).await;
    assert_eq!(all(), [""; 0]);
    levels.set_filter("error", None).unwrap();
    work("/a", "");
    assert_eq!(sink.taken(), [""; 0]);
    tasks.shutdown(MINUTE).await;
}

#[test]
fn what_may_be_asked_for_is_bounded() {
    let levels = LogLevels::new("info").unwrap();
    let rule = LogRule::all(Level::DEBUG);
    for time in [Duration::ZERO, Duration::from_secs(3_601)] {
        assert_eq!(levels.add(rule.clone(), time), Err(LogLevelError::Time));
        assert_eq!(levels.set_filter("debug", Some(time)), Err(LogLevelError::Time));
    }
    let long = rule.clone().of_route("x".repeat(1_025));
    assert_eq!(levels.add(long, MINUTE), Err(LogLevelError::TooLong));
    assert!(matches!(levels.set_filter("a=b=c", None), Err(LogLevelError::Filter { .. })));
    // A pattern for the value of a field could have any number of states.
    let pattern = format!("[span{{field=(a|b)*a{}}}]=trace", "(a|b)".repeat(18));
    let begun = std::time::Instant::now();
    levels.set_filter(&pattern, None).unwrap();
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    levels.reset();
    for index in 0..32 {
        levels.add(rule.clone().of_route(index.to_string()), MINUTE).unwrap();
    }
    assert_eq!(levels.add(rule.clone(), MINUTE), Err(LogLevelError::Full));
    // One that is there already takes no further place.
    levels.add(rule.of_route("7"), MINUTE).unwrap();
}

#[derive(Injectable)]
struct Endpoints;

#[controller]
impl Endpoints {
    #[get("/quiet")]
    #[public]
    fn quiet(&self) -> &'static str {
        tracing::debug!("quiet");
        "quiet"
    }

    #[get("/watched")]
    #[public]
    async fn watched(&self, levels: Inject<LogLevels>) -> &'static str {
        assert!(levels.show()["rules"].is_array());
        tokio::task::yield_now().await;
        tracing::debug!("watched");
        "watched"
    }
}

#[module(root, imports(LogLevelModule), controllers(Endpoints))]
struct AppModule;

#[tokio::test]
async fn a_route_is_watched_with_its_access_lines() {
    let levels = LogLevels::new("info").unwrap();
    let sink = Sink::default();
    let subscriber = sink.subscriber(&levels);
    let app = App::new::<AppModule>().launch().await.unwrap();
    let ask = async |path: &str| {
        let request = http::Request::get(path).body(Default::default()).unwrap();
        app.handle(request, None).with_subscriber(subscriber.clone()).await
    };
    levels.add(LogRule::all(Level::DEBUG).of_route("/watched"), MINUTE).unwrap();
    ask("/quiet").await;
    assert_eq!(sink.taken(), [""; 0]);
    ask("/watched").await;
    assert_eq!(sink.taken(), ["watched", "answered"]);
    levels.reset();
    ask("/watched").await;
    assert_eq!(sink.taken(), [""; 0]);
    app.shutdown().await;
}

async fn send(addr: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let length = body.len();
    let request = format!("{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = vec![];
    socket.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn operators_change_levels_and_pages_do_not() {
    let levels = LogLevels::new("info").unwrap();
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.address().unwrap();
    let admin = Admin::with_log(Arc::new(levels.clone()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = serve::serve_admin(&admin, listener, async {
        let _ = stopped.await;
    });
    let client = async {
        let json = "\r\ncontent-type: application/json";
        let post =
            |host: &str, more: &str| format!("POST /loglevel HTTP/1.1\r\nhost: {host}{more}");
        let own = addr.to_string();
        let rule = r#"{"rule": {"route": "/a/{id}", "principal": "ann", "level": "debug", "seconds": 60}}"#;

        let (status, body) = send(addr, &post(&own, json), rule).await;
        assert_eq!(status, 200, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["configured"], &body["filter"]), (&"info".into(), &"info".into()));
        assert_eq!(body["rules"][0]["route"], "/a/{id}");
        assert_eq!(body["rules"][0]["principal"], "ann");
        assert_eq!(body["rules"][0]["level"], "debug");
        assert!(body["rules"][0]["ends_in_s"].as_u64().unwrap() > 50, "{body}");

        let get = format!("GET /loglevel HTTP/1.1\r\nhost: {own}");
        let (status, shown) = send(addr, &get, "").await;
        assert!(status == 200 && shown.contains("/a/{id}"), "{shown}");
        // Whoever owns a name may let it point here, and read what is shown under it.
        for (host, expected) in [
            ("evil.example", 403),
            ("127.0.0.1.evil.example:3001", 403),
            ("localhost.evil.example.", 403),
            ("localhost:3001", 200),
            ("[::1]:3001", 200),
            ("my-app:3001", 200),
            ("my-app.shop.svc.cluster.local", 200),
        ] {
            for path in ["/loglevel", "/console.json"] {
                let get = format!("GET {path} HTTP/1.1\r\nhost: {host}");
                let (status, shown) = send(addr, &get, "").await;
                // Nothing is launched here, so that there is no console yet.
                let expected = if path == "/loglevel" || expected == 403 { expected } else { 503 };
                assert_eq!(status, expected, "{host} {path}: {shown}");
            }
        }

        for (body, status) in [
            (r#"{"filter": "info,shop=debug", "seconds": 60}"#, 200),
            (r#"{"reset": true}"#, 200),
            (r#"{"reset": false}"#, 400),
            (r#"{"filter": "a=b=c"}"#, 400),
            (r#"{"rule": {"level": "loud", "seconds": 60}}"#, 400),
            (r#"{"rule": {"level": "debug", "seconds": 7200}}"#, 400),
            (r#"{"rule": {"level": "debug"}}"#, 400),
            (r#"{"rule": {"level": "debug", "seconds": 1, "tenant": "x"}}"#, 400),
            (r#"{"unknown": 1}"#, 400),
            ("{", 400),
            ("", 400),
            (&format!("\"{}\"", "x".repeat(9_000)), 413),
        ] {
            let (answered, text) = send(addr, &post(&own, json), body).await;
            assert_eq!(answered, status, "{body}: {text}");
        }
        levels.reset();

        for (host, more, status) in [
            (own.as_str(), String::new(), 415),
            (&own, "\r\ncontent-type: text/plain".into(), 415),
            (&own, "\r\ncontent-type: application/x-www-form-urlencoded".into(), 415),
            (&own, format!("{json}\r\norigin: https://evil.example"), 403),
            (&own, format!("{json}\r\norigin: null"), 403),
            (&own, format!("{json}\r\nsec-fetch-site: cross-site"), 403),
            (&own, format!("{json}\r\nsec-fetch-site: same-site"), 403),
            // A name that was made to point here.
            ("evil.example", format!("{json}\r\norigin: http://evil.example"), 403),
            ("evil.example", format!("{json}\r\nsec-fetch-site: same-origin"), 403),
            (&own, format!("{json}\r\norigin: http://{own}\r\nsec-fetch-site: same-origin"), 200),
            // A program may use a name.
            ("admin.internal", json.to_owned(), 200),
        ] {
            let (answered, text) = send(addr, &post(host, &more), rule).await;
            assert_eq!(answered, status, "{host} {more}: {text}");
            let has_changed = levels.show()["rules"].as_array().is_some_and(|all| !all.is_empty());
            assert_eq!(has_changed, status == 200, "{host} {more}");
            levels.reset();
        }
        let (status, _) =
            send(addr, &format!("DELETE /loglevel HTTP/1.1\r\nhost: {own}"), "").await;
        assert_eq!(status, 405);
        let (status, _) = send(addr, &format!("POST /livez HTTP/1.1\r\nhost: {own}"), "").await;
        assert_eq!(status, 405);
        drop(stop);
    };
    tokio::join!(server, client);
}
