//! Compressed responses: what is, what never is, and what the headers say.

use std::io::Read as _;

use arcly_http::access::{Access, Authenticator};
use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::web::argument::IfMatch;
use arcly_http::web::reply::{Html, Ranged, Response, Streamed, TextStream, with_type};
use arcly_http_testing::{TestApp, TestResponse};
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, StatusCode};

use crate::http_api::Tokens;

const CODINGS: [&str; 3] = ["zstd", "br", "gzip"];

fn text(len: usize) -> String {
    "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(len).collect()
}

/// A response that says in the document which headers it may have.
struct Typed(Response);

impl Reply for Typed {
    fn describe(operation: &mut Operation) {
        operation.reply_raw(200, "*/*");
        operation.reply_header::<String>(200, "etag", "Which version.");
        operation.reply_header::<String>(200, "content-digest", "Of its bytes.");
    }

    fn reply(self, _head: &Head) -> Result<Response, Problem> {
        Ok(self.0)
    }
}

#[derive(Injectable)]
struct Texts;

#[controller("/texts")]
impl Texts {
    #[get("/{len}")]
    #[public]
    fn text(&self, len: Path<usize>) -> Json<String> {
        Json(text(len.0))
    }

    #[get("/stream/{parts}")]
    #[public]
    fn stream(&self, parts: Path<usize>) -> TextStream {
        let parts = (0..parts.0).map(|_| Ok::<_, std::io::Error>(Bytes::from(text(100))));
        TextStream::new(stream::iter(parts.collect::<Vec<_>>()))
    }

    #[get("/bytes")]
    #[public]
    fn bytes(&self) -> Streamed {
        Streamed::new(stream::iter([Ok::<_, std::io::Error>(Bytes::from(text(9000)))]))
    }

    #[get("/typed/{kind}")]
    #[public]
    fn typed(&self, kind: Path<String>) -> Typed {
        let mut response = with_type(
            text(9000),
            match kind.as_str() {
                "image" => "image/png",
                "svg" => "image/svg+xml",
                "events" => "text/event-stream",
                "archive" => "application/zip",
                _ => "text/plain",
            },
        );
        let (headers, fixed) = (response.headers_mut(), HeaderValue::from_static);
        match kind.as_str() {
            "verbatim" => headers.insert(CACHE_CONTROL, fixed("max-age=5, No-Transform")),
            "encoded" => headers.insert("content-encoding", fixed("gzip")),
            "digest" => headers.insert("content-digest", fixed("sha-256=:AA==:")),
            "weak" => headers.insert("etag", fixed("W/\"1\"")),
            "varies" => headers.insert("vary", fixed("cookie, Accept-Encoding")),
            "sized" => headers.insert("content-length", fixed("9000")),
            _ => None,
        };
        Typed(response)
    }

    #[get("/ranged")]
    #[public]
    fn ranged(&self) -> Ranged {
        Ranged::new(text(9000), "text/plain")
    }

    #[get("/none")]
    #[public]
    fn none(&self) -> NoContent {
        NoContent
    }

    #[get("/tagged")]
    #[public]
    fn tagged(&self) -> Tagged<Html> {
        Tagged::new(5, Html(text(9000)))
    }

    #[put("/tagged")]
    #[public]
    fn change(&self, condition: IfMatch) -> Result<NoContent, Problem> {
        condition.require("\"5\"").map(|()| NoContent)
    }

    #[put("/commas")]
    #[public]
    fn change_commas(&self, condition: IfMatch) -> Result<NoContent, Problem> {
        condition.require("\"a,b\"").map(|()| NoContent)
    }

    #[get("/plain", compress = off)]
    #[public]
    fn plain(&self) -> String {
        text(9000)
    }

    #[get("/open", compress = always)]
    #[public]
    fn open(&self) -> String {
        text(9000)
    }

    #[get("/mine")]
    #[authenticated]
    async fn mine(&self) -> String {
        text(9000)
    }
}

#[derive(Injectable)]
struct Quiet;

#[controller("/quiet", compress = off)]
impl Quiet {
    #[get("/")]
    #[public]
    fn plain(&self) -> String {
        text(9000)
    }

    #[get("/loud", compress = safe)]
    #[public]
    fn loud(&self) -> String {
        text(9000)
    }
}

#[module(root, providers(Tokens as dyn Authenticator), controllers(Texts, Quiet))]
struct TextModule;

async fn launch() -> TestApp {
    let routes = axum::routing::get(|| async { ([("etag", "\"1\"")], text(9000)) });
    let streamed = axum::routing::get(|| async {
        let chunks = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("streamed")]);
        axum::body::Body::from_stream(chunks)
    });
    let router = axum::Router::new().route("/", routes).route("/streamed", streamed);
    TestApp::builder::<TextModule>()
        .map(|app| app.mount("/mounted", Access::Public, router))
        .launch()
        .await
        .unwrap()
}

fn decoded(answer: &TestResponse) -> String {
    let mut plain = String::new();
    let bytes = &*answer.body;
    match answer.header("content-encoding") {
        "zstd" => plain = String::from_utf8(zstd::stream::decode_all(bytes).unwrap()).unwrap(),
        "br" => {
            brotli::Decompressor::new(bytes, 4096).read_to_string(&mut plain).unwrap();
        }
        "gzip" => {
            flate2::read::GzDecoder::new(bytes).read_to_string(&mut plain).unwrap();
        }
        _ => plain.push_str(&answer.text()),
    }
    plain
}

/// The coding of what is answered to a GET with these headers; empty: none.
async fn coding(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> String {
    let request = headers.iter().fold(app.get(path), |r, (name, value)| r.header(name, value));
    request.send().await.expect(200).header("content-encoding").to_string()
}

#[tokio::test]
async fn texts_are_compressed_for_those_who_take_it() {
    let app = launch().await;
    for coding in CODINGS {
        // At once, in turns, and as a stream.
        for path in ["/texts/9000", "/texts/900000", "/texts/stream/900"] {
            let plain = app.get(path).send().await.expect(200);
            assert_eq!(plain.header("content-encoding"), "", "{path}");
            assert_eq!(plain.header("vary"), "accept-encoding", "{path}");
            let answer = app.get(path).header("accept-encoding", coding).send().await.expect(200);
            assert_eq!(answer.header("content-encoding"), coding, "{path}");
            assert_eq!(answer.header("vary"), "accept-encoding", "{path}");
            assert!(answer.body.len() < plain.body.len() / 5, "{path} {coding}");
            assert!(decoded(&answer) == plain.text(), "{path} {coding}");
        }
    }
    let check = async |accept: &str, expected: &str| {
        let found = coding(&app, "/texts/9000", &[("accept-encoding", accept)]).await;
        assert_eq!(found, expected, "{accept}");
    };
    check("gzip, deflate, br, zstd", "zstd").await;
    check("gzip;q=1, br;q=0.5", "gzip").await;
    check("*;q=0.1, zstd;q=0", "br").await;
    check("identity;q=0, gzip", "gzip").await;
    check("identity;q=0", "").await;
    check("deflate", "").await;
    check("", "").await;
    let lines = [("accept-encoding", "deflate"), ("accept-encoding", "br")];
    assert_eq!(coding(&app, "/texts/9000", &lines).await, "br");
    app.finish().await;
}

#[tokio::test]
async fn what_is_small_packed_or_a_part_stays_as_it_is() {
    let app = launch().await;
    let accept = ("accept-encoding", "gzip, br, zstd");
    let check = async |path: &str, expected: &str| {
        assert_eq!(coding(&app, path, &[accept]).await, expected, "{path}");
    };
    // With the quotes that JSON adds.
    check("/texts/1021", "").await;
    check("/texts/1022", "zstd").await;
    for kind in ["image", "events", "archive", "verbatim", "digest"] {
        check(&format!("/texts/typed/{kind}"), "").await;
        let answer = app.get(&format!("/texts/typed/{kind}")).send().await;
        assert_eq!(answer.header("vary"), "", "{kind}");
    }
    check("/texts/typed/encoded", "gzip").await;
    check("/texts/typed/svg", "zstd").await;
    check("/texts/bytes", "").await;
    check("/texts/ranged", "").await;
    let part = app.get("/texts/ranged").header("range", "bytes=0-4999").header(accept.0, accept.1);
    let part = part.send().await.expect(206);
    assert_eq!((part.body.len(), part.header("content-encoding")), (5000, ""));
    let none = app.get("/texts/none").header(accept.0, accept.1).send().await.expect(204);
    assert_eq!((none.header("content-encoding"), none.header("vary")), ("", ""));
    let answer = app.get("/texts/typed/varies").header(accept.0, accept.1).send().await;
    assert_eq!(answer.header("content-encoding"), "zstd");
    assert_eq!(answer.headers.get_all("vary").iter().count(), 1);
    app.finish().await;
}

#[tokio::test]
async fn lengths_are_those_of_what_is_sent() {
    let app = launch().await;
    let accept = ("accept-encoding", "gzip");
    let answer = app.get("/texts/typed/sized").header(accept.0, accept.1).send().await.expect(200);
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(answer.header("content-length"), "");
    let length = answer.body.len().to_string();
    let head = app.request(Method::HEAD, "/texts/typed/sized").header(accept.0, accept.1);
    let head = head.send().await.expect(200);
    assert_eq!(head.body.len(), 0);
    assert_eq!(head.header("content-encoding"), "gzip");
    assert_eq!(head.header("content-length"), length);
    // What is compressed while it is sent has no length beforehand.
    let head = app.request(Method::HEAD, "/texts/900000").header(accept.0, accept.1);
    let head = head.send().await.expect(200);
    assert_eq!((head.body.len(), head.header("content-encoding")), (0, "gzip"));
    assert_eq!(head.header("content-length"), "");
    // A mounted service answers HEAD by itself, with the length of what it would send.
    let answer = app.get("/mounted").header(accept.0, accept.1).send().await.expect(200);
    let head = app.request(Method::HEAD, "/mounted").header(accept.0, accept.1);
    let head = head.send().await.expect(200);
    for name in ["content-encoding", "content-length", "etag", "vary"] {
        assert_eq!(head.header(name), answer.header(name), "{name}");
    }
    let head = app.request(Method::HEAD, "/mounted/streamed").send().await.expect(200);
    assert_eq!(head.header("content-length"), "");
    app.finish().await;
}

#[tokio::test]
async fn each_coding_has_its_entity_tag_and_all_of_them_are_known() {
    let app = launch().await;
    let get = |accept: &'static str, known: &'static str| {
        let request = app.get("/texts/tagged").header("accept-encoding", accept);
        if known.is_empty() { request } else { request.header("if-none-match", known) }
    };
    assert_eq!(get("identity", "").send().await.expect(200).header("etag"), "\"5\"");
    for (coding, tag) in [("zstd", "\"5;zstd\""), ("br", "\"5;br\""), ("gzip", "\"5;gzip\"")] {
        let answer = get(coding, "").send().await.expect(200);
        assert_eq!((answer.header("etag"), answer.header("content-encoding")), (tag, coding));
        let answer = get(coding, tag).send().await.expect(304);
        assert_eq!((answer.header("etag"), answer.header("vary")), (tag, "accept-encoding"));
        assert_eq!(answer.header("content-encoding"), "");
        app.put("/texts/tagged").header("if-match", tag).send().await.expect(204);
    }
    let answer = get("zstd", "W/\"5\"").send().await.expect(304);
    assert_eq!(answer.header("etag"), "\"5\"");
    get("zstd", "\"4;zstd\", \"3\"").send().await.expect(200);
    get("zstd", "\"4\", \"5\"").send().await.expect(304);
    for other in ["\"4;zstd\"", "\"5;x\"", "\"5;\"", "W/\"5\""] {
        app.put("/texts/tagged").header("if-match", other).send().await.expect(412);
    }
    // A comma may be a part of a tag (RFC 9110, section 8.8.3).
    let change = |tags: &'static str| app.put("/texts/commas").header("if-match", tags).send();
    for same in ["\"a,b\"", "\"x\" ,\t\"a,b\"", ",, \"a,b;gzip\",", "*"] {
        change(same).await.expect(204);
    }
    for other in ["\"a\",\"b\"", "a,b", "\"x, \"a,b\"", "\"a,b", "W/\"a,b\"", "\"a,b\"\"\""] {
        change(other).await.expect(412);
    }
    let answer = app.get("/texts/typed/weak").header("accept-encoding", "br").send().await;
    assert_eq!((answer.header("etag"), answer.header("content-encoding")), ("W/\"1\"", "br"));
    // What is mounted compares tags by itself.
    let answer = app.get("/mounted").header("accept-encoding", "br").send().await;
    assert_eq!((answer.header("etag"), answer.header("content-encoding")), ("W/\"1\"", "br"));
    app.finish().await;
}

#[tokio::test]
async fn credentials_that_browsers_add_keep_responses_plain() {
    let app = launch().await;
    let accept = ("accept-encoding", "zstd");
    let check = async |path: &str, credentials: &[(&str, &str)], expected: &str| {
        let headers: Vec<_> = credentials.iter().copied().chain([accept]).collect();
        assert_eq!(coding(&app, path, &headers).await, expected, "{path} {credentials:?}");
    };
    let cookie = ("cookie", "session=1");
    check("/texts/9000", &[], "zstd").await;
    check("/texts/9000", &[cookie], "").await;
    check("/texts/stream/900", &[cookie], "").await;
    check("/mounted", &[cookie], "").await;
    check("/texts/open", &[cookie], "zstd").await;
    check("/texts/mine", &[("authorization", "Bearer user")], "zstd").await;
    check("/texts/mine", &[("authorization", "bearer user"), cookie], "").await;
    check("/mounted", &[("authorization", "Bearer user")], "zstd").await;
    check("/texts/plain", &[], "").await;
    check("/quiet", &[], "").await;
    check("/quiet/loud", &[], "zstd").await;
    check("/quiet/loud", &[cookie], "").await;
    // Whether it is compressed or not, caches are told what it depends on.
    let answer = app.get("/texts/9000").header("cookie", "a=1").send().await;
    assert_eq!(answer.header("vary"), "accept-encoding");
    assert_eq!(app.get("/texts/plain").send().await.header("vary"), "");
    app.finish().await;
}

#[tokio::test]
async fn the_application_says_how_much_and_whether_at_all() {
    let launch = |compress, compress_min| {
        TestApp::builder::<TextModule>().map(move |app| {
            app.configure(|config| {
                config.compress = compress;
                config.compress_min = compress_min;
            })
        })
    };
    use arcly_http::web::Compress;
    let accept = [("accept-encoding", "gzip")];
    let app = launch(Compress::Off, 0).launch().await.unwrap();
    assert_eq!(coding(&app, "/texts/9000", &accept).await, "");
    assert_eq!(coding(&app, "/texts/open", &accept).await, "gzip");
    assert_eq!(coding(&app, "/openapi.json", &accept).await, "");
    app.finish().await;
    let app = launch(Compress::Safe, 20_000).launch().await.unwrap();
    assert_eq!(coding(&app, "/texts/9000", &accept).await, "");
    assert_eq!(coding(&app, "/texts/30000", &accept).await, "gzip");
    let cookie = [("accept-encoding", "gzip"), ("cookie", "a=1")];
    assert_eq!(coding(&app, "/texts/30000", &cookie).await, "");
    app.finish().await;
    let app = launch(Compress::Always, 0).launch().await.unwrap();
    assert_eq!(coding(&app, "/texts/30000", &cookie).await, "gzip");
    app.finish().await;
    let app = TestApp::builder::<TextModule>()
        .map(|app| app.configure(|config| config.client_certificates = true));
    let app = app.launch().await.unwrap();
    for (path, expected) in
        [("/texts/9000", ""), ("/quiet/loud", ""), ("/openapi.json", ""), ("/texts/open", "gzip")]
    {
        assert_eq!(coding(&app, path, &accept).await, expected, "{path}");
    }
    app.finish().await;
    let app = launch(Compress::Always, 0).launch().await.unwrap();
    // Not what would grow.
    assert_eq!(coding(&app, "/texts/1", &accept).await, "");
    let none = app.get("/texts/none").header("accept-encoding", "gzip").send().await;
    assert_eq!((none.status, none.header("content-encoding")), (StatusCode::NO_CONTENT, ""));
    app.finish().await;
}
