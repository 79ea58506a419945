//! Attempts to answer something that the document does not say.

use std::sync::Arc;

use arcly_http::access::{AuthError, AuthFuture, Authenticator, Credentials};
use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::problem::kinds;
use arcly_http::web::argument::IfMatch;
use arcly_http::web::reply::{Ranged, Redirect, Response, Tagged, with_type};
use arcly_http::web::{Body, Context};
use arcly_http_testing::TestApp;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

/// Says that it has a number, and writes a text.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "written by hand")]
struct Liar {
    count: u32,
}

impl Serialize for Liar {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::json!({ "count": "many" }).serialize(serializer)
    }
}

#[derive(Debug, thiserror::Error, Problem)]
enum LentError {
    #[error("somebody has it")]
    #[problem(status = 409)]
    Lent,
}

#[derive(Injectable)]
struct QuietGuard;

impl Guard for QuietGuard {
    fn describe(_operation: &mut Operation) {}

    async fn check(&self, _head: &Head) -> Result<(), Problem> {
        Err(Problem::of(&kinds::TOO_MANY_REQUESTS))
    }
}

#[derive(Injectable)]
struct QuietStamp;

impl Interceptor for QuietStamp {
    async fn around(&self, context: &mut Context, next: Next<'_>) -> Result<Response, Problem> {
        let mut response = next.run(context).await?;
        response.headers_mut().insert("x-stamp", HeaderValue::from_static("1"));
        Ok(response)
    }
}

#[derive(Injectable)]
struct QuietFilter;

impl Filter for QuietFilter {
    async fn catch(&self, _problem: Problem, _head: &Head) -> Result<Response, Problem> {
        let mut response = with_type("sorry", "text/plain");
        *response.status_mut() = StatusCode::CONFLICT;
        Ok(response)
    }
}

/// The token `down` stands for a directory that does not answer.
struct Directory;

impl Authenticator for Directory {
    fn schemes(&self) -> &'static [&'static str] {
        &["Bearer"]
    }

    fn authenticate<'a>(&'a self, _credentials: Credentials<'a>) -> AuthFuture<'a> {
        Box::pin(async { Err(AuthError::Unavailable("no answer".into())) })
    }
}

#[provider]
fn directory() -> Arc<dyn Authenticator> {
    Arc::new(Directory)
}

fn raw(status: u16, header: Option<(&'static str, &'static str)>) -> Response {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some((name, value)) = header {
        let name = HeaderName::from_static(name);
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Injectable)]
struct SlyController;

#[controller("/sly")]
impl SlyController {
    #[get("/status")]
    #[public]
    fn status(&self) -> Response {
        raw(202, None)
    }

    #[get("/etag")]
    #[public]
    fn etag(&self) -> Response {
        raw(200, Some(("etag", "\"1\"")))
    }

    #[get("/location")]
    #[public]
    fn location(&self) -> Response {
        raw(200, Some(("location", "/elsewhere")))
    }

    #[get("/retry")]
    #[public]
    fn retry(&self) -> Result<String, LentProblem> {
        Err(LentProblem)
    }

    #[get("/other-kind")]
    #[public]
    fn other_kind(&self) -> Result<String, OtherKind> {
        Err(OtherKind)
    }

    #[get("/body")]
    #[public]
    fn body(&self) -> Json<Liar> {
        Json(Liar { count: 1 })
    }

    #[get("/untyped")]
    #[public]
    fn untyped(&self) -> Response {
        http::Response::new("text".into())
    }

    #[get("/guard", guards(QuietGuard))]
    #[public]
    fn guard(&self) -> String {
        String::new()
    }

    #[get("/interceptor", interceptors(QuietStamp))]
    #[public]
    fn interceptor(&self) -> String {
        String::new()
    }

    #[get("/filter", filters(QuietFilter))]
    #[public]
    fn filter(&self) -> Result<String, LentError> {
        Err(LentError::Lent)
    }
}

/// Sends `retry-after` with a status that has no such header.
struct LentProblem;

impl arcly_http::problem::IntoProblem for LentProblem {
    fn into_problem(self) -> Problem {
        Problem::of(&kinds::CONFLICT)
            .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("3"))
    }
    fn kinds() -> &'static [&'static arcly_http::problem::ProblemKind] {
        static KINDS: [&arcly_http::problem::ProblemKind; 1] = [&kinds::CONFLICT];
        &KINDS
    }
}

/// Documents one kind of 404 and answers with another.
struct OtherKind;

impl arcly_http::problem::IntoProblem for OtherKind {
    fn into_problem(self) -> Problem {
        Problem::of(&kinds::NOT_FOUND)
    }
    fn kinds() -> &'static [&'static arcly_http::problem::ProblemKind] {
        static KINDS: [&arcly_http::problem::ProblemKind; 1] = [&kinds::ROUTE_NOT_FOUND];
        &KINDS
    }
}

#[derive(Injectable)]
struct HonestController;

#[controller("/honest")]
impl HonestController {
    #[get("/tagged", deprecated = "2026-01-01T00:00:00Z", sunset = "2027-01-31T00:00:00Z")]
    #[public]
    fn tagged(&self) -> Tagged<Json<u32>> {
        Tagged::new(1, Json(1))
    }

    #[get("/file")]
    #[public]
    fn file(&self) -> Ranged {
        Ranged::new("abc", "text/plain")
    }

    #[get("/moved")]
    #[public]
    fn moved(&self) -> Redirect {
        Redirect("/elsewhere".to_owned())
    }

    #[post("/made")]
    #[public]
    fn made(&self) -> Created<Json<u32>> {
        Created(Json(1)).at("/made/1")
    }

    #[put("/changed")]
    #[public]
    async fn changed(&self, condition: IfMatch) -> Result<NoContent, Problem> {
        condition.require("\"1\"").map(|()| NoContent)
    }

    #[get("/closed")]
    #[authenticated]
    fn closed(&self) -> String {
        String::new()
    }
}

#[module(
    root,
    providers(directory, QuietGuard, QuietStamp, QuietFilter),
    controllers(SlyController, HonestController)
)]
struct RecordedModule;

#[tokio::test]
async fn what_is_not_documented_is_found() {
    for (path, words) in [
        ("status", "answered 202, which"),
        ("etag", "header `etag`"),
        ("location", "header `location`"),
        ("retry", "header `retry-after`"),
        ("other-kind", "not \"route_not_found\""),
        ("body", "/count is no integer"),
        ("untyped", "no content type"),
        ("guard", "answered 429, which"),
        ("interceptor", "header `x-stamp`"),
        ("filter", "answered 409 as text/plain"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let app = TestApp::builder::<RecordedModule>().launch().await.unwrap();
            app.request(method.clone(), &format!("/sly/{path}")).send().await;
            let found = app.undocumented().join("\n");
            // An answer to HEAD has no body that could be wrong.
            let is_about_body = matches!(path, "other-kind" | "body") && method == Method::HEAD;
            assert!(found.contains(words) != is_about_body, "{method} {path}: {found:?}");
        }
    }
}

#[tokio::test]
async fn what_the_kinds_of_reply_answer_is_documented() {
    let app = TestApp::builder::<RecordedModule>().launch().await.unwrap();
    for method in [Method::GET, Method::HEAD] {
        let ask = |path: &str| app.request(method.clone(), &format!("/honest/{path}"));
        ask("tagged").send().await.expect(200);
        ask("tagged").header("if-none-match", "\"1\"").send().await.expect(304);
        ask("tagged").header("accept", "text/plain").send().await.expect(406);
        ask("file").send().await.expect(200);
        ask("moved").send().await.expect(307);
        ask("closed").send().await.expect(401);
        ask("closed").bearer("down").send().await.expect(503);
        ask("file").bearer("down").send().await.expect(503);
        ask("file").header("content-length", "999999999").send().await.expect(413);
    }
    app.get("/honest/file").header("range", "bytes=0-1").send().await.expect(206);
    app.get("/honest/file").header("range", "bytes=9-").send().await.expect(416);
    app.post("/honest/made").send().await.expect(201);
    app.put("/honest/changed").send().await.expect(428);
    app.put("/honest/changed").header("if-match", "\"0\"").send().await.expect(412);
    app.put("/honest/changed").header("if-match", "\"1\"").send().await.expect(204);
    app.finish().await;
}
