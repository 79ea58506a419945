//! Dependency injection: kinds of providers, scopes, lifecycle, launch faults.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arcly_http::di::{HookError, LaunchError};
use arcly_http::prelude::*;
use arcly_http::time::SystemClock;
use arcly_http::web::app::AppError;
use arcly_http_testing::{ManualClock, TestApp};

/// A type of another crate.
type Pool = std::collections::BTreeMap<u8, u8>;

#[derive(Qualifier)]
#[qualifier(Pool)]
struct Main;

#[derive(Qualifier)]
#[qualifier(Pool)]
struct Analytics;

#[provider(qualifier = Main)]
async fn main_pool(settings: Inject<Settings>) -> Result<Pool, std::io::Error> {
    if settings.fail {
        return Err(std::io::Error::other("no such host"));
    }
    Ok(Pool::from([(1, 1)]))
}

#[provider(qualifier = Analytics)]
fn analytics_pool() -> Pool {
    Pool::from([(2, 2)])
}

#[provider]
fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[derive(Debug, Config)]
#[config(section = "settings", check = check_settings)]
struct Settings {
    /// Whether the pool fails.
    fail: bool,
    /// A name.
    #[config(default = "x")]
    name: String,
}

fn check_settings(settings: &Settings) -> Result<(), String> {
    if settings.name.is_empty() { Err("the name may not be empty".into()) } else { Ok(()) }
}

#[injectable(many)]
trait Plugin {
    fn name(&self) -> &'static str;
}

#[derive(Injectable)]
struct First;

#[derive(Injectable)]
struct Second(Inject<First>);

impl Plugin for First {
    fn name(&self) -> &'static str {
        "first"
    }
}

impl Plugin for Second {
    fn name(&self) -> &'static str {
        let _: &First = &self.0;
        "second"
    }
}

#[derive(Injectable)]
struct Repo<T> {
    #[inject(default)]
    rows: Mutex<Vec<T>>,
}

#[derive(Debug, arcly_http::Token)]
struct Row;

#[derive(Injectable)]
#[inject(scope = transient)]
struct Counter {
    #[inject(default)]
    count: AtomicUsize,
}

struct Absent;

impl arcly_http::di::Token for Absent {
    const KEY: arcly_http::di::Key = arcly_http::di::Key::of("Absent", 0, 0);
}

#[derive(Injectable)]
struct Log {
    #[inject(default)]
    lines: Mutex<Vec<&'static str>>,
}

#[derive(Injectable)]
struct Service {
    pool: Inject<Pool, Main>,
    other: Inject<Pool, Analytics>,
    clock: Inject<dyn Clock>,
    plugins: All<dyn Plugin>,
    rows: Inject<Repo<Row>>,
    counter: Inject<Counter>,
    second_counter: Inject<Counter>,
    absent: Option<Inject<Absent>>,
    back: Lazy<Back>,
    log: Inject<Log>,
    #[inject(config = Settings.name)]
    name: String,
    #[inject(default = 7)]
    number: u32,
}

#[derive(Injectable)]
struct Back {
    service: Inject<Service>,
    log: Inject<Log>,
}

impl Lifecycle for Service {
    async fn on_init(&self) -> Result<(), HookError> {
        self.log.lines.lock().unwrap().push("service init");
        Ok(())
    }
    async fn on_shutdown(&self) -> Result<(), HookError> {
        self.log.lines.lock().unwrap().push("service shutdown");
        Ok(())
    }
}

impl Lifecycle for Back {
    async fn on_init(&self) -> Result<(), HookError> {
        self.log.lines.lock().unwrap().push("back init");
        Ok(())
    }
    async fn on_shutdown(&self) -> Result<(), HookError> {
        self.log.lines.lock().unwrap().push("back shutdown");
        Ok(())
    }
}

#[module(global, providers(Settings, clock, Log), exports(Settings, clock, Log))]
struct BaseModule;

#[module(
    imports(BaseModule),
    providers(main_pool, analytics_pool, First as dyn Plugin, Second as dyn Plugin),
    exports(main_pool, analytics_pool)
)]
struct DataModule;

#[module(reexports(DataModule))]
struct BundleModule;

#[module(imports(BundleModule), providers(Repo<Row>, Counter, Service, Back))]
struct RootModule;

// The proof as a value, so that it is checked without a root.
#[test]
fn the_graph_is_proved() {
    let report = arcly_http::di::proof::examine(<RootModule as arcly_http::di::Module>::META);
    assert!(report.is_proved(), "{report:?}");
}

#[tokio::test]
async fn every_kind_of_field_is_filled() {
    let app = TestApp::builder::<RootModule>().launch().await.unwrap();
    let service = app.provider::<Service>();
    assert_eq!((service.pool.get(&1), service.other.get(&2)), (Some(&1), Some(&2)));
    assert!(service.clock.now().timestamp() > 0);
    let names: Vec<&str> = service.plugins.iter().map(|plugin| plugin.name()).collect();
    assert_eq!(names, ["first", "second"]);
    assert!(service.rows.rows.lock().unwrap().is_empty());
    service.counter.count.fetch_add(1, Ordering::Relaxed);
    assert_eq!(
        service.second_counter.count.load(Ordering::Relaxed),
        0,
        "transients are not shared"
    );
    assert!(service.absent.is_none());
    assert_eq!(service.back.get().service.number, 7);
    assert_eq!(service.name, "x");
    let log = app.provider::<Log>();
    assert_eq!(*log.lines.lock().unwrap(), ["service init", "back init"]);
    app.finish().await;
    assert_eq!(log.lines.lock().unwrap()[2..], ["back shutdown", "service shutdown"]);
}

#[tokio::test]
async fn a_failing_factory_is_named_with_its_path() {
    let result = TestApp::builder::<RootModule>().set("settings.fail", "true").launch().await;
    let text = match result {
        Err(AppError::Launch(error @ LaunchError::Provider { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(text.contains("no such host") && text.contains("Service"), "{text}");
}

#[tokio::test]
async fn configuration_faults_stop_the_launch() {
    let builder =
        TestApp::builder::<RootModule>().set("settings.name", "").set("settings.fail", "maybe");
    let text = builder.launch().await.unwrap_err().to_string();
    assert!(text.contains("`maybe` is not `true` or `false`"), "{text}");
    let text = TestApp::builder::<RootModule>()
        .set("settings.name", "")
        .launch()
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("the name may not be empty"), "{text}");
}

#[tokio::test]
async fn tests_replace_what_the_graph_provides() {
    let time = Arc::new(ManualClock::default());
    let app = TestApp::builder::<RootModule>().manual_clock(&time).launch().await.unwrap();
    let service = app.provider::<Service>();
    let before = service.clock.now();
    time.advance(std::time::Duration::from_secs(90));
    assert_eq!((service.clock.now() - before).num_seconds(), 90);
    app.finish().await;
}

#[injectable]
trait Speaks {
    fn word(&self) -> &'static str;
}

#[derive(Injectable)]
struct Voice {
    #[inject(default = "own")]
    word: &'static str,
}

impl Speaks for Voice {
    fn word(&self) -> &'static str {
        self.word
    }
}

#[derive(Injectable)]
struct Listener {
    voice: Inject<dyn Speaks>,
}

#[module(root, providers(Voice as dyn Speaks, Listener))]
struct VoiceModule;

/// What a provider stands for goes with it.
#[tokio::test]
async fn a_replaced_provider_is_replaced_under_every_name() {
    let other = Arc::new(Voice { word: "other" });
    let app = TestApp::builder::<VoiceModule>().replace::<Voice>(other).launch().await.unwrap();
    assert_eq!(app.provider::<Listener>().voice.word(), "other");
    app.finish().await;
}

#[tokio::test]
async fn one_process_launches_again() {
    for _ in 0..3 {
        let app = TestApp::builder::<RootModule>().launch().await.unwrap();
        app.finish().await;
    }
}

mod launch_faults {
    use super::*;
    use arcly_http::di::Module;

    #[derive(Injectable)]
    struct Opened {
        log: Inject<Log>,
    }

    impl Lifecycle for Opened {
        async fn on_shutdown(&self) -> Result<(), HookError> {
            self.log.lines.lock().unwrap().push("closed");
            Ok(())
        }
    }

    #[derive(Injectable)]
    struct Failing {
        _opened: Inject<Opened>,
    }

    impl Lifecycle for Failing {
        async fn on_start(&self) -> Result<(), HookError> {
            Err("not today".into())
        }
    }

    #[derive(Injectable)]
    struct FailingInit {
        _opened: Inject<Opened>,
    }

    impl Lifecycle for FailingInit {
        async fn on_init(&self) -> Result<(), HookError> {
            Err("not today".into())
        }
    }

    #[module(providers(Log, Opened, Failing))]
    struct StartModule;

    #[module(providers(Log, Opened, FailingInit))]
    struct InitModule;

    async fn torn_down<M: Module>() {
        let log = Arc::new(Log { lines: Mutex::default() });
        let builder = TestApp::builder::<M>().replace::<Log>(Arc::clone(&log));
        let error = builder.launch().await.unwrap_err().to_string();
        assert!(error.contains("not today"), "{error}");
        assert_eq!(*log.lines.lock().unwrap(), ["closed"]);
    }

    #[tokio::test]
    async fn what_was_built_is_torn_down() {
        torn_down::<StartModule>().await;
        torn_down::<InitModule>().await;
    }

    #[injectable(many)]
    trait Part {}

    #[derive(Injectable)]
    #[inject(scope = transient)]
    struct Short;

    impl Part for Short {}

    #[derive(Injectable)]
    struct Holder {
        _all: All<dyn Part>,
        _late: Lazy<Short>,
    }

    #[module(providers(Short as dyn Part, Holder))]
    struct ShortModule;

    #[test]
    fn lazy_and_all_need_singletons() {
        let report = arcly_http::di::proof::examine(ShortModule::META);
        assert_eq!(report.fault_count(), 2, "{report:?}");
    }
}
