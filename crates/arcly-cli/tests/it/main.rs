//! The command line, as a person uses it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn arcly(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arcly"));
    command.current_dir(folder).args(args);
    command.env("CARGO_TARGET_DIR", target()).env_remove("ARCLY_DESCRIBE");
    command.output().unwrap()
}

/// One target folder for made projects, so that they are not built from nothing
/// each time.
fn target() -> PathBuf {
    checkout().join("target/made")
}

#[track_caller]
fn done(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_made_project_builds_runs_and_tests() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = checkout();
    done(&arcly(folder.path(), &["new", "my-shop", "--path", checkout.to_str().unwrap()]));
    let project = folder.path().join("my-shop");
    // The same versions as here, so that the registry is not asked.
    std::fs::copy(checkout.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    for (kind, name) in [
        ("resource", "invoice"),
        ("provider", "mailer"),
        ("controller", "ping"),
        ("module", "audit"),
    ] {
        let first = done(&arcly(&project, &["generate", kind, name]));
        assert!(first.contains("wrote"), "{first}");
        let before = std::fs::read_to_string(project.join("src/lib.rs")).unwrap();
        let second = done(&arcly(&project, &["generate", kind, name]));
        assert!(second.contains("it exists") && second.contains("it is wired"), "{second}");
        assert_eq!(std::fs::read_to_string(project.join("src/lib.rs")).unwrap(), before);
    }
    let mut test = Command::new("cargo");
    test.current_dir(&project).env("CARGO_TARGET_DIR", target()).args(["test", "--quiet"]);
    done(&test.output().unwrap());

    let routes = done(&arcly(&project, &["routes"]));
    assert!(
        routes.lines().any(|line| line.starts_with("POST")
            && line.contains("/invoices")
            && line.contains("public")),
        "{routes}"
    );
    let graph = done(&arcly(&project, &["graph"]));
    assert!(graph.contains("InvoiceController <- InvoiceStore"), "{graph}");
    assert!(done(&arcly(&project, &["graph", "--format", "mermaid"])).starts_with("flowchart TD"));
    assert!(done(&arcly(&project, &["graph", "--format", "svg"])).contains("<rect"));
    done(&arcly(&project, &["openapi", "--out", "openapi.json"]));
    let document = std::fs::read_to_string(project.join("openapi.json")).unwrap();
    assert!(document.contains("\"openapi\": \"3.1.0\"") && document.contains("/invoices/{id}"));
}

#[test]
fn wrong_words_are_answered_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert!(refused(&arcly(at, &["new", "My Shop"])).contains("lower-case letters"));
    std::fs::create_dir(at.join("taken")).unwrap();
    assert!(refused(&arcly(at, &["new", "taken"])).contains("exists already"));
    assert!(refused(&arcly(at, &["new", "x", "--path", "/nowhere"])).contains("not a checkout"));
    assert!(refused(&arcly(at, &["generate", "resource", "Invoice"])).contains("snake case"));
    assert!(refused(&arcly(at, &["generate", "resource", "invoice"])).contains("--module"));
    assert!(refused(&arcly(at, &["generate", "thing", "x"])).contains("possible values"));
    std::fs::create_dir(at.join("src")).unwrap();
    std::fs::write(at.join("src/lib.rs"), "use x;\nuse y;\n").unwrap();
    assert!(refused(&arcly(at, &["generate", "provider", "x"])).contains("no `#[module(..)]`"));
    assert!(refused(&arcly(at, &["routes"])).contains("does not describe itself"));
    assert!(refused(&arcly(at, &["openapi", "--out"])).contains("--out"));
    assert!(refused(&arcly(at, &["graph", "--format", "png"])).contains("svg"));
}
