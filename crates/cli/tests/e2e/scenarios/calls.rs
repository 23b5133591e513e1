//! Handlers that call, send to, schedule and attach to other handlers.

use std::sync::Arc;

use serde_json::json;

use crate::{
    harness::{Cluster, eventually},
    scenarios,
};

scenarios![
    call_returns_the_result,
    delayed_send_arrives,
    repeated_send_with_a_key_arrives_once,
    repeated_call_with_a_key_gets_the_result,
    attach_to_a_waiting_invocation,
    attach_to_nothing_fails,
    attach_by_what_was_requested,
    child_outlives_its_starter,
    failure_of_a_callee_arrives_as_thrown,
    payout_books_once,
];

async fn call_returns_the_result(cluster: Arc<Cluster>) {
    let body = json!({"key": "called", "amount": 5});
    assert_eq!(cluster.value("caller/add", body.clone()).await, 5);
    assert_eq!(cluster.value("caller/add", body).await, 10);
    assert_eq!(cluster.call_empty("account/called/get").await.json(), 10);
}

async fn delayed_send_arrives(cluster: Arc<Cluster>) {
    let body = json!({"key": "delayed", "amount": 5, "millis": 700});
    let scheduled = cluster.value("caller/addLater", body).await;
    let scheduled = scheduled.as_str().expect("an invocation id");
    cluster.output(scheduled).await.expect(470);
    assert_eq!(cluster.call_empty("account/delayed/get").await.json(), 0);
    assert_eq!(cluster.result(scheduled).await, 5);
}

async fn repeated_send_with_a_key_arrives_once(cluster: Arc<Cluster>) {
    let body = json!({"key": "keyed", "amount": 5});
    assert_eq!(cluster.value("caller/addOnce", body.clone()).await, true);
    assert_eq!(cluster.value("caller/addOnce", body).await, true);
    eventually("the amount is booked", async || {
        let balance = cluster.call_empty("account/keyed/get").await.json();
        (balance != 0).then_some(())
    })
    .await;
    // An exclusive call queues behind whatever else may have been sent.
    assert_eq!(cluster.value("account/keyed/add", 1).await, 6);
}

async fn repeated_call_with_a_key_gets_the_result(cluster: Arc<Cluster>) {
    let body = json!({"key": "keyed-call", "amount": 5});
    assert_eq!(cluster.value("caller/callOnce", body.clone()).await, json!([5, 5]));
    assert_eq!(cluster.value("caller/callOnce", body).await, json!([5, 5]));
    assert_eq!(cluster.value("account/keyed-call/add", 1).await, 6);
}

async fn attach_to_a_waiting_invocation(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "attached").await;
    let attached = cluster.call_later("caller/attach", invocation.clone());
    let from_outside = [cluster.attach_later(&invocation), cluster.attach_later(&invocation)];
    cluster.resolve(&wait, "for all").await.expect(202);
    assert_eq!(attached.await.expect("attach ends").expect(200).json(), "for all");
    for attached in from_outside {
        assert_eq!(attached.await.expect("attach ends").expect(200).json(), "for all");
    }
}

async fn attach_to_nothing_fails(cluster: Arc<Cluster>) {
    let unknown = format!("inv_1{}", "0".repeat(33));
    let failure = cluster.call("caller/attach", unknown).await.expect(404).json();
    assert_eq!(failure["message"], "not found");
}

async fn attach_by_what_was_requested(cluster: Arc<Cluster>) {
    let booking = cluster.ingress.post("/restate/call/account/by-request/add").json(3);
    booking.header("idempotency-key", "by-request").send().await.expect(200);
    cluster.ask("reviewWorkflow/by-request/run", "by-request").await;
    let attached = cluster.call_later("caller/attachByRequest", "by-request");
    cluster.call("reviewWorkflow/by-request/submitReview", "fine").await.expect(200);
    let attached = attached.await.expect("attach ends").expect(200).json();
    assert_eq!(attached, json!(["by-request: fine", 3]));
}

async fn child_outlives_its_starter(cluster: Arc<Cluster>) {
    let child = cluster.value("caller/startApproval", "child").await;
    let wait = cluster.announced("child").await;
    cluster.resolve(&wait, "grown up").await.expect(202);
    assert_eq!(cluster.result(child.as_str().expect("an id")).await, "grown up");
}

async fn failure_of_a_callee_arrives_as_thrown(cluster: Arc<Cluster>) {
    let metadata = match cluster.carries_metadata() {
        true => json!({"reason": "because"}),
        false => json!({}),
    };
    let failure = json!({"code": 418, "message": "no coffee", "metadata": metadata});
    assert_eq!(cluster.value("caller/refused", failure.clone()).await, failure);
}

async fn payout_books_once(cluster: Arc<Cluster>) {
    let body = json!({"name": "payout", "key": "payout"});
    let invocation = cluster.send("payout/request", body).await;
    let wait = cluster.announced("payout").await;
    cluster.resolve(&wait, "granted").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "payout: granted");
    assert_eq!(cluster.call_empty("account/payout/get").await.json(), 1);
}
