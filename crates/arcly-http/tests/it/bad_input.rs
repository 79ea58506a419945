//! Every kind of argument with every kind of wrong value: the status, the code
//! and the words that tell the client what to do.

use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::problem::kinds;
use arcly_http::web::argument::IfMatch;
use arcly_http_testing::{TestApp, TestRequest};
use bytes::Bytes;
use garde::Validate;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize, JsonSchema, Validate, Input)]
#[serde(rename_all = "camelCase")]
struct Order {
    #[garde(length(chars, min = 2, max = 4))]
    display_name: String,
    #[garde(range(min = 1))]
    count: u8,
    #[serde(default)]
    #[garde(dive)]
    order_lines: Vec<Line>,
    #[garde(skip)]
    size: Option<Size>,
}

#[derive(Debug, Deserialize, JsonSchema, Validate, Input)]
struct Line {
    #[serde(rename = "article/no")]
    #[garde(length(chars, min = 1))]
    article: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Size {
    Small,
    Large,
}

#[derive(Debug, Deserialize, JsonSchema, Validate, Input)]
struct Search {
    #[garde(range(min = 1))]
    limit: u8,
    #[serde(default)]
    #[garde(skip)]
    exact: bool,
    #[serde(default)]
    #[garde(skip)]
    tag: Vec<String>,
    #[garde(skip)]
    size: Option<Size>,
}

/// An own kind.
struct ClientVersion(u32);

impl FromRequest for ClientVersion {
    type Error = Problem;

    fn describe(operation: &mut Operation) {
        operation.header::<u32>("x-client-version", true);
        operation.problem(&kinds::BAD_REQUEST);
    }

    async fn from_request(head: &Head) -> Result<Self, Problem> {
        head.headers()
            .get("x-client-version")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Self)
            .ok_or_else(|| Problem::of(&kinds::BAD_REQUEST).with_detail("send x-client-version"))
    }
}

#[derive(Injectable)]
struct InputController;

#[controller("/in")]
impl InputController {
    #[get("/path/{id}/{letter}")]
    #[public]
    fn path(&self, id: Path<u8>, letter: Path<char>) -> String {
        format!("{}{}", *id, *letter)
    }

    #[get("/word/{word}/x")]
    #[public]
    fn word(&self, word: Path<String>) -> String {
        word.0
    }

    #[get("/query")]
    #[public]
    fn query(&self, search: Valid<Query<Search>>) -> String {
        format!("{} {} {} {}", search.limit, search.exact, search.tag.len(), search.size.is_some())
    }

    #[get("/header")]
    #[public]
    fn header(&self, x_count: Header<u8>, x_flag: Option<Header<bool>>) -> String {
        format!("{} {}", *x_count, x_flag.is_some_and(|flag| *flag))
    }

    #[get("/cookie")]
    #[public]
    fn cookie(&self, count: Cookie<u8>, flag: Option<Cookie<bool>>) -> String {
        format!("{} {}", *count, flag.is_some_and(|flag| *flag))
    }

    #[post("/json", body_limit = "256B")]
    #[public]
    async fn json(&self, order: Valid<Json<Order>>) -> String {
        let articles: Vec<&str> = order.order_lines.iter().map(|line| &*line.article).collect();
        format!("{} {} {articles:?} {:?}", order.display_name, order.count, order.size)
    }

    #[post("/form", body_limit = "64B")]
    #[public]
    async fn form(&self, search: Valid<Form<Search>>) -> String {
        search.limit.to_string()
    }

    #[post("/multipart", body_limit = "512B")]
    #[public]
    async fn multipart(&self, mut parts: Multipart) -> Result<String, Problem> {
        let mut texts = vec![];
        while let Some(part) = parts.next_part().await? {
            texts.push(part.text().await?);
        }
        Ok(texts.join(" "))
    }

    #[post("/raw", body_limit = "8B")]
    #[public]
    async fn raw(&self, body: Bytes) -> String {
        body.len().to_string()
    }

    #[get("/own")]
    #[public]
    async fn own(&self, version: ClientVersion) -> String {
        version.0.to_string()
    }

    #[put("/if-match")]
    #[public]
    async fn if_match(&self, condition: IfMatch) -> Result<String, Problem> {
        condition.require("\"1\"")?;
        Ok("changed".to_owned())
    }

    #[get("/caller")]
    #[authenticated]
    fn caller(&self, caller: Caller) -> String {
        caller.subject().to_owned()
    }

    #[get("/maybe-caller")]
    #[public]
    fn maybe_caller(&self, caller: Option<Caller>) -> String {
        caller.map_or_else(|| "nobody".to_owned(), |caller| caller.subject().to_owned())
    }
}

#[provider]
fn authenticator() -> std::sync::Arc<dyn arcly_http::access::Authenticator> {
    std::sync::Arc::new(super::http_api::Tokens)
}

#[module(root, providers(authenticator), controllers(InputController))]
struct InputModule;

/// What is expected: status, code, pointer and code of the first violation (or
/// nothing), and words of the detail.
type Expected<'a> = (u16, &'a str, &'a str, &'a str);

async fn refused(case: &str, request: TestRequest, expected: Expected<'_>) {
    let (status, code, violation, words) = expected;
    let response = request.send().await;
    assert_eq!(response.status.as_u16(), status, "{case}: {}", response.text());
    assert_eq!(response.header("content-type"), "application/problem+json", "{case}");
    let problem = response.value();
    assert_eq!(problem["code"], code, "{case}: {problem}");
    assert!(problem["type"].as_str().is_some_and(|uri| uri.starts_with("urn:arcly:problem:")));
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(words), "{case}: {detail:?} does not say {words:?}");
    assert!(!detail.is_empty() || code == "route_not_found", "{case}: no detail");
    let first = &problem["violations"][0];
    let found = match first {
        Value::Null => String::new(),
        first => {
            assert!(first["detail"].as_str().is_some_and(|text| !text.is_empty()), "{case}");
            let text = |key: &str| first[key].as_str().unwrap_or_default();
            format!("{} {}", text("pointer"), text("code"))
        }
    };
    assert_eq!(found, violation, "{case}: {problem}");
}

const MALFORMED: &str = "malformed_request";
const INVALID: &str = "invalid_input";

async fn launch() -> TestApp {
    TestApp::builder::<InputModule>().launch().await.unwrap()
}

#[tokio::test]
async fn paths() {
    let app = launch().await;
    assert_eq!(app.get("/in/path/7/%C3%BC").send().await.expect(200).text(), "7ü");
    for path in ["x/a", "256/a", "-1/a", "1.0/a", "%20/a", "1/ab", "1/%FF", "%2B1/a"] {
        let expected = (404, "not_found", "", "path parameter `");
        refused(path, app.get(&format!("/in/path/{path}")), expected).await;
    }
    let empty = app.get("/in/path/1//ab");
    refused("two slashes", empty, (404, "route_not_found", "", "")).await;
    refused("empty", app.get("/in/word//x"), (404, "not_found", "", "`word` must")).await;
    app.finish().await;
}

#[tokio::test]
async fn queries() {
    let app = launch().await;
    let fine = app.get("/in/query?limit=3&exact=true&tag=a&tag=%C3%BC&size=small").send().await;
    assert_eq!(fine.expect(200).text(), "3 true 2 true");
    for (query, violation, words) in [
        ("", "/limit required", "limit: this field is required"),
        ("limit=", "/limit wrong_type", "a whole number from 0 to 255"),
        ("limit=many", "/limit wrong_type", "a whole number from 0 to 255"),
        ("limit=1.5", "/limit wrong_type", "a whole number"),
        ("limit=256", "/limit out_of_range", "a whole number from 0 to 255"),
        ("limit=-1", "/limit out_of_range", "from 0 to 255"),
        ("limit=%2B1", "/limit wrong_type", "from 0 to 255"),
        ("limit=0", "/limit too_small", "must be at least 1"),
        ("limit=1&limit=2", "/limit duplicate", "send it once"),
        ("limit=1&exact=yes", "/exact wrong_type", "true or false"),
        ("limit=1&size=huge", "/size not_an_option", "`small` or `large`"),
        ("limit=1&Limit=2", "/Limit unknown", "not known"),
        ("limit=1&x%2Fy=2", "/x~1y unknown", "x/y: this parameter is not known"),
    ] {
        let request = app.get(&format!("/in/query?{query}"));
        refused(query, request, (422, INVALID, violation, words)).await;
    }
    let expected = (400, MALFORMED, "", "not UTF-8");
    refused("utf-8", app.get("/in/query?limit=1&tag=%FF"), expected).await;
    app.finish().await;
}

#[tokio::test]
async fn headers_and_cookies() {
    let app = launch().await;
    let header = || app.get("/in/header");
    let fine = header().header("x-count", "3").header("x-flag", "true").send().await;
    assert_eq!(fine.expect(200).text(), "3 true");
    let cookie = |value: &str| app.get("/in/cookie").header("cookie", value);
    assert_eq!(cookie("a=b; count=3; flag=true").send().await.expect(200).text(), "3 true");
    refused("missing", header(), (400, MALFORMED, "", "header `x-count` is missing")).await;
    refused("missing", app.get("/in/cookie"), (400, MALFORMED, "", "cookie `count` is missing"))
        .await;
    for value in ["", "many", "256", "-1", "1.5", "ü"] {
        let expected = (400, MALFORMED, "", "a whole number from 0 to 255");
        refused(value, header().header("x-count", value), expected).await;
        refused(value, cookie(&format!("count={value}")), expected).await;
    }
    let twice = header().header("x-count", "1").header("x-count", "2");
    refused("twice", twice, (400, MALFORMED, "", "send it once")).await;
    let flag = header().header("x-count", "1").header("x-flag", "yes");
    refused("optional", flag, (400, MALFORMED, "", "true or false")).await;
    let flag = cookie("count=1; flag=yes");
    refused("optional", flag, (400, MALFORMED, "", "true or false")).await;
    refused("utf-8", cookie("count=%FF"), (400, MALFORMED, "", "cookie `count`")).await;
    app.finish().await;
}

#[tokio::test]
async fn json_bodies() {
    let app = launch().await;
    let send = |body: &[u8]| app.post("/in/json").body("application/json", body.to_vec());
    let fine = r#"{"displayName":"ab","count":1,"orderLines":[{"article/no":"1"}],"size":null}"#;
    assert_eq!(send(fine.as_bytes()).send().await.expect(200).text(), r#"ab 1 ["1"] None"#);
    for (body, violation, words) in [
        ("null", " wrong_type", "expected an object"),
        ("[]", " wrong_length", "expected an object"),
        (r#"{"count":1}"#, "/displayName required", "displayName: this field is required"),
        (r#"{"displayName":"ab","count":"1"}"#, "/count wrong_type", "from 0 to 255"),
        (r#"{"displayName":"ab","count":null}"#, "/count wrong_type", "from 0 to 255"),
        (r#"{"displayName":"ab","count":256}"#, "/count out_of_range", "from 0 to 255"),
        (r#"{"displayName":"ab","count":1.5}"#, "/count wrong_type", "from 0 to 255"),
        (r#"{"displayName":"ab","count":0}"#, "/count too_small", "at least 1"),
        (r#"{"displayName":"a","count":1}"#, "/displayName too_short", "at least 2"),
        (r#"{"displayName":"üüüüü","count":1}"#, "/displayName too_long", "at most 4"),
        (r#"{"displayName":1,"count":1}"#, "/displayName wrong_type", "expected a string"),
        (
            r#"{"displayName":"ab","count":1,"count":2}"#,
            "/count duplicate",
            "given twice; send it once",
        ),
        (r#"{"displayName":"ab","count":1,"x":2}"#, "/x unknown", "leave it out"),
        (r#"{"displayName":"ab","count":1,"size":"huge"}"#, "/size not_an_option", "`large`"),
        (
            r#"{"displayName":"ab","count":1,"orderLines":[{"article/no":"1"},{"article/no":""}]}"#,
            "/orderLines/1/article~1no too_short",
            "orderLines[1].article/no: must have",
        ),
        (
            r#"{"displayName":"ab","count":1,"orderLines":[{"article":"1"}]}"#,
            "/orderLines/0/article unknown",
            "orderLines[0].article/no: this field is required",
        ),
    ] {
        let request = send(body.as_bytes());
        refused(body, request, (422, INVALID, violation, words)).await;
    }
    for (body, words) in [
        (&b""[..], "the body is empty; send JSON"),
        (b"{", "line 1 column 1"),
        (b"{} {}", "send one JSON value"),
        (br#"{"displayName":"ab","count":1e400}"#, "send one JSON value"),
        (b"{\"displayName\":\"\xff\"}", "not UTF-8 from byte 16 on"),
    ] {
        let case = String::from_utf8_lossy(body);
        refused(&case, send(body), (400, MALFORMED, "", words)).await;
    }
    let large = send(&[b' '; 300]);
    refused("large", large, (413, "content_too_large", "", "at most 256 bytes")).await;
    let wrong = app.post("/in/json").body("text/plain", "{}");
    refused("type", wrong, (415, "unsupported_media_type", "", "send one of: application/json"))
        .await;
    app.finish().await;
}

#[tokio::test]
async fn forms() {
    let app = launch().await;
    let form = |body: &str| {
        app.post("/in/form").body("application/x-www-form-urlencoded", body.to_owned())
    };
    assert_eq!(form("limit=3").send().await.expect(200).text(), "3");
    for (body, violation, words) in [
        ("tag=a", "/limit required", "this field is required"),
        ("limit=256", "/limit out_of_range", "from 0 to 255"),
        ("limit=0", "/limit too_small", "at least 1"),
        ("limit=1&limit=1", "/limit duplicate", "send it once"),
        ("limit=1&x=1", "/x unknown", "this field is not known"),
    ] {
        refused(body, form(body), (422, INVALID, violation, words)).await;
    }
    refused("empty", app.post("/in/form"), (422, INVALID, "/limit required", "required")).await;
    refused("utf-8", form("limit=1&tag=%FF"), (400, MALFORMED, "", "not UTF-8")).await;
    let large = form(&format!("limit=1&tag={}", "a".repeat(64)));
    refused("large", large, (413, "content_too_large", "", "at most 64 bytes")).await;
    let wrong = app.post("/in/form").body("application/json", "{}");
    refused("type", wrong, (415, "unsupported_media_type", "", "x-www-form-urlencoded")).await;
    app.finish().await;
}

#[tokio::test]
async fn multipart_and_raw_bodies() {
    let app = launch().await;
    let part = |content: &[u8]| {
        let head = b"--X\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n".as_slice();
        [head, content, b"\r\n--X--\r\n"].concat()
    };
    let send =
        |body: Vec<u8>| app.post("/in/multipart").body("multipart/form-data; boundary=X", body);
    assert_eq!(send(part(b"hello")).send().await.expect(200).text(), "hello");
    let no_boundary = app.post("/in/multipart").body("multipart/form-data", part(b"x"));
    refused("boundary", no_boundary, (400, MALFORMED, "", "boundary")).await;
    let broken_off = send(b"--X\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nhel".to_vec());
    refused("broken off", broken_off, (400, MALFORMED, "", "send")).await;
    refused("empty", send(b"nonsense".to_vec()), (400, MALFORMED, "", "send")).await;
    refused("utf-8", send(part(b"\xff")), (400, MALFORMED, "", "not UTF-8")).await;
    refused("large", send(part(&[b'a'; 600])), (413, "content_too_large", "", "at most")).await;
    let wrong = app.post("/in/multipart").body("application/json", "{}");
    refused("type", wrong, (415, "unsupported_media_type", "", "multipart/form-data")).await;
    refused("none", app.post("/in/multipart"), (400, MALFORMED, "", "boundary")).await;

    let raw = |body: &str| app.post("/in/raw").body("a/b", body.to_owned());
    assert_eq!(raw("12345678").send().await.expect(200).text(), "8");
    assert_eq!(app.post("/in/raw").send().await.expect(200).text(), "0");
    refused("large", raw("123456789"), (413, "content_too_large", "", "at most 8 bytes")).await;
    app.finish().await;
}

#[tokio::test]
async fn own_kinds_conditions_and_callers() {
    let app = launch().await;
    let own = || app.get("/in/own");
    assert_eq!(own().header("x-client-version", "4").send().await.expect(200).text(), "4");
    refused("missing", own(), (400, MALFORMED, "", "send x-client-version")).await;
    let wrong = own().header("x-client-version", "new");
    refused("wrong", wrong, (400, MALFORMED, "", "send x-client-version")).await;

    let put = || app.request(Method::PUT, "/in/if-match");
    put().header("if-match", "\"0\", \"1\"").send().await.expect(200);
    put().header("if-match", "*").send().await.expect(200);
    refused("missing", put(), (428, "precondition_required", "", "send `if-match`")).await;
    for stale in ["\"0\"", "W/\"1\"", "1", ""] {
        let expected = (412, "precondition_failed", "", "read it again");
        refused(stale, put().header("if-match", stale), expected).await;
    }

    let caller = || app.get("/in/caller");
    assert_eq!(caller().bearer("user").send().await.expect(200).text(), "u1");
    assert_eq!(app.get("/in/maybe-caller").send().await.expect(200).text(), "nobody");
    for request in [
        caller(),
        caller().bearer("nonsense"),
        caller().header("authorization", "Bearer"),
        caller().header("authorization", "Basic dTpw"),
        caller().bearer("user").bearer("user"),
        app.get("/in/maybe-caller").bearer("nonsense"),
    ] {
        refused("caller", request, (401, "unauthenticated", "", "send")).await;
    }
    app.finish().await;
}
