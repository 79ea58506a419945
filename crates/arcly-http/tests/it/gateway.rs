//! Gateways, as their clients and their users see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arcly_http::prelude::*;
use arcly_http::realtime::{
    CloseCode, ConnectionRegistry, EventStream, LastEventId, RealtimeModule, WsTuning,
};
use arcly_http_testing::TestApp;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Injectable)]
struct Counts {
    #[inject(default)]
    connected: AtomicUsize,
    #[inject(default)]
    gone: AtomicUsize,
}

#[derive(Debug, Deserialize, JsonSchema, Validate, Input)]
struct Watch {
    #[garde(length(chars, min = 1, max = 10))]
    tag: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Number {
    value: u64,
}

#[derive(Debug, Serialize, JsonSchema, ServerEvent)]
#[server_event("article.published")]
struct Published {
    slug: String,
}

#[derive(Room)]
#[room(gateway = Live, public)]
struct Tag(String);

#[derive(Room)]
#[room(gateway = Live, authenticated)]
struct Members;

#[derive(Injectable)]
struct Live {
    counts: Inject<Counts>,
    hub: Inject<Hub>,
}

#[gateway("/live/{site}", emits(Published), tuning = narrow)]
impl Live {
    /// Opens a socket.
    #[on_connect]
    #[public]
    async fn connect(&self, client: &WsClient, site: Path<String>) -> Result<(), Problem> {
        match site.0.as_str() {
            "closed" => return Err(Problem::of(&arcly_http::problem::kinds::FORBIDDEN)),
            "told" => client.close(CloseCode::new(4000).unwrap(), "not here"),
            "greeted" => client.emit(&Published { slug: "hello".into() })?,
            "panics" => panic!("on_connect"),
            _ => {}
        }
        self.counts.connected.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    #[on_disconnect]
    async fn gone(&self, _client: &WsClient) {
        self.counts.gone.fetch_add(1, Ordering::SeqCst);
    }

    /// Tells of every article with a tag.
    #[subscribe("tag.watch")]
    #[public]
    async fn watch(
        &self,
        client: &WsClient,
        watch: Valid<Json<Watch>>,
    ) -> Result<Json<Number>, Problem> {
        client.join(&Tag(watch.into_inner().tag))?;
        Ok(Json(Number { value: 1 }))
    }

    /// Joins what only members may.
    #[subscribe("members.join")]
    #[public]
    async fn join(&self, client: &WsClient) -> Result<(), Problem> {
        client.join(&Members)?;
        Ok(())
    }

    /// Publishes to all but the sender.
    #[subscribe("publish")]
    #[public]
    fn publish(&self, client: &WsClient, watch: Valid<Json<Watch>>) -> Result<(), Problem> {
        let published = Published { slug: "one".into() };
        self.hub.to(&Tag(watch.into_inner().tag)).except(client).emit(&published)
    }

    /// Says back what it is told.
    #[subscribe("number")]
    #[public]
    async fn number(&self, number: Json<Number>) -> Json<Number> {
        tokio::task::yield_now().await;
        number
    }

    /// Never comes to an end.
    #[subscribe("stuck", deadline = "100ms")]
    #[public]
    async fn stuck(&self) {
        std::future::pending::<()>().await;
    }

    /// Takes longer than anybody waits.
    #[subscribe("long")]
    #[public]
    async fn long(&self) {
        std::future::pending::<()>().await;
    }

    /// Waits, while others go on.
    #[subscribe("aside", unordered)]
    #[public]
    async fn aside(&self) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// Breaks.
    #[subscribe("panic")]
    #[public]
    fn breaks(&self) {
        panic!("a handler")
    }

    /// Only for those who have shown who they are.
    #[subscribe("secret")]
    #[authenticated]
    async fn secret(&self, caller: Caller) -> Json<String> {
        Json(caller.subject().to_owned())
    }
}

fn narrow(mut tuning: WsTuning) -> WsTuning {
    tuning.max_connections = 3;
    tuning.close_timeout = Duration::from_millis(300);
    tuning
}

struct Tokens;

impl arcly_http::access::Authenticator for Tokens {
    fn schemes(&self) -> &'static [&'static str] {
        &["Bearer"]
    }

    fn authenticate<'a>(
        &'a self,
        credentials: arcly_http::access::Credentials<'a>,
    ) -> arcly_http::access::AuthFuture<'a> {
        let claims = Claims::about(credentials.token);
        Box::pin(async move { Ok(Arc::new(claims)) })
    }
}

#[provider]
fn tokens() -> Arc<dyn arcly_http::access::Authenticator> {
    Arc::new(Tokens)
}

#[derive(Injectable)]
struct News {
    hub: Inject<Hub>,
}

#[controller("/news")]
impl News {
    #[post("/{tag}")]
    #[public]
    fn tell(&self, tag: Path<String>) -> Result<(), Problem> {
        self.hub.to(&Tag(tag.0)).emit(&Published { slug: "news".into() })
    }

    #[get("/{tag}/stream")]
    #[public]
    async fn listen(
        &self,
        scope: Scope,
        tag: Path<String>,
        last: LastEventId,
    ) -> Result<EventStream<Live>, Problem> {
        let stream = self.hub.stream::<Live>(&scope)?;
        if tag.0 == "members" {
            stream.join(&Members)?;
        }
        stream.join(&Tag(tag.0))?;
        if let Some(last) = last.0 {
            stream.emit(Some("8"), &Published { slug: format!("after {last}") })?;
        }
        Ok(stream)
    }
}

#[module(
    root,
    imports(RealtimeModule),
    providers(Counts, tokens),
    gateways(Live),
    controllers(News)
)]
struct LiveModule;

async fn app() -> TestApp {
    TestApp::builder::<LiveModule>().launch().await.unwrap()
}

/// Waits until everything of the sockets is gone.
async fn expect_empty(app: &TestApp) {
    let registry = app.provider::<ConnectionRegistry>();
    for _ in 0..500 {
        if registry.is_empty() && registry.permits() == 0 && registry.rooms() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("left: {registry:?}, {} permits, {} rooms", registry.permits(), registry.rooms());
}

#[tokio::test]
async fn messages_are_answered_in_order_and_pushed_from_anywhere() {
    let app = app().await;
    let mut ann = app.get("/live/a").open_socket().await.unwrap();
    let mut bob = app.get("/live/a").open_socket().await.unwrap();
    for socket in [&mut ann, &mut bob] {
        let joined = socket.ask("tag.watch", json!({"tag": "rust"})).await.unwrap();
        assert_eq!(joined, json!({"value": 1}));
    }
    ann.ask("publish", json!({"tag": "rust"})).await.unwrap();
    assert_eq!(bob.event("article.published").await, json!({"slug": "one"}));
    app.post("/news/rust").send().await.expect(204);
    // Not her own.
    assert_eq!(ann.event("article.published").await, json!({"slug": "news"}));
    assert_eq!(bob.event("article.published").await, json!({"slug": "news"}));
    for value in 0..100 {
        bob.send_text(
            &json!({"event": "number", "data": {"value": value}, "id": value}).to_string(),
        )
        .await;
    }
    for value in 0..100 {
        let answer = format!("{{\"id\":{value},\"data\":{{\"value\":{value}}}}}");
        assert_eq!(bob.message().await, answer);
    }
    ann.close().await;
    bob.close().await;
    expect_empty(&app).await;
    let counts = app.provider::<Counts>();
    assert_eq!(counts.gone.load(Ordering::SeqCst), 2);
    app.finish().await;
}

#[tokio::test]
async fn who_is_in_several_rooms_is_told_once() {
    let app = app().await;
    let mut sockets = vec![];
    for tags in [&["x", "y"][..], &["y"], &["z"]] {
        let mut socket = app.get("/live/a").open_socket().await.unwrap();
        for tag in tags {
            socket.ask("tag.watch", json!({"tag": tag})).await.unwrap();
        }
        sockets.push(socket);
    }
    let hub = app.provider::<Hub>();
    let tag = |name: &str| Tag(name.to_owned());
    let both = || hub.to(&tag("x")).or(&tag("y")).or(&tag("x"));
    assert_eq!(both().count(), 2);
    assert_eq!(hub.all::<Live>().or(&tag("y")).count(), 3);
    let emit = |to: arcly_http::realtime::To<'_, Live>, slug: &str| {
        to.emit(&Published { slug: slug.into() }).unwrap();
    };
    emit(both(), "1");
    emit(both(), "2");
    emit(hub.to(&tag("x")), "3");
    emit(both(), "4");
    emit(hub.to(&tag("none")).or(&tag("z")), "5");
    emit(hub.all().or(&tag("y")).or(&tag("x")), "6");
    for (socket, slugs) in
        sockets.iter_mut().zip([&["1", "2", "3", "4", "6"][..], &["1", "2", "4", "6"], &["5", "6"]])
    {
        socket.send_text(r#"{"event":"number","data":{"value":0},"id":0}"#).await;
        for slug in slugs {
            let event =
                format!("{{\"event\":\"article.published\",\"data\":{{\"slug\":\"{slug}\"}}}}");
            assert_eq!(socket.message().await, event);
        }
        assert_eq!(socket.message().await, r#"{"id":0,"data":{"value":0}}"#);
    }
    sockets.clear();
    expect_empty(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn what_goes_wrong_is_a_problem_for_who_asked_and_for_nobody_else() {
    let app = app().await;
    let mut socket = app.get("/live/a").open_socket().await.unwrap();
    let problem = socket.ask("tag.watch", json!({"tag": ""})).await.unwrap_err();
    assert_eq!(problem["status"], 422);
    assert_eq!(problem["violations"][0]["field"], "tag", "{problem}");
    let problem = socket.ask("tag.watch", json!({"tga": "x"})).await.unwrap_err();
    assert_eq!(problem["status"], 422);
    let problem = socket.ask("no.such", json!(null)).await.unwrap_err();
    assert_eq!(problem["status"], 404);
    let problem = socket.ask("stuck", json!(null)).await.unwrap_err();
    assert_eq!(problem["status"], 504);
    let problem = socket.ask("panic", json!(null)).await.unwrap_err();
    assert_eq!(problem["status"], 500);
    assert!(!problem.to_string().contains("a handler"));
    let problem = socket.ask("secret", json!(null)).await.unwrap_err();
    assert_eq!(problem["status"], 401);
    let problem = socket.ask("members.join", json!(null)).await.unwrap_err();
    assert_eq!(problem["status"], 401);
    for malformed in ["", "[]", "{", "{\"event\":7}", "\"x\""] {
        socket.send_text(malformed).await;
    }
    socket.send_binary(b"{}").await;
    assert_eq!(socket.ask("number", json!({"value": 3})).await.unwrap(), json!({"value": 3}));
    let metrics = app.metrics().encode();
    for line in [
        "ws_malformed_total{gateway=\"/live/{site}\"} 6",
        "ws_unknown_events_total{gateway=\"/live/{site}\"} 1",
        "ws_handler_errors_total{gateway=\"/live/{site}\"} 6",
        "ws_connections 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    socket.close().await;
    app.finish().await;
}

#[tokio::test]
async fn the_caller_of_the_handshake_is_the_caller_of_messages() {
    let app = app().await;
    let mut socket = app.get("/live/a").bearer("ann").open_socket().await.unwrap();
    assert_eq!(socket.ask("secret", json!(null)).await.unwrap(), json!("ann"));
    socket.ask("members.join", json!(null)).await.unwrap();
    let hub = app.provider::<Hub>();
    assert_eq!(hub.principal::<Live>("ann").count(), 1);
    assert_eq!(hub.all::<Live>().count(), 1);
    // A new token of the same caller, and none of another.
    socket.ask("session.renew", json!({"token": "ann"})).await.unwrap();
    let problem = socket.ask("session.renew", json!({"token": "bob"})).await.unwrap_err();
    assert_eq!(problem["status"], 401);
    socket.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_slow_handler_holds_up_only_what_has_to_wait_for_it() {
    let app = app().await;
    let mut socket = app.get("/live/a").open_socket().await.unwrap();
    socket.send_text(r#"{"event":"aside","id":"a"}"#).await;
    socket.send_text(r#"{"event":"number","data":{"value":1},"id":"b"}"#).await;
    assert_eq!(socket.message().await, r#"{"id":"b","data":{"value":1}}"#);
    assert_eq!(socket.message().await, r#"{"id":"a","data":null}"#);
    socket.send_text(r#"{"event":"stuck","id":"a"}"#).await;
    socket.send_text(r#"{"event":"number","data":{"value":1},"id":"b"}"#).await;
    assert!(socket.message().await.as_str().unwrap().contains("\"status\":504"));
    assert_eq!(socket.message().await, r#"{"id":"b","data":{"value":1}}"#);
    socket.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_goodbye_waits_for_what_was_sent_before_but_not_for_long() {
    let app = app().await;
    let mut socket = app.get("/live/a").open_socket().await.unwrap();
    socket.send("aside", json!(null)).await;
    assert_eq!(socket.close().await.0, 1005);
    let mut socket = app.get("/live/a").open_socket().await.unwrap();
    socket.send("long", json!(null)).await;
    let begun = std::time::Instant::now();
    assert_eq!(socket.close().await.0, 1005);
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    expect_empty(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn connecting_may_be_refused_by_a_status_or_a_code() {
    let app = app().await;
    let refused = app.get("/live/closed").open_socket().await.unwrap_err();
    refused.expect(403);
    let refused = app.get("/live/panics").open_socket().await.unwrap_err();
    refused.expect(500);
    let mut told = app.get("/live/told").open_socket().await.unwrap();
    assert_eq!(told.closed().await, (4000, "not here".to_owned()));
    let mut greeted = app.get("/live/greeted").open_socket().await.unwrap();
    assert_eq!(greeted.event("article.published").await["slug"], "hello");
    greeted.close().await;
    app.get("/live/a").send().await.expect(426);
    drop(told);
    expect_empty(&app).await;
    let counts = app.provider::<Counts>();
    assert_eq!(counts.connected.load(Ordering::SeqCst), 2);
    assert_eq!(counts.gone.load(Ordering::SeqCst), 2);
    app.finish().await;
}

#[tokio::test]
async fn one_socket_too_many_is_not_even_upgraded() {
    let app = app().await;
    let mut open = vec![];
    for _ in 0..3 {
        open.push(app.get("/live/a").open_socket().await.unwrap());
    }
    let refused = app.get("/live/a").open_socket().await.unwrap_err();
    let refused = refused.expect(503);
    assert_eq!(refused.headers["retry-after"], "5");
    assert!(
        app.metrics().encode().contains("ws_upgrades_refused_total{gateway=\"/live/{site}\"} 1")
    );
    assert_eq!(app.provider::<ConnectionRegistry>().len(), 3);
    // Dropped without a word.
    open.clear();
    expect_empty(&app).await;
    app.get("/live/a").open_socket().await.unwrap().close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_page_of_another_origin_opens_no_socket() {
    let app = app().await;
    let foreign = app.get("/live/a").header("origin", "https://evil.example");
    foreign.open_socket().await.unwrap_err().expect(403);
    let own = app.get("/live/a").header("origin", "http://localhost");
    own.open_socket().await.unwrap().close().await;
    app.finish().await;
}

#[tokio::test]
async fn stopping_tells_every_socket_that_the_server_goes_away() {
    let app = app().await;
    let mut first = app.get("/live/a").open_socket().await.unwrap();
    let mut second = app.get("/live/a").open_socket().await.unwrap();
    let counts = app.provider::<Counts>();
    let (_, first, second) = tokio::join!(app.finish(), first.closed(), second.closed());
    assert_eq!((first.0, second.0), (1001, 1001));
    assert_eq!(counts.gone.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn who_only_listens_is_told_the_same() {
    let app = app().await;
    let hub = app.provider::<Hub>();
    let listening = app.get("/news/rust/stream").header("last-event-id", "7").send();
    let telling = async {
        while hub.to(&Tag("rust".into())).count() == 0 {
            tokio::task::yield_now().await;
        }
        app.post("/news/rust").send().await.expect(204);
        app.post("/news/other").send().await.expect(204);
        let code = CloseCode::new(4403).unwrap();
        hub.all::<Live>().close(code, "over").unwrap();
    };
    let (response, ()) = tokio::join!(listening, telling);
    let response = response.expect(200);
    assert_eq!(response.headers["content-type"], "text/event-stream");
    assert_eq!(response.headers["cache-control"], "no-store");
    let expected = "id: 8\nevent: article.published\ndata: {\"slug\":\"after 7\"}\n\n\
         event: article.published\ndata: {\"slug\":\"news\"}\n\n";
    assert_eq!(response.text(), expected);
    app.get("/news/members/stream").send().await.expect(401);
    expect_empty(&app).await;
    let mut open = vec![];
    for _ in 0..3 {
        open.push(app.get("/live/a").open_socket().await.unwrap());
    }
    let refused = app.get("/news/rust/stream").send().await.expect(503);
    assert_eq!(refused.headers["retry-after"], "5");
    open.clear();
    expect_empty(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn the_document_says_what_sockets_take_and_send() {
    let app = app().await;
    let document = app.get("/asyncapi.json").send().await.expect(200).value();
    assert_eq!(document["asyncapi"], "3.0.0");
    let channel = &document["channels"]["live-site"];
    assert_eq!(channel["address"], "/live/{site}");
    assert_eq!(channel["title"], "Opens a socket");
    let watch = &document["operations"]["live-site.tag.watch"];
    assert_eq!((&watch["action"], &watch["x-access"]), (&json!("receive"), &json!("public")));
    let published = &document["operations"]["live-site.article.published"];
    assert_eq!(published["action"], "send");
    let message = &document["components"]["messages"]["live-site.tag.watch"]["payload"];
    assert_eq!(message["properties"]["event"]["const"], "tag.watch");
    assert_eq!(message["properties"]["data"]["$ref"], "#/components/schemas/Watch");
    let secret = &document["operations"]["live-site.secret"];
    assert!(secret["security"][0]["$ref"].is_string(), "{secret}");
    let mut references = vec![];
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let page = app.get("/docs/sockets").send().await.expect(200);
    assert!(page.text().contains("sockets.js"));
    app.finish().await;
}

fn collect(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            into.extend(fields.get("$ref").and_then(|found| found.as_str()).map(str::to_owned));
            fields.values().for_each(|value| collect(value, into));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}
