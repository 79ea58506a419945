//! Inputs refuse unknown fields, as the run time does; the document says so.
//!
//! JSON Schema closes an object with `additionalProperties: false`, which sees
//! the properties beside it only. Where an object is composed of several
//! schemas, `unevaluatedProperties: false` closes the whole, and the parts stay
//! open.

use serde_json::{Map, Value, json};

use super::named;

/// The definitions that a schema may refer to, by name.
pub(super) struct Definitions<'d> {
    pub(super) prefix: &'static str,
    pub(super) all: &'d Map<String, Value>,
    /// Whether objects are closed; replies stay open.
    pub(super) closes: bool,
}

impl Definitions<'_> {
    fn of(&self, reference: &Value) -> Option<&Value> {
        self.all.get(&*named(reference.as_str()?, self.prefix)?)
    }

    /// A schema that stands for a whole value.
    pub(super) fn whole(&self, schema: &mut Value) {
        let Some(map) = schema.as_object_mut() else { return };
        let is_composed = map.contains_key("allOf")
            || (map.contains_key("properties")
                && ["$ref", "oneOf", "anyOf"].iter().any(|key| map.contains_key(*key)));
        if is_composed {
            self.join_parts(map, 0);
            let still = ["allOf", "oneOf", "anyOf"].iter().any(|key| map.contains_key(*key));
            if is_object(map, self) {
                self.close(
                    map,
                    if still { "unevaluatedProperties" } else { "additionalProperties" },
                );
            }
        } else {
            for key in ["oneOf", "anyOf"] {
                let options = map.get_mut(key).and_then(Value::as_array_mut);
                options.into_iter().flatten().for_each(|option| self.whole(option));
            }
            if map.contains_key("properties") {
                self.close(map, "additionalProperties");
            }
        }
        self.inside(map);
    }

    fn close(&self, map: &mut Map<String, Value>, keyword: &str) {
        let is_said =
            map.contains_key("additionalProperties") || map.contains_key("unevaluatedProperties");
        if self.closes && !is_said {
            map.insert(keyword.to_owned(), Value::Bool(false));
        } else if keyword == "unevaluatedProperties"
            && map.get("additionalProperties") == Some(&Value::Bool(false))
        {
            // It would not see the properties of the parts.
            map.remove("additionalProperties");
            map.insert(keyword.to_owned(), Value::Bool(false));
        }
    }

    /// The values inside of an object or a list are wholes again.
    fn inside(&self, map: &mut Map<String, Value>) {
        for key in ["properties", "patternProperties"] {
            if let Some(Value::Object(children)) = map.get_mut(key) {
                children.values_mut().for_each(|child| self.whole(child));
            }
        }
        for key in ["items", "additionalProperties"] {
            if let Some(child) = map.get_mut(key) {
                self.whole(child);
            }
        }
        if let Some(Value::Array(children)) = map.get_mut("prefixItems") {
            children.iter_mut().for_each(|child| self.whole(child));
        }
    }

    /// Opens the parts of a composed object. Parts that are referred to are
    /// copied, since the definition itself is closed; plain ones become part of
    /// the object.
    fn join_parts(&self, map: &mut Map<String, Value>, depth: usize) {
        // Types that are part of themselves have no finite value.
        const DEPTH_MAX: usize = 16;
        if depth > DEPTH_MAX {
            return;
        }
        if let Some(part) = map.get("$ref").and_then(|target| self.of(target)).cloned() {
            map.remove("$ref");
            self.absorb(map, part, depth);
        }
        if let Some(Value::Array(parts)) = map.remove("allOf") {
            for part in parts {
                self.absorb(map, part, depth);
            }
        }
        for key in ["oneOf", "anyOf"] {
            let options = map.get_mut(key).and_then(Value::as_array_mut);
            for option in options.into_iter().flatten() {
                if let Some(option) = option.as_object_mut() {
                    self.join_parts(option, depth + 1);
                    open(option);
                    self.inside(option);
                }
            }
        }
    }

    fn absorb(&self, map: &mut Map<String, Value>, part: Value, depth: usize) {
        let Value::Object(mut part) = part else { return };
        self.join_parts(&mut part, depth + 1);
        open(&mut part);
        let clashes = part.iter().any(|(key, value)| match key.as_str() {
            "properties" | "required" | "title" | "description" | "examples" => false,
            _ => map.get(key).is_some_and(|known| known != value),
        });
        if clashes {
            self.inside(&mut part);
            if let Some(parts) = map.entry("allOf").or_insert(json!([])).as_array_mut() {
                parts.push(Value::Object(part));
            }
            return;
        }
        for (key, value) in part {
            match (key.as_str(), map.get_mut(&key), value) {
                ("properties", Some(Value::Object(known)), Value::Object(more)) => {
                    for (name, property) in more {
                        known.entry(name).or_insert(property);
                    }
                }
                ("required", Some(Value::Array(known)), Value::Array(more)) => {
                    for name in more {
                        if !known.contains(&name) {
                            known.push(name);
                        }
                    }
                }
                (_, Some(_), _) => {}
                (_, None, value) => {
                    map.insert(key, value);
                }
            }
        }
    }
}

/// Whether a composed schema describes an object.
fn is_object(map: &Map<String, Value>, definitions: &Definitions<'_>) -> bool {
    let has = |key: &str, test: fn(&Map<String, Value>, &Definitions<'_>) -> bool| {
        map.get(key).and_then(Value::as_array).is_some_and(|parts| {
            parts.iter().filter_map(Value::as_object).any(|part| test(part, definitions))
        })
    };
    map.contains_key("properties")
        || map.get("type").is_some_and(|kind| kind == "object")
        || map
            .get("$ref")
            .and_then(|target| definitions.of(target)?.as_object())
            .is_some_and(|part| part.contains_key("properties"))
        || ["allOf", "oneOf", "anyOf"].iter().any(|key| has(key, is_object))
}

fn open(map: &mut Map<String, Value>) {
    for key in ["additionalProperties", "unevaluatedProperties"] {
        if map.get(key) == Some(&Value::Bool(false)) {
            map.remove(key);
        }
    }
}
