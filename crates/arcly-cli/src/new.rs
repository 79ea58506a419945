//! `arcly new`.

use std::path::Path;

use crate::CliError;

/// Version requirement of the framework that this command line belongs to.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn project(name: &str, framework: Option<&Path>) -> Result<String, CliError> {
    let is_fine = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if !is_fine {
        return Err(CliError::new(format!("`{name}` cannot be the name of a project"))
            .help("use lower-case letters, digits and `-`, and begin with a letter: `my-shop`"));
    }
    let root = Path::new(name);
    if root.exists() {
        return Err(CliError::new(format!("`{name}` exists already"))
            .help("choose another name, or remove the folder"));
    }
    let dependency = |package: &str| match framework {
        None => Ok(format!("{package} = \"{VERSION}\"")),
        Some(path) => {
            let crate_path = path.join("crates").join(package);
            let full = crate_path.canonicalize().map_err(|_| {
                CliError::new(format!("`{}` is not a checkout of the framework", path.display()))
                    .help("give the folder that contains `crates/arcly-http`")
            })?;
            Ok(format!("{package} = {{ path = \"{}\" }}", full.display()))
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
