//! Testing kit of arcly-http: the app in memory, typed requests, problems,
//! overrides, captured logs, a clock that can be moved.
//!
//! No port is opened: requests run through the same pipeline as on a socket.
//!
//! [`TestApp::logs`] and [`TestApp::spans`] hold what the application wrote while it
//! was launched, answered requests and stopped, and nothing of the tests beside it.
//! A task that the application spawns is followed when its future carries
//! `tracing::instrument::WithSubscriber::with_current_subscriber`, and not otherwise:
//! tokio does not hand the subscriber on (nor the span: add `.in_current_span()`). Code that a test calls by itself is followed
//! inside [`TestApp::watch`].

mod app;
mod capture;
mod conform;
mod form;
mod request;
mod response;
mod socket;

pub use app::{TestApp, TestAppBuilder};
pub use arcly_http_core::time::ManualClock;
pub use capture::{Fields, LogLine, Logs, SpanLine, Spans};
pub use form::TestForm;
pub use request::TestRequest;
pub use response::{TestCookie, TestResponse};
pub use socket::TestSocket;
pub use tracing::Level;
