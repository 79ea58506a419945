//! What all servers of the comparison share: the types that they speak.

pub mod load;
pub mod measure;
pub mod sockets;

use arcly_http::Input;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, JsonSchema)]
pub struct Message {
    pub message: &'static str,
}

pub const HELLO: &str = "Hello, World!";

#[derive(Serialize, JsonSchema)]
pub struct User {
    pub id: u64,
    pub name: &'static str,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate, Input)]
pub struct Account {
    #[garde(length(chars, min = 1, max = 64))]
    pub name: String,
    #[garde(range(max = 150))]
    pub age: u8,
    #[garde(length(chars, min = 3, max = 254))]
    pub email: String,
}

/// What is answered to input that is not valid, and its media type.
pub const PROBLEM: &str = r#"{"title":"The input is not valid","status":422}"#;
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// The address that a server is told to listen on, its first argument.
#[must_use]
pub fn address() -> std::net::SocketAddr {
    let text = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3100".to_owned());
    text.parse().expect("the first argument is an address")
}

/// One thread, so that servers are compared by the same measure.
#[must_use]
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a current-thread runtime starts")
}

/// Resolves at SIGINT or SIGTERM, so that valgrind writes its report.
pub async fn stop() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("SIGTERM can be watched");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
