//! The admin API as OpenAPI 3.1, made of the table of routes.
//!
//! - Owns: the shape of the document, what holds for every route: tokens, versions in front of paths.
//! - Does not own: what is said of each route ([`super::route`]).
//! - Invariant: equal binaries make equal documents, byte for byte: `docs/admin-openapi.json`.

use std::{collections::BTreeMap, sync::LazyLock};

use schemars::{
    Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value, json};

use super::{
    openapi::{content, parameter},
    problem,
    route::{Answer, Body, JSON, Route},
};

/// The document as it is served.
pub(super) static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| format!("{:#}\n", document(&super::table())));

const ABOUT: &str = "Operates a Reveille server: deployments, services, invocations, waits, state, \
    rules, queries. Every path also exists without a version and under `/v2` and `/v3`, with the same \
    meaning. A wrong method is answered with 405 and an unknown path with 404, both without a body.";

const TOKEN: &str = "Asked for when the server has `admin.tokens`, by every route but `/health`; \
    without them every request is served, and this header ignored.";

/// Makes the document.
pub(super) fn document(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut tags: Vec<&str> = Vec::new();
    for route in routes {
        if !tags.contains(&route.tag) {
            tags.push(route.tag);
        }
        let method = route.method.as_str().to_ascii_lowercase();
        paths.entry(route.path).or_default().insert(method, operation(route, &mut schemas));
    }
    let problem = schemas.answers.subschema_for::<problem::Body>();
    let refusal = |description: &str| json!({"description": description, "content": content(JSON, Some(problem.as_value()))});
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Reveille admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/v4", "description": "The newest version, on the server of this document."}],
        "security": [{"token": []}, {}],
        "tags": tags.iter().map(|tag| json!({"name": tag})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "responses": {
                "Unauthorized": refusal("The server asks for a token, and got none or a wrong one."),
                "Misdirected": refusal(
                    "The server is bound to its own machine, has no tokens, and was asked for by a \
                     name that a web page could have."
                ),
            },
            "schemas": schemas.into_components(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": TOKEN},
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let mut operation = json!({
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary,
        "responses": responses(route, schemas),
    });
    let parameters = parameters(route, schemas);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    match &route.body {
        None => {}
        Some(Body::Json(make)) => {
            let schema = make(&mut schemas.requests);
            let content = content(JSON, Some(schema.as_value()));
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        Some(Body::Bytes(meaning)) => {
            let content = json!({"*/*": {}});
            operation["requestBody"] = json!({"description": meaning, "content": content});
        }
    }
    if route.open {
        operation["security"] = json!([]);
    }
    operation
}

fn parameters(route: &Route, schemas: &mut Schemas) -> Vec<Value> {
    let text = json!({"type": "string"});
    let path = route.path_parameters.iter();
    let path = path.map(|(name, meaning)| parameter("path", name, true, meaning, &text));
    let mut parameters: Vec<Value> = path.collect();
    if let Some(make) = route.query {
        let mut query = make(&mut schemas.requests);
        // A parameter is absent, never null.
        NeverNull.transform(&mut query);
        let required = query.get("required").and_then(Value::as_array).cloned();
        let required = required.unwrap_or_default();
        for (name, schema) in
            query.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let mut schema = schema.clone();
            let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let about = about.as_ref().and_then(Value::as_str).unwrap_or_default();
            let required = required.iter().any(|required| required == name);
            parameters.push(parameter("query", name, required, about, &schema));
        }
    }
    let headers = route.headers.iter();
    let headers = headers.map(|(name, meaning)| parameter("header", name, false, meaning, &text));
    parameters.extend(headers);
    parameters
}

fn responses(route: &Route, schemas: &mut Schemas) -> Value {
    let mut statuses: BTreeMap<u16, Vec<&Answer>> = BTreeMap::new();
    for answer in &route.answers {
        statuses.entry(answer.status).or_default().push(answer);
    }
    let mut responses = Map::new();
    for (status, answers) in statuses {
        responses.insert(status.to_string(), response(&answers, schemas));
    }
    if !route.open {
        responses.insert("401".to_owned(), json!({"$ref": "#/components/responses/Unauthorized"}));
        responses.insert("421".to_owned(), json!({"$ref": "#/components/responses/Misdirected"}));
    }
    responses.into()
}

/// Tells what is answered with one status.
fn response(answers: &[&Answer], schemas: &mut Schemas) -> Value {
    let descriptions: Vec<&str> = answers.iter().map(|answer| answer.description).collect();
    let mut response = json!({"description": descriptions.join(" ")});
    let mut shapes: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (content_type, make) in answers.iter().filter_map(|answer| answer.content) {
        let known = shapes.entry(content_type).or_default();
        let shape = make.map(|make| make(&mut schemas.answers).to_value());
        known.extend(shape.filter(|shape| !known.contains(shape)));
    }
    if shapes.is_empty() {
        return response;
    }
    let content = shapes.into_iter().map(|(content_type, mut shapes)| {
        let media = match shapes.len() {
            0 => json!({}),
            1 => json!({"schema": shapes.remove(0)}),
            _ => json!({"schema": {"anyOf": shapes}}),
        };
        (content_type.to_owned(), media)
    });
    response["content"] = content.collect::<Map<_, _>>().into();
    response
}

/// The schemas that the document points at, of what clients send and of what they get.
struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Schemas {
        let settings = || {
            SchemaSettings::draft2020_12()
                .with(|settings| settings.definitions_path = "/components/schemas".into())
        };
        // In an answer a member that may be absent is never null: one that may be null is there.
        let answers = settings().for_serialize().with_transform(NeverNull);
        Schemas {
            requests: settings().for_deserialize().into_generator(),
            answers: answers.into_generator(),
        }
    }

    fn into_components(mut self) -> Map<String, Value> {
        let mut components = self.requests.take_definitions(true);
        for (name, schema) in self.answers.take_definitions(true) {
            let other = components.insert(name.clone(), schema.clone());
            // Seen by the test of the document, which has no other input than the table.
            assert!(
                other.is_none_or(|other| other == schema),
                "`{name}` differs between requests and answers: give one another name, or inline it"
            );
        }
        components
    }
}

/// Takes null away from the members of objects that need not be there.
#[derive(Clone)]
struct NeverNull;

impl Transform for NeverNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let required = schema.get("required").and_then(Value::as_array).cloned();
        let required = required.unwrap_or_default();
        let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
        for (name, property) in properties {
            if !required.iter().any(|required| required == name) {
                without_null(property);
            }
        }
    }
}

fn without_null(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    schema.retain(|keyword, value| keyword != "default" || !value.is_null());
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(either)) = schema.get_mut("anyOf") {
        either.retain(|one| one != &json!({"type": "null"}));
    }
}
