//! AsyncAPI 3.0, from the same metadata as OpenAPI.

use serde_json::{Map, Value, json};

use super::Contract;

/// A gateway as the document shows it. What it takes and sends are operations of the
/// contract: its handshake by GET at `path`, events by POST at `path#event`, what it sends
/// by GET at `path#>event`.
#[derive(Debug, Clone)]
pub struct Channel {
    /// As mounted, in axum syntax.
    pub path: String,
    /// Names of the events that clients send; empty for a raw gateway's messages.
    pub receives: Vec<&'static str>,
    /// Names of the events that it sends.
    pub sends: Vec<&'static str>,
}

impl Channel {
    /// The path of what clients send, in the contract.
    #[must_use]
    pub fn receive_path(&self, event: &str) -> String {
        format!("{}#{event}", self.path)
    }

    /// The path of what the gateway sends, in the contract.
    #[must_use]
    pub fn send_path(&self, event: &str) -> String {
        format!("{}#>{event}", self.path)
    }

    /// `live-site` for `/live/{site}`: an id needs no escapes in a reference.
    fn id(&self) -> String {
        let words = self.path.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        if words.is_empty() { "root".to_owned() } else { words.join("-") }
    }
}

impl Contract {
    /// The AsyncAPI 3.0 document of gateways whose operations have been added.
    #[must_use]
    pub fn to_asyncapi(&self, channels: &[Channel]) -> Value {
        let openapi = self.to_openapi();
        let mut document = Document { openapi: &openapi, ..Document::default() };
        for channel in channels {
            document.add(channel);
        }
        let mut components = json!({
            "messages": document.messages,
            "schemas": openapi["components"]["schemas"],
        });
        let schemes = openapi["components"]["securitySchemes"].as_object();
        if let Some(schemes) = schemes.filter(|schemes| !schemes.is_empty()) {
            components["securitySchemes"] = schemes
                .iter()
                .map(|(name, scheme)| {
                    let mut scheme = scheme.clone();
                    if scheme["type"] == "apiKey" {
                        scheme["type"] = json!("httpApiKey");
                    }
                    (name.clone(), scheme)
                })
                .collect::<Map<_, _>>()
                .into();
        }
        let mut info = openapi["info"].clone();
        if let Some(license) = info.get_mut("license").and_then(Value::as_object_mut) {
            // Only OpenAPI has it.
            license.remove("identifier");
        }
        json!({
            "asyncapi": "3.0.0",
            "info": info,
            "defaultContentType": "application/json",
            "channels": document.channels,
            "operations": document.operations,
            "components": components,
        })
    }
}

struct Document<'d> {
    openapi: &'d Value,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
}

impl Default for Document<'_> {
    fn default() -> Self {
        Self {
            openapi: &Value::Null,
            channels: Map::new(),
            operations: Map::new(),
            messages: Map::new(),
        }
    }
}

impl Document<'_> {
    fn add(&mut self, channel: &Channel) {
        let id = channel.id();
        let handshake = &self.openapi["paths"][&channel.path]["get"];
        let mut value = json!({ "address": channel.path, "messages": {} });
        for (key, from) in [("title", "summary"), ("description", "description")] {
            if let Some(text) = handshake.get(from) {
                value[key] = text.clone();
            }
        }
        let (mut query, mut headers) = (Map::new(), Map::new());
        for parameter in handshake["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            match parameter["in"].as_str() {
                Some("path") => {
                    value["parameters"][name] =
                        json!({ "description": "A segment of the address, percent-encoded." });
                }
                Some("query") => drop(query.insert(name.to_owned(), parameter["schema"].clone())),
                Some("header") => {
                    headers.insert(name.to_owned(), parameter["schema"].clone());
                }
                _ => {}
            }
        }
        let mut binding = json!({ "method": "GET", "bindingVersion": "0.1.0" });
        for (key, properties) in [("query", query), ("headers", headers)] {
            if !properties.is_empty() {
                binding[key] = json!({ "type": "object", "properties": properties });
            }
        }
        value["bindings"] = json!({ "ws": binding });
        self.channels.insert(id.clone(), value);
        for event in &channel.receives {
            self.receive(channel, &id, event);
        }
        for event in &channel.sends {
            let sent = &self.openapi["paths"][channel.send_path(event)]["get"];
            let data = self.content(&sent["responses"]["200"], "application/json");
            let message = json!({
                "name": event,
                "payload": envelope(event, data, false),
            });
            self.message(&id, event, message);
            self.operation(&id, event, "send", sent, None);
        }
    }

    fn receive(&mut self, channel: &Channel, id: &str, event: &str) {
        let operation = &self.openapi["paths"][channel.receive_path(event)]["post"];
        if event.is_empty() {
            let message = json!({ "name": "message", "contentType": "application/octet-stream", "payload": {} });
            self.message(id, "message", message);
            self.operation(id, "message", "receive", operation, None);
            return;
        }
        let content = &operation["requestBody"]["content"]["application/json"];
        let data = content.get("schema").cloned();
        self.message(id, event, json!({ "name": event, "payload": envelope(event, data, true) }));
        let responses = operation["responses"].as_object();
        let (mut replies, mut problems) = (vec![], vec![]);
        for (status, response) in responses.into_iter().flatten() {
            let is_problem = status.starts_with(['4', '5']);
            let media_type =
                if is_problem { "application/problem+json" } else { "application/json" };
            let schema = self.content(response, media_type);
            let all = if is_problem { &mut problems } else { &mut replies };
            let schema = schema.unwrap_or(json!({ "type": "null" }));
            if !all.contains(&schema) {
                all.push(schema);
            }
        }
        let reply = format!("{event}.reply");
        let answered = json!({
            "name": reply,
            "title": "The answer to a message with an `id`",
            "payload": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": { "type": ["string", "number"] },
                    "data": any_of(replies),
                    "error": any_of(problems),
                },
                "oneOf": [{ "required": ["data"] }, { "required": ["error"] }],
                "additionalProperties": false,
            },
        });
        self.message(id, &reply, answered);
        self.operation(id, event, "receive", operation, Some(&reply));
    }

    fn operation(
        &mut self,
        id: &str,
        event: &str,
        action: &str,
        from: &Value,
        reply: Option<&str>,
    ) {
        let channel = json!({ "$ref": format!("#/channels/{id}") });
        let message = |name: &str| json!({ "$ref": format!("#/channels/{id}/messages/{name}") });
        let mut operation = json!({
            "action": action,
            "channel": channel,
            "messages": [message(event)],
        });
        for key in ["summary", "description"] {
            if let Some(text) = from.get(key) {
                operation[key] = text.clone();
            }
        }
        let tags = from["tags"].as_array().into_iter().flatten();
        let tags: Vec<_> = tags.map(|name| json!({ "name": name })).collect();
        if !tags.is_empty() {
            operation["tags"] = json!(tags);
        }
        for (key, value) in from.as_object().into_iter().flatten() {
            if key.starts_with("x-") {
                operation[key] = value.clone();
            }
        }
        let schemes = from["security"].as_array().into_iter().flatten();
        let schemes = schemes.filter_map(Value::as_object).flat_map(Map::keys);
        let schemes: Vec<_> = schemes
            .map(|name| json!({ "$ref": format!("#/components/securitySchemes/{name}") }))
            .collect();
        if !schemes.is_empty() {
            operation["security"] = json!(schemes);
        }
        if let Some(reply) = reply {
            operation["reply"] = json!({ "channel": channel, "messages": [message(reply)] });
        }
        self.operations.insert(format!("{id}.{event}"), operation);
    }

    fn message(&mut self, id: &str, name: &str, message: Value) {
        let whole = format!("{id}.{name}");
        self.channels[id]["messages"][name] =
            json!({ "$ref": format!("#/components/messages/{whole}") });
        self.messages.insert(whole, message);
    }

    /// The schema of a response, which may be described elsewhere.
    fn content(&self, response: &Value, media_type: &str) -> Option<Value> {
        let response = match response["$ref"].as_str() {
            Some(pointer) => self.openapi.pointer(pointer.trim_start_matches('#'))?,
            None => response,
        };
        response["content"][media_type].get("schema").cloned()
    }
}

/// `{"event": .., "data": ..}`.
fn envelope(event: &str, data: Option<Value>, takes_id: bool) -> Value {
    let is_needed = data.is_some();
    let mut envelope = json!({
        "type": "object",
        "required": if is_needed { json!(["event", "data"]) } else { json!(["event"]) },
        "properties": {
            "event": { "const": event },
            "data": data.unwrap_or(json!({ "type": "null" })),
        },
    });
    if takes_id {
        envelope["properties"]["id"] = id_schema();
    }
    envelope
}

fn id_schema() -> Value {
    json!({
        "description": "Asks for an answer, which has the same id.",
        "type": ["string", "number"],
    })
}

fn any_of(mut schemas: Vec<Value>) -> Value {
    match schemas.len() {
        0 => json!({ "type": "null" }),
        1 => schemas.remove(0),
        _ => json!({ "anyOf": schemas }),
    }
}
