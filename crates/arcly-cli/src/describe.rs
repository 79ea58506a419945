//! Asks the user's binary what it is.

use serde::Deserialize;

use crate::CliError;
use crate::run::Target;

/// One line of the route table.
#[derive(Debug, Deserialize)]
struct Route {
    method: String,
    path: String,
    host: Option<String>,
    access: String,
    handler: String,
}

/// One key of the configuration.
#[derive(Debug, Deserialize)]
struct Key {
    key: String,
    value: Option<String>,
    origin: Option<String>,
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
    pub(crate) bound_to: Vec<String>,
    pub(crate) needs: Vec<Need>,
}

/// One edge.
#[derive(Debug, Deserialize)]
pub(crate) struct Need {
    pub(crate) key: String,
    pub(crate) kind: String,
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, CliError> {
    serde_json::from_str(text).map_err(|error| {
        CliError::failure(format!("the application printed something else than its description: {error}"))
            .help("does its `main` carry `#[arcly_http::main(..)]`, and is the framework of the same version?")
    })
}

/// `openapi` or `asyncapi`.
pub(crate) fn document(target: &Target, kind: &str) -> Result<String, CliError> {
    let text = target.ask(kind)?;
    let _: serde_json::Value = parse(&text)?;
    Ok(text.trim_end().to_owned())
}

pub(crate) fn graph(target: &Target) -> Result<Vec<Module>, CliError> {
    parse(&target.ask("graph")?)
}

pub(crate) fn routes(target: &Target, json: bool) -> Result<String, CliError> {
    let text = target.ask("routes")?;
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
    Ok(table(rows))
}

/// Every key with its value and where that comes from.
pub(crate) fn config(target: &Target, json: bool) -> Result<String, CliError> {
    let text = target.ask("config")?;
    let keys: Vec<Key> = parse(&text)?;
    if json {
        return Ok(text);
    }
    let none = || "-".to_owned();
    let row = |key: Key| {
        [key.key, key.value.unwrap_or_else(none), key.origin.unwrap_or_else(none), String::new()]
    };
    Ok(table(keys.into_iter().map(row).collect()))
}

fn table(rows: Vec<[String; 4]>) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |row: &[String; 4]| {
        let [first, second, third, fourth] = row;
        let [a, b, c] = widths;
        format!("{first:a$}  {second:b$}  {third:c$}  {fourth}").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
