//! `arcly new`.

use std::path::Path;

use crate::{CliError, names};

/// Version requirement of the framework that this command line belongs to.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn project(name: &str, framework: Option<&Path>) -> Result<String, CliError> {
    if !names::is_project(name) {
        return Err(CliError::usage(format!("`{name}` cannot be the name of a project"))
            .help("use lower-case letters, digits and `-`, begin with a letter, and take no keyword or crate of the project: `my-shop`"));
    }
    let root = Path::new(name);
    if root.exists() {
        return Err(CliError::failure(format!("`{name}` exists already"))
            .help("choose another name, or remove the folder"));
    }
    let dependency = |package: &str| match framework {
        None => Ok(format!("{package} = \"{VERSION}\"")),
        Some(path) => {
            let full = path.join("crates").join(package).canonicalize().ok();
            let full = full.filter(|full| full.join("Cargo.toml").is_file()).ok_or_else(|| {
                CliError::usage(format!("`{}` is not a checkout of the framework", path.display()))
                    .help("give the folder that contains `crates/arcly-http`")
            })?;
            // Debug escapes quotes and backslashes as TOML does.
            Ok(format!("{package} = {{ path = {:?} }}", full.display().to_string()))
        }
    };
    let manifest = include_str!("templates/Cargo.toml.txt")
        .replace("{{name}}", name)
        .replace("{{arcly-http}}", &dependency("arcly-http")?)
        .replace("{{arcly-http-testing}}", &dependency("arcly-http-testing")?);
    let ident = name.replace('-', "_");
    let fill = |text: &str| text.replace("{{name}}", name).replace("{{ident}}", &ident);
    let files = [
        ("Cargo.toml", manifest),
        ("src/main.rs", fill(include_str!("templates/main.rs.txt"))),
        ("src/lib.rs", fill(include_str!("templates/lib.rs.txt"))),
        ("src/hello.rs", fill(include_str!("templates/hello.rs.txt"))),
        ("tests/it/main.rs", fill(include_str!("templates/tests.rs.txt"))),
        ("README.md", fill(include_str!("templates/README.md.txt"))),
        (".gitignore", "/target\n/data\n".to_owned()),
    ];
    for (path, text) in files {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| CliError::io("create", folder, &error))?;
        }
        std::fs::write(&path, text).map_err(|error| CliError::io("write", &path, &error))?;
    }
    Ok(format!(
        "made `{name}`\n\n  cd {name}\n  cargo run     # http://127.0.0.1:3000/docs\n  cargo test"
    ))
}
