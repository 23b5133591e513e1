//! `GET /services/{service}/openapi`: how to call a service, as OpenAPI 3.1.
//!
//! - Owns: the shape of the document, and where declared schemas are put in it.
//! - Invariant: it names only what the ingress accepts: private handlers are left out. References
//!   within a declared schema still lead where they led.

use axum::{
    Json,
    extract::{Path, State},
};
use reveille_engine::schema::{HandlerKind, HandlerSchema, ServiceSchema};
use serde_json::{Map, Value, json};

use super::{
    super::{Admin, problem::Problem, route::JSON},
    content, parameter,
};
use crate::registry::HandlerView;

/// `GET /services/{service}/openapi`.
pub(super) async fn document(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let schema = admin.registry.schema().borrow().clone();
    let (Some(service), Some(view)) = (schema.services.get(&name), admin.registry.service(&name))
    else {
        let message = format!("The requested service '{name}' does not exist");
        return Err(Problem::not_found(message));
    };
    let (mut paths, mut schemas) = (Map::new(), own_schemas());
    for handler in view.handlers.iter().filter(|handler| handler.public) {
        let Some(options) = service.handlers.get(&handler.name) else { continue };
        let declared = Declared {
            input: hoist(&mut schemas, handler, "input", handler.input_json_schema.as_ref()),
            output: hoist(&mut schemas, handler, "output", handler.output_json_schema.as_ref()),
        };
        let key = if service.kind.keyed() { "/{key}" } else { "" };
        for verb in ["call", "send"] {
            let path = format!("/restate/{verb}/{name}{key}/{}", handler.name);
            paths.insert(
                path,
                json!({"post": operation(service, handler, options, verb, &declared)}),
            );
        }
    }
    Ok(Json(json!({
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": service.revision.to_string(),
            "description": view.documentation.unwrap_or_default(),
        },
        "servers": [{"url": admin.ingress_endpoint.trim_end_matches('/')}],
        "paths": paths,
        "components": {"schemas": schemas},
    })))
}

/// References to the schemas that a handler declares.
struct Declared {
    input: Option<Value>,
    output: Option<Value>,
}

fn operation(
    service: &ServiceSchema,
    handler: &HandlerView,
    schema: &HandlerSchema,
    verb: &str,
    declared: &Declared,
) -> Value {
    let text = json!({"type": "string"});
    let mut parameters = Vec::new();
    if service.kind.keyed() {
        let about = "Key of the object or workflow, percent-encoded.";
        parameters.push(parameter("path", "key", true, about, &text));
    }
    if verb == "send" {
        let about = "When to start, such as `10s` or `PT10S` from now.";
        parameters.push(parameter("query", "delay", false, about, &text));
    }
    if schema.kind != HandlerKind::Workflow {
        let about = "Calls with the same key are one.";
        parameters.push(parameter("header", "idempotency-key", false, about, &text));
    }
    let mut operation = json!({
        "operationId": format!("{verb}_{}", handler.name),
        "summary": format!("{verb} {}/{}", service.name, handler.name),
        "description": handler.documentation.clone().unwrap_or_default(),
        "parameters": parameters,
        "responses": responses(schema, verb, declared),
    });
    if let Some(content_type) = &schema.input.content_type {
        let content = content(content_type, declared.input.as_ref());
        let body = json!({"required": schema.input.required, "content": content});
        operation["requestBody"] = body;
    }
    operation
}

fn responses(schema: &HandlerSchema, verb: &str, declared: &Declared) -> Value {
    let error = json!({"$ref": "#/components/schemas/Error"});
    let error = json!({
        "description": "What went wrong, of the ingress or of the invocation.",
        "content": content(JSON, Some(&error)),
    });
    if verb == "send" {
        let accepted = json!({"$ref": "#/components/schemas/Accepted"});
        let accepted = json!({
            "description": "The invocation is durable.",
            "content": content(JSON, Some(&accepted)),
        });
        return json!({"202": accepted, "default": error});
    }
    let mut result = json!({"description": "The result of the handler."});
    if let Some(content_type) = &schema.output.content_type {
        result["content"] = content(content_type, declared.output.as_ref());
    }
    json!({"200": result, "default": error})
}

/// Puts a declared schema among those of the document, and returns a reference to it.
fn hoist(
    schemas: &mut Map<String, Value>,
    handler: &HandlerView,
    part: &str,
    declared: Option<&Value>,
) -> Option<Value> {
    let name = format!("{}.{part}", handler.name);
    let place = format!("#/components/schemas/{name}");
    let mut schema = declared?.clone();
    // With an id of its own it is a document of its own.
    if schema.get("$id").is_none() {
        move_references(&mut schema, &place, false);
    }
    schemas.insert(name, schema);
    Some(json!({"$ref": place}))
}

/// Lets references to the root of a schema lead to the place that it was put at. In `named`, keys are
/// names that the schema gives, not keywords.
fn move_references(schema: &mut Value, place: &str, named: bool) {
    match schema {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| move_references(item, place, false));
        }
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), &mut *value) {
                    ("$ref" | "$dynamicRef", Value::String(target)) if !named => {
                        if let Some(pointer) = target.strip_prefix('#')
                            && (pointer.is_empty() || pointer.starts_with('/'))
                        {
                            *target = format!("{place}{pointer}");
                        }
                    }
                    // These hold values, not schemas.
                    ("const" | "enum" | "default" | "examples", _) if !named => {}
                    ("properties" | "patternProperties" | "$defs" | "definitions", _) if !named => {
                        move_references(value, place, true);
                    }
                    _ => move_references(value, place, false),
                }
            }
        }
        _ => {}
    }
}

fn own_schemas() -> Map<String, Value> {
    let schemas = json!({
        "Error": {
            "type": "object",
            "required": ["code", "message", "source"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
                "stacktrace": {"type": "string"},
                "source": {"type": "string", "enum": ["ingress", "invocation"]},
            },
        },
        "Accepted": {
            "type": "object",
            "required": ["invocationId", "status"],
            "properties": {
                "invocationId": {"type": "string"},
                "executionTime": {"type": "string", "format": "date-time"},
                "status": {"type": "string", "enum": ["Accepted", "PreviouslyAccepted"]},
            },
        },
    });
    schemas.as_object().cloned().unwrap_or_default()
}
