//! What one operation takes and answers.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::problems::{self, Described, Problems};
use super::schema::Schemas;
use crate::problem::ProblemKind;

/// Filled by arguments, replies and stages; becomes one entry of the document.
///
/// A header name, a status or a media type that is none keeps the application from
/// launching: what describes runs then, and no earlier.
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
    /// Headers that every answer may carry.
    headers: BTreeMap<&'static str, Value>,
    security: Vec<Value>,
    takes_anonymous: bool,
    needs_credentials: bool,
    faults: Vec<String>,
}

#[derive(Debug, Default)]
struct Reply {
    content: BTreeMap<&'static str, Value>,
    headers: BTreeMap<&'static str, Value>,
}

/// What the pipeline and the test recorder need to know of an operation.
#[derive(Debug, Clone, Default)]
pub struct OperationFacts {
    /// Where it stands in the document: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Media types of its body.
    pub consumes: Vec<&'static str>,
    /// Media types of its successful replies.
    pub produces: Vec<&'static str>,
    /// Every documented status.
    pub statuses: Vec<StatusFacts>,
    /// What it says and no document can: names of headers that are none, and the like. An
    /// application with one does not launch.
    pub faults: Vec<String>,
}

/// What is documented of one status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusFacts {
    /// The status.
    pub status: u16,
    /// Its media types; none: an empty body.
    pub media_types: Vec<&'static str>,
    /// Its headers, in lower case, beside those that every answer has.
    pub headers: Vec<&'static str>,
}

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
            headers: BTreeMap::new(),
            security: vec![],
            takes_anonymous: false,
            needs_credentials: false,
            faults: vec![],
        }
    }

    /// Keeps what no document can say.
    fn fault(&mut self, fault: String) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn check_header(&mut self, name: &str, is_sent: bool) {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            self.fault(format!(
                "the document describes a header `{name}`, which is no name: letters, digits and `-`"
            ));
        } else if is_sent && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.fault(format!(
                "the document describes a header `{name}`: write it in lower case, as responses have it"
            ));
        }
    }

    fn check_reply(&mut self, status: u16, media_type: Option<&str>) {
        if !(100..600).contains(&status) {
            self.fault(format!(
                "the document describes an answer of status {status}, which is none: 100 to 599"
            ));
        }
        self.check_media_type(media_type);
    }

    fn check_media_type(&mut self, media_type: Option<&str>) {
        let Some(text) = media_type else { return };
        let essence = text.split(';').next().unwrap_or(text).trim();
        let is_word = |word: &str| !word.is_empty() && !word.contains([' ', '/']);
        if !essence.split_once('/').is_some_and(|(kind, form)| is_word(kind) && is_word(form)) {
            self.fault(format!(
                "the document describes a body of type `{text}`, which is none: `application/json`"
            ));
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

    /// Sends a header with every answer, whatever its status.
    pub fn header_everywhere<T: JsonSchema>(
        &mut self,
        name: &'static str,
        description: &'static str,
    ) {
        self.check_header(name, true);
        let schema = self.schemas.output::<T>();
        self.headers.insert(name, json!({ "description": description, "schema": schema }));
    }

    /// Adds an extension; the name begins with `x-`.
    pub fn extension(&mut self, name: &str, value: Value) {
        if !name.starts_with("x-") {
            self.fault(format!("the document has an extension `{name}`: write `x-{name}`"));
        }
        self.head.insert(name.to_owned(), value);
    }

    fn parameter(&mut self, location: &str, name: &str, required: bool, schema: Value) {
        let known = self.parameters.iter().any(|p| p["in"] == location && p["name"] == name);
        if known {
            return;
        }
        let mut schema = schema;
        let description = match self.schemas.input_target(&schema) {
            // The type's own words, unless the field has some.
            Some(target) => schema.get("description").or(target.get("description")).cloned(),
            None => schema.as_object_mut().and_then(|map| map.remove("description")),
        };
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
        // `Path` refuses an empty segment.
        if schema["type"] == "string"
            && schema.get("minLength").is_none()
            && let Some(map) = schema.as_object_mut()
        {
            map.insert("minLength".to_owned(), json!(1));
        }
        self.parameter("path", name, true, schema);
    }

    /// Reads the query string into a struct: each field is a parameter, those of
    /// flattened structs and of the variants of a composed type included.
    pub fn query<T: JsonSchema>(&mut self) {
        let schema = self.schemas.input_inline::<T>();
        let mut members = vec![];
        self.query_members(&schema, true, 0, &mut members);
        for (name, property, required) in members {
            self.parameter("query", &name, required, not_null(property));
        }
    }

    fn query_members(
        &self,
        schema: &Value,
        is_sure: bool,
        depth: usize,
        members: &mut Vec<(String, Value, bool)>,
    ) {
        // Types that are part of themselves do not fit into a query string.
        const DEPTH_MAX: usize = 8;
        if depth > DEPTH_MAX {
            return;
        }
        if let Some(target) = self.schemas.input_target(schema) {
            self.query_members(&target, is_sure, depth + 1, members);
        }
        let required = schema["required"].as_array();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let is_required =
                is_sure && required.is_some_and(|names| names.iter().any(|known| known == name));
            match members.iter_mut().find(|(known, ..)| known == name) {
                // The same name in several variants, such as a tag: any of them.
                Some((_, known, known_required)) => {
                    *known_required |= is_required;
                    merge_constants(known, property);
                }
                None => members.push((name.clone(), property.clone(), is_required)),
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.query_members(part, is_sure, depth + 1, members);
        }
        for key in ["oneOf", "anyOf"] {
            let Some(options) = schema[key].as_array() else { continue };
            let before = members.len();
            for option in options {
                self.query_members(option, false, depth + 1, members);
            }
            // What every variant asks for is asked for.
            for (name, _, required) in members.iter_mut().skip(before) {
                *required = is_sure
                    && options.iter().all(|option| {
                        let target = self.schemas.input_target(option);
                        let option = target.as_ref().unwrap_or(option);
                        option["required"]
                            .as_array()
                            .is_some_and(|names| names.iter().any(|known| known == name))
                    });
            }
        }
    }

    /// Reads a header.
    pub fn header<T: JsonSchema>(&mut self, name: &str, required: bool) {
        self.check_header(name, false);
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
        self.check_media_type(Some(media_type));
        let schema = self.schemas.input::<T>();
        self.body.insert(media_type, json!({ "schema": schema }));
        self.is_body_required |= required;
    }

    /// Reads a body that has no schema.
    pub fn body_raw(&mut self, media_type: &'static str, required: bool) {
        self.check_media_type(Some(media_type));
        self.body.insert(media_type, json!({}));
        self.is_body_required |= required;
    }

    /// Answers with a body.
    pub fn reply<T: JsonSchema>(&mut self, status: u16, media_type: &'static str) {
        self.check_reply(status, Some(media_type));
        let schema = self.schemas.output::<T>();
        let reply = self.replies.entry(status).or_default();
        reply.content.insert(media_type, json!({ "schema": schema }));
    }

    /// Answers with a body that has no schema.
    pub fn reply_raw(&mut self, status: u16, media_type: &'static str) {
        self.check_reply(status, Some(media_type));
        self.replies.entry(status).or_default().content.insert(media_type, json!({}));
    }

    /// Answers without a body.
    pub fn reply_empty(&mut self, status: u16) {
        self.check_reply(status, None);
        self.replies.entry(status).or_default();
    }

    /// Sends a header with an answer.
    pub fn reply_header<T: JsonSchema>(
        &mut self,
        status: u16,
        name: &'static str,
        description: &'static str,
    ) {
        self.check_header(name, true);
        self.check_reply(status, None);
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

    /// Needs credentials of a declared scheme. Several schemes are alternatives.
    pub fn security(&mut self, scheme: &str, scopes: &[&str]) {
        self.needs_credentials = true;
        self.add_security(scheme, scopes);
    }

    /// Reads credentials if they are there. [`Operation::security`] weighs more:
    /// together they mean that credentials are needed.
    pub fn optional_security(&mut self, scheme: &str) {
        self.takes_anonymous = true;
        self.add_security(scheme, &[]);
    }

    fn add_security(&mut self, scheme: &str, scopes: &[&str]) {
        let known = self.security.iter_mut().find(|known| known.get(scheme).is_some());
        match known.and_then(|known| known.get_mut(scheme)?.as_array_mut()) {
            Some(known) => {
                for scope in scopes {
                    if !known.iter().any(|known| known == scope) {
                        known.push(json!(scope));
                    }
                }
            }
            None => self.security.push(json!({ scheme: scopes })),
        }
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

    /// The entry of the document, what the pipeline needs to know of it, and the
    /// problems that it may answer with.
    pub(super) fn finish(mut self, problems: &mut Problems) -> (Value, OperationFacts, Schemas) {
        let mut facts = OperationFacts {
            consumes: self.body.keys().copied().collect(),
            faults: std::mem::take(&mut self.faults),
            ..OperationFacts::default()
        };
        let mut by_status: BTreeMap<u16, Vec<&'static ProblemKind>> = BTreeMap::new();
        for kind in &self.problems {
            by_status.entry(kind.status).or_default().push(kind);
        }
        let statuses = self.statuses();
        let mut responses = Map::new();
        for status in statuses {
            let reply = self.replies.remove(&status).unwrap_or_default();
            let kinds = by_status.remove(&status).unwrap_or_default();
            if (200..300).contains(&status) {
                facts.produces.extend(reply.content.keys().copied());
            }
            let mut of_status = StatusFacts {
                status,
                media_types: reply.content.keys().copied().collect(),
                headers: reply.headers.keys().chain(self.headers.keys()).copied().collect(),
            };
            let mut headers = reply.headers;
            headers.extend(self.headers.clone());
            let mut response = json!({ "description": reason(status) });
            if !reply.content.is_empty() {
                response["content"] = json!(reply.content);
            }
            if kinds.is_empty() {
                problems::add_headers(&mut response, &headers);
                responses.insert(status.to_string(), response);
                facts.statuses.push(of_status);
                continue;
            }
            let described = Described::new(kinds, self.remapped.as_ref(), &mut self.schemas);
            of_status.media_types.push(described.media_type());
            of_status.headers.extend(problems::headers_of(status).iter().map(|header| header.0));
            facts.statuses.push(of_status);
            let is_alone = reply.content.is_empty() && headers.len() == self.headers.len();
            let response = if is_alone {
                problems.shared(described, &headers)
            } else {
                problems.beside(described, response, &headers)
            };
            responses.insert(status.to_string(), response);
        }
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
        let mut security = self.security;
        if self.takes_anonymous && !self.needs_credentials {
            security.insert(0, json!({}));
        }
        // No rule at all would mean "as the document says"; it says nothing.
        value.insert("security".to_owned(), json!(security));
        (Value::Object(value), facts, self.schemas)
    }
}

/// One property of several variants: its constants are joined.
fn merge_constants(known: &mut Value, more: &Value) {
    if known == more {
        return;
    }
    let constants = |schema: &Value| -> Option<Vec<Value>> {
        match schema.get("const") {
            Some(only) => Some(vec![only.clone()]),
            None => schema.get("enum")?.as_array().cloned(),
        }
    };
    match (constants(known), constants(more)) {
        (Some(mut all), Some(more)) => {
            for value in more {
                if !all.contains(&value) {
                    all.push(value);
                }
            }
            let kind = known.get("type").cloned();
            *known = json!({ "enum": all });
            if let Some(kind) = kind {
                known["type"] = kind;
            }
        }
        _ => *known = json!({ "anyOf": [known.take(), more] }),
    }
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

pub(super) fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Answer")
}
