//! Pages of other origins: CORS, and requests that they cause.

use arcly_http::App;
use arcly_http::access::{Access, Authenticator};
use arcly_http::prelude::*;
use arcly_http::web::Cors;
use arcly_http_testing::{TestApp, TestRequest};
use http::Method;

use crate::http_api::Tokens;

const SHOP: &str = "https://shop.example";
const OTHER: &str = "https://other.example";

fn partner() -> Cors {
    Cors::origins([OTHER]).credentials().headers(["content-type", "authorization"]).expose(["etag"])
}

#[derive(Injectable)]
struct Pages;

#[controller("/pages")]
impl Pages {
    #[get("/")]
    #[public]
    fn read(&self) -> &'static str {
        "read"
    }

    #[post("/")]
    #[public]
    fn write(&self) -> &'static str {
        "written"
    }

    #[put("/")]
    #[authenticated]
    async fn replace(&self) -> &'static str {
        "replaced"
    }

    #[get("/partner", cors = partner)]
    #[public]
    fn partner(&self) -> &'static str {
        "partner"
    }

    #[get("/closed", cors = None)]
    #[public]
    fn closed(&self) -> &'static str {
        "closed"
    }

    /// Another site sends a form here.
    #[post("/hook", csrf = false)]
    #[public]
    fn hook(&self) -> &'static str {
        "hooked"
    }

    #[post("/open", cors = Cors::any_origin)]
    #[public]
    fn open(&self) -> &'static str {
        "open"
    }

    #[get("/panic")]
    #[public]
    fn panic(&self) -> &'static str {
        std::panic::panic_any("on purpose")
    }
}

#[module(root, providers(Tokens as dyn Authenticator), controllers(Pages))]
struct PageModule;

async fn launch() -> TestApp {
    let router = axum::Router::new().route("/", axum::routing::post(|| async { "mounted" }));
    TestApp::builder::<PageModule>()
        .map(|app| {
            app.configure(|config| config.cors = Some(Cors::origins([SHOP]))).mount(
                "/mounted",
                Access::Public,
                router,
            )
        })
        .launch()
        .await
        .unwrap()
}

fn preflight(app: &TestApp, path: &str, origin: &str, method: &str) -> TestRequest {
    app.request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", method)
}

#[tokio::test]
async fn answers_can_be_read_by_the_origins_that_are_named() {
    let app = launch().await;
    let read =
        |path: &'static str, origin: &'static str| app.get(path).header("origin", origin).send();
    let answer = read("/pages", SHOP).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), SHOP);
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert_eq!(answer.header("vary"), "origin");
    let answer = read("/pages", OTHER).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("vary"), "origin");
    // Who asks without an origin gets an answer that caches must not give to pages.
    assert_eq!(app.get("/pages").send().await.expect(200).header("vary"), "origin");
    let answer = read("/pages/partner", OTHER).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), OTHER);
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-expose-headers"), "etag");
    assert_eq!(read("/pages/partner", SHOP).await.header("access-control-allow-origin"), "");
    let answer = read("/pages/closed", SHOP).await.expect(200);
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), ("", ""));
    // Refusals and faults can be read as well.
    for (path, status) in [("/pages/panic", 500), ("/pages/nowhere", 404)] {
        let answer = read(path, SHOP).await.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), SHOP, "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn preflights_are_answered_before_credentials_are_asked_for() {
    let app = launch().await;
    let answer = preflight(&app, "/pages", SHOP, "PUT").send().await.expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), SHOP);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, OPTIONS, POST, PUT");
    assert_eq!(answer.header("access-control-allow-headers"), "content-type");
    assert_eq!(answer.header("access-control-max-age"), "600");
    let answer = preflight(&app, "/pages", OTHER, "PUT").send().await.expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("access-control-allow-methods"), "");
    let answer = preflight(&app, "/pages/partner", OTHER, "GET").send().await.expect(204);
    assert_eq!(answer.header("access-control-allow-headers"), "content-type, authorization");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    let answer = preflight(&app, "/pages/closed", SHOP, "GET").send().await.expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), "");
    preflight(&app, "/pages/nowhere", SHOP, "GET").send().await.expect(404);
    // Without an origin it is a plain OPTIONS.
    let answer = app.request(Method::OPTIONS, "/pages").send().await.expect(204);
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS, POST, PUT");
    app.finish().await;
}

#[tokio::test]
async fn other_sites_cannot_cause_changes() {
    let app = launch().await;
    let check = async |path: &str, headers: &[(&str, &str)], status: u16| {
        let request = headers.iter().fold(app.post(path), |r, (name, value)| r.header(name, value));
        let answer = request.send().await;
        assert_eq!(answer.status.as_u16(), status, "{path} {headers:?}");
    };
    let host = ("host", "api.example:8080");
    for path in ["/pages", "/mounted"] {
        check(path, &[], 200).await;
        check(path, &[("sec-fetch-site", "same-origin")], 200).await;
        check(path, &[("sec-fetch-site", "none")], 200).await;
        for site in ["cross-site", "same-site", "", "made-up"] {
            check(path, &[("sec-fetch-site", site), ("origin", OTHER)], 403).await;
            check(path, &[("sec-fetch-site", site)], 403).await;
        }
        check(path, &[("sec-fetch-site", "cross-site"), ("origin", SHOP)], 200).await;
        // Older browsers say only which origin.
        check(path, &[host, ("origin", "https://api.example:8080")], 200).await;
        check(path, &[host, ("origin", "https://api.example")], 403).await;
        check(path, &[host, ("origin", OTHER)], 403).await;
        check(path, &[host, ("origin", "null")], 403).await;
        check(path, &[host, ("origin", SHOP), ("origin", OTHER)], 403).await;
        check(path, &[host, ("origin", SHOP)], 200).await;
        // Two answers to one question are none.
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        check(path, &twice, 403).await;
    }
    let cross = ("sec-fetch-site", "cross-site");
    check("/pages/hook", &[cross, ("origin", OTHER)], 200).await;
    check("/pages/open", &[cross, ("origin", OTHER)], 200).await;
    // Any page may read, but not act for the user whose cookie is sent along.
    check("/pages/open", &[cross, ("origin", OTHER), ("cookie", "session=1")], 403).await;
    app.get("/pages").header("sec-fetch-site", "cross-site").send().await.expect(200);
    let paths = &app.openapi()["paths"];
    assert!(paths["/pages"]["post"]["responses"]["403"].is_object());
    assert!(paths["/pages/hook"]["post"]["responses"]["403"].is_null());
    app.finish().await;
}

#[tokio::test]
async fn credentials_for_any_origin_do_not_launch() {
    let app = App::new::<PageModule>()
        .configure(|config| config.cors = Some(Cors::any_origin().credentials()));
    let error = app.launch().await.unwrap_err().to_string();
    assert!(error.contains("CORS for any origin cannot go with credentials"), "{error}");
}
