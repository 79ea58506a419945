//! JSON schemas of the types that run, under unique names.
//!
//! What a client sends and what it receives may differ for one type (a default
//! makes a field optional on the way in only), so there are two generators. A
//! type that is the same both ways has one name; one that differs is called
//! `Name` on the way out and `NameInput` on the way in.

mod names;
mod strict;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

pub(in crate::contract) use names::pascal;
use strict::Definitions;

const INPUT: &str = "#/components/input/";
const OUTPUT: &str = "#/components/output/";
pub(super) const SHARED: &str = "#/components/schemas/";

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
        let schema = self.input.subschema_for::<T>().to_value();
        self.finish(schema, true)
    }

    /// The schema itself, not a reference to it.
    pub(super) fn input_inline<T: JsonSchema>(&mut self) -> Value {
        let schema = T::json_schema(&mut self.input).to_value();
        self.finish(schema, true)
    }

    /// What an input's `$ref` stands for, finished.
    pub(super) fn input_target(&self, schema: &Value) -> Option<Value> {
        let name = named(schema.get("$ref")?.as_str()?, INPUT)?;
        Some(self.finish(self.input.definitions().get(&*name)?.clone(), true))
    }

    pub(super) fn output<T: JsonSchema>(&mut self) -> Value {
        let schema = self.output.subschema_for::<T>().to_value();
        self.finish(schema, false)
    }

    pub(super) fn output_by(
        &mut self,
        make: fn(&mut SchemaGenerator) -> schemars::Schema,
    ) -> Value {
        let schema = make(&mut self.output).to_value();
        self.finish(schema, false)
    }

    fn finish(&self, mut schema: Value, is_input: bool) -> Value {
        self.definitions(is_input).whole(&mut schema);
        tidy(&mut schema);
        schema
    }

    fn definitions(&self, is_input: bool) -> Definitions<'_> {
        let (prefix, generator) =
            if is_input { (INPUT, &self.input) } else { (OUTPUT, &self.output) };
        Definitions { prefix, all: generator.definitions(), closes: is_input }
    }

    /// Gives every definition its final name, in `documents` too.
    pub(super) fn join(&self, documents: &mut [&mut Value]) -> Map<String, Value> {
        let inputs: BTreeMap<&str, &Value> =
            self.input.definitions().iter().map(|(name, schema)| (&**name, schema)).collect();
        let outputs: BTreeMap<&str, &Value> =
            self.output.definitions().iter().map(|(name, schema)| (&**name, schema)).collect();
        let (input_ids, output_ids) = (names::ids(&self.input), names::ids(&self.output));
        // A definition whose id is not known keeps the generator's name.
        let id_of = |ids: &BTreeMap<String, String>, name: &str| {
            ids.get(name).cloned().unwrap_or_else(|| name.to_owned())
        };
        let mut known = BTreeMap::new();
        for name in inputs.keys() {
            known.insert(id_of(&input_ids, name), (*name).to_owned());
        }
        for name in outputs.keys() {
            known.insert(id_of(&output_ids, name), (*name).to_owned());
        }
        let finals = names::final_names(&known);
        let final_of = |ids: &BTreeMap<String, String>, name: &str| {
            finals.get(&id_of(ids, name)).cloned().unwrap_or_else(|| name.to_owned())
        };

        // Types that mean something else on the way in than on the way out, or
        // that refer to such a type.
        let output_by_id: BTreeMap<String, &Value> =
            outputs.iter().map(|(name, schema)| (id_of(&output_ids, name), *schema)).collect();
        let neutral = |schema: &Value| {
            let mut schema = schema.clone();
            rename(&mut schema, &|reference: Reference<'_>| match reference {
                Reference::Input(name) => final_of(&input_ids, name),
                Reference::Output(name) => final_of(&output_ids, name),
            });
            schema
        };
        let mut split: BTreeSet<&str> = BTreeSet::new();
        loop {
            let before = split.len();
            for (name, input) in &inputs {
                if let Some(output) = output_by_id.get(&id_of(&input_ids, name))
                    && (neutral(input) != neutral(output) || refers_to(input, &split))
                {
                    split.insert(name);
                }
            }
            if split.len() == before {
                break;
            }
        }
        let final_name = |reference: Reference<'_>| match reference {
            Reference::Input(name) => {
                let suffix = if split.contains(name) { "Input" } else { "" };
                format!("{}{suffix}", final_of(&input_ids, name))
            }
            Reference::Output(name) => final_of(&output_ids, name),
        };
        for document in documents {
            rename(document, &final_name);
        }
        let mut joined = Map::new();
        // A type that is the same both ways is as strict as its input.
        for (name, schema) in &outputs {
            let mut schema = self.finish((*schema).clone(), false);
            rename(&mut schema, &final_name);
            joined.insert(final_name(Reference::Output(name)), schema);
        }
        for (name, schema) in &inputs {
            let mut schema = self.finish((*schema).clone(), true);
            rename(&mut schema, &final_name);
            joined.insert(final_name(Reference::Input(name)), schema);
        }
        joined.sort_keys();
        joined
    }
}

/// Where a `$ref` points to.
#[derive(Clone, Copy)]
enum Reference<'a> {
    Input(&'a str),
    Output(&'a str),
}

/// The definition's name in a reference, where it is encoded: `#[serde(rename)]`
/// allows any text.
fn named<'t>(target: &'t str, prefix: &str) -> Option<Cow<'t, str>> {
    let name = percent_decode_str(target.strip_prefix(prefix)?).decode_utf8().ok()?;
    Some(if name.contains('~') { name.replace("~1", "/").replace("~0", "~").into() } else { name })
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
        found |= named(target, INPUT).is_some_and(|name| names.contains(&*name));
    });
    found
}

fn rename(value: &mut Value, name_of: &impl Fn(Reference<'_>) -> String) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref") {
                let name = match (named(target, INPUT), named(target, OUTPUT)) {
                    (Some(name), _) => Some(name_of(Reference::Input(&name))),
                    (_, Some(name)) => Some(name_of(Reference::Output(&name))),
                    _ => None,
                };
                if let Some(name) = name {
                    *target = format!("{SHARED}{name}");
                }
            }
            map.values_mut().for_each(|value| rename(value, name_of));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, name_of)),
        _ => {}
    }
}

/// Bounds instead of formats that only Rust knows.
fn tidy(value: &mut Value) {
    let Value::Object(map) = value else {
        if let Value::Array(values) = value {
            values.iter_mut().for_each(tidy);
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
        }
        let is_rusts = format.starts_with("int") || format.starts_with("uint");
        if is_rusts && !matches!(format.as_str(), "int32" | "int64") {
            map.remove("format");
        }
    }
    for (name, child) in map.iter_mut() {
        match name.as_str() {
            "properties" | "$defs" | "patternProperties" => {
                if let Value::Object(children) = child {
                    children.values_mut().for_each(tidy);
                }
            }
            "allOf"
            | "items"
            | "prefixItems"
            | "oneOf"
            | "anyOf"
            | "additionalProperties"
            | "not" => tidy(child),
            _ => {}
        }
    }
}
