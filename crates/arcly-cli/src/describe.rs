//! Asks the user's binary what it is.

use std::process::Command;

use serde::Deserialize;

use crate::CliError;

/// One line of the route table.
#[derive(Debug, Deserialize)]
struct Route {
    method: String,
    path: String,
    host: Option<String>,
    access: String,
    handler: String,
}

/// One module.
#[derive(Debug, Deserialize)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) global: bool,
    pub(crate) members: Vec<Member>,
}

/// One provider or controller.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) scope: String,
    pub(crate) needs: Vec<Need>,
}

/// One edge.
#[derive(Debug, Deserialize)]
pub(crate) struct Need {
    pub(crate) key: String,
}

fn ask(what: &str, package: Option<&str>) -> Result<String, CliError> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet"]);
    if let Some(package) = package {
        command.args(["--package", package]);
    }
    command.env("ARCLY_DESCRIBE", what);
    let output =
        command.output().map_err(|error| CliError::new(format!("cargo cannot be run: {error}")))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(CliError::new(format!("the application does not describe itself:\n{reason}"))
            .help("run this in the folder of a project whose `main` carries `#[arcly_http::main(..)]`"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, CliError> {
    serde_json::from_str(text).map_err(|error| {
        CliError::new(format!("the application printed something else than its description: {error}"))
            .help("does its `main` carry `#[arcly_http::main(..)]`, and is the framework of the same version?")
    })
}

pub(crate) fn openapi(package: Option<&str>) -> Result<String, CliError> {
    let text = ask("openapi", package)?;
    let _: serde_json::Value = parse(&text)?;
    Ok(text.trim_end().to_owned())
}

pub(crate) fn graph(package: Option<&str>) -> Result<Vec<Module>, CliError> {
    parse(&ask("graph", package)?)
}

pub(crate) fn routes(package: Option<&str>, json: bool) -> Result<String, CliError> {
    let text = ask("routes", package)?;
    let routes: Vec<Route> = parse(&text)?;
    if json {
        return Ok(text);
    }
    let rows: Vec<[String; 4]> = routes
        .into_iter()
        .map(|route| {
            let path =
                route.host.map_or(route.path.clone(), |host| format!("{host}{}", route.path));
            [route.method, path, route.access, route.handler]
        })
        .collect();
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |row: &[String; 4]| {
        let [method, path, access, handler] = row;
        let [a, b, c] = widths;
        format!("{method:a$}  {path:b$}  {access:c$}  {handler}")
    };
    Ok(rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}
