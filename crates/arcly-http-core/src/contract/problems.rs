//! Problems in the document: one schema a kind, one response for each set of
//! kinds, both shared by all operations.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::operation::reason;
use super::schema::{SHARED, Schemas, pascal};
use crate::problem::ProblemKind;

const PROBLEM: &str = "application/problem+json";
const RESPONSES: &str = "#/components/responses/";
/// Stands for a name until all of them are known.
const PENDING: &str = "#/components/pending/";

/// Every kind and response that operations refer to.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// Schema of each kind, by its type URI.
    kinds: BTreeMap<&'static str, (&'static ProblemKind, Value)>,
    /// By the content as text.
    responses: BTreeMap<String, Shared>,
}

/// A response that operations share.
#[derive(Debug)]
struct Shared {
    /// Type URIs of its kinds.
    kinds: Vec<&'static str>,
    /// What tells it apart from other responses of these kinds.
    suffix: String,
    content: Value,
}

/// The problems of one operation and status.
#[derive(Debug)]
pub(super) struct Described {
    status: u16,
    kinds: Vec<(&'static ProblemKind, Value)>,
    remapped: Option<(&'static str, Value)>,
}

/// Headers that HTTP gives to a status, in lower case. They may be there.
pub(super) fn headers_of(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        401 => &[("www-authenticate", "How to authenticate (RFC 9110, section 11.6.1).")],
        416 => &[("content-range", "How long the whole is: `bytes */length`.")],
        429 | 503 => &[("retry-after", "When to try again, in seconds or as a date.")],
        _ => &[],
    }
}

/// Documents headers of a response.
pub(super) fn add_headers(response: &mut Value, headers: &BTreeMap<&'static str, Value>) {
    for (name, header) in headers {
        response["headers"][*name] = header.clone();
    }
}

impl Described {
    pub(super) fn new(
        mut kinds: Vec<&'static ProblemKind>,
        remapped: Option<&(&'static str, Value)>,
        schemas: &mut Schemas,
    ) -> Self {
        kinds.sort_by_key(|kind| (kind.code, kind.type_uri));
        let base = schemas.output::<ProblemDocument>();
        Self {
            status: kinds.first().map_or(500, |kind| kind.status),
            kinds: kinds.into_iter().map(|kind| (kind, of_kind(kind, &base, schemas))).collect(),
            remapped: remapped.cloned(),
        }
    }

    pub(super) fn media_type(&self) -> &'static str {
        self.remapped.as_ref().map_or(PROBLEM, |(media_type, _)| media_type)
    }

    /// `AsJson`, `WithDeprecation`.
    fn suffix(&self, headers: &BTreeMap<&'static str, Value>) -> String {
        let mut name = String::new();
        if let Some((media_type, _)) = &self.remapped {
            let subtype = media_type.rsplit('/').next().unwrap_or(media_type);
            name.push_str(&format!("As{}", pascal(subtype)));
        }
        if !headers.is_empty() {
            let names: Vec<String> = headers.keys().map(|name| pascal(name)).collect();
            name.push_str(&format!("With{}", names.join("And")));
        }
        name
    }

    fn description(&self) -> String {
        let lines: Vec<String> = self
            .kinds
            .iter()
            .map(|(kind, _)| format!("{} (`{}`)", kind.title, kind.code))
            .collect();
        lines.join("; ")
    }

    fn content(&self) -> Value {
        let references: Vec<Value> = self
            .kinds
            .iter()
            .map(|(kind, _)| json!({ "$ref": format!("{PENDING}{}", kind.type_uri) }))
            .collect();
        let kinds = match references.as_slice() {
            [only] => only.clone(),
            several => json!({ "oneOf": several }),
        };
        match &self.remapped {
            // What the filter adds to an example is not known here.
            Some((_, schema)) => json!({ "schema": { "allOf": [kinds, schema] } }),
            None => {
                let examples: Map<String, Value> = self
                    .kinds
                    .iter()
                    .map(|(kind, _)| {
                        let value = json!({
                            "type": kind.type_uri,
                            "title": kind.title,
                            "status": kind.status,
                            "code": kind.code,
                        });
                        (kind.code.to_owned(), json!({ "summary": kind.title, "value": value }))
                    })
                    .collect();
                json!({ "schema": kinds, "examples": examples })
            }
        }
    }
}

/// The schema of one kind: the standard members with their constants, and its
/// own members.
fn of_kind(kind: &'static ProblemKind, base: &Value, schemas: &mut Schemas) -> Value {
    let mut properties = json!({
        "type": { "type": "string", "const": kind.type_uri },
        "title": { "type": "string", "const": kind.title },
        "status": { "type": "integer", "const": kind.status },
        "code": { "type": "string", "const": kind.code },
    });
    for member in kind.members {
        properties[member.name] = schemas.output_by(member.schema);
    }
    json!({
        "title": kind.title,
        "allOf": [base, {
            "type": "object",
            "properties": properties,
            "required": ["type", "title", "status", "code"],
        }],
    })
}

impl Problems {
    fn remember(&mut self, described: &Described) {
        for (kind, schema) in &described.kinds {
            self.kinds.entry(kind.type_uri).or_insert_with(|| (kind, schema.clone()));
        }
    }

    /// A reference to a response that operations share.
    pub(super) fn shared(
        &mut self,
        described: Described,
        headers: &BTreeMap<&'static str, Value>,
    ) -> Value {
        self.remember(&described);
        let mut response = json!({
            "description": described.description(),
            "content": { described.media_type(): described.content() },
        });
        add_headers(&mut response, headers);
        standard_headers(&mut response, described.status);
        let key = response.to_string();
        self.responses.entry(key.clone()).or_insert_with(|| Shared {
            kinds: described.kinds.iter().map(|(kind, _)| kind.type_uri).collect(),
            suffix: described.suffix(headers),
            content: response,
        });
        json!({ "$ref": format!("{PENDING}{key}") })
    }

    /// Problems beside an ordinary reply, or beside headers of the operation.
    pub(super) fn beside(
        &mut self,
        described: Described,
        mut response: Value,
        headers: &BTreeMap<&'static str, Value>,
    ) -> Value {
        self.remember(&described);
        response["description"] = if response.get("content").is_some() {
            json!(format!("{}, or: {}", reason(described.status), described.description()))
        } else {
            json!(described.description())
        };
        response["content"][described.media_type()] = described.content();
        add_headers(&mut response, headers);
        standard_headers(&mut response, described.status);
        response
    }

    /// Writes schemas and responses, and gives all references their names.
    /// `schemas` has the types of the application, whose names go first.
    pub(super) fn write(
        &self,
        schemas: &mut Map<String, Value>,
        kinds: Value,
        mut responses: Value,
        paths: &mut Value,
    ) -> Value {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut taken: BTreeSet<String> = schemas.keys().cloned().collect();
        let Value::Object(kinds) = kinds else { return Value::Null };
        let kind_names = self.kind_names();
        for (uri, schema) in kinds {
            let wanted = kind_names.get(uri.as_str()).map_or("", |name| name);
            let name = unique(&format!("{wanted}Problem"), &mut taken);
            names.insert(uri, format!("{SHARED}{name}"));
            schemas.insert(name, schema);
        }
        let mut taken = BTreeSet::new();
        let mut written = Map::new();
        let Some(responses) = responses.as_object_mut() else { return Value::Null };
        for (key, response) in responses {
            resolve(response, &names);
            let wanted = self.responses.get(key).map_or_else(String::new, |shared| {
                let kinds = shared.kinds.iter().filter_map(|uri| kind_names.get(uri));
                let kinds: Vec<&str> = kinds.map(String::as_str).collect();
                format!("{}{}", kinds.join("Or"), shared.suffix)
            });
            let name = unique(&wanted, &mut taken);
            written.insert(name.clone(), response.take());
            names.insert(key.clone(), format!("{RESPONSES}{name}"));
        }
        resolve(paths, &names);
        written.sort_keys();
        Value::Object(written)
    }

    /// `NotFound`, by type URI. Kinds of one code are told apart by the last two
    /// words of their URIs.
    fn kind_names(&self) -> BTreeMap<&'static str, String> {
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for (kind, _) in self.kinds.values() {
            *codes.entry(kind.code).or_default() += 1;
        }
        let name = |uri: &'static str, code: &str| {
            if codes.get(code) == Some(&1) {
                return pascal(code);
            }
            let mut words: Vec<&str> = uri.rsplit([':', '/']).take(2).collect();
            words.reverse();
            words.into_iter().map(pascal).collect()
        };
        self.kinds.iter().map(|(uri, (kind, _))| (*uri, name(uri, kind.code))).collect()
    }

    /// The kinds' schemas, by type URI; types are not named yet.
    pub(super) fn kinds(&self) -> Value {
        let all = self.kinds.iter().map(|(uri, (_, schema))| ((*uri).to_owned(), schema.clone()));
        Value::Object(all.collect())
    }

    /// The responses, by their contents; types are not named yet.
    pub(super) fn responses(&self) -> Value {
        let all = self.responses.iter().map(|(key, shared)| (key.clone(), shared.content.clone()));
        Value::Object(all.collect())
    }
}

fn standard_headers(response: &mut Value, status: u16) {
    for (name, description) in headers_of(status) {
        response["headers"][*name] =
            json!({ "description": description, "schema": { "type": "string" } });
    }
}

fn unique(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = wanted.to_owned();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{wanted}{number}");
        number += 1;
    }
    name
}

fn resolve(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref")
                && let Some(name) = target.strip_prefix(PENDING).and_then(|key| names.get(key))
            {
                *target = name.clone();
            }
            map.values_mut().for_each(|value| resolve(value, names));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| resolve(value, names)),
        _ => {}
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
