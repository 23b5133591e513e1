//! `GET /services/{service}/openapi`: how to call a service, as OpenAPI 3.1.
//!
//! - Owns: the shape of the document.
//! - Invariant: it names only what the ingress accepts: private handlers are left out.

use axum::{
    Json,
    extract::{Path, State},
};
use reveille_engine::schema::{HandlerKind, HandlerSchema, ServiceSchema};
use serde_json::{Map, Value, json};

use super::{Admin, problem::Problem};
use crate::registry::HandlerView;

/// `GET /services/{service}/openapi`.
pub(super) async fn service(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let schema = admin.registry.schema().borrow().clone();
    let (Some(service), Some(view)) = (schema.services.get(&name), admin.registry.service(&name))
    else {
        let message = format!("The requested service '{name}' does not exist");
        return Err(Problem::not_found(message));
    };
    let mut paths = Map::new();
    for handler in view.handlers.iter().filter(|handler| handler.public) {
        let Some(options) = service.handlers.get(&handler.name) else { continue };
        let key = if service.kind.keyed() { "/{key}" } else { "" };
        for verb in ["call", "send"] {
            let path = format!("/restate/{verb}/{name}{key}/{}", handler.name);
            paths.insert(path, json!({"post": operation(service, handler, options, verb)}));
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
        "components": components(),
    })))
}

fn operation(
    service: &ServiceSchema,
    handler: &HandlerView,
    schema: &HandlerSchema,
    verb: &str,
) -> Value {
    let mut parameters = Vec::new();
    if service.kind.keyed() {
        let about = "Key of the object or workflow, percent-encoded.";
        parameters.push(parameter("path", "key", true, about));
    }
    if verb == "send" {
        let about = "When to start, such as `10s` or `PT10S` from now.";
        parameters.push(parameter("query", "delay", false, about));
    }
    if schema.kind != HandlerKind::Workflow {
        let about = "Calls with the same key are one.";
        parameters.push(parameter("header", "idempotency-key", false, about));
    }
    let mut operation = json!({
        "operationId": format!("{verb}_{}", handler.name),
        "summary": format!("{verb} {}/{}", service.name, handler.name),
        "description": handler.documentation.clone().unwrap_or_default(),
        "parameters": parameters,
        "responses": responses(handler, schema, verb),
    });
    if let Some(content_type) = &schema.input.content_type {
        let content = json!({content_type: media(handler.input_json_schema.as_ref())});
        let body = json!({"required": schema.input.required, "content": content});
        operation["requestBody"] = body;
    }
    operation
}

fn parameter(place: &str, name: &str, required: bool, description: &str) -> Value {
    json!({
        "in": place, "name": name, "required": required, "description": description,
        "schema": {"type": "string"},
    })
}

fn responses(handler: &HandlerView, schema: &HandlerSchema, verb: &str) -> Value {
    let error = json!({
        "description": "What went wrong, of the ingress or of the invocation.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    });
    if verb == "send" {
        let accepted = json!({"$ref": "#/components/schemas/Accepted"});
        let accepted = json!({
            "description": "The invocation is durable.",
            "content": {"application/json": {"schema": accepted}},
        });
        return json!({"202": accepted, "default": error});
    }
    let mut result = json!({"description": "The result of the handler."});
    if let Some(content_type) = &schema.output.content_type {
        result["content"] = json!({content_type: media(handler.output_json_schema.as_ref())});
    }
    json!({"200": result, "default": error})
}

fn media(schema: Option<&Value>) -> Value {
    schema.map_or_else(|| json!({}), |schema| json!({"schema": schema}))
}

fn components() -> Value {
    json!({"schemas": {
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
    }})
}
