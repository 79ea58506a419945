//! What one operation takes and answers.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::schema::Schemas;
use crate::problem::ProblemKind;

/// Filled by arguments, replies and stages; becomes one entry of the document.
#[derive(Debug)]
pub struct Operation {
    schemas: Schemas,
    head: Map<String, Value>,
    parameters: Vec<Value>,
    body: BTreeMap<&'static str, Value>,
    is_body_required: bool,
    replies: BTreeMap<u16, Reply>,
    problems: Vec<&'static ProblemKind>,
    remapped: Option<(&'static str, Value)>,
    security: Vec<Value>,
}

#[derive(Debug, Default)]
struct Reply {
    content: BTreeMap<&'static str, Value>,
    headers: BTreeMap<&'static str, Value>,
}

/// What the pipeline and the test recorder need to know of an operation.
#[derive(Debug, Clone, Default)]
pub struct OperationFacts {
    /// Media types of its body.
    pub consumes: Vec<&'static str>,
    /// Media types of its successful replies.
    pub produces: Vec<&'static str>,
    /// Every documented status with its media types; none: an empty body.
    pub statuses: Vec<(u16, Vec<&'static str>)>,
}

const PROBLEM: &str = "application/problem+json";

impl Operation {
    pub(super) fn new(schemas: Schemas) -> Self {
        Self {
            schemas,
            head: Map::new(),
            parameters: vec![],
            body: BTreeMap::new(),
            is_body_required: false,
            replies: BTreeMap::new(),
            problems: vec![],
            remapped: None,
            security: vec![],
        }
    }

    /// Sets the summary, the description and the operation id; empty texts are
    /// left out.
    pub fn name(&mut self, operation_id: &str, summary: &str, description: &str) {
        let pairs =
            [("operationId", operation_id), ("summary", summary), ("description", description)];
        for (key, text) in pairs.into_iter().filter(|(_, text)| !text.is_empty()) {
            self.head.insert(key.to_owned(), json!(text));
        }
    }

    /// Sets the tags.
    pub fn tags(&mut self, tags: &[&str]) {
        if !tags.is_empty() {
            self.head.insert("tags".to_owned(), json!(tags));
        }
    }

    /// Marks it as deprecated.
    pub fn deprecated(&mut self) {
        self.head.insert("deprecated".to_owned(), Value::Bool(true));
    }

    /// Adds an extension; the name begins with `x-`.
    pub fn extension(&mut self, name: &str, value: Value) {
        self.head.insert(name.to_owned(), value);
    }

    fn parameter(&mut self, location: &str, name: &str, required: bool, schema: Value) {
        let known = self.parameters.iter().any(|p| p["in"] == location && p["name"] == name);
        if known {
            return;
        }
        let mut schema = schema;
        let description = schema.as_object_mut().and_then(|map| map.remove("description"));
        let mut parameter =
            json!({ "name": name, "in": location, "required": required, "schema": schema });
        if let Some(text) = description {
            parameter["description"] = text;
        }
        self.parameters.push(parameter);
    }

    /// Reads a path parameter.
    pub fn path<T: JsonSchema>(&mut self, name: &str) {
        let mut schema = self.schemas.input::<T>();
        // An empty segment does not match a route.
        if schema["type"] == "string"
            && schema.get("minLength").is_none()
            && let Some(map) = schema.as_object_mut()
        {
            map.insert("minLength".to_owned(), json!(1));
        }
        self.parameter("path", name, true, schema);
    }

    /// Reads the query string into a struct: each field is a parameter.
    pub fn query<T: JsonSchema>(&mut self) {
        let schema = self.schemas.input_inline::<T>();
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        for (name, property) in properties {
            let is_required = required.contains(&name.as_str());
            self.parameter("query", &name, is_required, not_null(property));
        }
    }

    /// Reads a header.
    pub fn header<T: JsonSchema>(&mut self, name: &str, required: bool) {
        let schema = self.schemas.input::<T>();
        self.parameter("header", name, required, schema);
    }

    /// Reads a cookie.
    pub fn cookie<T: JsonSchema>(&mut self, name: &str, required: bool) {
        let schema = self.schemas.input::<T>();
        self.parameter("cookie", name, required, schema);
    }

    /// Reads a body.
    pub fn body<T: JsonSchema>(&mut self, media_type: &'static str, required: bool) {
        let schema = self.schemas.input::<T>();
        self.body.insert(media_type, json!({ "schema": schema }));
        self.is_body_required |= required;
    }

    /// Reads a body that has no schema.
    pub fn body_raw(&mut self, media_type: &'static str, required: bool) {
        self.body.insert(media_type, json!({}));
        self.is_body_required |= required;
    }

    /// Answers with a body.
    pub fn reply<T: JsonSchema>(&mut self, status: u16, media_type: &'static str) {
        let schema = self.schemas.output::<T>();
        let reply = self.replies.entry(status).or_default();
        reply.content.insert(media_type, json!({ "schema": schema }));
    }

    /// Answers with a body that has no schema.
    pub fn reply_raw(&mut self, status: u16, media_type: &'static str) {
        self.replies.entry(status).or_default().content.insert(media_type, json!({}));
    }

    /// Answers without a body.
    pub fn reply_empty(&mut self, status: u16) {
        self.replies.entry(status).or_default();
    }

    /// Sends a header with an answer.
    pub fn reply_header<T: JsonSchema>(
        &mut self,
        status: u16,
        name: &'static str,
        description: &'static str,
    ) {
        let schema = self.schemas.output::<T>();
        let header = json!({ "description": description, "schema": schema });
        self.replies.entry(status).or_default().headers.insert(name, header);
    }

    /// May answer with a problem.
    pub fn problem(&mut self, kind: &'static ProblemKind) {
        if !self.problems.iter().any(|known| known.type_uri == kind.type_uri) {
            self.problems.push(kind);
        }
    }

    /// May answer with any of these problems.
    pub fn problems(&mut self, kinds: &[&'static ProblemKind]) {
        kinds.iter().for_each(|kind| self.problem(kind));
    }

    /// A filter sends problems as another media type, with the members of
    /// `schema` beside the standard ones.
    pub fn remap_problems(
        &mut self,
        media_type: &'static str,
        schema: fn(&mut SchemaGenerator) -> schemars::Schema,
    ) {
        let schema = self.schemas.output_by(schema);
        self.remapped = Some((media_type, schema));
    }

    /// Needs credentials of a declared scheme.
    pub fn security(&mut self, scheme: &str, scopes: &[&str]) {
        self.security.push(json!({ scheme: scopes }));
    }

    /// Reads credentials if they are there.
    pub fn optional_security(&mut self, scheme: &str) {
        self.security.push(json!({}));
        self.security.push(json!({ scheme: [] }));
    }

    /// Every status that is documented so far.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        let problems = self.problems.iter().map(|kind| kind.status);
        let mut all: Vec<u16> = self.replies.keys().copied().chain(problems).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn finish(mut self) -> (Value, OperationFacts, Schemas) {
        let mut facts = OperationFacts {
            consumes: self.body.keys().copied().collect(),
            ..OperationFacts::default()
        };
        let mut responses = Map::new();
        for (status, reply) in &self.replies {
            facts.statuses.push((*status, reply.content.keys().copied().collect()));
            if (200..300).contains(status) {
                facts.produces.extend(reply.content.keys().copied());
            }
            let mut response = json!({ "description": reason(*status) });
            if !reply.content.is_empty() {
                response["content"] = json!(reply.content);
            }
            if !reply.headers.is_empty() {
                response["headers"] = json!(reply.headers);
            }
            responses.insert(status.to_string(), response);
        }
        self.add_problems(&mut responses, &mut facts);
        let mut value = self.head;
        if !self.parameters.is_empty() {
            value.insert("parameters".to_owned(), json!(self.parameters));
        }
        if !self.body.is_empty() {
            value.insert(
                "requestBody".to_owned(),
                json!({ "required": self.is_body_required, "content": self.body }),
            );
        }
        value.insert("responses".to_owned(), Value::Object(responses));
        // No rule at all would mean "as the document says"; it says nothing.
        value.insert("security".to_owned(), json!(self.security));
        (Value::Object(value), facts, self.schemas)
    }

    /// One response for each status, whatever the number of kinds.
    fn add_problems(&mut self, responses: &mut Map<String, Value>, facts: &mut OperationFacts) {
        let mut by_status: BTreeMap<u16, Vec<&'static ProblemKind>> = BTreeMap::new();
        for kind in &self.problems {
            by_status.entry(kind.status).or_default().push(kind);
        }
        for (status, kinds) in by_status {
            let mut parts = vec![self.schemas.output::<ProblemDocument>()];
            for member in kinds.iter().flat_map(|kind| kind.members) {
                let schema = self.schemas.output_by(member.schema);
                parts.push(json!({ "type": "object", "properties": { member.name: schema } }));
            }
            let media_type = match &self.remapped {
                Some((media_type, schema)) => {
                    parts.push(schema.clone());
                    *media_type
                }
                None => PROBLEM,
            };
            let schema = match parts.as_mut_slice() {
                [only] => only.take(),
                _ => json!({ "allOf": parts }),
            };
            let titles: Vec<&str> = kinds.iter().map(|kind| kind.title).collect();
            let description = titles
                .iter()
                .zip(&kinds)
                .map(|(title, kind)| format!("{title} (`{}`)", kind.type_uri))
                .collect::<Vec<_>>()
                .join("; ");
            let key = status.to_string();
            let content = json!({ "schema": schema });
            match responses.get_mut(&key) {
                Some(response) => response["content"][media_type] = content,
                None => {
                    let response =
                        json!({ "description": description, "content": { media_type: content } });
                    responses.insert(key, response);
                }
            }
            match facts.statuses.iter_mut().find(|(known, _)| *known == status) {
                Some((_, media)) => media.push(media_type),
                None => facts.statuses.push((status, vec![media_type])),
            }
        }
    }
}

/// A problem document (RFC 9457).
#[derive(JsonSchema)]
#[schemars(rename = "Problem")]
#[expect(dead_code, reason = "only its schema is used")]
struct ProblemDocument {
    /// Identifies the kind of problem.
    r#type: String,
    /// The kind, for people.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Identifies this occurrence, in the log too.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// The kind, for programs.
    code: String,
}

/// A parameter that may be missing is not sent as null.
fn not_null(mut schema: Value) -> Value {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(options) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        options.retain(|option| option["type"] != "null");
        if let [only] = options.as_mut_slice() {
            let only = only.take();
            if let (Some(map), Some(inner)) = (schema.as_object_mut(), only.as_object()) {
                map.remove("anyOf");
                map.extend(inner.clone());
            }
        }
    }
    // A default of null says the same once more.
    if schema["default"].is_null()
        && let Some(map) = schema.as_object_mut()
    {
        map.remove("default");
    }
    schema
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Answer")
}
