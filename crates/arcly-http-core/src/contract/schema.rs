//! JSON schemas of the types that run, under unique names.
//!
//! What a client sends and what it receives may differ for one type (a default
//! makes a field optional on the way in only), so there are two generators. A
//! type that is the same both ways has one name; one that differs is called
//! `Name` on the way out and `NameInput` on the way in.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

const INPUT: &str = "#/components/input/";
const OUTPUT: &str = "#/components/output/";
const SHARED: &str = "#/components/schemas/";

/// The generators and what they have made so far.
#[derive(Debug)]
pub(super) struct Schemas {
    input: SchemaGenerator,
    output: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = |path: &str| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = path.to_owned().into();
            settings.meta_schema = None;
            settings
        };
        Self {
            input: settings("/components/input").into_generator(),
            output: settings("/components/output").for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    pub(super) fn input<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.input.subschema_for::<T>().to_value();
        tidy(&mut schema, true);
        schema
    }

    /// The schema itself, not a reference to it.
    pub(super) fn input_inline<T: JsonSchema>(&mut self) -> Value {
        let mut schema = T::json_schema(&mut self.input).to_value();
        tidy(&mut schema, true);
        schema
    }

    pub(super) fn output<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.output.subschema_for::<T>().to_value();
        tidy(&mut schema, false);
        schema
    }

    pub(super) fn output_by(
        &mut self,
        make: fn(&mut SchemaGenerator) -> schemars::Schema,
    ) -> Value {
        let mut schema = make(&mut self.output).to_value();
        tidy(&mut schema, false);
        schema
    }

    /// Gives every definition its final name, in `document` too.
    pub(super) fn join(&self, document: &mut Value) -> Map<String, Value> {
        let tidied = |definitions: &Map<String, Value>, is_input| -> BTreeMap<String, Value> {
            let mut all: BTreeMap<String, Value> =
                definitions.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            all.values_mut().for_each(|schema| tidy(schema, is_input));
            all
        };
        let inputs = tidied(self.input.definitions(), true);
        let outputs = tidied(self.output.definitions(), false);

        // Names that mean something else on the way in than on the way out, or
        // that refer to such a name.
        let mut split: BTreeSet<&str> = BTreeSet::new();
        loop {
            let before = split.len();
            for (name, input) in &inputs {
                if let Some(output) = outputs.get(name)
                    && (neutral(input) != neutral(output) || refers_to(input, &split))
                {
                    split.insert(name);
                }
            }
            if split.len() == before {
                break;
            }
        }
        let input_name = |name: &str| {
            if split.contains(name) { format!("{name}Input") } else { name.to_owned() }
        };
        rename(document, &input_name);
        let mut joined = Map::new();
        for (name, mut schema) in outputs {
            rename(&mut schema, &input_name);
            joined.insert(name, schema);
        }
        for (name, mut schema) in inputs.clone() {
            rename(&mut schema, &input_name);
            joined.entry(input_name(&name)).or_insert(schema);
        }
        joined
    }
}

fn walk(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get("$ref") {
                see(target);
            }
            map.values().for_each(|value| walk(value, see));
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, see)),
        _ => {}
    }
}

fn refers_to(schema: &Value, names: &BTreeSet<&str>) -> bool {
    let mut found = false;
    walk(schema, &mut |target| {
        found |= target.strip_prefix(INPUT).is_some_and(|name| names.contains(name));
    });
    found
}

/// The schema with both ways of referring made one, and strictness left out.
fn neutral(schema: &Value) -> Value {
    let mut schema = schema.clone();
    rename(&mut schema, &|name: &str| name.to_owned());
    forget_strictness(&mut schema);
    schema
}

fn forget_strictness(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("additionalProperties") == Some(&Value::Bool(false)) {
                map.remove("additionalProperties");
            }
            map.values_mut().for_each(forget_strictness);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_strictness),
        _ => {}
    }
}

fn rename(value: &mut Value, input_name: &impl Fn(&str) -> String) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref") {
                if let Some(name) = target.strip_prefix(INPUT) {
                    *target = format!("{SHARED}{}", input_name(name));
                } else if let Some(name) = target.strip_prefix(OUTPUT) {
                    *target = format!("{SHARED}{name}");
                }
            }
            map.values_mut().for_each(|value| rename(value, input_name));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, input_name)),
        _ => {}
    }
}

/// Bounds instead of formats that only Rust knows; inputs refuse unknown
/// fields, as the run time does.
fn tidy(value: &mut Value, is_input: bool) {
    let Value::Object(map) = value else {
        if let Value::Array(values) = value {
            values.iter_mut().for_each(|value| tidy(value, is_input));
        }
        return;
    };
    if let Some(format) = map.get("format").and_then(Value::as_str).map(str::to_owned) {
        let bounds: Option<(Value, Value)> = match format.as_str() {
            "uint8" => Some((0.into(), u8::MAX.into())),
            "uint16" => Some((0.into(), u16::MAX.into())),
            "uint32" => Some((0.into(), u32::MAX.into())),
            "uint64" | "uint" => Some((0.into(), u64::MAX.into())),
            "int8" => Some((i8::MIN.into(), i8::MAX.into())),
            "int16" => Some((i16::MIN.into(), i16::MAX.into())),
            "int32" => Some((i32::MIN.into(), i32::MAX.into())),
            "int64" | "int" => Some((i64::MIN.into(), i64::MAX.into())),
            _ => None,
        };
        if let Some((minimum, maximum)) = bounds {
            map.entry("minimum").or_insert(minimum);
            map.entry("maximum").or_insert(maximum);
            if !matches!(format.as_str(), "int32" | "int64") {
                map.remove("format");
            }
        }
    }
    if is_input
        && map.contains_key("properties")
        && !map.contains_key("additionalProperties")
        && !map.contains_key("unevaluatedProperties")
        && !map.contains_key("allOf")
    {
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for (name, child) in map.iter_mut() {
        match name.as_str() {
            "properties" | "$defs" | "patternProperties" => {
                if let Value::Object(children) = child {
                    children.values_mut().for_each(|value| tidy(value, is_input));
                }
            }
            // Parts of a composition do not see each other's properties.
            "allOf" => tidy(child, false),
            "items" | "prefixItems" | "oneOf" | "anyOf" | "additionalProperties" | "not" => {
                tidy(child, is_input);
            }
            _ => {}
        }
    }
}
