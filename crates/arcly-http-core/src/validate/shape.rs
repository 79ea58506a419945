//! What serde would take without a word: unknown fields where it hides them, and arrays
//! where the document says objects.
//!
//! Of a flattened struct, and of an enum that is told apart by a tag or by its
//! fields, serde buffers the input, and fields that nobody asks for are lost
//! without a word. For types that contain such parts, what was sent is held
//! against the schema that the document shows.
//!
//! It also reads the fields of a struct out of an array, in their order. No client was told
//! so, and whoever looks at the body before us sees no fields in it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::names::{Step, violation};
use super::{UNKNOWN_MAX, Violation};
use crate::contract::input_schema;

/// What an input may consist of; see [`Shape::of`].
#[derive(Debug)]
pub struct Shape {
    root: Value,
    definitions: Map<String, Value>,
    /// Whether serde does not see every unknown field by itself.
    pub(super) hides_fields: bool,
}

/// How deep schemas are compared with a value to find the variant that is meant.
const DEPTH_MAX: usize = 8;

impl Shape {
    /// The shape of `T`; `None` when serde itself sees every unknown field, which is enough
    /// for what cannot have arrays. To be called at launch, not for each request.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Option<Self> {
        Some(Self::whole::<T>()).filter(|shape| shape.hides_fields)
    }

    /// The shape of `T`, for JSON.
    #[must_use]
    pub fn whole<T: JsonSchema>() -> Self {
        let (root, definitions) = input_schema::<T>();
        let hides_fields = hides_fields(&root) || definitions.values().any(hides_fields);
        Self { root, definitions, hides_fields }
    }

    /// Every array where the shape has an object.
    pub(super) fn arrays(&self, value: &Value) -> Vec<Violation> {
        let mut found = vec![];
        self.find_arrays(value, &self.root, &mut vec![], &mut found);
        found.truncate(UNKNOWN_MAX);
        found
    }

    fn find_arrays(
        &self,
        value: &Value,
        schema: &Value,
        steps: &mut Vec<Step>,
        found: &mut Vec<Violation>,
    ) {
        if let Some(target) = self.target(schema) {
            self.find_arrays(value, target, steps, found);
        }
        for part in list(schema, "allOf") {
            self.find_arrays(value, part, steps, found);
        }
        for key in ["oneOf", "anyOf"] {
            let options = || list(schema, key).filter(|option| option["type"] != "null");
            // The variant that is meant; else the one of its name, or the only one.
            let meant = options().find(|option| self.fits(value, option, 0));
            let named = || options().find(|option| value.is_object() && is_named(value, option));
            let only = || options().next().filter(|_| options().count() == 1);
            if let Some(option) = meant.or_else(named).or_else(only) {
                self.find_arrays(value, option, steps, found);
            }
        }
        match value {
            Value::Array(_) if says(schema, "object") && !says(schema, "array") => {
                found.push(violation(steps, "wrong_type", "expected an object"));
            }
            Value::Array(values) => {
                for (index, child) in values.iter().enumerate() {
                    let by_place = schema["prefixItems"].get(index);
                    let Some(schema) = by_place.or_else(|| schema.get("items")) else { continue };
                    steps.push(Step::Index(index));
                    self.find_arrays(child, schema, steps, found);
                    steps.pop();
                }
            }
            Value::Object(fields) => {
                let others = schema.get("additionalProperties");
                for (name, child) in fields {
                    let Some(schema) = schema["properties"].get(name).or(others) else { continue };
                    steps.push(Step::Key(name.clone()));
                    self.find_arrays(child, schema, steps, found);
                    steps.pop();
                }
            }
            _ => {}
        }
    }

    /// Every field that the shape does not know.
    pub(super) fn unknown(&self, value: &Value) -> Vec<Violation> {
        let mut found = vec![];
        self.walk(value, &self.root, &mut vec![], &mut found);
        found.truncate(UNKNOWN_MAX);
        found
    }

    fn target(&self, schema: &Value) -> Option<&Value> {
        self.definitions.get(schema.get("$ref")?.as_str()?.rsplit('/').next()?)
    }

    /// Collects unknown fields; returns the names that the schema knows.
    fn walk(
        &self,
        value: &Value,
        schema: &Value,
        steps: &mut Vec<Step>,
        found: &mut Vec<Violation>,
    ) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        if let Some(target) = self.target(schema) {
            seen.extend(self.walk(value, target, steps, found));
        }
        match value {
            Value::Object(fields) => {
                let others =
                    schema.get("additionalProperties").filter(|s| **s != Value::Bool(false));
                for (name, child) in fields {
                    let Some(schema) = schema["properties"].get(name).or(others) else { continue };
                    seen.insert(name.clone());
                    steps.push(Step::Key(name.clone()));
                    self.walk(child, schema, steps, found);
                    steps.pop();
                }
            }
            Value::Array(values) => {
                for (index, child) in values.iter().enumerate() {
                    let by_place = schema["prefixItems"].get(index);
                    let Some(schema) = by_place.or_else(|| schema.get("items")) else { continue };
                    steps.push(Step::Index(index));
                    self.walk(child, schema, steps, found);
                    steps.pop();
                }
            }
            _ => {}
        }
        for part in list(schema, "allOf") {
            seen.extend(self.walk(value, part, steps, found));
        }
        for key in ["oneOf", "anyOf"] {
            // The variant that is meant: it fits, and leaves the least unknown.
            let options = list(schema, key).filter(|option| self.fits(value, option, 0));
            let best = options
                .map(|option| {
                    let mut of_option = vec![];
                    let names = self.walk(value, option, steps, &mut of_option);
                    (of_option, names)
                })
                .min_by_key(|(found, names)| (found.len(), usize::MAX - names.len()));
            if let Some((of_option, names)) = best {
                found.extend(of_option);
                seen.extend(names);
            }
        }
        if let Value::Object(fields) = value {
            let is_closed = |key: &str| schema.get(key) == Some(&Value::Bool(false));
            let is_known = |name: &String| {
                if is_closed("additionalProperties") {
                    schema["properties"].get(name).is_some()
                } else {
                    !is_closed("unevaluatedProperties") || seen.contains(name)
                }
            };
            for name in fields.keys().filter(|name| !is_known(name)) {
                steps.push(Step::Key(name.clone()));
                found.push(violation(steps, "unknown", "this field is not known; leave it out"));
                steps.pop();
            }
        }
        seen
    }

    /// Whether a value can be meant by a variant, as far as tags, required
    /// fields and types tell.
    fn fits(&self, value: &Value, schema: &Value, depth: usize) -> bool {
        if depth > DEPTH_MAX {
            return true;
        }
        if let Some(target) = self.target(schema)
            && !self.fits(value, target, depth + 1)
        {
            return false;
        }
        let is_type = match &schema["type"] {
            Value::String(kind) => is_of_type(value, kind),
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).any(|kind| is_of_type(value, kind))
            }
            _ => true,
        };
        let is_constant = schema.get("const").is_none_or(|only| only == value)
            && schema["enum"].as_array().is_none_or(|all| all.contains(value));
        let has_required = value.as_object().is_none_or(|fields| {
            list(schema, "required").filter_map(Value::as_str).all(|name| fields.contains_key(name))
        });
        let properties_fit = schema["properties"].as_object().is_none_or(|properties| {
            properties.iter().all(|(name, schema)| {
                value.get(name).is_none_or(|child| self.fits(child, schema, depth + 1))
            })
        });
        let any_fits = |key: &str| {
            schema.get(key).is_none()
                || list(schema, key).any(|option| self.fits(value, option, depth + 1))
        };
        is_type
            && is_constant
            && has_required
            && properties_fit
            && list(schema, "allOf").all(|part| self.fits(value, part, depth + 1))
            && any_fits("oneOf")
            && any_fits("anyOf")
    }

    /// The values of a query string or a form, as JSON: a flattened struct does
    /// not tell serde that it wants a number, the schema does. `Err`: the names
    /// that are given more than once and are no lists.
    pub(super) fn coerce<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a str, Vec<&'a str>)>,
    ) -> Result<Value, Vec<String>> {
        let mut fields = Map::new();
        let mut twice = vec![];
        for (name, texts) in pairs {
            let schema = self.property(&self.root, name, 0);
            let schema = schema.map(|schema| self.plain(schema));
            let is_list = schema.is_some_and(|schema| says(schema, "array"));
            let value = match (is_list, schema, texts.as_slice()) {
                (true, Some(schema), texts) => {
                    let items = schema.get("items").map(|items| self.plain(items));
                    texts.iter().map(|text| scalar(text, items)).collect()
                }
                (_, schema, [only]) => scalar(only, schema),
                _ => {
                    twice.push(name.to_owned());
                    continue;
                }
            };
            fields.insert(name.to_owned(), value);
        }
        if twice.is_empty() { Ok(Value::Object(fields)) } else { Err(twice) }
    }

    fn property<'s>(&'s self, schema: &'s Value, name: &str, depth: usize) -> Option<&'s Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        let own = schema["properties"].get(name);
        own.or_else(|| self.property(self.target(schema)?, name, depth + 1)).or_else(|| {
            let parts = ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|key| list(schema, key));
            parts.into_iter().find_map(|part| self.property(part, name, depth + 1))
        })
    }

    /// `T` of an optional or referred `T`.
    fn plain<'s>(&'s self, mut schema: &'s Value) -> &'s Value {
        for _ in 0..DEPTH_MAX {
            let mut options = list(schema, "anyOf").filter(|option| option["type"] != "null");
            match (self.target(schema), options.next(), options.next()) {
                (Some(target), ..) => schema = target,
                (None, Some(only), None) => schema = only,
                _ => break,
            }
        }
        schema
    }
}

/// Whether an object has the fields by which a variant is told apart.
fn is_named(value: &Value, option: &Value) -> bool {
    let mut required = list(option, "required").filter_map(Value::as_str).peekable();
    required.peek().is_some() && required.all(|name| value.get(name).is_some())
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
        "integer" => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    }
}

fn says(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(only) => only == kind,
        Value::Array(kinds) => kinds.iter().any(|known| known == kind),
        _ => false,
    }
}

/// A text as the schema wants it; one that does not fit stays a text, which
/// serde then refuses.
fn scalar(text: &str, schema: Option<&Value>) -> Value {
    let Some(schema) = schema else { return text.into() };
    let is_whole = says(schema, "integer");
    if (is_whole || says(schema, "number"))
        && let Ok(number) = serde_json::from_str::<serde_json::Number>(text)
        && (!is_whole || number.is_i64() || number.is_u64())
    {
        return Value::Number(number);
    }
    match text {
        "true" | "false" if says(schema, "boolean") => (text == "true").into(),
        _ => text.into(),
    }
}

/// What a text has to be to become a `T`, in words: "a whole number from 0 to
/// 255". For problems; it is worked out anew each time.
#[must_use]
pub fn expected<T: JsonSchema>() -> String {
    let (root, definitions) = input_schema::<T>();
    let shape = Shape { root, definitions, hides_fields: false };
    let schema = shape.plain(&shape.root);
    let number = |key: &str| schema.get(key).map(ToString::to_string);
    if let Some(options) = schema["enum"].as_array() {
        let options: Vec<String> =
            options.iter().filter_map(Value::as_str).map(|option| format!("`{option}`")).collect();
        return format!("one of {}", options.join(", "));
    }
    if says(schema, "integer") {
        return match (number("minimum"), number("maximum")) {
            (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
            (Some(min), None) => format!("a whole number from {min} on"),
            _ => "a whole number".to_owned(),
        };
    }
    if says(schema, "number") {
        return "a number".to_owned();
    }
    if says(schema, "boolean") {
        return "true or false".to_owned();
    }
    match (schema["format"].as_str(), schema["maxLength"].as_u64()) {
        (Some(format), _) => format!("of the format `{format}`"),
        (None, Some(1)) => "one character".to_owned(),
        _ => "as the documentation says".to_owned(),
    }
}

/// Whether serde buffers a value of this schema, or a part of it.
fn hides_fields(schema: &Value) -> bool {
    let is_plain_variant = |option: &Value| {
        // `{ "Name": {..} }`: serde reads these as they come.
        option["properties"].as_object().is_none_or(|properties| {
            properties.len() == 1 && properties.values().all(|value| value.get("const").is_none())
        })
    };
    let mut alternatives = list(schema, "anyOf").filter(|option| option["type"] != "null");
    let is_untagged = alternatives.next().is_some() && alternatives.next().is_some();
    let is_tagged = list(schema, "oneOf").any(|option| !is_plain_variant(option));
    let has_properties_of_others = schema.get("unevaluatedProperties").is_some();
    if is_untagged || is_tagged || has_properties_of_others || schema.get("allOf").is_some() {
        return true;
    }
    match schema {
        Value::Object(map) => map.values().any(hides_fields),
        Value::Array(values) => values.iter().any(hides_fields),
        _ => false,
    }
}
