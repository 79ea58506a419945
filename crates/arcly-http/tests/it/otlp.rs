//! Spans as a collector gets them: the ids of the log and of `traceparent`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arcly_http::client::{HttpClient, HttpClientModule};
use arcly_http::config::{ConfigSources, Profile};
use arcly_http::prelude::*;
use arcly_http::telemetry::otlp::{Exporter, OtlpConfig};
use arcly_http::telemetry::{LogFormat, log_layer, span_layer};
use arcly_http::web::app::Launched;
use arcly_http::web::serve::{self, Listener, Stopping};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::sync::oneshot;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

/// What a collector was sent, and what the service behind it was asked.
#[derive(Injectable, Default)]
struct Seen {
    #[inject(default)]
    requests: Mutex<Vec<ExportTraceServiceRequest>>,
    #[inject(default)]
    keys: Mutex<Vec<String>>,
    /// `traceparent`, `tracestate` and `x-request-id`.
    #[inject(default)]
    parents: Mutex<Vec<(String, Option<String>, String)>>,
}

#[derive(Injectable)]
struct CollectorEndpoints {
    seen: Inject<Seen>,
}

#[controller]
impl CollectorEndpoints {
    #[post("/v1/traces")]
    #[public]
    async fn traces(&self, api_key: Option<Header<String>>, body: Bytes) -> Bytes {
        self.seen.requests.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
        self.seen.keys.lock().unwrap().extend(api_key.map(|key| key.0));
        Bytes::new()
    }

    #[get("/price")]
    #[public]
    fn price(
        &self,
        traceparent: Header<String>,
        tracestate: Option<Header<String>>,
        x_request_id: Header<String>,
    ) -> &'static str {
        let entry = (traceparent.0, tracestate.map(|state| state.0), x_request_id.0);
        self.seen.parents.lock().unwrap().push(entry);
        "7"
    }
}

#[module(root, providers(Seen), controllers(CollectorEndpoints))]
struct CollectorModule;

struct Collector {
    addr: SocketAddr,
    seen: Inject<Seen>,
    _stop: oneshot::Sender<()>,
}

impl Collector {
    async fn start() -> Self {
        // A machine that runs many tests is late by itself.
        let app = App::new::<CollectorModule>().configure(|config| config.delay_max = None);
        let launched = app.launch().await.unwrap();
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.address().unwrap();
        let seen = launched.container().get::<Seen>().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            let stopping = Stopping::when(async {
                let _ = stopped.await;
            });
            serve::serve(&launched, vec![listener], stopping).await
        });
        Self { addr, seen, _stop: stop }
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.seen.requests.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

#[derive(Injectable)]
struct Shop {
    client: Inject<HttpClient>,
    #[inject(config = ShopConfig.upstream)]
    upstream: String,
}

impl Shop {
    #[tracing::instrument(skip(self))]
    async fn price_of(&self, item: u64) -> String {
        tracing::warn!("asking");
        let response = self.client.get(&format!("{}/price", self.upstream)).send().await.unwrap();
        response.text().await.unwrap()
    }
}

#[derive(Config)]
#[config(section = "shop")]
struct ShopConfig {
    #[config(default = "http://127.0.0.1:1")]
    upstream: String,
}

#[derive(Injectable)]
struct ShopEndpoints {
    shop: Inject<Shop>,
}

#[controller("/items")]
impl ShopEndpoints {
    #[get("/{id}/price")]
    #[public]
    async fn price(&self, id: Path<u64>) -> String {
        tracing::warn!("asked");
        self.shop.price_of(*id).await
    }

    #[get("/plain")]
    #[public]
    fn plain(&self) -> &'static str {
        "plain"
    }

    #[get("/broken")]
    #[public]
    async fn broken(&self) -> Result<&'static str, Problem> {
        tokio::task::yield_now().await;
        Err(Problem::internal("no such table"))
    }

    /// Makes more spans than one request may.
    #[get("/chatty")]
    #[public]
    fn chatty(&self) -> &'static str {
        for step in 0..1_200 {
            tracing::info_span!("step", step).in_scope(|| ());
        }
        "done"
    }
}

/// Logs while it is written.
struct Loud;

impl std::fmt::Debug for Loud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        tracing::error!("inside");
        f.write_str("loud")
    }
}

#[derive(Injectable)]
struct LoudEndpoints;

#[controller("/loud")]
impl LoudEndpoints {
    #[get("/")]
    #[public]
    fn loud(&self) -> &'static str {
        let span = tracing::info_span!("loud", value = tracing::field::Empty);
        span.record("value", tracing::field::debug(Loud));
        span.in_scope(|| tracing::error!("{:?}", Loud));
        "done"
    }
}

#[module(
    root,
    imports(HttpClientModule),
    prefix = "/shop",
    providers(ShopConfig, Shop),
    controllers(ShopEndpoints, LoudEndpoints)
)]
struct ShopModule;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn subscriber(&self) -> Dispatch {
        let make = self.clone();
        let log =
            log_layer(LogFormat::JsonLines, move || make.clone()).with_filter(LevelFilter::WARN);
        Dispatch::new(tracing_subscriber::registry().with(log).with(span_layer()))
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn launch(config: &OtlpConfig, upstream: &str) -> Launched {
    let exporter = Exporter::new(config, Profile::Test, "shop", "1.2.3").unwrap().unwrap();
    let sources =
        ConfigSources::new().set("shop.upstream", upstream).set("http_client.allow", "127.0.0.1");
    let app = exporter.attach(App::new::<ShopModule>().config_sources(sources));
    let launched = app.launch().await.unwrap();
    exporter.start(launched.container()).unwrap();
    launched
}

fn all(endpoint: &str) -> OtlpConfig {
    let mut config = OtlpConfig::to(endpoint);
    config.otlp_sampling = Some(1.0);
    config
}

async fn get(app: &Launched, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = http::Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Default::default()).unwrap();
    app.handle(request, None).await.status().as_u16()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text<'s>(span: &'s Span, key: &str) -> &'s str {
    let pair = span.attributes.iter().find(|pair| pair.key == key).unwrap_or_else(|| {
        panic!("no {key} in {:?}", span.attributes);
    });
    match pair.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text,
        other => panic!("{key} is {other:?}"),
    }
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no `{name}` among {spans:#?}"))
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

#[tokio::test]
async fn span_log_and_outgoing_call_have_the_same_ids() {
    let collector = Collector::start().await;
    let sink = Sink::default();
    let mut config = all(&format!("{}/", collector.url()));
    config.otlp_headers = Some(arcly_http::config::Secret::new("api-key=a%20key"));
    let app = launch(&config, &collector.url()).await;
    let headers = [("traceparent", SAMPLED), ("tracestate", "vendor=1"), ("x-request-id", "r1")];
    let status = get(&app, "/shop/items/5/price", &headers).with_subscriber(sink.subscriber());
    assert_eq!(status.await, 200);
    app.shutdown().await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let server = named(&spans, "GET /shop/items/{id}/price");
    let inner = named(&spans, "price_of");
    let client = named(&spans, "GET");
    for span in &spans {
        assert_eq!(hex(&span.trace_id), TRACE);
        assert_eq!(span.trace_state, "vendor=1");
    }
    // The caller's span, the request, the method within it, the call out of that.
    assert_eq!(hex(&server.parent_span_id), "b7ad6b7169203331");
    assert_eq!(inner.parent_span_id, server.span_id);
    assert_eq!(client.parent_span_id, inner.span_id);
    assert_eq!([server.kind, inner.kind, client.kind], [2, 1, 3]);

    let (parent, state, request_id) = collector.seen.parents.lock().unwrap()[0].clone();
    assert_eq!(parent, format!("00-{TRACE}-{}-01", hex(&client.span_id)));
    assert_eq!((state.as_deref(), request_id.as_str()), (Some("vendor=1"), "r1"));

    let lines = sink.lines();
    let line = |message| lines.iter().find(|line| line["message"] == message).unwrap();
    assert_eq!(line("asked")["trace_id"], TRACE);
    assert_eq!(line("asked")["span_id"], hex(&server.span_id));
    assert_eq!(line("asking")["span_id"], hex(&inner.span_id));

    assert_eq!(text(server, "http.request.method"), "GET");
    assert_eq!(text(server, "http.route"), "/shop/items/{id}/price");
    assert_eq!(text(server, "url.path"), "/shop/items/5/price");
    assert_eq!(text(client, "server.address"), "127.0.0.1");
    let request = collector.seen.requests.lock().unwrap()[0].clone();
    let resource = request.resource_spans[0].resource.clone().unwrap();
    let resource = format!("{:?}", resource.attributes);
    for known in ["service.name", "\"shop\"", "service.version", "\"1.2.3\""] {
        assert!(resource.contains(known), "{resource}");
    }
    assert_eq!(*collector.seen.keys.lock().unwrap(), ["a key"]);
}

#[tokio::test]
async fn what_the_caller_decided_is_followed() {
    let collector = Collector::start().await;
    let mut config = all(&collector.url());
    let app = launch(&config, &collector.url()).await;
    assert_eq!(get(&app, "/shop/items/1/price", &[("traceparent", UNSAMPLED)]).await, 200);
    assert_eq!(get(&app, "/shop/items/2/price", &[]).await, 200);
    app.shutdown().await;
    // The same process again: nothing is left of the first.
    config.otlp_sampling = Some(0.0);
    let app = launch(&config, &collector.url()).await;
    assert_eq!(get(&app, "/shop/items/3/price", &[]).await, 200);
    assert_eq!(get(&app, "/shop/items/4/price", &[("traceparent", SAMPLED)]).await, 200);
    app.shutdown().await;

    let spans = collector.spans();
    let servers = spans.iter().filter(|span| span.kind == 2);
    let paths: Vec<_> = servers.map(|span| text(span, "url.path")).collect();
    assert_eq!(paths, ["/shop/items/2/price", "/shop/items/4/price"]);
    let parents = collector.seen.parents.lock().unwrap();
    let flags: Vec<_> = parents.iter().map(|(parent, ..)| &parent[53..]).collect();
    assert_eq!(flags, ["00", "01", "00", "01"]);
}

#[tokio::test]
async fn what_went_wrong_is_a_failure_and_too_many_spans_are_left_out() {
    let collector = Collector::start().await;
    let app = launch(&all(&collector.url()), &collector.url()).await;
    let subscriber = Sink::default().subscriber();
    for (path, status) in [("broken", 500), ("plain", 200), ("7", 404), ("chatty", 200)] {
        let path = format!("/shop/items/{path}");
        let answered = get(&app, &path, &[]).with_subscriber(subscriber.clone()).await;
        assert_eq!(answered, status, "{path}");
    }
    app.shutdown().await;
    let spans = collector.spans();
    let broken = named(&spans, "GET /shop/items/broken");
    assert_eq!(broken.status.as_ref().unwrap().code, 2);
    assert_eq!(text(broken, "error.type"), "500");
    assert!(named(&spans, "GET /shop/items/plain").status.is_none());
    // Nothing declared answers it: its path is no name.
    assert!(named(&spans, "GET").status.is_none());
    assert_eq!(spans.iter().filter(|span| span.name == "step").count(), 1_000);
    let metrics = app.metrics().encode();
    assert!(metrics.contains("otlp_spans_dropped_total{reason=\"many\"} 200"), "{metrics}");
    assert!(metrics.contains("otlp_spans_exported_total 1004"), "{metrics}");
}

/// Only the subscriber of the process is asked again while it is being asked.
#[test]
fn a_value_that_logs_while_it_is_written_holds_up_nobody() {
    let _ = tracing::dispatcher::set_global_default(Sink::default().subscriber());
    let (sender, done) = std::sync::mpsc::channel();
    // A thread that is held up is left behind.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let collector = Collector::start().await;
            let app = launch(&all(&collector.url()), &collector.url()).await;
            assert_eq!(get(&app, "/shop/loud", &[]).await, 200);
            app.shutdown().await;
            let _ = sender.send(collector.spans());
        });
    });
    let spans = done.recv_timeout(Duration::from_secs(10)).expect("the request is answered");
    let loud = named(&spans, "loud");
    assert_eq!(text(loud, "value"), "loud");
    // What failed first is why.
    assert_eq!(loud.status.as_ref().unwrap().message, "inside");
}

#[tokio::test]
async fn each_run_of_a_periodic_task_is_a_trace() {
    let collector = Collector::start().await;
    let app = launch(&all(&collector.url()), &collector.url()).await;
    let (url, client) =
        (format!("{}/price", collector.url()), app.container().get::<HttpClient>().unwrap());
    let (done, mut runs) = tokio::sync::mpsc::channel(8);
    let run = move |_: Stop| {
        let (url, client, done) = (url.clone(), client.clone(), done.clone());
        async move {
            let answer = client.get(&url).send().await.map(|response| response.status().as_u16());
            let _ = done.try_send(answer.unwrap());
            Err::<(), _>("not yet")
        }
    };
    app.container()
        .tasks()
        .group("prices")
        .every("refresh", Duration::from_millis(1), run)
        .unwrap();
    for _ in 0..2 {
        assert_eq!(runs.recv().await, Some(200));
    }
    app.shutdown().await;
    let spans = collector.spans();
    let runs: Vec<_> = spans.iter().filter(|span| span.name == "task prices/refresh").collect();
    assert!(runs.len() >= 2, "{spans:#?}");
    assert_ne!(runs[0].trace_id, runs[1].trace_id);
    assert_eq!(runs[0].status.as_ref().unwrap().code, 2);
    let call = spans.iter().find(|span| span.parent_span_id == runs[0].span_id).unwrap();
    assert_eq!((call.name.as_str(), &call.trace_id), ("GET", &runs[0].trace_id));
}

#[tokio::test]
async fn a_collector_that_is_gone_or_hangs_harms_nobody() {
    // Its backlog takes connections; nobody ever answers.
    let hangs = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = (format!("http://{}", hangs.local_addr().unwrap()), Some(hangs));
    for (endpoint, _held) in [("http://127.0.0.1:1".to_owned(), None), hangs] {
        let app = launch(&all(&endpoint), "http://127.0.0.1:1").await;
        let begun = Instant::now();
        for _ in 0..6_000 {
            assert_eq!(get(&app, "/shop/items/plain", &[]).await, 200);
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let begun = Instant::now();
        let report = app.shutdown().await;
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        assert!(report.tasks.cut.is_empty(), "{report:?}");
        let metrics = app.metrics().encode();
        let dropped = |reason: &str| {
            let start = format!("otlp_spans_dropped_total{{reason=\"{reason}\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
            line.and_then(|count| count.parse::<u64>().ok()).unwrap()
        };
        assert_eq!(dropped("full") + dropped("failed"), 6_000, "{metrics}");
        assert!(dropped("full") > 0, "{metrics}");
    }
}

#[test]
fn a_wrong_setting_is_refused_without_its_value() {
    let fault = |change: fn(&mut OtlpConfig)| {
        let mut config = OtlpConfig::to("http://collector");
        change(&mut config);
        Exporter::new(&config, Profile::Dev, "a", "1").unwrap_err().to_string()
    };
    let text = fault(|config| config.otlp_sampling = Some(1.5));
    assert!(text.contains("between 0 and 1"), "{text}");
    let text = fault(|config| config.otlp_endpoint = Some("collector:4318".into()));
    assert!(text.contains("begins with http"), "{text}");
    let text = fault(|config| config.otlp_endpoint = Some("http://ann:pw@collector".into()));
    assert!(text.contains("no credentials") && !text.contains("pw"), "{text}");
    let text = fault(|config| {
        config.otlp_headers = Some(arcly_http::config::Secret::new("hidden"));
    });
    assert!(text.contains("name=value") && !text.contains("hidden"), "{text}");
    let unset = Exporter::new(&OtlpConfig::to(" "), Profile::Dev, "a", "1").unwrap();
    assert!(unset.is_none());
}
