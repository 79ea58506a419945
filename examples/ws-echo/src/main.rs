//! A gateway at `/echo` that sends back whatever it is sent, text as text and binary as
//! binary: `cargo run -p ws-echo -- --listen 127.0.0.1:9001`.
//!
//! Its limits are those of conformance suites and benchmarks, which send messages of 16 MiB
//! and as fast as they can; an application keeps the defaults.

use std::time::Duration;

use arcly_http::prelude::*;
use arcly_http::realtime::{RealtimeModule, WsTuning};

#[derive(Injectable)]
struct Echo;

#[gateway("/echo", codec = raw, tuning = wide)]
impl Echo {
    /// Opens a socket.
    #[on_connect]
    #[public]
    fn connect(&self) {}

    /// Sends a message back.
    #[message]
    #[public]
    fn echo(&self, client: &WsClient, message: WsMessage) -> Result<(), Problem> {
        client.send(&message)
    }
}

fn wide(mut tuning: WsTuning) -> WsTuning {
    tuning.frame_max = 64 << 20;
    tuning.message_max = 64 << 20;
    tuning.outbound_bytes = 128 << 20;
    tuning.messages_per_second = 0;
    tuning.address_connections = 0;
    tuning.idle_timeout = Duration::from_secs(120);
    tuning.deflate = true;
    tuning
}

#[module(root, imports(RealtimeModule), gateways(Echo))]
struct EchoModule;

#[arcly_http::main(EchoModule)]
fn main() {}

#[cfg(test)]
mod tests {
    use arcly_http_testing::TestApp;

    use super::EchoModule;

    #[tokio::test]
    async fn what_is_sent_comes_back_as_it_was() {
        let app = TestApp::builder::<EchoModule>().launch().await.unwrap();
        let mut socket = app.get("/echo").open_socket().await.unwrap();
        let long = "é".repeat(1 << 20);
        for text in ["", "hello", &long] {
            socket.send_text(text).await;
            assert_eq!(socket.message().await, text);
        }
        socket.send_binary(&[0, 255]).await;
        assert_eq!(socket.message().await, serde_json::json!([0, 255]));
        socket.close().await;
        app.finish().await;
    }
}
