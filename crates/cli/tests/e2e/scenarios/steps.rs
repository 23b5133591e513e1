//! Durable steps: executed once, retried when they fail, ended by terminal errors.

use std::sync::Arc;

use serde_json::json;

use crate::{harness::Cluster, scenarios};

scenarios![
    each_step_runs_once,
    failing_step_is_retried_alone,
    step_that_gives_up_is_terminal,
    step_that_is_refused_is_not_retried,
    failing_handler_is_retried,
    terminal_error_is_an_outcome,
    failure_codes_become_statuses,
    headers_reach_the_handler,
];

async fn each_step_runs_once(cluster: Arc<Cluster>) {
    let body = json!({"key": "walk", "count": 12});
    assert_eq!(cluster.value("steps/walk", body).await, 78);
    for step in 1..=12 {
        assert_eq!(cluster.times_ran("walk", &format!("step {step}")), 1);
    }
}

async fn failing_step_is_retried_alone(cluster: Arc<Cluster>) {
    let body = json!({"key": "flaky-step", "failures": 3});
    assert_eq!(cluster.value("steps/flakyStep", body).await, "worked at attempt 4");
    assert_eq!(cluster.times_ran("flaky-step", "flaky"), 4);
    assert_eq!(cluster.times_ran("flaky-step", "before"), 1);
}

async fn step_that_gives_up_is_terminal(cluster: Arc<Cluster>) {
    let failure = cluster.call("steps/hopelessStep", "hopeless").await.expect(500).json();
    let message = failure["message"].as_str().expect("a message");
    assert!(message.contains("still broken"), "{message}");
    assert_eq!(failure["source"], "invocation");
    assert_eq!(cluster.times_ran("hopeless", "hopeless"), 3);
}

async fn step_that_is_refused_is_not_retried(cluster: Arc<Cluster>) {
    let failure = cluster.call("steps/refusedStep", "refused").await.expect(451).json();
    assert_eq!((&failure["message"], &failure["code"]), (&json!("never"), &json!(451)));
    assert_eq!(cluster.times_ran("refused", "refused"), 1);
}

async fn failing_handler_is_retried(cluster: Arc<Cluster>) {
    let body = json!({"key": "flaky-handler", "failures": 2});
    assert_eq!(cluster.value("steps/flakyHandler", body).await, "worked at attempt 3");
    assert_eq!(cluster.times_ran("flaky-handler", "before"), 1);
}

async fn terminal_error_is_an_outcome(cluster: Arc<Cluster>) {
    let metadata = match cluster.carries_metadata() {
        true => json!({"stock": "0"}),
        false => json!({}),
    };
    let body = json!({"message": "out of tea", "code": 422, "metadata": metadata});
    let answer = cluster.call("steps/refuse", body).await.expect(422);
    let expected = match cluster.carries_metadata() {
        true => {
            r#"{"code":422,"message":"out of tea","metadata":{"stock":"0"},"source":"invocation"}"#
        }
        false => r#"{"code":422,"message":"out of tea","source":"invocation"}"#,
    };
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.header("x-restate-error-source"), "invocation");
    let again = cluster.output(answer.header("x-restate-id")).await.expect(422);
    assert_eq!(again.text(), expected);
}

async fn failure_codes_become_statuses(cluster: Arc<Cluster>) {
    for (code, status) in [(418, 418), (430, 430), (599, 599), (99, 500), (1000, 500), (200, 500)] {
        let answer = cluster.call("steps/refuse", json!({"message": "m", "code": code})).await;
        let answer = answer.expect(status);
        assert_eq!(answer.json()["code"], code);
    }
}

async fn headers_reach_the_handler(cluster: Arc<Cluster>) {
    let call = cluster.ingress.post("/restate/call/steps/headers?a=b");
    let call = call.header("x-custom", "Value").header("idempotency-key", "headers");
    let headers = call.send().await.expect(200).json();
    assert_eq!(headers["x-restate-ingress-path"], "/restate/call/steps/headers?a=b");
    assert_eq!(headers["x-custom"], "Value");
    for removed in ["host", "connection", "idempotency-key"] {
        assert_eq!(headers[removed], json!(null), "{removed}");
    }
}
