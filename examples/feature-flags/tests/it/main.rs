//! The plugin in an application, and from the command line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use arcly_http::prelude::*;
use arcly_http_testing::TestApp;
use feature_flags::FlagModule;
use serde_json::Value;

#[module(root, plugins(FlagModule))]
struct AppModule;

#[tokio::test]
async fn settings_routes_and_metrics_are_part_of_the_application() {
    let builder = TestApp::builder::<AppModule>().set("flags.on", "a,b").set("flags.off", "c");
    let app = builder.launch().await.unwrap();
    let all = app.get("/flags").send().await.expect(200).value();
    assert_eq!(all[2]["name"], "c");
    for (name, is_on) in [("a", true), ("c", false), ("unheard-of", false)] {
        let flag = app.get(&format!("/flags/{name}")).send().await.expect(200).value();
        assert_eq!(flag["is_on"], is_on, "{name}");
    }
    assert!(app.metrics().encode().contains("flags_asked_total 3"));
    assert!(app.openapi()["paths"]["/flags/{name}"]["get"].is_object());
    app.finish().await;
}

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feature-flags"));
    command.args(args).current_dir(env!("CARGO_TARGET_TMPDIR")).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn commands_run_in_the_application() {
    let output = run(&["flags", "list", "--flags-on", "formal", "--flags-off", "dark-mode"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "dark-mode off\nformal on\n");

    assert!(run(&["flags", "check", "formal", "--flags-on", "formal"]).status.success());
    let off = run(&["flags", "check", "formal"]);
    assert!(!off.status.success());
    assert_eq!(stderr(&off), "error: `formal` is off\n");
}

#[test]
fn commands_that_are_not_there_are_told_with_those_that_are() {
    for (args, said) in [
        (vec!["flag"], "argument `flag` is not known; commands are:\n  flags list"),
        (vec!["flags"], "`flags` needs a command; commands are:\n  flags list"),
        (vec!["flags", "lst"], "`flags` has no command `lst`; commands are:\n  flags list"),
        (vec!["flags", "list", "--flags-no", "a"], "--flags-no"),
    ] {
        let output = run(&args);
        assert!(!output.status.success());
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    let help = String::from_utf8_lossy(&run(&["--help"]).stdout).into_owned();
    assert!(help.contains("  flags check\n      Fail unless"), "{help}");
}

/// The binary, with the addresses of its two listeners.
struct Server {
    process: Child,
    /// Open as long as it writes.
    _log: Lines<BufReader<ChildStdout>>,
    app: String,
    admin: String,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_feature-flags"))
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(args)
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = |before: &str| {
            let mut lines = log.by_ref().map(Result::unwrap);
            let line = lines.find(|line| line.contains(before)).unwrap();
            let (_, rest) = line.split_once(before).unwrap();
            rest.split(['/', ' ']).next().unwrap().to_owned()
        };
        let admin = address("console=http://");
        let app = address("listening addr=");
        Self { process, _log: log, app, admin }
    }

    fn get(&self, addr: &str, path: &str) -> String {
        let mut socket = TcpStream::connect(addr).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\nx-key: s3cret\r\nconnection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    }

    fn console(&self) -> String {
        self.get(&self.admin, "/console.json")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The console shows the plugin's page, and readiness its check.
#[test]
fn operators_see_it() {
    let server = Server::start(&["--flags-on", "dark-mode", "--flags-off", "dark-mode"]);
    let console = server.console();
    assert!(console.contains(r#""title":"Flags""#), "{console}");
    assert!(console.contains(r#"["dark-mode","on"]"#), "{console}");
    let ready = server.get(&server.admin, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("in `flags.off`"), "{ready}");
}

/// The console shows the last requests with the spans of `#[tracing::instrument]`.
#[test]
fn operators_see_recent_requests() {
    let server = Server::start(&["--flags-on", "formal"]);
    assert!(server.get(&server.app, "/?key=s3cret").starts_with("HTTP/1.1 200"));
    assert!(server.get(&server.app, "/nowhere?key=s3cret").starts_with("HTTP/1.1 404"));
    let console = server.console();
    let (_, body) = console.split_once("\r\n\r\n").unwrap();
    let all: Value = serde_json::from_str(body).unwrap();
    let [last, first] = all["requests"].as_array().unwrap().as_slice() else {
        panic!("{console}");
    };
    assert_eq!((&first["method"], &first["route"]), (&"GET".into(), &"/".into()));
    assert_eq!(first["status"], 200);
    assert!(first["took_ms"].as_f64() > Some(0.0), "{first}");
    let [span] = first["spans"].as_array().unwrap().as_slice() else { panic!("{first}") };
    assert_eq!((&span["name"], &span["depth"]), (&"is_on".into(), &1.into()));
    assert_eq!(span["failure"], Value::Null);
    assert_eq!((&last["path"], &last["status"]), (&"/nowhere".into(), &404.into()));
    assert!(!all["requests"].to_string().contains("s3cret"), "{console}");
}

/// Outside the `dev` profile nothing is kept, unless it is asked for.
#[test]
fn recent_requests_are_for_developers() {
    let requests = |args: &[&str]| {
        let server = Server::start(args);
        server.get(&server.app, "/");
        let console = server.console();
        let (_, body) = console.split_once("\r\n\r\n").unwrap();
        let all: Value = serde_json::from_str(body).unwrap();
        all["requests"].as_array().map(Vec::len)
    };
    assert_eq!(requests(&["--profile", "production"]), None);
    assert_eq!(requests(&["--recent-requests=false"]), None);
    let asked = ["--profile", "production", "--recent-requests"];
    assert_eq!(requests(&asked), Some(1));
}
