//! The document of the API against the API: every operation is performed, and what is answered has the
//! shape that the document gives for that status.

mod cases;

use std::collections::BTreeMap;

use expect_test::expect_file;
use jsonschema::Validator;
use reveille_engine::effect::Reply;
use serde_json::{Value, json};

use super::{super::document::DOCUMENT, AdminAccess, Answer, Bench};
use crate::access::{Tokens, hash, token};

const JSON: &str = "application/json";

/// A request to perform: operation, path, body, reply of the partitions, status.
type Case = (&'static str, String, Value, Option<Reply>, u16);

#[test]
fn the_document_is_the_one_in_docs() {
    expect_file!["../../../../../docs/admin-openapi.json"].assert_eq(&DOCUMENT);
}

#[test]
fn rows_are_whole() {
    let mut operations = Vec::new();
    for route in super::super::table() {
        let name = route.operation;
        let parts =
            route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let described: Vec<&str> = route.path_parameters.iter().map(|(name, _)| *name).collect();
        assert_eq!(parts.collect::<Vec<_>>(), described, "{name}: parts of the path");
        assert!(!route.tag.is_empty() && !route.summary.is_empty(), "{name} says nothing");
        assert!(route.answers.iter().any(|answer| answer.status < 300), "{name} never succeeds");
        assert!(!operations.contains(&name), "two operations are called {name}");
        operations.push(name);
    }
}

#[tokio::test]
async fn every_operation_answers_what_the_document_says() {
    let secret = token(&[1; 32]);
    let tokens = Tokens::parse(&hash(&secret)).expect("a hash");
    let bench = Bench::start_with(AdminAccess { tokens, loopback: true }).await;
    let authorization = format!("Bearer {secret}");
    let document: Value = serde_json::from_str(&DOCUMENT).expect("the document is JSON");
    let operations = operations(&document);
    let mut succeeded = Vec::new();
    serve(&bench);
    let (mut deployment, mut subscription) = (String::new(), String::new());
    for (operation, path, body, reply, status) in cases::all() {
        let (method, template, described) = &operations[operation];
        if let Some(reply) = reply {
            bench.partitions.reply(Ok(reply));
        }
        let path = path.replace("dp_x", &deployment).replace("sub_x", &subscription);
        let what = format!("{operation} {method} {path} {body}");
        let bytes = described["requestBody"]["content"].get("*/*").is_some();
        let (body, content_type) = match body {
            Value::Null => (String::new(), ""),
            Value::String(text) if bytes => (text, ""),
            Value::String(text) => (text, JSON),
            body => {
                if status < 300 {
                    let schema = &described["requestBody"]["content"][JSON]["schema"];
                    check(&document, schema, &body, &format!("request of {what}"));
                }
                (body.to_string(), JSON)
            }
        };
        let headers =
            [("authorization", &*authorization), ("content-type", content_type), ("accept", JSON)];
        let answer = bench.send_with(method, &path, &headers, &body).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        conforms(&document, described, &answer, &what);
        if status < 300 {
            succeeded.push(operation);
        }
        if operation == "create_deployment" && status == 201 {
            deployment = answer.json()["id"].as_str().expect("it has an id").to_owned();
        }
        if operation == "create_subscription" && status == 201 {
            subscription = answer.json()["id"].as_str().expect("it has an id").to_owned();
        }
        if described["security"] != json!([]) {
            let refused = bench.send_with(method, &path, &headers[1..], &body).await;
            assert_eq!(refused.status, 401, "{template} without a token: {refused:?}");
            conforms(&document, described, &refused, &what);
        }
    }
    // Without Kafka there are answers of refusal only.
    let performed = operations.iter().filter(|(_, (.., described))| {
        cfg!(feature = "kafka") || described["tags"] != json!(["kafka"])
    });
    for (operation, _) in performed {
        assert!(succeeded.contains(&operation.as_str()), "{operation} was not performed");
    }
}

/// Method, path and description of every operation, by name.
fn operations(document: &Value) -> BTreeMap<String, (String, String, Value)> {
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("there are paths") {
        for (method, operation) in methods.as_object().expect("there are methods") {
            let name = operation["operationId"].as_str().expect("it has a name").to_owned();
            let operation = (method.to_ascii_uppercase(), path.clone(), operation.clone());
            operations.insert(name, operation);
        }
    }
    operations
}

/// Checks an answer against what is said of its operation.
fn conforms(document: &Value, operation: &Value, answer: &Answer, what: &str) {
    let mut response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{what}: status {} is not described", answer.status);
    if let Some(target) = response.get("$ref").and_then(Value::as_str) {
        response = document.pointer(&target[1..]).expect("references lead somewhere");
    }
    let content_type = answer.header("content-type");
    let Some(content) = response.get("content").and_then(Value::as_object) else {
        assert_eq!((content_type, &*answer.body), ("", ""), "{what}: a body that is not described");
        return;
    };
    let essence = content_type.split(';').next().unwrap_or_default();
    let media = content.get(content_type).or_else(|| content.get(essence));
    let media = media.unwrap_or_else(|| panic!("{what}: no {content_type:?} for {answer:?}"));
    if essence == JSON {
        check(document, &media["schema"], &answer.json(), what);
    } else {
        assert!(!answer.body.is_empty(), "{what}: {answer:?}");
    }
}

/// Checks a value against a schema, in which what is not named is not allowed.
fn check(document: &Value, schema: &Value, value: &Value, what: &str) {
    assert!(schema.is_object(), "{what}: no schema");
    let mut components = document["components"].clone();
    close(&mut components);
    let root = json!({"allOf": [schema], "components": components});
    let validator: Validator = jsonschema::validator_for(&root).expect("schemas are schemas");
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{} at '{}'", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?} in {value:#}");
}

fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("properties").is_some_and(Value::is_object)
                && members.get("type") == Some(&json!("object"))
            {
                members.entry("additionalProperties").or_insert(json!(false));
            }
        }
        _ => {}
    }
}

/// Lets two addresses serve a service of each type, with everything that can be declared.
fn serve(bench: &Bench) {
    let schema = json!({"$defs": {"A": {"type": "string"}}, "$ref": "#/$defs/A"});
    let handler = json!({
        "name": "h", "documentation": "d", "metadata": {"a": "b"}, "inactivityTimeout": 1000,
        "abortTimeout": 1000, "journalRetention": 1000, "enableLazyState": true,
        "input": {"required": true, "contentType": JSON, "jsonSchema": schema},
        "output": {"contentType": JSON, "jsonSchema": schema, "setContentTypeIfEmpty": false},
    });
    let service = |name: &str, ty: &str| json!({"name": name, "ty": ty, "handlers": [handler], "documentation": "d", "metadata": {"a": "b"}});
    let services =
        [service("O", "VIRTUAL_OBJECT"), service("W", "WORKFLOW"), service("S", "SERVICE")];
    let manifest = json!({"minProtocolVersion": 5, "maxProtocolVersion": 7, "services": services});
    bench.deployments.serve("http://a/", manifest.clone());
    bench.deployments.serve("http://b/", manifest);
    let wrong = json!({"minProtocolVersion": 1, "maxProtocolVersion": 4, "services": []});
    bench.deployments.serve("http://old/", wrong);
}
