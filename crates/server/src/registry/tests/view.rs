//! What operators see.

use reveille_store::memory::MemoryStore;
use serde_json::{Value, json};

use super::{FakeDeployments, open};
use crate::text::secret::may_be_secret;

/// Registers one service and returns its view.
async fn view(service: Value) -> Value {
    let (store, deployments) = (MemoryStore::new(1), FakeDeployments::default());
    deployments.serve(
        "http://a/",
        json!({ "minProtocolVersion": 5, "maxProtocolVersion": 7, "services": [service] }),
    );
    let registry = open(&store, &deployments).expect("an empty store opens");
    let request = serde_json::from_value(json!({ "uri": "http://a/" })).expect("it parses");
    registry.register(request).await.expect("it is registered");
    let mut view = serde_json::to_value(registry.services()).expect("views serialize");
    let mut view = view[0].take();
    view.as_object_mut().and_then(|view| view.remove("deployment_id")).expect("it is shown");
    view
}

#[tokio::test]
async fn a_service_shows_resolved_options_and_a_handler_its_own() {
    let service = json!({
        "name": "W", "ty": "WORKFLOW", "documentation": "About W", "metadata": { "team": "a" },
        "handlers": [
            { "name": "run", "workflowCompletionRetention": 3_600_000,
              "retryPolicyMaxAttempts": 3, "retryPolicyOnMaxAttempts": "KILL",
              "input": { "contentType": "application/json", "jsonSchema": { "type": "object" } },
              "output": { "contentType": "text/plain", "setContentTypeIfEmpty": true } },
            { "name": "ask", "ty": "SHARED", "ingressPrivate": true, "input": {}, "output": {} },
        ],
    });
    let shared = json!({
        "name": "ask", "ty": "Shared", "public": false, "input_description": "none",
        "output_description": "none", "retry_policy": { "max_attempts": null },
    });
    let run = json!({
        "name": "run", "ty": "Workflow", "public": true, "workflow_completion_retention": "1h",
        "input_description": "JSON object", "output_description": "optional text/plain",
        "input_json_schema": { "type": "object" },
        "retry_policy": { "max_attempts": 3, "on_max_attempts": "Kill" },
    });
    let expected = json!({
        "name": "W", "ty": "Workflow", "handlers": [shared, run], "revision": 1, "public": true,
        "documentation": "About W", "metadata": { "team": "a" },
        "idempotency_retention": "1d", "workflow_completion_retention": "1h",
        "journal_retention": "1d", "inactivity_timeout": "1m", "abort_timeout": "10m",
        "enable_lazy_state": false,
        "retry_policy": { "initial_interval": "500ms", "exponentiation_factor": 2.0,
            "max_attempts": 70, "max_interval": "1m", "on_max_attempts": "Pause" },
    });
    assert_eq!(view(service).await, expected);
}

#[tokio::test]
async fn a_plain_service_has_no_types_and_no_workflow_retention() {
    let service = json!({
        "name": "S", "ty": "SERVICE", "ingressPrivate": true, "inactivityTimeout": 0,
        "handlers": [{ "name": "h", "enableLazyState": true, "abortTimeout": 1_500 }],
    });
    let view = view(service).await;
    assert_eq!(view["public"], false);
    assert_eq!(view["inactivity_timeout"], "0s");
    assert_eq!(view.get("workflow_completion_retention"), None);
    let handler = json!({
        "name": "h", "public": false, "enable_lazy_state": true, "abort_timeout": "1s 500ms",
        "input_description": "*/*", "output_description": "application/json",
        "retry_policy": { "max_attempts": null },
    });
    assert_eq!(view["handlers"], json!([handler]));
}

#[test]
fn names_of_headers_that_may_be_secret() {
    for (name, expected) in [
        ("authorization", true),
        ("Authorization", true),
        ("proxy-authorization", true),
        ("Cookie", true),
        ("x-api-key", true),
        ("x-auth-token", true),
        ("my-secret", true),
        ("x-trace", false),
        ("accept", false),
    ] {
        assert_eq!(may_be_secret(name), expected, "{name}");
    }
}
