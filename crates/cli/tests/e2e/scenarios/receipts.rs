//! Each completion is decided once and answered with a receipt.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    harness::{Cluster, Response},
    scenarios,
};

scenarios![
    first_wins_and_everyone_is_told,
    native_path_tells_by_status,
    idempotency_key_makes_a_replay,
    strict_handling_on_the_compatible_path,
    ended_invocation_is_gone,
    handlers_count_as_calls_too,
    state_of_a_wait_can_be_read,
];

async fn native(cluster: &Cluster, wait: &str, verb: &str, value: &str) -> Response {
    cluster.ingress.post(&format!("/reveille/waits/{wait}/{verb}")).json(value).send().await
}

#[track_caller]
fn check(response: &Response, outcome: &str, wait: &str) {
    let receipt = response.json();
    assert_eq!(receipt["outcome"], outcome, "{}: {receipt}", response.what);
    assert_eq!(receipt["wait"], wait, "{}: {receipt}", response.what);
    assert_eq!(response.header("content-type"), "application/json");
}

async fn first_wins_and_everyone_is_told(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "first-wins").await;
    let completed = cluster.resolve(&wait, "first").await.expect(202);
    check(&completed, "completed", &wait);
    let at = completed.json()["at"].as_str().expect("a time").to_owned();
    assert_eq!((at.len(), &at[19..20], at.ends_with('Z')), (24, ".", true), "{at}");
    check(&cluster.resolve(&wait, "first").await.expect(202), "replayed", &wait);
    let conflict = cluster.resolve(&wait, "second").await.expect(202);
    check(&conflict, "conflict", &wait);
    assert!(!conflict.text().contains("first"), "the value leaked: {}", conflict.text());
    assert!(conflict.text().contains("resolve"), "which verb decided? {}", conflict.text());
    assert!(conflict.text().contains(&at), "when was it decided? {}", conflict.text());
    assert_eq!(cluster.result(&invocation).await, "first");
}

async fn native_path_tells_by_status(cluster: Arc<Cluster>) {
    // The handler goes on waiting for its gate, so that the decided wait is not gone.
    let invocation = cluster.send("combinators/answeredEarly", "native").await;
    let wait = cluster.announced("native/early").await;
    check(&native(&cluster, &wait, "resolve", "a").await.expect(200), "completed", &wait);
    check(&native(&cluster, &wait, "resolve", "a").await.expect(200), "replayed", &wait);
    check(&native(&cluster, &wait, "resolve", "b").await.expect(409), "conflict", &wait);
    let reject = cluster.ingress.post(&format!("/reveille/waits/{wait}/reject"));
    let reject = reject.typed("text/plain", "a").send().await;
    check(&reject.expect(409), "conflict", &wait);
    let gate = cluster.announced("native/gate").await;
    check(&native(&cluster, &gate, "resolve", "open").await.expect(200), "completed", &gate);
    assert_eq!(cluster.result(&invocation).await, json!(["open", "a"]));

    let (rejected, wait) = cluster.ask("approval/ask", "native-reject").await;
    let path = format!("/reveille/waits/{wait}/reject");
    let reject = || cluster.ingress.post(&path).typed("text/plain", "no").send();
    check(&reject().await.expect(200), "completed", &wait);
    assert_eq!(cluster.attach(&rejected).await.expect(500).json()["message"], "no");
}

async fn idempotency_key_makes_a_replay(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/answeredEarly", "keyed-receipt").await;
    let wait = cluster.announced("keyed-receipt/early").await;
    let resolve = |key: &'static str, value: &'static str| {
        let call = cluster.ingress.post(&format!("/reveille/waits/{wait}/resolve")).json(value);
        call.header("idempotency-key", key).send()
    };
    check(&resolve("k1", "a").await.expect(200), "completed", &wait);
    // The same key is the same decision, whatever the bytes; another key with other bytes is not.
    check(&resolve("k1", "b").await.expect(200), "replayed", &wait);
    check(&resolve("k2", "b").await.expect(409), "conflict", &wait);
    let gate = cluster.announced("keyed-receipt/gate").await;
    cluster.resolve(&gate, "open").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["open", "a"]));
}

async fn strict_handling_on_the_compatible_path(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/answeredEarly", "strict").await;
    let wait = cluster.announced("strict/early").await;
    let resolve = |value: &'static str| {
        let call = cluster.ingress.post(&format!("/restate/awakeables/{wait}/resolve"));
        call.json(value).header("prefer", "handling=strict").send()
    };
    check(&resolve("a").await.expect(202), "completed", &wait);
    check(&resolve("a").await.expect(202), "replayed", &wait);
    check(&resolve("b").await.expect(409), "conflict", &wait);
    let gate = cluster.announced("strict/gate").await;
    cluster.control(&invocation, "kill").await.expect(200);
    let path = format!("/restate/awakeables/{gate}/resolve");
    let strict = cluster.ingress.post(&path).json("late").header("prefer", "handling=strict");
    check(&strict.send().await.expect(410), "gone", &gate);
}

async fn ended_invocation_is_gone(cluster: Arc<Cluster>) {
    for verb in ["cancel", "kill"] {
        let (invocation, wait) = cluster.ask("approval/ask", &format!("gone-{verb}")).await;
        let status = if verb == "cancel" { 202 } else { 200 };
        cluster.control(&invocation, verb).await.expect(status);
        cluster.attach(&invocation).await.expect(409);
        check(&native(&cluster, &wait, "resolve", "late").await.expect(410), "gone", &wait);
        check(&cluster.resolve(&wait, "late").await.expect(202), "gone", &wait);
    }
}

async fn handlers_count_as_calls_too(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/answeredEarly", "by-handler").await;
    let wait = cluster.announced("by-handler/early").await;
    cluster.call("reviewer/approve", json!({"id": wait})).await.expect(200);
    cluster.call("reviewer/reject", json!({"id": wait})).await.expect(200);
    let conflict = native(&cluster, &wait, "resolve", "other").await.expect(409);
    check(&conflict, "conflict", &wait);
    let gate = cluster.announced("by-handler/gate").await;
    cluster.resolve(&gate, "open").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["open", "Looks good!"]));
}

async fn state_of_a_wait_can_be_read(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/answeredEarly", "read-state").await;
    let wait = cluster.announced("read-state/early").await;
    let path = format!("/reveille/waits/{wait}");
    let pending = cluster.ingress.get(&path).send().await.expect(200);
    assert_eq!(pending.json()["wait"], Value::from(wait.as_str()), "{}", pending.text());
    cluster.resolve(&wait, "hidden value").await.expect(202);
    let decided = cluster.ingress.get(&path).send().await.expect(200);
    assert_ne!(decided.json(), pending.json());
    assert!(!decided.text().contains("hidden value"), "{}", decided.text());
    let gate = cluster.announced("read-state/gate").await;
    cluster.resolve(&gate, "open").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["open", "hidden value"]));
}
