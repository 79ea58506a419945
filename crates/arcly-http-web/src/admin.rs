//! The admin listener: probes, metrics and the console, on a port of their own.
//!
//! | path | answers |
//! |---|---|
//! | `/livez` | 200 while the process serves; depends on nothing |
//! | `/startupz` | 503 until the application is launched |
//! | `/readyz` | 503 before that, while it drains, and while a critical check fails |
//! | `/metrics` | the metrics, for Prometheus |
//! | `/loglevel` | which lines of the log are written; a POST changes it |
//! | `/` | the console, a page for people |
//!
//! It has no access rule, so it listens on the loopback address unless told
//! otherwise. A page that a browser shows may let its own name point here: the levels and
//! the console's data are not shown under names that somebody may own.

mod console;
mod log_level;
mod recent;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use arcly_http_core::observe::{HealthReport, check_all};
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::scope::RequestId;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue};
use http::{Method, StatusCode};
use serde_json::json;

pub use log_level::LogControl;
pub use recent::RecentRequests;

use crate::app::Launched;
use crate::pipeline::{Answer, render_problem};
use crate::reply::with_type;
use crate::{Body, Response};

/// What the admin listener shows: nothing but probes until the application is
/// launched.
#[derive(Debug, Default)]
pub struct Admin {
    phase: AtomicU8,
    app: OnceLock<Launched>,
    log: Option<Arc<dyn LogControl>>,
    recent: OnceLock<Arc<RecentRequests>>,
}

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

impl Admin {
    /// The admin side of an application that is not launched yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The same, where the levels of the log can be changed by `/loglevel`.
    #[must_use]
    pub fn with_log(log: Arc<dyn LogControl>) -> Arc<Self> {
        Arc::new(Self { log: Some(log), ..Self::default() })
    }

    /// The application is launched and serves from now on.
    pub fn started(&self, app: &Launched) {
        if self.app.set(app.clone()).is_ok() {
            self.phase.store(READY, Ordering::SeqCst);
        }
    }

    /// The console shows these requests; the first that is given stays.
    pub fn show_requests(&self, recent: Arc<RecentRequests>) {
        let _ = self.recent.set(recent);
    }

    /// The application takes no more work: `/readyz` says so.
    pub fn draining(&self) {
        self.phase.store(DRAINING, Ordering::SeqCst);
    }

    /// Answers one request.
    pub(crate) fn answer(self: &Arc<Self>, request: http::Request<Body>) -> Answer {
        let is_shown_to_people = matches!(request.uri().path(), "/console.json" | "/loglevel");
        if is_shown_to_people && log_level::is_for_a_public_name(request.uri(), request.headers()) {
            let problem = Problem::of(&kinds::FORBIDDEN).with_detail(
                "ask by an address, `localhost`, or a name that nobody else can own: one \
                 without dots, or below `.internal` or `.local`",
            );
            return now(render_problem(&problem, &RequestId::fresh()));
        }
        let log = self.log.as_ref().filter(|_| request.uri().path() == "/loglevel");
        match (log, request.method()) {
            (Some(log), &Method::POST) => {
                let log = Arc::clone(log);
                let work = async move { log_level::change(&*log, request).await };
                return Answer::Later(Box::pin(work));
            }
            (Some(log), &Method::GET | &Method::HEAD) => return now(log_level::show(&**log)),
            _ => {}
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let allow = if log.is_some() { "GET, HEAD, POST" } else { "GET, HEAD" };
            let allow = HeaderValue::from_static(allow);
            let problem = Problem::of(&kinds::METHOD_NOT_ALLOWED).with_header(ALLOW, allow);
            return now(render_problem(&problem, &RequestId::fresh()));
        }
        let app = self.app.get();
        match (request.uri().path(), app) {
            ("/livez", _) => now(status(StatusCode::OK, &json!({ "status": "live" }))),
            ("/startupz", Some(_)) => now(status(StatusCode::OK, &json!({ "status": "started" }))),
            ("/startupz", None) => now(unavailable(&json!({ "status": "starting" }))),
            ("/readyz", _) => {
                let admin = Arc::clone(self);
                Answer::Later(Box::pin(async move { admin.readiness().await }))
            }
            ("/metrics", Some(app)) => now(with_type(
                app.metrics().encode(),
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )),
            ("/console.json", Some(app)) => {
                let (app, recent) = (app.clone(), self.recent.get().cloned());
                Answer::Later(Box::pin(async move { console::data(&app, recent.as_deref()).await }))
            }
            (path, app) => match console::find(path) {
                Some(response) => now(response),
                None if app.is_none() => now(unavailable(&json!({ "status": "starting" }))),
                None => {
                    let problem = Problem::of(&kinds::ROUTE_NOT_FOUND);
                    now(render_problem(&problem, &RequestId::fresh()))
                }
            },
        }
    }

    async fn readiness(&self) -> Response {
        let phase = || self.phase.load(Ordering::SeqCst);
        let app = match (phase(), self.app.get()) {
            (READY, Some(app)) => app,
            (STARTING, _) | (_, None) => return unavailable(&json!({ "status": "starting" })),
            _ => return unavailable(&json!({ "status": "draining" })),
        };
        let checks: Vec<HealthReport> = check_all(app.health_checks()).await;
        let is_fit = checks.iter().all(|check| check.healthy || !check.critical);
        match (is_fit, phase()) {
            (true, READY) => {
                status(StatusCode::OK, &json!({ "status": "ready", "checks": checks }))
            }
            (true, _) => unavailable(&json!({ "status": "draining" })),
            (false, _) => unavailable(&json!({ "status": "unfit", "checks": checks })),
        }
    }
}

fn now(response: Response) -> Answer {
    Answer::Ready(Some(response))
}

fn unavailable(body: &serde_json::Value) -> Response {
    status(StatusCode::SERVICE_UNAVAILABLE, body)
}

fn status(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = with_type(body.to_string(), "application/json");
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
