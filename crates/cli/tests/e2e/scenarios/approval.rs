//! The main job: a handler waits for a person, and is answered over HTTP or by another handler.

use std::sync::Arc;

use serde_json::json;

use crate::{harness::Cluster, scenarios};

scenarios![
    resolved_over_http,
    resolved_over_the_short_path,
    waiting_caller_is_answered,
    rejected_over_http,
    rejection_can_be_handled,
    approved_by_a_handler,
    rejected_by_a_handler,
    rejected_by_a_handler_with_code,
    rejected_by_a_handler_with_metadata,
    notified_through_a_service,
    steps_around_the_wait_run_once,
    two_in_sequence,
    every_attempt_asks_with_the_same_id,
];

async fn resolved_over_http(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "over-http").await;
    cluster.output(&invocation).await.expect(470);
    cluster.resolve(&wait, "Looks good!").await.expect(202);
    let answer = cluster.attach(&invocation).await.expect(200);
    assert_eq!(answer.text(), r#""Looks good!""#);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-restate-id"), invocation);
    assert_eq!(cluster.output(&invocation).await.expect(200).body, answer.body);
}

async fn resolved_over_the_short_path(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "short-path").await;
    let path = format!("/restate/a/{wait}/resolve");
    cluster.ingress.post(&path).json("short").send().await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "short");
}

async fn waiting_caller_is_answered(cluster: Arc<Cluster>) {
    let call = cluster.call_later("approval/ask", "waiting-caller");
    let wait = cluster.announced("waiting-caller").await;
    cluster.resolve(&wait, "for the caller").await.expect(202);
    let answer = call.await.expect("the call ends").expect(200);
    assert_eq!(answer.json(), "for the caller");
    assert!(answer.header("x-restate-id").starts_with("inv_1"));
}

async fn rejected_over_http(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "rejected").await;
    cluster.reject(&wait, "Review rejected: insufficient documentation").await.expect(202);
    let answer = cluster.attach(&invocation).await.expect(500);
    assert_eq!(
        answer.text(),
        r#"{"code":500,"message":"Review rejected: insufficient documentation","source":"invocation"}"#
    );
    assert_eq!(answer.header("x-restate-error-source"), "invocation");
    assert_eq!(answer.header("content-type"), "application/json");
}

async fn rejection_can_be_handled(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askKindly", "kindly").await;
    cluster.reject(&wait, "no").await.expect(202);
    let expected = json!({"approved": false, "code": 500, "message": "no", "metadata": {}});
    assert_eq!(cluster.result(&invocation).await, expected);
}

async fn approved_by_a_handler(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "by-handler").await;
    cluster.call("reviewer/approve", json!({"id": wait})).await.expect(200);
    assert_eq!(cluster.result(&invocation).await, "Looks good!");
}

async fn rejected_by_a_handler(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "rejecting-handler").await;
    cluster.call("reviewer/reject", json!({"id": wait})).await.expect(200);
    let answer = cluster.attach(&invocation).await.expect(500).json();
    assert_eq!(answer["message"], "This cannot be reviewed.");
}

async fn rejected_by_a_handler_with_code(cluster: Arc<Cluster>) {
    let message = "Review rejected: insufficient documentation";
    let (handled, wait) = cluster.ask("approval/askKindly", "with-code-handled").await;
    cluster.call("reviewer/rejectWithCode", json!({"id": wait})).await.expect(200);
    let expected = json!({"approved": false, "code": 400, "message": message, "metadata": {}});
    assert_eq!(cluster.result(&handled).await, expected);

    let (plain, wait) = cluster.ask("approval/ask", "with-code").await;
    cluster.call("reviewer/rejectWithCode", json!({"id": wait})).await.expect(200);
    let answer = cluster.attach(&plain).await.expect(400);
    assert_eq!(
        answer.text(),
        r#"{"code":400,"message":"Review rejected: insufficient documentation","source":"invocation"}"#
    );
}

async fn rejected_by_a_handler_with_metadata(cluster: Arc<Cluster>) {
    if !cluster.carries_metadata() {
        // On version 5 the SDK refuses to send metadata, so there is no program to test.
        return;
    }
    let (handled, wait) = cluster.ask("approval/askKindly", "with-metadata").await;
    cluster.call("reviewer/rejectWithMetadata", json!({"id": wait})).await.expect(200);
    let metadata = json!({"section": "installation"});
    let expected = json!({
        "approved": false, "code": 400, "message": "Review rejected", "metadata": metadata
    });
    assert_eq!(cluster.result(&handled).await, expected);
}

async fn notified_through_a_service(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "notified").await;
    let notice = json!({"id": wait, "payload": {"stars": 5}});
    cluster.call("NotifierService/notify", notice).await.expect(200);
    assert_eq!(cluster.result(&invocation).await, json!({"stars": 5}));
}

async fn steps_around_the_wait_run_once(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askBetweenSteps", "between").await;
    assert_eq!(cluster.times_ran("between", "publish"), 0);
    cluster.resolve(&wait, "go").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "go");
    assert_eq!(cluster.times_ran("between", "prepare"), 1);
    assert_eq!(cluster.times_ran("between", "publish"), 1);
}

async fn two_in_sequence(cluster: Arc<Cluster>) {
    let invocation = cluster.send("approval/askTwice", "sequence").await;
    let first = cluster.announced("sequence/first").await;
    assert!(cluster.announcement("sequence/second").is_none());
    cluster.resolve(&first, "one").await.expect(202);
    let second = cluster.announced("sequence/second").await;
    assert_ne!(first, second);
    cluster.resolve(&second, "two").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["one", "two"]));

    let invocation = cluster.send("approval/askTwice", "half").await;
    let first = cluster.announced("half/first").await;
    cluster.reject(&first, "not even one").await.expect(202);
    let failure = cluster.attach(&invocation).await.expect(500).json();
    assert_eq!(failure["message"], "not even one");
    assert!(cluster.announcement("half/second").is_none());
}

async fn every_attempt_asks_with_the_same_id(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askAgainAndAgain", "again").await;
    // Two that failed, one that asked, and in request/response mode one that suspended.
    assert!(cluster.times_ran("again", &wait) >= 3, "{:?}", cluster.steps("again"));
    cluster.resolve(&wait, "at last").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "at last");
    let steps = cluster.steps("again");
    assert!(steps.iter().all(|id| *id == wait), "{steps:?}");
}
