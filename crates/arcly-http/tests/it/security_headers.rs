//! Security headers that levels change.

use arcly_http::App;
use arcly_http::prelude::*;
use arcly_http::web::reply::Response;
use arcly_http::web::security_headers::{Csp, SecurityHeaders, Source};
use arcly_http_testing::TestApp;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue};

fn of_application() -> SecurityHeaders {
    SecurityHeaders::new().set("referrer-policy", "no-referrer")
}

fn of_pages() -> SecurityHeaders {
    SecurityHeaders::new().csp(Csp::nothing().scripts([Source::Own]).images([Source::Data]))
}

fn framed() -> SecurityHeaders {
    SecurityHeaders::new()
        .csp(Csp::nothing().framed_by([Source::Origin("https://partner.example".into())]))
        .remove("referrer-policy")
}

fn alone() -> SecurityHeaders {
    SecurityHeaders::new().set("x-content-type-options", "nosniff")
}

fn wrong() -> SecurityHeaders {
    SecurityHeaders::new().set("content-length", "0")
}

#[derive(Injectable)]
struct Api;

#[controller("/api")]
impl Api {
    #[get("/")]
    #[public]
    fn read(&self) -> &'static str {
        "read"
    }
}

#[derive(Injectable)]
struct Pages;

#[controller("/pages", security_headers = of_pages)]
impl Pages {
    #[get("/")]
    #[public]
    fn page(&self) -> &'static str {
        "page"
    }

    #[get("/framed", security_headers = framed)]
    #[public]
    async fn framed(&self) -> &'static str {
        "framed"
    }

    #[get("/bare", security_headers = None)]
    #[public]
    fn bare(&self) -> &'static str {
        "bare"
    }

    #[get("/own")]
    #[public]
    fn own(&self) -> Response {
        let mut response = Response::new("own".into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
        headers.insert("content-type", HeaderValue::from_static("text/plain"));
        response
    }

    #[get("/panic")]
    #[public]
    fn panic(&self) -> &'static str {
        std::panic::panic_any("on purpose")
    }
}

#[derive(Injectable)]
struct Closed;

#[controller("/closed")]
impl Closed {
    #[get("/")]
    #[public]
    fn read(&self) -> &'static str {
        "none"
    }

    #[get("/some", security_headers = alone)]
    #[public]
    fn some(&self) -> &'static str {
        "one"
    }
}

#[module(controllers(Closed), security_headers = None)]
struct ClosedModule;

#[module(root, imports(ClosedModule), controllers(Api, Pages), security_headers = of_application)]
struct RootModule;

#[tokio::test]
async fn levels_change_the_headers_further_out() {
    let app = TestApp::builder::<RootModule>().launch().await.unwrap();
    let own = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
               script-src 'self'; img-src data:";
    let framed = "default-src 'none'; base-uri 'none'; form-action 'none'; \
                  frame-ancestors https://partner.example";
    let none = "frame-ancestors 'none'";
    for (path, status, expected) in [
        ("/api", 200, [none, "nosniff", "no-referrer"]),
        ("/pages", 200, [own, "nosniff", "no-referrer"]),
        ("/pages/framed", 200, [framed, "nosniff", ""]),
        ("/pages/bare", 200, ["", "", ""]),
        ("/pages/own", 200, ["sandbox", "nosniff", "no-referrer"]),
        ("/pages/panic", 500, [own, "nosniff", "no-referrer"]),
        ("/closed", 200, ["", "", ""]),
        ("/closed/some", 200, ["", "nosniff", ""]),
        // What nothing declared answers has those of the configuration.
        ("/nowhere", 404, [none, "nosniff", ""]),
    ] {
        let answer = app.get(path).send().await.expect(status);
        let names = ["content-security-policy", "x-content-type-options", "referrer-policy"];
        assert_eq!(names.map(|name| answer.header(name).to_string()), expected, "{path}");
        assert!(answer.headers.get_all("content-security-policy").iter().count() < 2, "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn those_that_the_server_writes_do_not_launch() {
    #[derive(Injectable)]
    struct Wrong;

    #[controller]
    impl Wrong {
        #[get("/", security_headers = wrong)]
        #[public]
        fn read(&self) -> &'static str {
            "never"
        }
    }

    #[module(root, controllers(Wrong))]
    struct WrongModule;

    let error = App::new::<WrongModule>().launch().await.unwrap_err().to_string();
    assert!(error.contains("GET /") && error.contains("`content-length` is not one"), "{error}");
}
