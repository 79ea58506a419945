//! Two nodes over a real bus, which dies in the middle.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arcly_http::prelude::*;
use arcly_http::realtime::{
    Bus, BusConnection, BusError, BusFuture, CloseCode, NatsBus, RealtimeModule, RedisBus,
};
use arcly_http_testing::{TestApp, TestSocket};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

#[derive(Debug, Serialize, JsonSchema, ServerEvent)]
#[server_event("number")]
struct Number {
    value: u64,
}

#[derive(Room)]
#[room(gateway = Numbers, public)]
struct Those(String);

#[derive(Injectable)]
struct Numbers;

#[gateway("/numbers", emits(Number))]
impl Numbers {
    #[on_connect]
    #[public]
    async fn connect(&self, client: &WsClient) -> Result<(), Problem> {
        client.join(&Those("a".into()))?;
        Ok(())
    }

    #[subscribe("here")]
    #[public]
    fn here(&self) {}
}

/// Replaced by each test.
struct Nowhere;

impl Bus for Nowhere {
    fn name(&self) -> String {
        "nowhere".to_owned()
    }

    fn connect(&self) -> BusFuture<'_, Box<dyn BusConnection>> {
        Box::pin(async { Err(BusError::new("there is none")) })
    }
}

#[provider]
fn bus() -> Arc<dyn Bus> {
    Arc::new(Nowhere)
}

#[module(root, global, imports(RealtimeModule), providers(bus), exports(dyn Bus), gateways(Numbers))]
struct NumbersModule;

/// A server of this test's own.
struct Server {
    process: Child,
    command: fn(u16) -> Command,
    port: u16,
}

fn nats(port: u16) -> Command {
    let mut command = Command::new("nats-server");
    command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
    command
}

fn redis(port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.args(["--appendonly", "no", "--dir", "/tmp"]);
    command
}

impl Server {
    async fn start(command: fn(u16) -> Command) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self { process: Self::run(command, port).await, command, port }
    }

    async fn run(command: fn(u16) -> Command, port: u16) -> Child {
        let started = command(port).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = started.expect("the server is installed; scripts/test does that");
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "the server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.process = Self::run(self.command, self.port).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn node(bus: &Arc<dyn Bus>) -> TestApp {
    let app = TestApp::builder::<NumbersModule>().replace::<dyn Bus>(Arc::clone(bus));
    let app = app.launch().await.unwrap();
    expect_connected(&app, true).await;
    app
}

async fn expect_connected(app: &TestApp, is_connected: bool) {
    let line = format!("ws_bus_connected {}", u8::from(is_connected));
    for _ in 0..1_500 {
        if app.metrics().encode().contains(&line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{line} is not so");
}

fn publish(app: &TestApp, value: u64) {
    let hub = app.provider::<Hub>();
    hub.to(&Those("a".into())).emit(&Number { value }).unwrap();
}

/// Everything that a socket is told up to a number; what was missed is added up.
async fn told(socket: &mut TestSocket, last: u64) -> (Vec<u64>, u64) {
    let (mut values, mut missed) = (vec![], 0);
    while values.last() != Some(&last) {
        let text = socket.message().await;
        let message: serde_json::Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        match message["event"].as_str().unwrap() {
            "number" => values.push(message["data"]["value"].as_u64().unwrap()),
            "session.gap" => missed += message["data"]["missed"].as_u64().unwrap(),
            other => panic!("{other}"),
        }
    }
    (values, missed)
}

async fn is_one_hub(mut server: Server, bus: Arc<dyn Bus>) {
    let (here, there) = (node(&bus).await, node(&bus).await);
    let mut near = here.get("/numbers").open_socket().await.unwrap();
    let mut far = there.get("/numbers").open_socket().await.unwrap();
    // Both directions, once each.
    publish(&here, 1);
    assert_eq!(near.event("number").await, json!({"value": 1}));
    assert_eq!(far.event("number").await, json!({"value": 1}));
    publish(&there, 2);
    assert_eq!(far.event("number").await, json!({"value": 2}));
    assert_eq!(near.event("number").await, json!({"value": 2}));

    // Away in the middle: the own sockets notice nothing, the others hear of what they missed.
    for value in 3..=200 {
        publish(&here, value);
    }
    server.kill();
    for value in 201..=300 {
        publish(&here, value);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(told(&mut near, 300).await, ((3..=300).collect(), 0));
    server.restart().await;
    for app in [&here, &there] {
        expect_connected(app, true).await;
    }
    for value in 301..=400 {
        publish(&here, value);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(told(&mut near, 400).await, ((301..=400).collect(), 0));
    let (values, missed) = told(&mut far, 400).await;
    assert!(values.is_sorted_by(|one, next| one < next), "repeated or out of order: {values:?}");
    assert_eq!(values.len() as u64 + missed, 398, "{missed} missed, and {values:?}");
    assert!(values.len() >= 100, "{values:?}");

    // An end reaches the sockets of the other node as well.
    let code = CloseCode::new(4403).unwrap();
    here.provider::<Hub>().all::<Numbers>().close(code, "revoked").unwrap();
    assert_eq!(near.closed().await, (4403, "revoked".to_owned()));
    assert_eq!(far.closed().await, (4403, "revoked".to_owned()));
    here.finish().await;
    there.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_over_nats_are_one_hub() {
    let server = Server::start(nats).await;
    let bus = NatsBus::new(format!("nats://127.0.0.1:{}", server.port), "test");
    is_one_hub(server, Arc::new(bus)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_over_redis_are_one_hub() {
    let server = Server::start(redis).await;
    let bus = RedisBus::new(format!("redis://127.0.0.1:{}/0", server.port), "test");
    is_one_hub(server, Arc::new(bus)).await;
}

#[tokio::test]
async fn a_bus_that_is_not_there_keeps_nobody_from_working() {
    let app = TestApp::builder::<NumbersModule>().launch().await.unwrap();
    let mut socket = app.get("/numbers").open_socket().await.unwrap();
    // More than are kept for the others.
    for value in 0..5_000 {
        publish(&app, value);
        if value % 100 == 99 {
            let last = told(&mut socket, value).await;
            assert_eq!(last.0.len(), 100);
        }
    }
    assert!(app.metrics().encode().contains("ws_bus_connected 0"));
    socket.close().await;
    app.finish().await;
}
