//! The testing kit, on an application that logs, waits and takes every kind of input.

use std::sync::Arc;
use std::time::Duration;

use arcly_http::prelude::*;
use arcly_http::problem::kinds;
use arcly_http::time::SystemClock;
use arcly_http_testing::{Level, ManualClock, TestApp, TestForm, TestResponse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Echo {
    text: String,
    tags: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema, Input)]
struct Search {
    text: String,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Injectable)]
struct KitController {
    clock: Inject<dyn Clock>,
}

#[controller("/kit")]
impl KitController {
    /// Logs.
    #[get("/log/{word}")]
    #[public]
    async fn log(&self, word: Path<String>) -> NoContent {
        tracing::info!(word = %*word, "said");
        tracing::debug!("whispered");
        let own = async { tracing::warn!("a task with the subscriber") };
        let own = own.in_current_span().with_current_subscriber();
        let bare = async { tracing::warn!("a task without") };
        #[expect(clippy::disallowed_methods, reason = "what an unowned task does is the question")]
        let (own, bare) = (tokio::spawn(own), tokio::spawn(bare));
        let _ = tokio::join!(own, bare);
        NoContent
    }

    /// Fails.
    #[get("/fail")]
    #[public]
    fn fail(&self) -> Result<NoContent, Problem> {
        Err(Problem::internal("the disk is on fire"))
    }

    /// Refuses.
    #[get("/refuse")]
    #[public]
    #[expect(clippy::unused_self, reason = "a handler has a receiver")]
    fn refuse(&self) -> Result<NoContent, Taken> {
        Err(Taken)
    }

    /// Searches.
    #[get("/search")]
    #[public]
    fn search(&self, search: Query<Search>) -> Json<Echo> {
        let Search { text, tags } = search.0;
        Json(Echo { text, tags })
    }

    /// Reads a cookie.
    #[get("/cookie")]
    #[public]
    fn cookie(&self, taste: Cookie<String>) -> Json<Echo> {
        Json(Echo { text: taste.0, tags: vec![] })
    }

    /// Reads a form with files.
    #[post("/upload")]
    #[public]
    async fn upload(&self, mut form: Multipart) -> Result<Json<Echo>, Problem> {
        let mut tags = vec![];
        while let Some(part) = form.next_part().await? {
            let name = format!(
                "{}/{}",
                part.name().unwrap_or_default(),
                part.file_name().unwrap_or_default()
            );
            tags.push(format!("{name}/{}", part.bytes().await?.len()));
        }
        Ok(Json(Echo { text: String::new(), tags }))
    }

    /// Waits.
    #[get("/wait")]
    #[public]
    async fn wait(&self) -> NoContent {
        self.clock.sleep(Duration::from_secs(3600)).await;
        NoContent
    }
}

/// A conflict.
#[derive(Debug, thiserror::Error, Problem)]
#[error("taken")]
#[problem(status = 409, code = "kit_taken")]
struct Taken;

#[provider]
fn clock() -> Arc<dyn Clock> {
    tracing::info!("a provider is built");
    Arc::new(SystemClock)
}

#[module(root, providers(clock), controllers(KitController))]
struct KitModule;

async fn launch() -> TestApp {
    TestApp::builder::<KitModule>().launch().await.unwrap()
}

fn failure(work: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[tokio::test]
async fn lines_are_captured_with_their_spans() {
    let app = launch().await;
    app.logs().containing("a provider is built").expect_one();
    let response = app.get("/kit/log/hello").send().await.expect(204);
    let line = app.logs().level(Level::INFO).with("word", "hello").expect_one();
    assert_eq!(line.message, "said");
    assert_eq!(line.field("route"), Some("/kit/log/{word}"));
    assert_eq!(line.field("request_id"), Some(response.header("x-request-id")));
    assert_eq!(line.field("trace_id").map(str::len), Some(32));
    // Recorded after the line was written.
    assert_eq!(line.field("status"), Some("204"));
    assert!(line.target.starts_with("it::testing_kit"), "{line}");
    response.logs().containing("whispered").expect_one();
    response.logs().containing("a task with the subscriber").expect_one();
    app.logs().containing("a task without").expect_none();

    let span = app.spans().named("request").with("route", "/kit/log/{word}").expect_one();
    assert!(span.is_closed && span.parent.is_none());
    app.watch(async { tracing::error!("from the test") }).await;
    app.logs().at_least(Level::WARN).containing("from the test").expect_one();
    tracing::error!("outside");
    app.logs().containing("outside").expect_none();
    app.finish().await;
}

#[tokio::test]
async fn the_level_can_be_raised() {
    let app = TestApp::builder::<KitModule>().log_level(Level::WARN).launch().await.unwrap();
    app.get("/kit/log/x").send().await.expect(204);
    assert_eq!(app.logs().count(), 1, "{}", app.logs());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn applications_do_not_see_each_other() {
    let ask = |number: usize| async move {
        let app = launch().await;
        for _ in 0..20 {
            app.get(&format!("/kit/log/app{number}")).send().await.expect(204);
        }
        assert_eq!(app.logs().containing("said").with("word", &format!("app{number}")).count(), 20);
        assert_eq!(app.logs().containing("said").count(), 20);
        app.finish().await;
    };
    let mut all = tokio::task::JoinSet::new();
    for number in 0..8 {
        all.spawn(ask(number));
    }
    while let Some(one) = all.join_next().await {
        one.unwrap();
    }
}

#[tokio::test]
async fn failures_say_what_there_was() {
    let app = launch().await;
    let broken = app.get("/kit/fail").send().await;
    let text = failure(|| drop(broken.clone().expect(200)));
    assert!(text.contains("expected status 200, found 500"), "{text}");
    assert!(text.contains("the disk is on fire") && text.contains("log:"), "{text}");
    let text = failure(|| drop(broken.clone().expect_problem("conflict")));
    assert!(text.contains("expected problem `conflict`"), "{text}");
    let _: TestResponse = broken.expect_problem(kinds::INTERNAL.code);
    let logs = app.logs();
    let text = failure(move || drop(logs.level(Level::INFO).containing("nothing").expect_some()));
    assert!(text.contains("level INFO, message with `nothing`"), "{text}");
    assert!(text.contains("a provider is built"), "{text}");
    let text = failure({
        let spans = app.spans();
        move || drop(spans.named("nothing").expect_one())
    });
    assert!(text.contains("0 spans, expected one: named nothing"), "{text}");
    assert!(text.contains("request{"), "{text}");
    app.get("/kit/refuse").send().await.expect(409).expect_problem("kit_taken");
    app.finish().await;
}

#[tokio::test]
async fn requests_are_typed() {
    let app = launch().await;
    let found: Echo = app
        .get("/kit/search?tags=a")
        .query("tags", "b&c=d")
        .query("text", "ä + 1")
        .send()
        .await
        .expect(200)
        .json_as();
    assert_eq!(found, Echo { text: "ä + 1".into(), tags: vec!["a".into(), "b&c=d".into()] });
    let tasted = app.get("/kit/cookie").cookie("other", "1").cookie("taste", "sweet; sour").send();
    assert_eq!(tasted.await.expect(200).json_as::<Echo>().text, "sweet; sour");
    let form = TestForm::new().text("title", "T").file("photo", "a\"b.png", "image/png", &[7; 9]);
    let sent = app.post("/kit/upload").multipart(form).send().await.expect(200);
    assert_eq!(sent.json_as::<Echo>().tags, ["title//1", "photo/a%22b.png/9"]);
    let text = failure({
        let sent = sent.clone();
        move || drop(sent.json_as::<Vec<u8>>())
    });
    assert!(text.contains("the body is not `alloc::vec::Vec<u8>`"), "{text}");
    app.finish().await;
}

#[tokio::test]
async fn a_moved_clock_ends_a_wait() {
    let clock = Arc::new(ManualClock::default());
    let app = TestApp::builder::<KitModule>().manual_clock(&clock).launch().await.unwrap();
    let (answer, ()) = tokio::join!(app.get("/kit/wait").send(), async {
        clock.wait_for_sleepers(1).await;
        clock.advance(Duration::from_secs(3600));
    });
    answer.expect(204);
    app.finish().await;
}
