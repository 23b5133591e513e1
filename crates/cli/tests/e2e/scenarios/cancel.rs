//! Cancel and kill, from outside and from handlers.

use std::sync::Arc;

use serde_json::json;

use crate::{
    harness::{Cluster, eventually},
    scenarios,
};

scenarios![
    cancelled_while_waiting,
    killed_while_waiting,
    child_is_cancelled_with_its_parent,
    child_is_killed_with_its_parent,
    child_cancelled_by_a_handler,
    cancelled_while_asleep,
    what_was_done_is_undone_when_cancelled,
    queued_invocation_is_cancelled,
    scheduled_invocation_is_cancelled,
    failing_handler_is_killed,
    control_of_nothing_is_refused,
    paused_answered_and_resumed,
    result_outlives_its_journal,
];

async fn cancelled_while_waiting(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "cancelled").await;
    cluster.control(&invocation, "cancel").await.expect(202);
    let failure = cluster.attach(&invocation).await.expect(409).json();
    let expected =
        json!({"code": 409, "message": cluster.setup.sdk.cancelled(), "source": "invocation"});
    assert_eq!(failure, expected);
    cluster.resolve(&wait, "too late").await.expect(202);
    cluster.control(&invocation, "cancel").await.expect(409);
}

async fn killed_while_waiting(cluster: Arc<Cluster>) {
    let (invocation, _) = cluster.ask("approval/ask", "killed-wait").await;
    let attached = cluster.attach_later(&invocation);
    cluster.control(&invocation, "kill").await.expect(200);
    let expected = json!({"code": 409, "message": "killed", "source": "invocation"});
    assert_eq!(attached.await.expect("attach ends").expect(409).json(), expected);
    assert_eq!(cluster.output(&invocation).await.expect(409).json(), expected);
    cluster.control(&invocation, "kill").await.expect(409);
}

async fn child_is_cancelled_with_its_parent(cluster: Arc<Cluster>) {
    let parent = cluster.send("caller/delegate", "cancelled-child").await;
    let wait = cluster.announced("cancelled-child").await;
    cluster.control(&parent, "cancel").await.expect(202);
    let failure = cluster.attach(&parent).await.expect(409).json();
    assert_eq!(failure["message"], cluster.setup.sdk.cancelled());
    expect_gone(&cluster, &wait).await;
}

async fn child_is_killed_with_its_parent(cluster: Arc<Cluster>) {
    let parent = cluster.send("caller/delegate", "killed-child").await;
    let wait = cluster.announced("killed-child").await;
    cluster.control(&parent, "kill").await.expect(200);
    assert_eq!(cluster.attach(&parent).await.expect(409).json()["message"], "killed");
    expect_gone(&cluster, &wait).await;
}

/// Waits until the invocation behind an awakeable has ended.
async fn expect_gone(cluster: &Cluster, wait: &str) {
    eventually("the child ends", async || {
        let state = cluster.ingress.get(&format!("/reveille/waits/{wait}")).send().await;
        // A child that was called without a key is not retained, so it may be unknown by now.
        [404, 410].contains(&state.status).then_some(())
    })
    .await;
}

async fn child_cancelled_by_a_handler(cluster: Arc<Cluster>) {
    let expected = json!({"code": 409, "message": cluster.setup.sdk.cancelled(), "metadata": {}});
    assert_eq!(cluster.value("caller/cancelApproval", "impatient").await, expected);
}

async fn cancelled_while_asleep(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/sleep", 3_600_000).await;
    cluster.waits_of(&invocation, "&kind=timer").await;
    cluster.control(&invocation, "cancel").await.expect(202);
    let failure = cluster.attach(&invocation).await.expect(409).json();
    assert_eq!(failure["message"], cluster.setup.sdk.cancelled());
}

async fn what_was_done_is_undone_when_cancelled(cluster: Arc<Cluster>) {
    // The handler awaits a call; so its child is cancelled, and that failure is what it catches.
    let invocation = cluster.send("caller/reserve", "undone").await;
    let wait = cluster.announced("undone").await;
    assert_eq!(cluster.steps("undone"), ["reserve"]);
    cluster.control(&invocation, "cancel").await.expect(202);
    let failure = cluster.attach(&invocation).await.expect(409).json();
    assert_eq!(failure["message"], cluster.setup.sdk.cancelled());
    assert_eq!(cluster.steps("undone"), ["reserve", "release"]);
    expect_gone(&cluster, &wait).await;

    let invocation = cluster.send("caller/reserve", "kept").await;
    let wait = cluster.announced("kept").await;
    cluster.resolve(&wait, "taken").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "taken");
    assert_eq!(cluster.steps("kept"), ["reserve"]);
}

async fn queued_invocation_is_cancelled(cluster: Arc<Cluster>) {
    let withdrawal = json!({"name": "queue-head", "amount": 0});
    let head = cluster.send("account/queue-head/withdraw", withdrawal).await;
    let wait = cluster.announced("queue-head").await;
    let queued = cluster.send("account/queue-head/book", "never").await;
    let last = cluster.send("account/queue-head/book", "last").await;
    let attached = cluster.attach_later(&queued);
    // The attach must have arrived before the queued invocation disappears without a trace.
    cluster.output(&queued).await.expect(470);
    cluster.control(&queued, "cancel").await.expect(200);
    cluster.output(&queued).await.expect(404);
    let answer = attached.await.expect("attach ends");
    assert!(
        answer.status == 404 || answer.json()["message"] == "canceled",
        "an attacher of a cancelled invocation got {}",
        answer.text()
    );
    cluster.resolve(&wait, "go on").await.expect(202);
    assert_eq!(cluster.result(&head).await, "go on 0");
    assert_eq!(cluster.result(&last).await, json!(["last"]));
}

async fn scheduled_invocation_is_cancelled(cluster: Arc<Cluster>) {
    for verb in ["cancel", "kill"] {
        let target = format!("account/scheduled-{verb}/add?delay=1h");
        let scheduled = cluster.send(&target, 1).await;
        cluster.output(&scheduled).await.expect(470);
        cluster.control(&scheduled, verb).await.expect(200);
        cluster.output(&scheduled).await.expect(404);
    }
}

async fn failing_handler_is_killed(cluster: Arc<Cluster>) {
    let body = json!({"key": "failing", "failures": 1_000_000});
    let invocation = cluster.send("steps/flakyHandler", body).await;
    cluster.ran("failing", "attempt", 2).await;
    cluster.control(&invocation, "kill").await.expect(200);
    assert_eq!(cluster.attach(&invocation).await.expect(409).json()["message"], "killed");
    assert_eq!(cluster.times_ran("failing", "before"), 1);
}

async fn control_of_nothing_is_refused(cluster: Arc<Cluster>) {
    let unknown = format!("inv_1{}", "0".repeat(33));
    for verb in ["cancel", "kill"] {
        let answer = cluster.control(&unknown, verb).await.expect(404);
        let message = format!("The requested invocation '{unknown}' does not exist");
        assert_eq!(answer.json()["message"], message);
        let answer = cluster.control("nonsense", verb).await.expect(400);
        let message = answer.json()["message"].as_str().expect("a message").to_owned();
        let prefix = "The request field 'invocation_id' is invalid. Reason: ";
        assert!(message.starts_with(prefix), "{message}");
    }
}

/// A pause may find the handler still on its stream, then it is parked until somebody resumes it, or
/// suspended already, then it changes nothing. The answer is kept in both cases.
async fn paused_answered_and_resumed(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "paused").await;
    let paused = cluster.control(&invocation, "pause").await.status;
    assert!([200, 202].contains(&paused), "pause answered {paused}");
    cluster.resolve(&wait, "kept").await.expect(202);
    let resumed = cluster.control(&invocation, "resume").await.status;
    // It may have been suspended, and have ended by now.
    assert!([200, 409].contains(&resumed), "resume answered {resumed}");
    assert_eq!(cluster.result(&invocation).await, "kept");
    cluster.control(&invocation, "pause").await.expect(409);
}

async fn result_outlives_its_journal(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "journal-purged").await;
    cluster.control(&invocation, "purge-journal").await.expect(409);
    cluster.resolve(&wait, "still here").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "still here");
    cluster.control(&invocation, "purge-journal").await.expect(200);
    assert_eq!(cluster.output(&invocation).await.expect(200).json(), "still here");
    cluster.control(&invocation, "purge").await.expect(200);
    cluster.output(&invocation).await.expect(404);
}
