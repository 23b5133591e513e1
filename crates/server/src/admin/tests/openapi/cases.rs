//! What is performed: for every operation a success, and the errors that can be made.

use reveille_engine::effect::{Receipt, ReceiptOutcome, Reply, Verb};
use reveille_protocol::id::InvocationId;
use serde_json::{Value, json};

use super::Case;

/// Every case, in the order in which they work.
pub(super) fn all() -> Vec<Case> {
    let mut cases = registration_cases();
    cases.extend(service_cases());
    cases.extend(invocation_cases());
    cases.extend(wait_cases());
    cases.extend(kafka_cases());
    cases.extend(other_cases());
    cases
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
    for (operation, verb) in [("resolve_promise", "resolve"), ("reject_promise", "reject")] {
        for (outcome, status) in [(ReceiptOutcome::Completed, 200), (ReceiptOutcome::Conflict, 409)]
        {
            let receipt = Receipt { outcome, decided_at: Some(1), verb: Some(Verb::Reject) };
            let reply = Some(Reply::Receipt(receipt));
            let path = format!("/promises/W/k/p/{verb}?scope=t");
            cases.push((operation, path, json!("x"), reply, status));
        }
        cases.push((operation, format!("/promises/S/k/p/{verb}"), json!("x"), None, 400));
        cases.push((operation, format!("/promises/X/k/p/{verb}"), json!("x"), None, 404));
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
