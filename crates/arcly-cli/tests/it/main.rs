//! The command line, as a person uses it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The workspace's own target folder: what does not differ is not built again.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

fn arcly(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arcly"));
    command.current_dir(folder).args(args);
    // Programs without dependencies are built apart, where nobody holds a lock.
    let target =
        if folder.ends_with("my-shop") { target().to_owned() } else { folder.join("target") };
    command.env("CARGO_TARGET_DIR", target).env_remove("ARCLY_DESCRIBE");
    // Set for this test's own crate, and read by what is built from here.
    command.env_remove("CARGO_MANIFEST_DIR");
    command.output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Ends with this code, and says all of this.
#[track_caller]
fn refused(folder: &Path, args: &[&str], code: i32, parts: &[&str]) {
    let output = arcly(folder, args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    assert!(output.stdout.is_empty(), "{args:?}");
    for part in parts {
        assert!(text.contains(part), "{args:?}: `{part}` is not in:\n{text}");
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_made_project_builds_runs_and_tests() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = checkout();
    done(&arcly(folder.path(), &["new", "my-shop"]));
    let project = folder.path().join("my-shop");
    let manifest = std::fs::read_to_string(project.join("Cargo.toml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(manifest.contains(&format!("arcly-http = \"{version}\"")), "{manifest}");
    // This checkout stands in for the registry, with the same versions, and the same
    // profile so that nothing is built twice.
    let mut file = std::fs::File::options().append(true).open(project.join("Cargo.toml")).unwrap();
    writeln!(file, "\n[profile.dev]\ndebug = \"line-tables-only\"\n\n[patch.crates-io]").unwrap();
    for name in ["", "-core", "-data", "-macros", "-security", "-testing", "-web"] {
        let path = checkout.join("crates").join(format!("arcly-http{name}"));
        writeln!(file, "arcly-http{name} = {{ path = {path:?} }}").unwrap();
    }
    std::fs::copy(checkout.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    for (kind, name) in [
        ("resource", "invoice"),
        ("resource", "line_item"),
        ("provider", "mailer"),
        ("controller", "ping"),
        ("module", "audit"),
    ] {
        let first = done(&arcly(&project, &["generate", kind, name]));
        assert!(first.contains("wrote") && first.contains("wired"), "{first}");
        let before = std::fs::read_to_string(project.join("src/lib.rs")).unwrap();
        let second = done(&arcly(&project, &["generate", kind, name]));
        assert!(second.contains("it exists") && second.contains("it is wired"), "{second}");
        assert_eq!(std::fs::read_to_string(project.join("src/lib.rs")).unwrap(), before);
    }
    // Below a module of its own.
    done(&arcly(&project, &["g", "provider", "log", "--module", "src/audit.rs"]));
    assert!(project.join("src/audit/log.rs").exists());
    refused(
        &project,
        &["generate", "provider", "ping"],
        1,
        &["has no `Ping` in it", "another name"],
    );
    refused(&project, &["exec", "flags", "list"], 1, &["`flags` is not known", "no commands"]);
    refused(&project, &["exec"], 2, &["<WORDS>"]);
    refused(&project, &["openapi", "--package", "nobody"], 1, &["nobody", "cannot be built"]);

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
    assert!(done(&arcly(&project, &["routes", "--json"])).starts_with('['));
    let graph = done(&arcly(&project, &["graph"]));
    assert!(graph.contains("InvoiceController <- InvoiceStore"), "{graph}");
    let source = std::fs::read_to_string(project.join("src/invoices.rs")).unwrap();
    assert!(source.contains("/// An invoice.") && !source.contains("{{"), "{source}");
    assert!(done(&arcly(&project, &["graph", "--format", "mermaid"])).starts_with("flowchart TD"));
    let svg = done(&arcly(&project, &["graph", "--format", "svg"]));
    for part in [">InvoiceStore</text>", "class=\"need\"", "class=\"import\"", "marker-end"] {
        assert!(svg.contains(part), "`{part}` is not in:\n{svg}");
    }
    let config = done(&arcly(&project, &["config"]));
    let listen = config.lines().find(|line| line.starts_with("listen")).unwrap();
    assert!(listen.contains("127.0.0.1:3000") && listen.contains("default"), "{config}");
    write(&project.join("config.toml"), "listen = \"x\"\nlog_jsn = true\n");
    let parts = ["`listen`: `x` is not", "config.toml:1", "did you mean `log_json`?"];
    refused(&project, &["config"], 1, &parts);
    done(&arcly(&project, &["openapi", "--out", "openapi.json"]));
    let document = std::fs::read_to_string(project.join("openapi.json")).unwrap();
    assert!(document.contains("\"openapi\": \"3.1.0\"") && document.contains("/invoices/{id}"));
    refused(
        &project,
        &["openapi", "--out", "no/such/x.json"],
        1,
        &["cannot write `no/such/x.json`"],
    );
}

#[test]
fn wrong_words_are_answered_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for name in
        ["My Shop", "Shop", "1shop", "", "my.shop", "../up", "fn", "test", "arcly-http", "ä"]
    {
        refused(at, &["new", name], 2, &["cannot be the name of a project", "my-shop"]);
    }
    for name in ["Invoice", "line item", "line-item", "fn", "gen", "lib", "main", "mod", "", "../x"]
    {
        let parts = ["cannot be the name of a Rust module", "line_item"];
        refused(at, &["generate", "resource", name], 2, &parts);
    }
    std::fs::create_dir(at.join("taken")).unwrap();
    refused(at, &["new", "taken"], 1, &["exists already", "choose another name"]);
    let parts = ["not a checkout", "crates/arcly-http"];
    refused(at, &["new", "x", "--path", "/nowhere"], 2, &parts);
    refused(at, &["new", "x", "--path", at.to_str().unwrap()], 2, &parts);
    assert!(!at.join("x").exists(), "nothing is left behind");
    refused(at, &["generate", "resource", "invoice"], 2, &["cannot read `src/lib.rs`", "--module"]);
    refused(at, &["generate", "thing", "x"], 2, &["possible values", "resource"]);
    refused(at, &["generate", "resource"], 2, &["<NAME>"]);
    write(&at.join("src/lib.rs"), "use x;\nuse y;\n");
    refused(at, &["generate", "provider", "x"], 2, &["no `#[module(..)]`", "--module"]);
    refused(at, &["graph", "--format", "png"], 2, &["possible values", "svg"]);
    refused(at, &["openapi", "--out"], 2, &["--out"]);
    refused(at, &["routes", "--timeout", "0"], 2, &["--timeout"]);
    refused(at, &["rotes"], 2, &["routes"]);
    for words in [&["routes"][..], &["graph"], &["openapi"], &["config"]] {
        refused(at, words, 1, &["there is no `Cargo.toml`", "arcly new"]);
    }
    let by_path = ["new", "by-path", "--path", &checkout().display().to_string()];
    done(&arcly(at, &by_path));
    let manifest = std::fs::read_to_string(at.join("by-path/Cargo.toml")).unwrap();
    assert!(manifest.contains("arcly-http = { path = \"/"), "{manifest}");
}

#[test]
fn programs_that_do_not_answer_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(
        &at.join("Cargo.toml"),
        "[package]\nname = \"made-mute\"\nedition = \"2024\"\n[workspace]\n",
    );
    let main = at.join("src/main.rs");
    for words in [&["routes"][..], &["graph"], &["openapi"], &["config"]] {
        write(&main, "fn main() { this does not compile }\n");
        refused(at, words, 1, &["error: expected", "cannot be built", "mend what is shown"]);
        write(&main, "fn main() { println!(\"hello\"); }\n");
        refused(at, words, 1, &["printed something else", "#[arcly_http::main(..)]"]);
        write(&main, "fn main() { panic!(\"no database\"); }\n");
        refused(at, words, 1, &["does not describe itself", "no database"]);
    }
    write(&main, "fn main() { loop { std::thread::park() } }\n");
    refused(at, &["routes", "--timeout", "1"], 1, &["within 1 s", "#[arcly_http::main(..)]"]);
    write(&at.join("src/bin/made_other.rs"), "fn main() {}\n");
    refused(at, &["routes"], 1, &["made-mute", "made_other", "`--bin`"]);
    refused(at, &["routes", "--bin", "made_other"], 1, &["printed something else"]);
    let manifest = std::fs::read_to_string(at.join("Cargo.toml")).unwrap();
    let chosen = manifest.replace("[workspace]", "default-run = \"made_other\"\n[workspace]");
    write(&at.join("Cargo.toml"), &chosen);
    refused(at, &["routes"], 1, &["printed something else"]);
    std::fs::remove_dir_all(at.join("src")).unwrap();
    write(&at.join("Cargo.toml"), &manifest);
    write(&at.join("src/lib.rs"), "");
    refused(at, &["routes"], 1, &["no binary here", "--package"]);
}
