//! Gateways without envelopes, and events whose handlers never wait.

use arcly_http::prelude::*;
use arcly_http::realtime::RealtimeModule;
use arcly_http_testing::TestApp;
use serde_json::json;

#[derive(Injectable)]
struct Relay {
    hub: Inject<Hub>,
}

#[gateway("/relay", codec = raw)]
impl Relay {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    #[message]
    #[public]
    fn relay(&self, client: &WsClient, message: WsMessage) -> Result<(), Problem> {
        match message.as_bytes() {
            b"panic" => panic!("a handler"),
            b"alone" => client.send(&message)?,
            _ => self.hub.all::<Relay>().send(&message)?,
        }
        Ok(())
    }
}

#[derive(Injectable)]
struct Talk {
    hub: Inject<Hub>,
}

#[gateway("/talk")]
impl Talk {
    #[on_connect]
    #[public]
    fn connect(&self) {}

    /// Sends what its clients could not read.
    #[subscribe("raw")]
    #[public]
    fn raw(&self) -> Result<(), Problem> {
        self.hub.all::<Talk>().send(&WsMessage::Text("raw".into()))
    }

    /// Only for those who have shown who they are.
    #[subscribe("who")]
    #[authenticated]
    fn who(&self, caller: Caller) -> Json<String> {
        Json(caller.subject().to_owned())
    }

    /// Breaks.
    #[subscribe("panic")]
    #[public]
    fn breaks(&self) {
        panic!("a handler")
    }
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
        Box::pin(async move { Ok(std::sync::Arc::new(claims)) })
    }
}

#[provider]
fn tokens() -> std::sync::Arc<dyn arcly_http::access::Authenticator> {
    std::sync::Arc::new(Tokens)
}

#[module(root, imports(RealtimeModule), providers(tokens), gateways(Relay, Talk))]
struct RelayModule;

async fn app() -> TestApp {
    TestApp::builder::<RelayModule>().launch().await.unwrap()
}

#[tokio::test]
async fn raw_messages_go_to_one_and_to_all_and_a_panic_ends_nothing() {
    let app = app().await;
    let mut ann = app.get("/relay").open_socket().await.unwrap();
    let mut bob = app.get("/relay").open_socket().await.unwrap();
    ann.send_text("panic").await;
    ann.send_text("alone").await;
    for number in 0..40 {
        ann.send_text(&number.to_string()).await;
    }
    assert_eq!(ann.message().await, "alone");
    for number in 0..40 {
        assert_eq!(ann.message().await, number.to_string());
        assert_eq!(bob.message().await, number.to_string());
    }
    ann.close().await;
    bob.close().await;
    app.finish().await;
}

#[tokio::test]
async fn handlers_that_never_wait_are_behind_their_access_rule() {
    let app = app().await;
    let mut anonymous = app.get("/talk").open_socket().await.unwrap();
    let refused = anonymous.ask("who", json!(null)).await.unwrap_err();
    assert_eq!(refused["status"], 401);
    let broken = anonymous.ask("panic", json!(null)).await.unwrap_err();
    assert_eq!(broken["status"], 500);
    let raw = anonymous.ask("raw", json!(null)).await.unwrap_err();
    assert_eq!(raw["status"], 500);
    let ann = app.get("/talk").header("authorization", "Bearer ann");
    let mut ann = ann.open_socket().await.unwrap();
    assert_eq!(ann.ask("who", json!(null)).await.unwrap(), "ann");
    anonymous.close().await;
    ann.close().await;
    app.finish().await;
}
