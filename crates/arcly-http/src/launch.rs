//! Boot order: describe, configure, log, launch, serve, stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use arcly_http_core::config::Profile;
use arcly_http_core::task::{Restart, Stop, Tasks};
use arcly_http_macros::Config;
use arcly_http_web::admin::{Admin, RecentRequests};
use arcly_http_web::app::AppError;
use arcly_http_web::serve::{self, Address, Listener, Network, Stopping, Tls, TlsFiles};
use arcly_http_web::{App, describe};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

use crate::command;
use crate::logging::{self, LogLevels};
use crate::telemetry::Running;
use crate::telemetry::boot::{self, Telemetry};

/// Where and how the server runs. Every application has these keys.
#[derive(Debug, Clone, Config)]
#[config(check = check)]
pub struct ServerConfig {
    /// Where to listen: an address with port, `unix:` with a path, or `inherited`;
    /// several are separated by commas.
    #[config(default = "127.0.0.1:3000", env = "LISTEN", flag = "listen")]
    pub listen: Vec<Address>,
    /// Address of probes, metrics and console. They ask nobody who they are, so it
    /// should be one that only operators reach.
    #[config(default = "127.0.0.1:3001", env = "ADMIN", flag = "admin")]
    pub admin: Address,
    /// Certificates to serve TLS with, in PEM: the server's, then those that vouch for
    /// it. A renewed file is used within seconds.
    #[config(env = "TLS_CERTIFICATES", flag = "tls-certificates")]
    pub tls_certificates: Option<PathBuf>,
    /// Private key of the certificate.
    #[config(env = "TLS_KEY", flag = "tls-key")]
    pub tls_key: Option<PathBuf>,
    /// Certificates of those who vouch for clients; with them, every client has to
    /// show one (mutual TLS).
    #[config(env = "TLS_CLIENT_AUTHORITIES", flag = "tls-client-authorities")]
    pub tls_client_authorities: Option<PathBuf>,
    /// Whether every connection begins with a PROXY protocol header of version 2.
    #[config(default = "false", env = "PROXY_PROTOCOL", flag = "proxy-protocol")]
    pub proxy_protocol: bool,
    /// Networks of proxies whose `Forwarded` and `X-Forwarded-For` are believed,
    /// separated by commas.
    #[config(default = "", env = "TRUSTED_PROXIES", flag = "trusted-proxies")]
    pub trusted_proxies: Vec<Network>,
    /// Which log lines are written, as in `info,my_app=debug`.
    #[config(default = "info", env = "LOG", flag = "log")]
    pub log: String,
    /// Whether log lines are JSON.
    #[config(default = "false", env = "LOG_JSON", flag = "log-json")]
    pub log_json: bool,
    /// Whether the console shows the last 100 requests, with the spans within them: each
    /// request's route (its path where no route answers), status, principal and times.
    /// Then every request is recorded, and calls to other services say so in
    /// `traceparent`; requests whose caller sent a `traceparent` that says "not sampled"
    /// are not. Where spans are exported (`otlp_endpoint`), the share of that
    /// (`otlp_sampling`) decides what is recorded and exported, and the console shows the
    /// same. Default: yes in profile `dev`, no elsewhere, where it costs nothing.
    #[config(env = "RECENT_REQUESTS", flag = "recent-requests")]
    pub recent_requests: Option<bool>,
}

fn check(config: &ServerConfig) -> Result<(), String> {
    if config.listen.is_empty() {
        return Err("`listen`: name one address at least".to_owned());
    }
    if config.tls_certificates.is_some() != config.tls_key.is_some() {
        return Err("`tls_certificates` and `tls_key` belong together: set both".to_owned());
    }
    if config.tls_client_authorities.is_some() && config.tls_key.is_none() {
        return Err("`tls_client_authorities` needs `tls_certificates` and `tls_key`".to_owned());
    }
    let parsed = EnvFilter::builder().with_regex(false).parse(&config.log).map(|_| ());
    parsed.map_err(|error| format!("`log`: `{}` is not a log filter: {error}", config.log))
}

/// Runs an application as a process: what `#[arcly_http::main]` calls.
///
/// With `ARCLY_DESCRIBE=openapi`, `asyncapi`, `routes`, `graph` or `config` in the environment it
/// prints that as JSON and ends, without building anything.
pub fn run_main(app: App, name: &str, version: &str) -> ExitCode {
    let mut words = vec![];
    let app = app
        .map_config_sources(|own| {
            let (sources, first) = own.of_process().split_words();
            words = first;
            sources
        })
        .default_info(name, version)
        .section(<ServerConfig as arcly_http_core::config::ConfigSection>::SECTION);
    let app = boot::declare(app);
    if let Some(what) = std::env::var_os("ARCLY_DESCRIBE") {
        return describe_to_stdout(&app, &what.to_string_lossy());
    }
    let called = match command::find(&app, words) {
        Ok(called) => called,
        Err(error) => return fail(&error.to_string()),
    };
    let commands = command::help(&app);
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime cannot be started: {error}")),
    };
    let result = runtime.block_on(async {
        match called {
            Some(called) => command::run(app, called).await,
            None => run(app, name, version).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(AppError::Help(text)) => {
            print(&format!("{commands}{text}"));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

async fn run(app: App, name: &str, version: &str) -> Result<(), AppError> {
    serve::raise_open_files();
    let all = app.load_config()?;
    let config = all.read::<ServerConfig>()?;
    let shows_requests = config.recent_requests.unwrap_or(all.profile() == Profile::Dev);
    let mut is_recorded = shows_requests || boot::is_on(&all)?;
    let app = app.configure(|launch| is_recorded |= launch.tracing.is_some());
    logging::start(&config.log, config.log_json, all.profile(), is_recorded);
    let _looking = is_recorded.then(Running::begin);
    tracing::info!(profile = %all.profile(), "starting");
    let telemetry = Telemetry::read(&all, name, version)?;
    let app = telemetry.attach(app);
    let mut recent = None;
    let app = app.configure(|launch| {
        recent = shows_requests.then(|| RecentRequests::attach(&mut launch.tracing));
        launch.trusted_proxies.clone_from(&config.trusted_proxies);
        launch.client_certificates |= config.tls_client_authorities.is_some();
    });
    let admin = Admin::with_log(Arc::new(LogLevels::of_process()));
    if let Some(recent) = recent {
        admin.show_requests(recent);
    }
    // Probes answer while the application is built and until it has stopped.
    let console = AdminThread::start(Arc::clone(&admin), config.admin.clone()).await?;
    let result = run_application(app, &config, &admin, &telemetry).await;
    console.stop().await;
    result
}

/// The admin listener on a thread and a runtime of its own: probes are answered when
/// requests take all the others.
struct AdminThread {
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

impl AdminThread {
    async fn start(admin: Arc<Admin>, address: Address) -> Result<Self, AppError> {
        let failed = |source| AppError::Listen { address: "admin".to_owned(), source };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopping) = oneshot::channel::<()>();
        let (end, stopped) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let work = async move {
            match Listener::bind(&address).await {
                Err(error) => drop(tell.send(Err(error))),
                Ok(listener) => {
                    let shown = listener
                        .address()
                        .map_or_else(|| address.to_string(), |addr| format!("http://{addr}/"));
                    drop(tell.send(Ok(shown)));
                    let stopping = async {
                        let _ = stopping.await;
                    };
                    serve::serve_admin(&admin, listener, stopping).await;
                }
            }
        };
        // Its end, a panic included, is noticed where `end` goes.
        std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || {
                let _end = end;
                runtime.block_on(work);
            })
            .map_err(failed)?;
        let lost = || failed(std::io::Error::other("its thread ended"));
        let console = told.await.map_err(|_| lost())??;
        tracing::info!(%console, "probes and metrics");
        Ok(Self { stop, stopped })
    }

    /// Waits for running answers, which takes a second at most.
    async fn stop(self) {
        if self.stop.send(()).is_err() {
            tracing::error!("the thread of the admin listener has ended by itself");
        }
        let _ = self.stopped.await;
    }
}

async fn run_application(
    app: App,
    config: &ServerConfig,
    admin: &Admin,
    telemetry: &Telemetry,
) -> Result<(), AppError> {
    let routes = app.routes().len();
    let launched = app.launch().await?;
    let started = telemetry.start(launched.container());
    let started = started.and_then(|()| keep_levels(launched.container().tasks()));
    let listeners = match started {
        Ok(()) => listen(config).await,
        Err(error) => Err(error),
    };
    let listeners = match listeners {
        Ok(listeners) => listeners,
        Err(error) => {
            launched.shutdown().await;
            return Err(error);
        }
    };
    // Before the log says so: who waits for the line may ask at once.
    admin.started(&launched);
    let scheme = if config.tls_key.is_some() { "https" } else { "http" };
    for (listener, address) in listeners.iter().zip(&config.listen) {
        match listener.address() {
            Some(addr) => {
                let docs = format!("{scheme}://{addr}/docs");
                tracing::info!(%addr, routes, %docs, "listening");
            }
            None => tracing::info!(%address, routes, "listening"),
        }
    }
    let stopping = Stopping {
        stop: async {
            next_signal().await;
            admin.draining();
            tracing::info!("stopping; a second signal cuts what is still running");
        },
        // Polled from the drain on, so it waits for the second signal.
        cut: next_signal(),
    };
    let drained = serve::serve(&launched, listeners, stopping).await;
    let report = launched.shutdown().await;
    for (provider, hook, reason) in &report.failures {
        tracing::warn!(provider, hook, reason, "a hook failed while stopping");
    }
    tracing::info!(cut = drained.cut, "stopped");
    Ok(())
}

/// Ends what was changed of the log's levels for a while only.
fn keep_levels(tasks: &Tasks) -> Result<(), AppError> {
    let restart = Restart::on_failure();
    let run = async |stop: Stop| LogLevels::of_process().run(stop).await;
    let started = tasks.supervise("log-levels", restart, run);
    started.map(|_| ()).map_err(|error| AppError::Telemetry(error.into()))
}

async fn listen(config: &ServerConfig) -> Result<Vec<Listener>, AppError> {
    let tls = match (&config.tls_certificates, &config.tls_key) {
        (Some(certificates), Some(key)) => Some(Tls::load(TlsFiles {
            certificates: certificates.clone(),
            key: key.clone(),
            client_authorities: config.tls_client_authorities.clone(),
        })?),
        _ => None,
    };
    let mut listeners = vec![];
    for address in &config.listen {
        let mut listener = Listener::bind(address).await?;
        if config.proxy_protocol {
            listener = listener.with_proxy_header();
        }
        if let Some(tls) = &tls {
            listener = listener.with_tls(tls.clone());
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// SIGINT and SIGTERM: the first asks to stop, the second to cut.
async fn next_signal() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be watched");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        _ = interrupt => {}
        () = terminate => {}
    }
}

fn describe_to_stdout(app: &App, what: &str) -> ExitCode {
    let value = match what {
        "openapi" => Ok(app.openapi()),
        "asyncapi" => match app.asyncapi() {
            Some(document) => Ok(document),
            None => return fail("the application has no gateways"),
        },
        "routes" => serde_json::to_value(app.routes()),
        "graph" => serde_json::to_value(describe::graph(app.root())),
        "config" => match app.load_config() {
            Ok(config) => serde_json::to_value(config.describe()),
            Err(AppError::Help(text)) => {
                print(&text);
                return ExitCode::SUCCESS;
            }
            Err(error) => return fail(&error.to_string()),
        },
        other => {
            return fail(&format!(
                "ARCLY_DESCRIBE is `{other}`; write openapi, asyncapi, routes, graph or config"
            ));
        }
    };
    match value {
        Ok(value) => {
            print(&format!("{value:#}"));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn print(text: &str) {
    use std::io::Write as _;
    // Whoever reads may have seen enough, as `head` does.
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[expect(clippy::print_stderr, reason = "logging may not have started")]
fn fail(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
