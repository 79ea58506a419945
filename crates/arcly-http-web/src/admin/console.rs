//! The console: what the application is and does, on one page that works offline.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use serde_json::{Value, json};

use crate::Response;
use crate::app::Launched;
use crate::reply::with_type;

/// Script, style and data come from this listener alone; nothing is inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page, script or style of the console, or the data that it shows.
pub(super) fn find(path: &str, app: Option<&Launched>) -> Option<Response> {
    let (body, media_type): (Bytes, &'static str) = match path {
        "/" => (
            Bytes::from_static(include_bytes!("../../assets/console.html")),
            "text/html; charset=utf-8",
        ),
        "/console.js" => (
            Bytes::from_static(include_bytes!("../../assets/console.js")),
            "text/javascript; charset=utf-8",
        ),
        "/console.css" => (
            Bytes::from_static(include_bytes!("../../assets/console.css")),
            "text/css; charset=utf-8",
        ),
        "/console.json" => (data(app?).to_string().into(), "application/json"),
        _ => return None,
    };
    let mut response = with_type(body, media_type);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Some(response)
}

/// Everything that the page shows; secrets of the configuration are masked where it
/// is described.
fn data(app: &Launched) -> Value {
    let routes: Vec<Value> = app
        .operations()
        .iter()
        .map(|(line, metrics)| {
            let (count, took) = metrics.totals();
            let mean = if count == 0 { 0.0 } else { took.as_secs_f64() * 1e3 / count as f64 };
            json!({
                "route": line,
                "count": count,
                "failures": metrics.failures(),
                "mean_ms": mean,
            })
        })
        .collect();
    json!({
        "title": app.openapi()["info"]["title"],
        "version": app.openapi()["info"]["version"],
        "uptime_s": app.uptime().as_secs(),
        "active": app.metrics().requests().active(),
        "routes": routes,
        "modules": crate::describe::graph(app.root()),
        "tasks": app.container().tasks().list(),
        "config": app.container().config().describe(),
    })
}
