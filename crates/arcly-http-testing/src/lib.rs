//! Testing kit of arcly-http: the app in memory, typed requests, problems,
//! overrides, a clock that can be moved.
//!
//! No port is opened: requests run through the same pipeline as on a socket.

mod app;
mod conform;
mod request;

pub use app::{TestApp, TestAppBuilder};
pub use arcly_http_core::time::ManualClock;
pub use request::{TestRequest, TestResponse};
