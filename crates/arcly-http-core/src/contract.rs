//! One metadata model of what an application takes and answers, and the
//! documents written from it.
//!
//! Arguments, replies and stages fill an [`Operation`]; a [`Contract`] collects
//! operations and writes OpenAPI 3.1, and AsyncAPI 3.0 for gateways.

mod asyncapi;
mod operation;
mod problems;
mod schema;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

pub use asyncapi::Channel;
pub use operation::{Operation, OperationFacts, StatusFacts};
use problems::Problems;
use schema::Schemas;

/// What the document says of the application. Empty texts are left out.
#[derive(Debug, Clone, Default)]
pub struct Info {
    /// Name of the API.
    pub title: String,
    /// The application's own version, not the framework's.
    pub version: String,
    /// Markdown.
    pub description: String,
    /// Who answers questions about the API.
    pub contact: Contact,
    /// Under which terms the API may be used: an SPDX expression such as `MIT`.
    pub license: String,
    /// Where the API is served. Default: where the document comes from.
    pub servers: Vec<Server>,
    /// What the tags mean; tags that are in use need not be listed.
    pub tags: Vec<Tag>,
}

/// Who answers questions about the API. Empty texts are left out.
#[derive(Debug, Clone, Default)]
pub struct Contact {
    /// A person or an organization.
    pub name: String,
    /// A page.
    pub url: String,
    /// An address.
    pub email: String,
}

/// One place where the API is served.
#[derive(Debug, Clone)]
pub struct Server {
    /// `https://api.example.org`, or a path on the document's own server.
    pub url: String,
    /// Markdown; may be empty.
    pub description: String,
}

/// What a tag means.
#[derive(Debug, Clone)]
pub struct Tag {
    /// As operations name it.
    pub name: String,
    /// Markdown.
    pub description: String,
}

/// How callers prove who they are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SecurityScheme {
    /// `Authorization: Basic <user and password>`.
    HttpBasic {
        /// Markdown.
        description: &'static str,
    },
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

/// The methods that a path item of OpenAPI 3.1 has a field for.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A document under construction.
#[derive(Debug)]
pub struct Contract {
    info: Info,
    security_schemes: BTreeMap<String, Value>,
    paths: BTreeMap<String, Map<String, Value>>,
    operation_ids: Vec<String>,
    schemas: Schemas,
    problems: Problems,
    /// Headers of every response, by name in lower case.
    headers: BTreeMap<&'static str, Value>,
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
            problems: Problems::default(),
            headers: BTreeMap::new(),
        }
    }

    /// Declares a scheme that operations refer to by name.
    pub fn security_scheme(&mut self, name: &str, scheme: &SecurityScheme) {
        let value = match scheme {
            SecurityScheme::HttpBasic { description } => json!({
                "type": "http", "scheme": "basic", "description": description,
            }),
            SecurityScheme::HttpBearer { format, description } => json!({
                "type": "http", "scheme": "bearer", "bearerFormat": format, "description": description,
            }),
            SecurityScheme::ApiKey { name, location, description } => json!({
                "type": "apiKey", "name": name, "in": location, "description": description,
            }),
        };
        self.security_schemes.insert(name.to_owned(), value);
    }

    /// Declares a header, in lower case, that every response of every operation
    /// has.
    pub fn header_everywhere(&mut self, name: &'static str, description: &str) {
        let header = json!({
            "description": description, "required": true, "schema": { "type": "string" },
        });
        self.headers.insert(name, header);
    }

    /// Adds one operation. `path` is in axum syntax; a catch-all becomes an
    /// ordinary parameter, since OpenAPI has no other. OpenAPI 3.1 knows eight
    /// methods; an operation of another stands under `x-methods` of its path,
    /// by the method as it is sent.
    pub fn add(
        &mut self,
        method: &str,
        path: &str,
        fill: impl FnOnce(&mut Operation),
    ) -> OperationFacts {
        let mut operation = Operation::new(std::mem::take(&mut self.schemas));
        fill(&mut operation);
        let (value, mut facts, schemas) = operation.finish(&mut self.problems);
        self.schemas = schemas;
        if let Some(id) = value.get("operationId").and_then(Value::as_str) {
            self.operation_ids.push(id.to_owned());
        }
        let path = path.replace("{*", "{");
        let name = method.to_lowercase();
        let is_known = METHODS.contains(&name.as_str());
        let place = if is_known { name.clone() } else { format!("x-methods/{method}") };
        facts.pointer = format!("/paths/{}/{place}", path.replace('~', "~0").replace('/', "~1"));
        let item = self.paths.entry(path).or_default();
        if is_known {
            item.insert(name, value);
        } else if let Value::Object(others) =
            item.entry("x-methods").or_insert_with(|| Value::Object(Map::new()))
        {
            others.insert(method.to_owned(), value);
        }
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

    /// The OpenAPI 3.1 document. It does not depend on the order in which
    /// operations were added.
    #[must_use]
    pub fn to_openapi(&self) -> Value {
        let mut paths = serde_json::to_value(&self.paths).unwrap_or_default();
        let mut kinds = self.problems.kinds();
        let mut responses = self.problems.responses();
        let mut schemas = self.schemas.join(&mut [&mut paths, &mut kinds, &mut responses]);
        let mut responses = self.problems.write(&mut schemas, kinds, responses, &mut paths);
        self.add_headers(&mut responses);
        let items = paths.as_object_mut().into_iter().flat_map(Map::values_mut);
        for (key, value) in items.filter_map(Value::as_object_mut).flatten() {
            if key == "x-methods" {
                let others = value.as_object_mut().into_iter().flat_map(Map::values_mut);
                others.for_each(|operation| self.add_headers(&mut operation["responses"]));
            } else {
                self.add_headers(&mut value["responses"]);
            }
        }
        json!({
            "openapi": "3.1.0",
            "info": self.info(),
            "servers": self.servers(),
            "tags": self.tags(),
            "paths": paths,
            "components": {
                "schemas": schemas,
                "responses": responses,
                "headers": self.headers,
                "securitySchemes": self.security_schemes,
            },
        })
    }

    fn add_headers(&self, responses: &mut Value) {
        let responses = responses.as_object_mut().into_iter().flat_map(Map::values_mut);
        for response in responses.filter(|response| response.get("$ref").is_none()) {
            for name in self.headers.keys() {
                response["headers"][*name] =
                    json!({ "$ref": format!("#/components/headers/{name}") });
            }
        }
    }

    fn info(&self) -> Value {
        let Info { title, version, description, contact, license, .. } = &self.info;
        let mut info = json!({ "title": title, "version": version });
        let contact = [("name", &contact.name), ("url", &contact.url), ("email", &contact.email)];
        for (key, text) in contact.into_iter().filter(|(_, text)| !text.is_empty()) {
            info["contact"][key] = json!(text);
        }
        if !description.is_empty() {
            info["description"] = json!(description);
        }
        if !license.is_empty() {
            info["license"] = json!({ "name": license, "identifier": license });
        }
        info
    }

    fn servers(&self) -> Value {
        if self.info.servers.is_empty() {
            return json!([{ "url": "/" }]);
        }
        let all = self.info.servers.iter().map(|Server { url, description }| {
            let mut server = json!({ "url": url });
            if !description.is_empty() {
                server["description"] = json!(description);
            }
            server
        });
        all.collect()
    }

    /// Described tags in their order, then those that are only used.
    fn tags(&self) -> Value {
        let described =
            self.info.tags.iter().map(
                |Tag { name, description }| json!({ "name": name, "description": description }),
            );
        let mut used: Vec<&str> = self
            .paths
            .values()
            .flat_map(Map::values)
            .filter_map(|operation| operation.get("tags")?.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .filter(|name| !self.info.tags.iter().any(|tag| tag.name == *name))
            .collect();
        used.sort_unstable();
        used.dedup();
        described.chain(used.into_iter().map(|name| json!({ "name": name }))).collect()
    }
}

/// The schema of an input as the document shows it, with what it refers to.
pub(crate) fn input_schema<T: JsonSchema>() -> (Value, Map<String, Value>) {
    let mut schemas = Schemas::default();
    let mut root = schemas.input::<T>();
    let definitions = schemas.join(&mut [&mut root]);
    (root, definitions)
}

#[cfg(test)]
mod tests;
