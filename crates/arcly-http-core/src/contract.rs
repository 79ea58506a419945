//! One metadata model of what an application takes and answers, and the
//! documents written from it.
//!
//! Arguments, replies and stages fill an [`Operation`]; a [`Contract`] collects
//! operations and writes OpenAPI 3.1.

mod operation;
mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use operation::{Operation, OperationFacts};
use schema::Schemas;

/// What the document says of the application.
#[derive(Debug, Clone)]
pub struct Info {
    /// Name of the API.
    pub title: String,
    /// The application's own version, not the framework's.
    pub version: String,
    /// Markdown.
    pub description: String,
}

/// How callers prove who they are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SecurityScheme {
    /// `Authorization: Bearer <token>`.
    HttpBearer {
        /// For people, `JWT`.
        format: &'static str,
        /// Markdown.
        description: &'static str,
    },
    /// A header, query parameter or cookie.
    ApiKey {
        /// Its name.
        name: &'static str,
        /// `header`, `query` or `cookie`.
        location: &'static str,
        /// Markdown.
        description: &'static str,
    },
}

/// A document under construction.
#[derive(Debug)]
pub struct Contract {
    info: Info,
    security_schemes: BTreeMap<String, Value>,
    paths: BTreeMap<String, Map<String, Value>>,
    operation_ids: Vec<String>,
    schemas: Schemas,
}

impl Contract {
    /// An empty document.
    #[must_use]
    pub fn new(info: Info) -> Self {
        Self {
            info,
            security_schemes: BTreeMap::new(),
            paths: BTreeMap::new(),
            operation_ids: vec![],
            schemas: Schemas::default(),
        }
    }

    /// Declares a scheme that operations refer to by name.
    pub fn security_scheme(&mut self, name: &str, scheme: &SecurityScheme) {
        let value = match scheme {
            SecurityScheme::HttpBearer { format, description } => json!({
                "type": "http", "scheme": "bearer", "bearerFormat": format, "description": description,
            }),
            SecurityScheme::ApiKey { name, location, description } => json!({
                "type": "apiKey", "name": name, "in": location, "description": description,
            }),
        };
        self.security_schemes.insert(name.to_owned(), value);
    }

    /// Adds one operation. `path` is in axum syntax; a catch-all becomes an
    /// ordinary parameter, since OpenAPI has no other.
    pub fn add(
        &mut self,
        method: &str,
        path: &str,
        fill: impl FnOnce(&mut Operation),
    ) -> OperationFacts {
        let mut operation = Operation::new(std::mem::take(&mut self.schemas));
        fill(&mut operation);
        let (value, facts, schemas) = operation.finish();
        self.schemas = schemas;
        if let Some(id) = value.get("operationId").and_then(Value::as_str) {
            self.operation_ids.push(id.to_owned());
        }
        let path = path.replace("{*", "{");
        self.paths.entry(path).or_default().insert(method.to_lowercase(), value);
        facts
    }

    /// Operation ids that more than one operation has.
    #[must_use]
    pub fn duplicates(&self) -> Vec<String> {
        let mut ids = self.operation_ids.clone();
        ids.sort();
        let mut twice: Vec<String> =
            ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
        twice.dedup();
        twice
    }

    /// The OpenAPI 3.1 document, in a stable order.
    #[must_use]
    pub fn to_openapi(&self) -> Value {
        let mut paths = serde_json::to_value(&self.paths).unwrap_or_default();
        let schemas = self.schemas.join(&mut paths);
        let mut tags: Vec<&str> = self
            .paths
            .values()
            .flat_map(Map::values)
            .filter_map(|operation| operation.get("tags")?.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let tags: Vec<Value> = tags.into_iter().map(|name| json!({ "name": name })).collect();
        let mut document = json!({
            "openapi": "3.1.0",
            "info": { "title": self.info.title, "version": self.info.version },
            "servers": [{ "url": "/" }],
            "tags": tags,
            "paths": paths,
            "components": { "schemas": schemas, "securitySchemes": self.security_schemes },
        });
        if !self.info.description.is_empty() {
            document["info"]["description"] = json!(self.info.description);
        }
        document
    }
}

#[cfg(test)]
mod tests;
