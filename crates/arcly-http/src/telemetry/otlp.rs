//! Spans by OpenTelemetry's protocol (OTLP), as protobuf over HTTP.
//!
//! With the feature `otlp` and `otlp_endpoint` set, every request that is sampled is a
//! span, and so are calls of the `HttpClient` and the spans of your own code within it.
//! Their ids are those of the log and of `traceparent`. So is each run of a periodic
//! task (`Tasks::every`), as a trace of its own.
//!
//! What decides over a request: the sampled flag of the caller's `traceparent`, if it
//! sent one; otherwise `otlp_sampling`. The flag that is sent on is the decision. Where
//! strangers are not to decide, the proxy in front drops their `traceparent`.
//!
//! | bound | value | beyond it |
//! |---|---|---|
//! | spans that wait to be sent | 4,096 | left out, counted as `full` |
//! | spans of one request | 1,000 and its own | left out, counted as `many` |
//! | values of a span, length of a text | 64, 1 KiB | left out, cut |
//! | one batch | 512 spans, or what came within 1 s | |
//! | attempts for a batch | 4 within 30 s | left out, counted as `failed` |
//! | flush when the application stops | 3 s | left out, counted as `failed` |
//!
//! Metrics: `otlp_spans_exported_total`, `otlp_spans_dropped_total` by reason (also
//! `refused`, by the collector). A collector that is slow or gone delays nobody:
//! requests only put spans into the queue, and never wait for it.

mod encode;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arcly_http_client::{ClientError, ErrorKind, HttpClient, SetupError};
use arcly_http_core::config::{Profile, Secret};
use arcly_http_core::di::FrozenDiContainer;
use arcly_http_core::observe::{Counter, Counters, Metrics};
use arcly_http_core::resilience::{InvalidPolicy, Policy, PolicyError, Retry, Verdict};
use arcly_http_core::scope::spans::{SpanRecord, SpanSink, Tracing};
use arcly_http_core::task::{Restart, SpawnError, Stop};
use arcly_http_macros::Config;
use arcly_http_web::App;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use super::spans::Running;
use encode::{Batch, Resource, rejected};

/// Most spans that wait.
const QUEUE_MAX: usize = 4_096;
/// Most spans of a batch.
const BATCH_MAX: usize = 512;
/// How long a batch waits for more spans.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// How long a batch is tried for.
const BATCH_TIME_MAX: Duration = Duration::from_secs(30);
/// How long what is left may take when the application stops; its tasks have 10 s.
const FLUSH_MAX: Duration = Duration::from_secs(3);
/// The share of traces that is recorded outside the `dev` profile, unless it is set.
const SAMPLING: f64 = 0.1;

/// Where spans go. Keys of every application that has the feature `otlp`; variables
/// are those of OpenTelemetry.
#[derive(Debug, Clone, Config)]
#[config(check = check)]
pub struct OtlpConfig {
    /// Where spans are sent: the URL of an OTLP collector for protobuf over HTTP, such
    /// as `http://127.0.0.1:4318`; `/v1/traces` is added. Nothing is sent without it.
    #[config(env = "OTEL_EXPORTER_OTLP_ENDPOINT", flag = "otlp-endpoint")]
    pub otlp_endpoint: Option<String>,
    /// Headers for the collector, such as its key: `name=value,name=value`.
    #[config(env = "OTEL_EXPORTER_OTLP_HEADERS", flag = "otlp-headers", secret)]
    pub otlp_headers: Option<Secret>,
    /// The share of traces that begin here and are recorded, from 0 to 1. Default: 1 in
    /// profile `dev`, 0.1 elsewhere. Callers who decided otherwise are followed.
    #[config(env = "OTEL_TRACES_SAMPLER_ARG", flag = "otlp-sampling")]
    pub otlp_sampling: Option<f64>,
    /// `service.name` of the spans. Default: the package.
    #[config(env = "OTEL_SERVICE_NAME", flag = "otlp-service-name")]
    pub otlp_service_name: Option<String>,
}

fn check(config: &OtlpConfig) -> Result<(), String> {
    if config.otlp_sampling.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err("`otlp_sampling` is a share between 0 and 1".to_owned());
    }
    if let Some(endpoint) = config.endpoint()
        && !(endpoint.starts_with("http://") || endpoint.starts_with("https://"))
    {
        return Err("`otlp_endpoint` is a URL that begins with http:// or https://".to_owned());
    }
    if config.endpoint().is_some_and(|endpoint| endpoint.contains(['@', '?', '#'])) {
        return Err("`otlp_endpoint` has no credentials or query: use `otlp_headers`".to_owned());
    }
    config.headers().map(|_| ())
}

impl OtlpConfig {
    /// Sends to this collector, with defaults for everything else.
    #[must_use]
    pub fn to(endpoint: &str) -> Self {
        Self {
            otlp_endpoint: Some(endpoint.to_owned()),
            otlp_headers: None,
            otlp_sampling: None,
            otlp_service_name: None,
        }
    }

    /// Whether spans are sent.
    pub(super) fn is_on(&self) -> bool {
        self.endpoint().is_some()
    }

    fn endpoint(&self) -> Option<&str> {
        let set = self.otlp_endpoint.as_deref().map(str::trim);
        set.filter(|endpoint| !endpoint.is_empty())
    }

    /// The fault never shows a value.
    fn headers(&self) -> Result<Vec<(String, Secret)>, String> {
        let text = self.otlp_headers.as_ref().map_or("", Secret::expose);
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
            let is_plain = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            let name = name.trim();
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let is_sane = is_plain && is_name && !name.is_empty();
            is_sane.then(|| (name.to_owned(), Secret::new(value)))
        };
        pairs
            .map(|text| {
                pair(text).ok_or_else(|| "`otlp_headers`: write `name=value,..`".to_owned())
            })
            .collect()
    }
}

/// Spans cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// The configuration has a fault.
    #[error("{0}")]
    Config(String),
    /// The client for the collector cannot be made.
    #[error("the client for the collector cannot be made")]
    Client(#[from] SetupError),
    /// The retries cannot be set up.
    #[error("the retries for the collector cannot be set up")]
    Policy(#[from] InvalidPolicy),
}

/// Sends the spans of one application. `#[arcly_http::main]` makes it from the
/// configuration; a program that launches by itself does it thus:
///
/// ```
/// # use arcly_http::prelude::*;
/// # use arcly_http::telemetry::otlp::{Exporter, OtlpConfig};
/// # use arcly_http::config::Profile;
/// # #[module(root)] struct AppModule;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let config = OtlpConfig::to("http://127.0.0.1:4318");
/// let exporter = Exporter::new(&config, Profile::Dev, "shop", "1.0")?.expect("an endpoint is set");
/// let launched = exporter.attach(App::new::<AppModule>()).launch().await?;
/// exporter.start(launched.container())?;
/// // Serve; `shutdown` sends what is left.
/// launched.shutdown().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Exporter {
    shared: Arc<Shared>,
    tracing: Tracing,
}

#[derive(Debug)]
struct Shared {
    queue: Arc<Queue>,
    /// Held by the run of the task.
    waiting: Mutex<mpsc::Receiver<SpanRecord>>,
    client: HttpClient,
    policy: Policy<ClientError>,
    url: String,
    headers: Vec<(String, Secret)>,
    resource: Resource,
    is_failing: AtomicBool,
}

impl Exporter {
    /// An exporter; `None` when no endpoint is set. `name` and `version` say which
    /// service it is.
    ///
    /// # Errors
    /// [`OtlpError`].
    pub fn new(
        config: &OtlpConfig,
        profile: Profile,
        name: &str,
        version: &str,
    ) -> Result<Option<Self>, OtlpError> {
        let Some(endpoint) = config.endpoint() else { return Ok(None) };
        check(config).map_err(OtlpError::Config)?;
        // Whoever sets the endpoint runs the process, so that it may be anywhere.
        let client = HttpClient::builder()
            .reach_everything()
            .redirects_max(0)
            .timeout(ATTEMPT_MAX)
            .response_limit(64 << 10)
            .build()?;
        let policy = Policy::builder()
            .name("otlp")
            .timeout(ATTEMPT_MAX)
            .deadline(BATCH_TIME_MAX)
            .classify(verdict)
            .retry(
                Retry::new()
                    .attempts(4)
                    .backoff(Duration::from_secs(1), Duration::from_secs(8))
                    .budget(100, 4),
            )
            .build()?;
        let (sender, waiting) = mpsc::channel(QUEUE_MAX);
        let queue = Arc::new(Queue { sender, dropped: Dropped::default() });
        let share = config.otlp_sampling.unwrap_or(match profile {
            Profile::Dev => 1.0,
            _ => SAMPLING,
        });
        let tracing = Tracing::new(Arc::clone(&queue) as Arc<dyn SpanSink>, share);
        let own = config.otlp_service_name.as_deref().filter(|name| !name.is_empty());
        let resource = Resource::new(own.unwrap_or(name), version);
        let shared = Arc::new(Shared {
            queue,
            waiting: Mutex::new(waiting),
            client,
            policy,
            url: format!("{}/v1/traces", endpoint.trim_end_matches('/')),
            headers: config.headers().map_err(OtlpError::Config)?,
            resource,
            is_failing: AtomicBool::new(false),
        });
        Ok(Some(Self { shared, tracing }))
    }

    /// Records the requests of an application.
    pub fn attach(&self, app: App) -> App {
        let tracing = self.tracing.clone();
        app.configure(|launch| launch.tracing = Some(tracing))
    }

    /// Sends from now on, in a task of the application that ends with it.
    ///
    /// # Errors
    /// When the application takes no more tasks.
    pub fn start(&self, container: &FrozenDiContainer) -> Result<(), SpawnError> {
        let shared = Arc::clone(&self.shared);
        shared.queue.dropped.observe(container.metrics());
        let exported = container.metrics().counter("otlp_spans_exported", "Spans sent by OTLP");
        // Dropped with the task.
        let running = Running::begin();
        container.tasks().supervise("otlp", Restart::on_failure(), move |stop: Stop| {
            let _running = &running;
            let (shared, exported) = (Arc::clone(&shared), exported.clone());
            async move { shared.run(stop, &exported).await }
        })?;
        Ok(())
    }
}

/// What may be sent again, by OTLP's rules.
fn verdict(error: &ClientError) -> Verdict {
    match error.kind() {
        ErrorKind::Status { status, retry_after } => match (status.as_u16(), retry_after) {
            (429 | 502 | 503 | 504, Some(wait)) => Verdict::RetryAfter(*wait),
            (429 | 502 | 503 | 504, None) => Verdict::Retry,
            _ => Verdict::Fail,
        },
        ErrorKind::Invalid(_) => Verdict::Fail,
        // A span that arrives twice has the same id.
        _ => Verdict::Retry,
    }
}

impl Shared {
    async fn run(&self, stop: Stop, exported: &Counter) {
        let mut waiting = self.waiting.lock().await;
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while stop.until(waiting.recv_many(&mut batch, BATCH_MAX)).await.is_some() {
            let until = Instant::now() + BATCH_DELAY;
            while batch.len() < BATCH_MAX {
                let free = BATCH_MAX - batch.len();
                let more = stop.until(waiting.recv_many(&mut batch, free));
                if !matches!(timeout_at(until, more).await, Ok(Some(1..))) {
                    break;
                }
            }
            let owed = self.owed(batch.drain(..));
            match stop.until(self.policy.call(|| self.post(&owed.batch))).await {
                Some(result) => self.count(owed, result, exported),
                None => {
                    // Once more, without waiting.
                    self.flush(owed, exported).await;
                    break;
                }
            }
        }
        let until = Instant::now() + FLUSH_MAX;
        let rest = async {
            loop {
                while batch.len() < BATCH_MAX {
                    let Ok(span) = waiting.try_recv() else { break };
                    batch.push(span);
                }
                if batch.is_empty() {
                    return;
                }
                self.flush(self.owed(batch.drain(..)), exported).await;
            }
        };
        if timeout_at(until, rest).await.is_err() {
            self.queue.dropped.add(Reason::Failed, waiting.len() as u64);
        }
    }

    fn owed(&self, spans: impl Iterator<Item = SpanRecord>) -> Owed<'_> {
        Owed { batch: self.resource.encode(spans), dropped: &self.queue.dropped }
    }

    /// One attempt, when there is no time for more.
    async fn flush(&self, owed: Owed<'_>, exported: &Counter) {
        let result = match timeout(FLUSH_MAX / 2, self.post(&owed.batch)).await {
            Ok(result) => result.map_err(|error| PolicyError::Failed { error, attempts: 1 }),
            Err(_) => Err(PolicyError::TimedOut { limit: FLUSH_MAX / 2, attempts: 1 }),
        };
        self.count(owed, result, exported);
    }

    /// How many spans the collector did not want.
    async fn post(&self, batch: &Batch) -> Result<u64, ClientError> {
        let mut request = self.client.post(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.expose());
        }
        let request = request.header("content-type", "application/x-protobuf");
        let response = request.body(batch.bytes.clone()).send().await?.error_for_status()?;
        Ok(rejected(&response.bytes().await?))
    }

    fn count(
        &self,
        mut owed: Owed<'_>,
        result: Result<u64, PolicyError<ClientError>>,
        sent: &Counter,
    ) {
        match result {
            Ok(refused) => {
                let spans = std::mem::take(&mut owed.batch.spans);
                let refused = refused.min(spans);
                sent.add(spans - refused);
                self.queue.dropped.add(Reason::Refused, refused);
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("spans are sent again");
                }
            }
            Err(error) => {
                // A line for each batch would fill the log.
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    let error = arcly_http_core::problem::error_chain(&error);
                    tracing::warn!(%error, "spans cannot be sent and are left out");
                }
            }
        }
    }
}

/// Spans that are being sent. Those that were not when it is dropped, however that
/// comes, are counted.
struct Owed<'s> {
    batch: Batch,
    dropped: &'s Dropped,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        self.dropped.add(Reason::Failed, self.batch.spans);
    }
}

/// Where spans wait. Nobody waits to get in.
#[derive(Debug)]
struct Queue {
    sender: mpsc::Sender<SpanRecord>,
    dropped: Dropped,
}

impl SpanSink for Queue {
    fn take(&self, span: SpanRecord) {
        if self.sender.try_send(span).is_err() {
            self.dropped.add(Reason::Full, 1);
        }
    }

    fn left_out(&self) {
        self.dropped.add(Reason::Many, 1);
    }
}

#[derive(Debug, Clone, Copy)]
enum Reason {
    Full,
    Many,
    Failed,
    Refused,
}

const REASONS: [&str; 4] = ["full", "many", "failed", "refused"];

/// Spans that were left out, by reason. Before the application is launched there are no
/// metrics to count them in.
#[derive(Debug, Default)]
struct Dropped {
    early: [AtomicU64; REASONS.len()],
    counters: OnceLock<[Counter; REASONS.len()]>,
}

impl Dropped {
    fn observe(&self, metrics: &Metrics) {
        let by_reason: Counters = metrics.counters(
            "otlp_spans_dropped",
            "Spans that were not sent by OTLP: the queue was full, the request had too many, \
             sending failed, or the collector refused them",
            &["reason"],
        );
        let counters = self.counters.get_or_init(|| REASONS.map(|name| by_reason.with(&[name])));
        for (early, counter) in self.early.iter().zip(counters) {
            counter.add(early.swap(0, Ordering::Relaxed));
        }
    }

    fn add(&self, reason: Reason, count: u64) {
        let at = reason as usize;
        match self.counters.get() {
            Some(counters) => counters[at].add(count),
            None => {
                self.early[at].fetch_add(count, Ordering::Relaxed);
            }
        }
    }
}
