//! The console: what the application is and does, on one page that works offline.

use bytes::Bytes;
use futures_util::future::join_all;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use serde_json::{Value, json};

use super::RecentRequests;
use crate::Response;
use crate::app::Launched;
use crate::plugin::Page;
use crate::reply::with_type;

/// Script, style and data come from this listener alone; nothing is inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page, script or style of the console.
pub(super) fn find(path: &str) -> Option<Response> {
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
        _ => return None,
    };
    Some(served(body, media_type))
}

fn served(body: Bytes, media_type: &'static str) -> Response {
    let mut response = with_type(body, media_type);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Everything that the page shows; secrets of the configuration are masked where it
/// is described.
pub(super) async fn data(app: &Launched, recent: Option<&RecentRequests>) -> Response {
    let shown = app.plugins().iter().map(|plugin| plugin.show(app.container()));
    let pages: Vec<Page> = join_all(shown).await.into_iter().flatten().collect();
    served(described(app, &pages, recent).to_string().into(), "application/json")
}

fn described(app: &Launched, pages: &[Page], recent: Option<&RecentRequests>) -> Value {
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
        "pages": pages,
        // Null where none are kept.
        "requests": recent.map(RecentRequests::list),
    })
}
