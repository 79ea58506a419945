//! Requests through the whole pipeline.

use std::sync::Arc;

use arcly_http::access::{AuthError, AuthFuture, Authenticator, Credentials};
use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::problem::kinds;
use arcly_http::web::argument::{IfMatch, RawBody};
use arcly_http::web::reply::{Ranged, Response, Streamed};
use arcly_http::web::{Context, app::AppError};
use arcly_http_testing::TestApp;
use bytes::Bytes;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Action)]
enum Thing {
    #[action(role = "editor")]
    Edit,
}

/// `user` and `editor` are good tokens.
#[derive(Injectable)]
pub(super) struct Tokens;

impl Authenticator for Tokens {
    fn schemes(&self) -> &'static [&'static str] {
        &["Bearer"]
    }

    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> AuthFuture<'a> {
        let claims = match credentials.token {
            "user" => Ok(Claims::about("u1")),
            "editor" => Ok(Claims::about("u2").with_role("editor")),
            _ => Err(AuthError::Refused("no such token".into())),
        };
        Box::pin(async move { claims.map(Arc::new) })
    }
}

#[derive(Debug, Deserialize, Serialize, JsonSchema, Validate, Input)]
#[serde(rename_all = "camelCase")]
struct NewThing {
    #[garde(length(chars, min = 1, max = 10))]
    display_name: String,
    #[garde(dive)]
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema, Validate, Input)]
struct Part {
    #[garde(range(min = 1))]
    size: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Paging {
    limit: Option<u32>,
}

#[derive(Debug, thiserror::Error, Problem)]
enum ThingError {
    #[error("the name is taken")]
    #[problem(status = 409)]
    Taken,
    #[error("the password is wrong")]
    #[problem(status = 401)]
    WrongPassword,
    #[error("storage failed")]
    #[problem(internal)]
    Storage(#[source] std::io::Error),
}

struct ClientVersion(u32);

impl FromRequest for ClientVersion {
    type Error = Problem;

    fn describe(operation: &mut Operation) {
        operation.header::<u32>("x-client-version", true);
        operation.problem(&kinds::BAD_REQUEST);
    }

    async fn from_request(head: &Head) -> Result<Self, Problem> {
        let value = head.headers().get("x-client-version");
        value
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Self)
            .ok_or_else(|| Problem::of(&kinds::BAD_REQUEST).with_detail("send x-client-version"))
    }
}

#[derive(Injectable)]
struct Gate;

impl Guard for Gate {
    fn describe(operation: &mut Operation) {
        operation.problem(&kinds::FORBIDDEN);
    }

    async fn check(&self, head: &Head) -> Result<(), Problem> {
        if head.headers().contains_key("x-closed") {
            Err(Problem::of(&kinds::FORBIDDEN))
        } else {
            Ok(())
        }
    }
}

#[derive(Injectable)]
struct Stamp;

impl Interceptor for Stamp {
    fn describe(operation: &mut Operation) {
        operation.header_everywhere::<u32>("x-stamp", "Says that it was stamped.");
        operation.header_everywhere::<u32>("x-layer", "Set by the layer beside it.");
    }

    async fn around(&self, context: &mut Context, next: Next<'_>) -> Result<Response, Problem> {
        let mut response = next.run(context).await?;
        response.headers_mut().insert("x-stamp", "1".parse().map_err(Problem::internal)?);
        Ok(response)
    }
}

#[derive(Injectable)]
struct Teapot;

impl Filter for Teapot {
    async fn catch(&self, problem: Problem, _head: &Head) -> Result<Response, Problem> {
        Err(problem.with_member("brewed", true))
    }
}

fn tag_layer() -> impl tower::Layer<
    arcly_http::web::stage::LayerService,
    Service = arcly_http::web::stage::LayerService,
> + Clone
+ Send
+ Sync
+ 'static {
    tower::layer::layer_fn(|inner: arcly_http::web::stage::LayerService| {
        use tower::ServiceExt as _;
        tower::util::BoxCloneSyncService::new(inner.map_response(|mut response: Response| {
            response.headers_mut().insert("x-layer", http_value("1"));
            response
        }))
    })
}

fn http_value(text: &'static str) -> http::HeaderValue {
    http::HeaderValue::from_static(text)
}

#[derive(Injectable)]
#[inject(scope = request)]
struct Who {
    scope: Inject<Scope>,
}

#[derive(Injectable)]
struct ThingController;

#[controller("/things", tags("Things"))]
impl ThingController {
    /// Shows a thing.
    ///
    /// By its number.
    #[get("/{id}")]
    #[public]
    fn show(&self, id: Path<u32>, page: Query<Paging>) -> Json<(u32, Option<u32>)> {
        Json((*id, page.limit))
    }

    #[get("/me")]
    #[authenticated]
    async fn me(&self, caller: Caller, who: Inject<Who>) -> Json<(String, bool)> {
        Json((caller.subject().to_owned(), who.scope.claims().is_some()))
    }

    #[post("/")]
    #[can(Thing::Edit)]
    async fn create(
        &self,
        body: Valid<Json<NewThing>>,
    ) -> Result<Created<Json<NewThing>>, ThingError> {
        match body.display_name.as_str() {
            "taken" => Err(ThingError::Taken),
            "secret" => Err(ThingError::WrongPassword),
            "broken" => Err(ThingError::Storage(std::io::Error::other("disk on fire"))),
            _ => Ok(Created(Json(body.into_inner())).at(Self::show_url(&7))),
        }
    }

    #[put("/{id}")]
    #[public]
    async fn change(&self, id: Path<u32>, condition: IfMatch) -> Result<NoContent, Problem> {
        condition.require(&format!("\"v{}\"", *id))?;
        Ok(NoContent)
    }

    #[get("/{id}/tagged")]
    #[public]
    fn tagged(&self, id: Path<u32>) -> Tagged<Json<u32>> {
        Tagged::new(format!("v{}", *id), Json(*id))
    }

    #[get("/files/{*name}")]
    #[public]
    fn file(&self, name: Path<String>) -> Ranged {
        Ranged::new(name.0, "text/plain")
    }

    #[get("/stream")]
    #[public]
    fn stream(&self) -> Streamed {
        Streamed::new(futures_util::stream::iter([
            Ok::<_, std::io::Error>(Bytes::from_static(b"a")),
            Ok(Bytes::from_static(b"b")),
        ]))
    }

    #[post("/upload", body_limit = "1KiB")]
    #[public]
    async fn upload(&self, mut form: Multipart) -> Result<Json<Vec<(String, usize)>>, Problem> {
        let mut parts = vec![];
        while let Some(part) = form.next_part().await? {
            let name = part.name().unwrap_or_default().to_owned();
            parts.push((name, part.bytes().await?.len()));
        }
        Ok(Json(parts))
    }

    #[post("/raw")]
    #[public]
    async fn raw(&self, body: RawBody) -> Result<Json<usize>, Problem> {
        use futures_util::TryStreamExt as _;
        let parts: Vec<Bytes> =
            body.into_stream().try_collect().await.map_err(Problem::internal)?;
        Ok(Json(parts.iter().map(Bytes::len).sum()))
    }

    #[get("/headers")]
    #[public]
    fn headers(
        &self,
        x_count: Header<u32>,
        session: Option<Cookie<String>>,
        #[name("x-other")] other: Option<Header<String>>,
        version: ClientVersion,
    ) -> Json<(u32, Option<String>, Option<String>, u32)> {
        Json((*x_count, session.map(|c| c.0), other.map(|h| h.0), version.0))
    }

    #[post("/form")]
    #[public]
    async fn form(&self, form: Form<Paging>) -> Json<Option<u32>> {
        Json(form.limit)
    }

    #[get("/guarded", guards(Gate), interceptors(Stamp), filters(Teapot), layers(tag_layer))]
    #[public]
    async fn guarded(&self) -> Result<String, ThingError> {
        Err(ThingError::Taken)
    }

    #[get("/layered")]
    #[public]
    #[interceptors(Stamp)]
    #[layers(tag_layer)]
    async fn layered(&self, page: Query<Paging>) -> Json<Option<u32>> {
        Json(page.limit)
    }

    #[get("/panic")]
    #[public]
    async fn panics(&self) -> String {
        panic!("on purpose")
    }
}

#[derive(Injectable)]
struct OldController;

#[controller(
    "/reports",
    version = "1",
    deprecated = "2026-01-01T00:00:00Z",
    sunset = "2027-01-31T00:00:00Z"
)]
impl OldController {
    #[get("/")]
    #[public]
    fn list(&self) -> Json<u32> {
        Json(1)
    }
}

#[derive(Injectable)]
struct NewController;

#[controller("/reports", version = "2")]
impl NewController {
    #[get("/")]
    #[public]
    fn list(&self) -> Json<u32> {
        Json(2)
    }
}

#[derive(Injectable)]
struct HostController;

#[controller("/where", host = "admin.example.com")]
impl HostController {
    #[get("/")]
    #[public]
    fn admin(&self) -> &'static str {
        "admin"
    }
}

#[module(
    root,
    providers(Tokens as dyn Authenticator, Gate, Stamp, Teapot, Who),
    controllers(ThingController, OldController, NewController, HostController),
    actions(Thing)
)]
struct TestModule;

async fn app() -> TestApp {
    launch(|app| app).await
}

async fn launch(change: impl FnOnce(App) -> App) -> TestApp {
    TestApp::builder::<TestModule>().map(change).launch().await.unwrap()
}

#[tokio::test]
async fn path_and_query() {
    let app = app().await;
    assert_eq!(app.get("/things/7?limit=2").send().await.expect(200).text(), "[7,2]");
    app.get("/things/x").send().await.expect(404).expect_problem("not_found");
    app.get("/things/7?limit=x").send().await.expect(422).expect_problem("invalid_input");
    app.get("/things/7?limt=1").send().await.expect(422);
    let response = app.get("/things/7").send().await.expect(200);
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.header("x-request-id").len(), 32);
    app.finish().await;
}

#[tokio::test]
async fn access_is_decided_before_the_body_is_read() {
    let app = app().await;
    let refused = app.get("/things/me").send().await.expect(401);
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert_eq!(refused.header("content-type"), "application/problem+json");
    app.get("/things/me").bearer("wrong").send().await.expect(401);
    app.get("/things/me").header("authorization", "user").send().await.expect(401);
    app.get("/things/7").bearer("wrong").send().await.expect(401);
    assert_eq!(
        app.get("/things/me").bearer("user").send().await.expect(200).text(),
        r#"["u1",true]"#
    );
    // Neither sees what is wrong with the body.
    app.post("/things").json(&"nonsense").send().await.expect(401);
    app.post("/things").bearer("user").json(&"nonsense").send().await.expect(403);
    app.post("/things").bearer("editor").json(&"nonsense").send().await.expect(422);
    app.finish().await;
}

#[tokio::test]
async fn bodies_are_validated_under_the_clients_names() {
    let app = app().await;
    let create = |body: serde_json::Value| app.post("/things").bearer("editor").json(&body).send();
    let made = create(serde_json::json!({ "displayName": "a" })).await.expect(201);
    assert_eq!(made.header("location"), "/things/7");
    let refused =
        create(serde_json::json!({ "displayName": "", "parts": [{ "size": 1 }, { "size": 0 }] }));
    let refused = refused.await.expect(422).value();
    let pointers: Vec<&str> = refused["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/displayName", "/parts/1/size"]);
    create(serde_json::json!({ "displayName": "a", "admin": true })).await.expect(422);
    create(serde_json::json!({ "displayName": "taken" })).await.expect(409).expect_problem("taken");
    // A 401 says how to authenticate, whoever says it (RFC 9110, section 15.5.2).
    let refused = create(serde_json::json!({ "displayName": "secret" })).await.expect(401);
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    refused.expect_problem("wrong_password");
    let broken = create(serde_json::json!({ "displayName": "broken" })).await.expect(500);
    assert!(!broken.text().contains("fire"), "{}", broken.text());
    let post = || app.post("/things").bearer("editor");
    post().body("text/plain", "{}").send().await.expect(415);
    post().body("application/json", "{").send().await.expect(400);
    post().body("application/json", vec![b' '; 3 << 20]).send().await.expect(413);
    app.finish().await;
}

#[tokio::test]
async fn methods_and_unknown_routes() {
    let app = app().await;
    app.get("/nowhere").send().await.expect(404).expect_problem("route_not_found");
    let refused = app.delete("/things/7").send().await.expect(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS, PUT");
    let options = app.request(http::Method::OPTIONS, "/things/7").send().await.expect(204);
    assert_eq!(options.header("allow"), "GET, HEAD, OPTIONS, PUT");
    let head = app.request(http::Method::HEAD, "/things/7").send().await.expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, "8"));
    app.get("/things/7").header("accept", "text/html").send().await.expect(406);
    app.get("/things/7").header("accept", "text/html, */*;q=0.1").send().await.expect(200);
    // Two lines are one list.
    let ask = app.get("/things/7").header("accept", "text/html");
    ask.header("accept", "application/json").send().await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn conditional_and_range_requests() {
    let app = app().await;
    let tagged = app.get("/things/3/tagged").send().await.expect(200);
    assert_eq!(tagged.header("etag"), "\"v3\"");
    let known = app.get("/things/3/tagged").header("if-none-match", "\"x\", W/\"v3\"").send().await;
    assert_eq!(known.expect(304).body.len(), 0);
    // The length would be that of the representation, which is not looked at.
    let head = app.request(http::Method::HEAD, "/things/3/tagged");
    let known = head.header("if-none-match", "\"v3\"").send().await.expect(304);
    assert!(!known.headers.contains_key("content-length"));
    app.put("/things/3").send().await.expect(428);
    app.put("/things/3").header("if-match", "\"old\"").send().await.expect(412);
    app.put("/things/3").header("if-match", "\"v3\"").send().await.expect(204);
    let part = app.get("/things/files/a/bcd").header("range", "bytes=1-2").send().await.expect(206);
    assert_eq!((part.text().as_str(), part.header("content-range")), ("/b", "bytes 1-2/5"));
    let beyond = app.get("/things/files/abc").header("range", "bytes=9-").send().await.expect(416);
    assert_eq!(beyond.header("content-range"), "bytes */3");
    assert_eq!(app.get("/things/stream").send().await.expect(200).text(), "ab");
    app.finish().await;
}

#[tokio::test]
async fn other_argument_kinds() {
    let app = app().await;
    let ask = || app.get("/things/headers").header("x-client-version", "4");
    let all = ask()
        .header("x-count", "3")
        .header("cookie", "a=b; session=s%201")
        .send()
        .await
        .expect(200);
    assert_eq!(all.text(), r#"[3,"s 1",null,4]"#);
    ask().send().await.expect(400);
    ask().header("x-count", "many").send().await.expect(400);
    app.get("/things/headers").header("x-count", "3").send().await.expect(400);
    let form =
        app.post("/things/form").body("application/x-www-form-urlencoded", "limit=5").send().await;
    assert_eq!(form.expect(200).text(), "5");
    app.post("/things/form")
        .body("application/x-www-form-urlencoded", "x=5")
        .send()
        .await
        .expect(422);
    assert_eq!(app.post("/things/raw").body("a/b", "12345").send().await.expect(200).text(), "5");
    let part = "--X\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nhello\r\n--X--\r\n";
    let upload =
        app.post("/things/upload").body("multipart/form-data; boundary=X", part).send().await;
    assert_eq!(upload.expect(200).text(), r#"[["a",5]]"#);
    app.post("/things/upload")
        .body("multipart/form-data; boundary=X", vec![b'x'; 2000])
        .send()
        .await
        .expect(413);
    app.post("/things/upload").body("multipart/form-data", "x").send().await.expect(400);
    app.finish().await;
}

#[tokio::test]
async fn stages_of_users_run_in_order() {
    let app = app().await;
    app.get("/things/guarded").header("x-closed", "1").send().await.expect(403);
    let filtered = app.get("/things/guarded").send().await.expect(409);
    assert_eq!(filtered.value()["brewed"], true);
    assert_eq!(filtered.header("x-layer"), "1");
    let layered = app.get("/things/layered?limit=3").send().await.expect(200);
    assert_eq!(
        (layered.text().as_str(), layered.header("x-layer"), layered.header("x-stamp")),
        ("3", "1", "1")
    );
    app.finish().await;
}

#[tokio::test]
async fn versions_and_hosts() {
    let app = app().await;
    let old = app.get("/v1/reports").send().await.expect(200);
    assert_eq!((old.text().as_str(), old.header("deprecation")), ("1", "@1767225600"));
    assert_eq!(old.header("sunset"), "Sun, 31 Jan 2027 00:00:00 GMT");
    assert_eq!(app.get("/v2/reports").send().await.expect(200).text(), "2");
    app.get("/reports").send().await.expect(404);
    app.get("/where").send().await.expect(404);
    let admin = app.get("/where").header("host", "Admin.example.com:81").send().await;
    assert_eq!(admin.expect(200).text(), "admin");
    app.finish().await;

    use arcly_http::web::route::Versioning;
    let by_header = launch(|app| {
        app.configure(|c| {
            c.versioning = Versioning::Header(http::HeaderName::from_static("x-api-version"))
        })
    });
    let by_header = by_header.await;
    assert_eq!(by_header.get("/reports").header("x-api-version", "2").send().await.text(), "2");
    assert_eq!(by_header.get("/reports").header("x-api-version", "1").send().await.text(), "1");
    by_header.get("/reports").header("x-api-version", "3").send().await.expect(404);
    let by_media = launch(|app| app.configure(|c| c.versioning = Versioning::MediaType("v"))).await;
    let media = by_media.get("/reports").header("accept", "application/json; v=2").send().await;
    assert_eq!(media.text(), "2");
}

#[tokio::test]
async fn traces_are_continued_and_panics_contained() {
    let app = app().await;
    let mine = app.get("/things/7").header("x-request-id", "mine-1").send().await;
    assert_eq!(mine.header("x-request-id"), "mine-1");
    let odd = app.get("/things/7").header("x-request-id", "a b").send().await;
    assert_ne!(odd.header("x-request-id"), "a b");
    let panicked = app.get("/things/panic").send().await.expect(500);
    assert!(!panicked.text().contains("purpose"));
    app.finish().await;
}

#[tokio::test]
async fn other_services_are_mounted_under_a_rule() {
    let echo = tower::service_fn(|request: http::Request<axum::body::Body>| async move {
        Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::from(
            request.uri().to_string(),
        )))
    });
    let app = launch(|app| app.mount("/legacy", arcly_http::Access::Authenticated, echo)).await;
    app.get("/legacy/a").send().await.expect(401);
    assert_eq!(app.get("/legacy/a?b=c").bearer("user").send().await.expect(200).text(), "/a?b=c");
    app.get("/legacyx").send().await.expect(404);
    app.finish().await;
}

#[tokio::test]
async fn the_document_says_what_runs() {
    let app = app().await;
    let document = app.get("/openapi.json").send().await.expect(200).value();
    assert_eq!(document["openapi"], "3.1.0");
    let show = &document["paths"]["/things/{id}"]["get"];
    assert_eq!(
        (show["summary"].as_str(), show["description"].as_str()),
        (Some("Shows a thing"), Some("By its number."))
    );
    let create = &document["paths"]["/things"]["post"]["responses"];
    for status in ["201", "400", "401", "403", "406", "409", "413", "415", "422", "500"] {
        assert!(create[status].is_object(), "{status}");
    }
    let page = app.get("/docs").send().await.expect(200);
    assert!(page.header("content-security-policy").contains("script-src 'self';"));
    app.get("/docs/swagger-ui-bundle.js").send().await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn unknown_settings_do_not_launch() {
    let result = TestApp::builder::<TestModule>().set("serve.listen", "x").launch().await;
    assert!(matches!(result, Err(AppError::Config(_))));
}

mod prefixes {
    use super::*;
    use arcly_http::di::{Module, proof};

    #[derive(Injectable)]
    struct Root;

    #[controller("/")]
    impl Root {
        #[get("/same")]
        #[public]
        fn same(&self) -> &'static str {
            "root"
        }
    }

    #[derive(Injectable)]
    struct Inner;

    #[controller("/")]
    impl Inner {
        #[get("/same")]
        #[public]
        fn same(&self) -> &'static str {
            "inner"
        }
    }

    #[module(prefix = "/admin", controllers(Inner))]
    struct AdminModule;

    #[module(prefix = "/a", imports(AdminModule), controllers(Root))]
    struct PrefixModule;

    #[module(controllers(Inner))]
    struct PlainModule;

    #[module(prefix = "/a", imports(PlainModule), controllers(Root))]
    struct ClashModule;

    #[tokio::test]
    async fn the_roots_prefix_comes_before_every_other() {
        let app = TestApp::builder::<PrefixModule>().launch().await.unwrap();
        assert_eq!(app.get("/a/same").send().await.expect(200).text(), "root");
        assert_eq!(app.get("/a/admin/same").send().await.expect(200).text(), "inner");
        app.get("/admin/same").send().await.expect(404);
        app.finish().await;
    }

    #[test]
    fn routes_below_one_prefix_are_compared() {
        let report = proof::examine(ClashModule::META);
        assert_eq!(report.fault_count(), 1, "{report:?}");
        assert!(report.as_str().contains("duplicate route"), "{report:?}");
    }

    #[derive(Injectable)]
    #[inject(scope = transient)]
    struct ShortGate;

    impl Guard for ShortGate {
        fn describe(_operation: &mut Operation) {}
        async fn check(&self, _head: &Head) -> Result<(), Problem> {
            Ok(())
        }
    }

    #[derive(Injectable)]
    struct Gated;

    #[controller("/gated")]
    impl Gated {
        #[get("/")]
        #[public]
        #[guards(ShortGate)]
        fn show(&self) -> &'static str {
            "open"
        }
    }

    #[module(providers(ShortGate), controllers(Gated))]
    struct GatedModule;

    #[test]
    fn a_guard_that_is_no_singleton_is_refused_by_the_proof() {
        let report = proof::examine(GatedModule::META);
        assert_eq!(report.fault_count(), 1, "{report:?}");
    }
}
