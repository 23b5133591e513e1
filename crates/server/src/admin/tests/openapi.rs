//! The document of the API against the API: every operation is performed, and what is answered has the
//! shape that the document gives for that status.

use std::collections::BTreeMap;

use expect_test::expect_file;
use jsonschema::Validator;
use reveille_engine::effect::{Receipt, ReceiptOutcome, Reply, Verb};
use reveille_protocol::id::InvocationId;
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
    let mut cases = registration_cases();
    cases.extend(service_cases());
    cases.extend(invocation_cases());
    cases.extend(wait_cases());
    cases.extend(kafka_cases());
    cases.extend(other_cases());
    let (mut deployment, mut subscription) = (String::new(), String::new());
    for (operation, path, body, reply, status) in cases {
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

fn case(operation: &'static str, path: &str, body: Value, status: u16) -> Case {
    (operation, path.to_owned(), body, None, status)
}

fn registration_cases() -> Vec<Case> {
    let everything = json!({
        "uri": "http://a", "additional_headers": {"x": "y"}, "use_http_11": false, "force": null,
        "breaking": false, "dry_run": false, "metadata": {"team": "a"},
    });
    let missing = "/deployments/dp_10000000000000000000007";
    vec![
        case("create_deployment", "/deployments", everything.clone(), 201),
        case("create_deployment", "/deployments", everything, 200),
        case("create_deployment", "/deployments", json!({"uri": "http://old"}), 500),
        case("create_deployment", "/deployments", json!({}), 422),
        case("create_deployment", "/deployments", json!("{"), 400),
        case("list_deployments", "/deployments", Value::Null, 200),
        case("get_deployment", "/deployments/dp_x", Value::Null, 200),
        case("get_deployment", missing, Value::Null, 404),
        case("get_deployment", "/deployments/foo", Value::Null, 400),
        case(
            "update_deployment",
            "/deployments/dp_x",
            json!({"uri": "http://b", "overwrite": true}),
            200,
        ),
        case("update_deployment", missing, json!({"dry_run": true}), 404),
        case("delete_deployment", "/deployments/dp_x", Value::Null, 409),
        case("delete_deployment", "/deployments/dp_x?force=maybe", Value::Null, 400),
    ]
}

fn service_cases() -> Vec<Case> {
    let patch = json!({
        "public": true, "idempotency_retention": "1d", "workflow_completion_retention": null,
        "journal_retention": "PT1H", "inactivity_timeout": "1m", "abort_timeout": "10m",
    });
    let edit = json!({"object_key": "k", "new_state": {"a": [1], "b": "x"}, "scope": null, "version": null});
    let state = "/services/O/state";
    let mut cases = vec![
        case("list_services", "/services", Value::Null, 200),
        case("get_service", "/services/O", Value::Null, 200),
        case("get_service", "/services/W", Value::Null, 200),
        case("get_service", "/services/x", Value::Null, 404),
        case("modify_service", "/services/S", patch, 200),
        case("modify_service", "/services/x", json!({}), 404),
        case("modify_service", "/services/S", json!({"workflow_completion_retention": "1d"}), 400),
        case("list_service_handlers", "/services/S/handlers", Value::Null, 200),
        case("list_service_handlers", "/services/x/handlers", Value::Null, 404),
        case("get_service_handler", "/services/W/handlers/h", Value::Null, 200),
        case("get_service_handler", "/services/W/handlers/x", Value::Null, 404),
        case("get_service_openapi", "/services/W/openapi", Value::Null, 200),
        case("get_service_openapi", "/services/x/openapi", Value::Null, 404),
        case("get_service_state", "/services/O/state?key=k", Value::Null, 200),
        case("get_service_state", "/services/S/state?key=k", Value::Null, 400),
        case("get_service_state", state, Value::Null, 400),
    ];
    for (reply, status) in [
        (Reply::Accept, 202),
        (Reply::Conflict("x".to_owned()), 409),
        (Reply::Unavailable("x".to_owned()), 503),
    ] {
        cases.push(("modify_service_state", state.to_owned(), edit.clone(), Some(reply), status));
    }
    cases
}

fn invocation_cases() -> Vec<Case> {
    let id = InvocationId::from_parts(7, 9);
    let mut cases = Vec::new();
    let text = || "x".to_owned();
    for (operation, verb, replies) in [
        ("cancel_invocation", "cancel", vec![(Reply::Accept, 202), (Reply::Conflict(text()), 409)]),
        ("kill_invocation", "kill", vec![(Reply::Conflict(text()), 409)]),
        ("pause_invocation", "pause", vec![(Reply::Accept, 202), (Reply::Conflict(text()), 409)]),
        ("resume_invocation", "resume", vec![(Reply::TooEarly(text()), 425)]),
        ("purge_invocation", "purge", vec![(Reply::Conflict(text()), 409)]),
        ("purge_journal", "purge-journal", vec![(Reply::Conflict(text()), 409)]),
    ] {
        let common =
            [(Reply::Done, 200), (Reply::NotFound(id), 404), (Reply::Unavailable(text()), 503)];
        for (reply, status) in common.into_iter().chain(replies) {
            let path = format!("/invocations/{id}/{verb}");
            cases.push((operation, path, Value::Null, Some(reply), status));
        }
        cases.push((operation, format!("/invocations/foo/{verb}"), Value::Null, None, 400));
    }
    let restart = format!("/invocations/{id}/restart-as-new?from=0&deployment=keep");
    for (reply, status) in [
        (Reply::Accepted { id, fresh: true, execution_time: None }, 200),
        (Reply::Gone(text()), 410),
        (Reply::Unsupported(text()), 422),
        (Reply::TooEarly(text()), 425),
    ] {
        cases.push((
            "restart_as_new_invocation",
            restart.clone(),
            Value::Null,
            Some(reply),
            status,
        ));
    }
    let delete = format!("/invocations/{id}?mode=kill");
    cases.push(("delete_invocation", delete, Value::Null, Some(Reply::Done), 202));
    cases.push(case("delete_invocation", "/invocations/foo", Value::Null, 400));
    cases.push(("delete_invocation", format!("/invocations/{id}?mode=x"), Value::Null, None, 400));
    cases
}

fn wait_cases() -> Vec<Case> {
    let id = InvocationId::from_parts(5, 9);
    let mut cases = vec![
        case("list_waits", "/waits?kind=call&limit=10", Value::Null, 200),
        case("list_waits", "/waits?limit=0", Value::Null, 400),
    ];
    for (operation, verb) in
        [("resolve_wait", "resolve"), ("reject_wait", "reject"), ("replace_wait", "replace")]
    {
        let path = format!("/waits/{id}/17/{verb}");
        for (outcome, status) in [
            (ReceiptOutcome::Completed, 200),
            (ReceiptOutcome::Unknown, 404),
            (ReceiptOutcome::Conflict, 409),
            (ReceiptOutcome::Gone, 410),
        ] {
            let verb = (status == 200).then_some(Verb::Resolve);
            let receipt = Receipt { outcome, decided_at: Some(1), verb };
            cases.push((
                operation,
                path.clone(),
                json!("x"),
                Some(Reply::Receipt(receipt)),
                status,
            ));
        }
        let refusal = Reply::NotFound(id);
        cases.push((operation, path, json!("x"), Some(refusal), 404));
        cases.push((operation, format!("/waits/foo/17/{verb}"), json!("x"), None, 400));
    }
    cases
}

fn kafka_cases() -> Vec<Case> {
    let cluster = |name: &str| json!({"name": name, "properties": {"bootstrap.servers": "localhost:9", "sasl.password": "x"}});
    let subscription = |cluster: &str| {
        json!({
            "source": format!("kafka://{cluster}/t"), "sink": "service://S/h",
            "options": {"client.id": "a"},
        })
    };
    let (clusters, subscriptions) = ("/kafka-clusters", "/subscriptions");
    let unknown = "/subscriptions/sub_10000000000000000000007";
    let mut cases = vec![
        case("list_subscriptions", "/subscriptions?sink=service://S/h", Value::Null, 200),
        case("list_kafka_clusters", clusters, Value::Null, 200),
        case("get_kafka_cluster", "/kafka-clusters/x", Value::Null, 404),
        case("delete_kafka_cluster", "/kafka-clusters/x", Value::Null, 404),
        case("get_subscription", "/subscriptions/foo", Value::Null, 400),
        case("delete_subscription", "/subscriptions/foo", Value::Null, 400),
    ];
    if !cfg!(feature = "kafka") {
        cases.push(case("create_kafka_cluster", clusters, cluster("c"), 501));
        cases.push(case("create_subscription", subscriptions, subscription("c"), 501));
        return cases;
    }
    let update =
        json!({"properties": {"bootstrap.servers": "localhost:8", "sasl.password": "***"}});
    cases.extend([
        case("create_kafka_cluster", clusters, cluster("c"), 201),
        case("create_kafka_cluster", clusters, cluster("c"), 409),
        case("create_kafka_cluster", clusters, json!({"name": "d", "properties": {}}), 400),
        case("update_kafka_cluster", "/kafka-clusters/c", update.clone(), 200),
        case("update_kafka_cluster", "/kafka-clusters/x", update, 404),
        case("list_kafka_clusters", clusters, Value::Null, 200),
        case("create_subscription", subscriptions, subscription("c"), 201),
        case("create_subscription", subscriptions, subscription("x"), 400),
        case("list_subscriptions", subscriptions, Value::Null, 200),
        case("get_subscription", "/subscriptions/sub_x", Value::Null, 200),
        case("get_subscription", unknown, Value::Null, 404),
        case("get_kafka_cluster", "/kafka-clusters/c?include_subscriptions=true", Value::Null, 200),
        case("get_kafka_cluster", "/kafka-clusters/c?include_subscriptions=x", Value::Null, 400),
        case("delete_kafka_cluster", "/kafka-clusters/c", Value::Null, 409),
        case("delete_subscription", "/subscriptions/sub_x", Value::Null, 202),
        case("delete_subscription", unknown, Value::Null, 404),
        case("delete_kafka_cluster", "/kafka-clusters/c?force=true", Value::Null, 202),
    ]);
    cases
}

fn other_cases() -> Vec<Case> {
    let rule = json!([{
        "pattern": "gpu/*", "limits": {"concurrency": 2}, "description": "d", "disabled": false,
        "precondition": {"type": "does_not_exist"},
    }]);
    let select = json!({"query": "SELECT id FROM sys_invocation"});
    vec![
        case("health", "/health", Value::Null, 200),
        case("version", "/version", Value::Null, 200),
        case("cluster_health", "/cluster-health", Value::Null, 200),
        case("get_metrics", "/metrics", Value::Null, 200),
        case("get_openapi", "/openapi", Value::Null, 200),
        case("upsert_rules", "/limits/rules", rule.clone(), 200),
        case("upsert_rules", "/limits/rules", rule, 409),
        case("upsert_rules", "/limits/rules", json!([{"pattern": ""}]), 422),
        case("list_rules", "/limits/rules", Value::Null, 200),
        case(
            "bulk_delete_rules",
            "/limits/rules/bulk-delete",
            json!([{"pattern": "gpu/*", "expected_version": 7}]),
            409,
        ),
        case(
            "bulk_delete_rules",
            "/limits/rules/bulk-delete",
            json!([{"pattern": "gpu/*", "expected_version": null}]),
            200,
        ),
        case("query", "/query", select, 200),
        case("query", "/query", json!({"query": "DELETE"}), 400),
        case("query", "/query", json!({"query": "SELECT * FROM nowhere"}), 500),
        case("delete_deployment", "/deployments/dp_x?force=true", Value::Null, 202),
        case("delete_deployment", "/deployments/dp_x?force=true", Value::Null, 404),
    ]
}
