//! Manifests with the fields that the SDKs fill in, and without those that they leave out.

use serde_json::{Value, json};

/// Handlers of the service, and whether they take an input.
const HANDLERS: [(&str, bool); 6] = [
    ("answer", true),
    ("call", true),
    ("delegate", true),
    ("refuse", true),
    ("stumble", true),
    ("wait", true),
];

/// Handlers of the object: name, type, whether they take an input.
const OBJECT_HANDLERS: [(&str, &str, bool); 2] =
    [("bump", "EXCLUSIVE", true), ("read", "SHARED", false)];

/// Jackson leaves out what is null, and writes metadata even when there is none. A service handler
/// has no type; a handler without an input says so with an empty object.
pub fn java(mode: &str, version_max: u32) -> Value {
    let handler = |name: &str, ty: Option<&str>, has_input: bool| {
        let input = match has_input {
            true => json!({"required": true, "contentType": "application/json",
                "jsonSchema": {"type": "string"}}),
            false => json!({}),
        };
        let output = json!({"contentType": "application/json", "setContentTypeIfEmpty": false,
            "jsonSchema": {"$schema": "https://json-schema.org/draft/2020-12/schema"}});
        let mut handler = json!({"name": name, "input": input, "output": output, "metadata": {}});
        if let Some(ty) = ty {
            handler["ty"] = json!(ty);
        }
        handler
    };
    let service = |name: &str, ty: &str, handlers: Vec<Value>| json!({"name": name, "ty": ty, "handlers": handlers, "metadata": {}});
    manifest(mode, version_max, handler, service)
}

/// Go writes empty documentation, since it points to an empty string, and `required` always.
pub fn go(mode: &str, version_max: u32) -> Value {
    let handler = |name: &str, ty: Option<&str>, has_input: bool| {
        let input = match has_input {
            true => json!({"required": true, "contentType": "application/json"}),
            false => json!({"required": false}),
        };
        let output = json!({"contentType": "application/json", "setContentTypeIfEmpty": false});
        let mut handler =
            json!({"documentation": "", "name": name, "input": input, "output": output});
        if let Some(ty) = ty {
            handler["ty"] = json!(ty);
        }
        handler
    };
    let service = |name: &str, ty: &str, handlers: Vec<Value>| json!({"documentation": "", "handlers": handlers, "name": name, "ty": ty});
    manifest(mode, version_max, handler, service)
}

fn manifest(
    mode: &str,
    version_max: u32,
    handler: impl Fn(&str, Option<&str>, bool) -> Value,
    service: impl Fn(&str, &str, Vec<Value>) -> Value,
) -> Value {
    let handlers = HANDLERS.map(|(name, has_input)| handler(name, None, has_input));
    let object = OBJECT_HANDLERS.map(|(name, ty, has_input)| handler(name, Some(ty), has_input));
    json!({
        "protocolMode": mode,
        "minProtocolVersion": 5,
        "maxProtocolVersion": version_max,
        "services": [
            service("imitatedObject", "VIRTUAL_OBJECT", object.to_vec()),
            service("imitation", "SERVICE", handlers.to_vec()),
        ],
    })
}
