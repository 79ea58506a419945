//! Boot order: describe, configure, log, launch, serve, stop.

use std::net::SocketAddr;
use std::process::ExitCode;

use arcly_http_macros::Config;
use arcly_http_web::admin::Admin;
use arcly_http_web::app::AppError;
use arcly_http_web::{App, describe, serve};
use tracing_subscriber::EnvFilter;

/// Where and how the server runs. Every application has these keys.
#[derive(Debug, Clone, Config)]
#[config(check = check_log)]
pub struct ServerConfig {
    /// Address to listen on.
    #[config(default = "127.0.0.1:3000", env = "LISTEN", flag = "listen")]
    pub listen: SocketAddr,
    /// Address of probes, metrics and console. They ask nobody who they are, so it
    /// should be one that only operators reach.
    #[config(default = "127.0.0.1:3001", env = "ADMIN", flag = "admin")]
    pub admin: SocketAddr,
    /// Which log lines are written, as in `info,my_app=debug`.
    #[config(default = "info", env = "LOG", flag = "log")]
    pub log: String,
    /// Whether log lines are JSON.
    #[config(default = "false", env = "LOG_JSON", flag = "log-json")]
    pub log_json: bool,
}

fn check_log(config: &ServerConfig) -> Result<(), String> {
    let parsed = EnvFilter::try_new(&config.log).map(|_| ());
    parsed.map_err(|error| format!("`log`: `{}` is not a log filter: {error}", config.log))
}

/// Runs an application as a process: what `#[arcly_http::main]` calls.
///
/// With `ARCLY_DESCRIBE=openapi`, `routes`, `graph` or `config` in the environment it
/// prints that as JSON and ends, without building anything.
pub fn run_main(app: App, name: &str, version: &str) -> ExitCode {
    let app = app
        .map_config_sources(|own| own.of_process())
        .default_info(name, version)
        .section(<ServerConfig as arcly_http_core::config::ConfigSection>::SECTION);
    if let Some(what) = std::env::var_os("ARCLY_DESCRIBE") {
        return describe_to_stdout(&app, &what.to_string_lossy());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime cannot be started: {error}")),
    };
    match runtime.block_on(run(app)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(AppError::Help(text)) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

async fn run(app: App) -> Result<(), AppError> {
    let all = app.load_config()?;
    let config = all.read::<ServerConfig>()?;
    start_logging(&config);
    tracing::info!(profile = %all.profile(), "starting");
    let admin = Admin::new();
    let admin_listener = serve::listen(config.admin).await?;
    let admin_addr = admin_listener.local_addr().unwrap_or(config.admin);
    tracing::info!(console = %format!("http://{admin_addr}/"), "probes and metrics");
    // Probes answer while the application is built and until it has stopped.
    let (stop_admin, admin_stopped) = tokio::sync::oneshot::channel::<()>();
    let application = async {
        let result = run_application(app, config.listen, &admin).await;
        drop(stop_admin);
        result
    };
    let console = serve::serve_admin(&admin, admin_listener, async {
        let _ = admin_stopped.await;
    });
    let (result, _) = tokio::join!(application, console);
    result
}

async fn run_application(app: App, listen: SocketAddr, admin: &Admin) -> Result<(), AppError> {
    let routes = app.routes().len();
    let launched = app.launch().await?;
    let listener = match serve::listen(listen).await {
        Ok(listener) => listener,
        Err(error) => {
            launched.shutdown().await;
            return Err(error);
        }
    };
    let addr = listener.local_addr().unwrap_or(listen);
    tracing::info!(%addr, routes, docs = %format!("http://{addr}/docs"), "listening");
    admin.started(&launched);
    let drained = serve::serve(&launched, listener, async {
        stop_signal().await;
        admin.draining();
        tracing::info!("stopping");
    })
    .await;
    let report = launched.shutdown().await;
    for (provider, hook, reason) in &report.failures {
        tracing::warn!(provider, hook, reason, "a hook failed while stopping");
    }
    tracing::info!(cut = drained.cut, "stopped");
    Ok(())
}

/// Resolves at the first SIGINT or SIGTERM.
async fn stop_signal() {
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

/// A second application in one process keeps the first one's log.
fn start_logging(config: &ServerConfig) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stdout()));
    let result =
        if config.log_json { builder.json().try_init() } else { builder.compact().try_init() };
    if result.is_err() {
        tracing::debug!("logging was started before");
    }
}

fn describe_to_stdout(app: &App, what: &str) -> ExitCode {
    let value = match what {
        "openapi" => Ok(app.openapi()),
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
                "ARCLY_DESCRIBE is `{other}`; write openapi, routes, graph or config"
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

#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "logging may not have started")]
fn fail(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
