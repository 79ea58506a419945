//! Whether a response body is what the document says.
//!
//! The keywords of JSON Schema 2020-12 that the document uses, and no others:
//! `pattern`, `format` and `patternProperties` are not checked.

use std::collections::BTreeSet;

use serde_json::Value;

/// Everything in which `body` is not what the document says of a response;
/// `operation` is a JSON pointer.
pub(crate) fn faults(
    document: &Value,
    operation: &str,
    status: u16,
    media_type: &str,
    body: &[u8],
) -> Vec<String> {
    let response = document.pointer(&format!("{operation}/responses/{status}"));
    let Some(response) = response.map(|response| resolve(document, response)) else {
        return vec![];
    };
    let Some(content) = response["content"].get(media_type) else { return vec![] };
    let Some(schema) = content.get("schema") else { return vec![] };
    match serde_json::from_slice(body) {
        Ok(value) => {
            let mut found = vec![];
            Check { document }.value(&value, schema, "", &mut found);
            found
        }
        Err(error) => vec![format!("the body is not JSON: {error}")],
    }
}

fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value.get("$ref").and_then(Value::as_str);
    target.and_then(|target| document.pointer(target.strip_prefix('#')?)).unwrap_or(value)
}

struct Check<'d> {
    document: &'d Value,
}

impl Check<'_> {
    /// Returns the properties that the schema knows.
    fn value(
        &self,
        value: &Value,
        schema: &Value,
        at: &str,
        found: &mut Vec<String>,
    ) -> BTreeSet<String> {
        let place = if at.is_empty() { "the body" } else { at };
        let mut seen = BTreeSet::new();
        if schema == &Value::Bool(false) {
            found.push(format!("{place} must not be there"));
        }
        let target = resolve(self.document, schema);
        if !std::ptr::eq(target, schema) {
            seen.extend(self.value(value, target, at, found));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        if !kinds.is_empty() && !kinds.iter().any(|kind| is_of_type(value, kind)) {
            found.push(format!("{place} is no {}", kinds.join(" or ")));
        }
        if schema.get("const").is_some_and(|only| only != value) {
            found.push(format!("{place} is {value}, not {}", schema["const"]));
        }
        if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
            found.push(format!("{place} is {value}, which is not in the list"));
        }
        found.extend(bounds(value, schema).into_iter().map(|fault| format!("{place} {fault}")));
        match value {
            Value::Object(fields) => {
                for name in list(schema, "required").filter_map(Value::as_str) {
                    if !fields.contains_key(name) {
                        found.push(format!("{place} has no `{name}`"));
                    }
                }
                let others = schema.get("additionalProperties");
                for (name, child) in fields {
                    let Some(schema) = schema["properties"].get(name).or(others) else { continue };
                    seen.insert(name.clone());
                    self.value(child, schema, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(values) => {
                for (index, child) in values.iter().enumerate() {
                    let by_place = schema["prefixItems"].get(index);
                    let Some(schema) = by_place.or_else(|| schema.get("items")) else { continue };
                    self.value(child, schema, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
        for part in list(schema, "allOf") {
            seen.extend(self.value(value, part, at, found));
        }
        for (key, is_one) in [("oneOf", true), ("anyOf", false)] {
            if schema.get(key).is_some() {
                seen.extend(self.options(value, list(schema, key), is_one, at, found));
            }
        }
        if let (Value::Object(fields), Some(Value::Bool(false))) =
            (value, schema.get("unevaluatedProperties"))
        {
            for name in fields.keys().filter(|name| !seen.contains(*name)) {
                found.push(format!("{place} has `{name}`, which is not documented"));
            }
        }
        seen
    }

    fn options<'v>(
        &self,
        value: &Value,
        options: impl Iterator<Item = &'v Value>,
        is_one: bool,
        at: &str,
        found: &mut Vec<String>,
    ) -> BTreeSet<String> {
        let place = if at.is_empty() { "the body" } else { at };
        let tried: Vec<(Vec<String>, BTreeSet<String>)> = options
            .map(|option| {
                let mut faults = vec![];
                let seen = self.value(value, option, at, &mut faults);
                (faults, seen)
            })
            .collect();
        let fitting = tried.iter().filter(|(faults, _)| faults.is_empty()).count();
        if is_one && fitting > 1 {
            found.push(format!("{place} fits {fitting} alternatives instead of one"));
        }
        if fitting == 0 {
            let nearest = tried.iter().min_by_key(|(faults, _)| faults.len());
            let why = nearest.map_or_else(String::new, |(faults, _)| faults.join(", "));
            found.push(format!("{place} fits no alternative: {why}"));
        }
        tried
            .into_iter()
            .filter(|(faults, _)| faults.is_empty())
            .flat_map(|(_, seen)| seen)
            .collect()
    }
}

fn list<'v>(schema: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        _ => false,
    }
}

fn bounds(value: &Value, schema: &Value) -> Vec<String> {
    let size = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => Some(text.chars().count() as f64),
        Value::Array(values) => Some(values.len() as f64),
        Value::Object(fields) => Some(fields.len() as f64),
        _ => None,
    };
    let (min, max) = match value {
        Value::Number(_) => ("minimum", "maximum"),
        Value::String(_) => ("minLength", "maxLength"),
        Value::Array(_) => ("minItems", "maxItems"),
        _ => ("minProperties", "maxProperties"),
    };
    let Some(size) = size else { return vec![] };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let mut found = vec![];
    if bound(min).is_some_and(|min| size < min) {
        found.push(format!("is below its `{min}`"));
    }
    if bound(max).is_some_and(|max| size > max) {
        found.push(format!("is above its `{max}`"));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Value, body: &Value, expected: &[&str]) {
        let document = json!({
            "paths": { "/": { "get": { "responses": {
                "200": { "$ref": "#/components/responses/R" }
            } } } },
            "components": {
                "responses": { "R": { "content": { "application/json": { "schema": schema } } } },
                "schemas": { "Name": { "type": "string", "minLength": 1 } },
            },
        });
        let body = body.to_string();
        let found = faults(&document, "/paths/~1/get", 200, "application/json", body.as_bytes());
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn bodies_are_held_against_their_schema() {
        let name = json!({ "$ref": "#/components/schemas/Name" });
        check(&name, &json!("a"), &[]);
        check(&name, &json!(""), &["the body is below its `minLength`"]);
        let object = json!({
            "type": "object",
            "properties": { "a": { "items": name }, "b": { "type": ["integer", "null"] } },
            "required": ["a"],
            "additionalProperties": false,
        });
        check(&object, &json!({ "a": ["x"], "b": null }), &[]);
        check(&object, &json!({ "b": 1.5 }), &["the body has no `a`", "/b is no integer or null"]);
        check(&object, &json!({ "a": [1] }), &["/a/0 is no string"]);
        check(&object, &json!({ "a": [], "c": 1 }), &["/c must not be there"]);
    }

    #[test]
    fn alternatives_and_whole_objects() {
        let tagged =
            |tag: &str| json!({ "properties": { "t": { "const": tag } }, "required": ["t"] });
        let schema = json!({
            "oneOf": [tagged("a"), tagged("b")],
            "properties": { "n": { "type": "integer" } },
            "unevaluatedProperties": false,
        });
        check(&schema, &json!({ "t": "a", "n": 1 }), &[]);
        check(
            &schema,
            &json!({ "t": "c" }),
            &[
                r#"the body fits no alternative: /t is "c", not "a""#,
                "the body has `t`, which is not documented",
            ],
        );
        check(
            &schema,
            &json!({ "t": "b", "x": 1 }),
            &["the body has `x`, which is not documented"],
        );
        let both = json!({ "oneOf": [{ "type": "integer" }, { "type": "number" }] });
        check(&both, &json!(1), &["the body fits 2 alternatives instead of one"]);
    }
}
