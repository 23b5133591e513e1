//! Documents in OpenAPI 3.1: of this API, and of the handlers of each service.
//!
//! - Owns: their routes, and the pieces that both are made of.
//! - Does not own: what they say: [`super::document`] and [`service`].

mod service;

use axum::{http::header::CONTENT_TYPE, response::IntoResponse};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{
    document::DOCUMENT,
    route::{JSON, Route},
    services::{NO_SERVICE, SERVICE},
};

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/openapi", "get_openapi", document)
            .says("openapi", "Describes this API")
            .answer::<OpenApi>(200, "This document."),
        Route::get("/services/{service}/openapi", "get_service_openapi", service::document)
            .says("openapi", "Describes how to call the handlers of a service")
            .path("service", SERVICE)
            .answer::<OpenApi>(200, "The document.")
            .problem(404, NO_SERVICE),
    ]
}

/// `GET /openapi`.
async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, JSON)], DOCUMENT.as_str())
}

/// A document in OpenAPI 3.1.
struct OpenApi;

impl JsonSchema for OpenApi {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OpenApi".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A document in OpenAPI 3.1.",
            "type": "object",
            "required": ["openapi", "info", "paths"],
            "properties": {
                "openapi": {"type": "string", "pattern": "^3\\.1\\."},
                "info": {"type": "object"},
                "paths": {"type": "object"},
            },
            "additionalProperties": true,
        })
    }
}

/// Describes a parameter.
pub(super) fn parameter(
    place: &str,
    name: &str,
    required: bool,
    description: &str,
    schema: &Value,
) -> Value {
    json!({
        "in": place, "name": name, "required": required, "description": description,
        "schema": schema,
    })
}

/// Describes content of one type, of a shape if that is known.
pub(super) fn content(content_type: &str, schema: Option<&Value>) -> Value {
    let media = schema.map_or_else(|| json!({}), |schema| json!({"schema": schema}));
    json!({content_type: media})
}
