//! The plugin in an application, and from the command line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use arcly_http::prelude::*;
use arcly_http_testing::TestApp;
use feature_flags::FlagModule;

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

/// The console shows the plugin's page, and readiness its check.
#[test]
fn operators_see_it() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpStream;
    use std::process::Stdio;

    let mut server = Command::new(env!("CARGO_BIN_EXE_feature-flags"))
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .args(["--flags-on", "dark-mode", "--flags-off", "dark-mode"])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("console=")).unwrap();
    let (_, rest) = line.split_once("http://").unwrap();
    let (addr, _) = rest.split_once('/').unwrap();
    lines.find(|line| line.contains("listening")).unwrap();
    let get = |path: &str| {
        let mut socket = TcpStream::connect(addr).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    };
    let console = get("/console.json");
    let ready = get("/readyz");
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(console.contains(r#""title":"Flags""#), "{console}");
    assert!(console.contains(r#"["dark-mode","on"]"#), "{console}");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("in `flags.off`"), "{ready}");
}
