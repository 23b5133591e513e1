//! Nothing is lost early: signals wait with an invocation that is queued, scheduled or paused.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{harness::Cluster, scenarios};

scenarios![
    signal_to_a_waiting_handler,
    signal_can_be_a_failure,
    signals_are_told_apart_by_name,
    repeated_signals_arrive_in_order,
    signal_to_a_queued_invocation,
    signal_to_a_scheduled_invocation,
    signal_to_a_failing_invocation,
    signal_to_a_paused_invocation,
    awakeable_of_a_paused_future_is_kept,
];

async fn tell(cluster: &Cluster, id: &str, name: &str, text: &str) {
    let message = json!({"id": id, "name": name, "text": text});
    cluster.call("meeting/tell", message).await.expect(200);
}

async fn signal_to_a_waiting_handler(cluster: Arc<Cluster>) {
    let invocation = cluster.send("meeting/wait", "bell").await;
    tell(&cluster, &invocation, "bell", "ding").await;
    assert_eq!(cluster.result(&invocation).await, "ding");
}

async fn signal_can_be_a_failure(cluster: Arc<Cluster>) {
    let invocation = cluster.send("meeting/wait", "bell").await;
    let message = json!({"id": invocation, "name": "bell", "text": "broken"});
    cluster.call("meeting/refuse", message).await.expect(200);
    let failure = cluster.attach(&invocation).await.expect(403).json();
    assert_eq!(failure["message"], "broken");
}

async fn signals_are_told_apart_by_name(cluster: Arc<Cluster>) {
    let invocation = cluster.send("meeting/wait", "bell").await;
    tell(&cluster, &invocation, "phone", "ring").await;
    cluster.output(&invocation).await.expect(470);
    tell(&cluster, &invocation, "bell", "ding").await;
    assert_eq!(cluster.result(&invocation).await, "ding");
}

async fn repeated_signals_arrive_in_order(cluster: Arc<Cluster>) {
    let invocation = cluster.send("meeting/waitTwice", "bell").await;
    // The SDK keeps one of two signals that arrive before the first await, so wait for it here.
    cluster.waits_of(&invocation, "&kind=signal").await;
    tell(&cluster, &invocation, "bell", "one").await;
    cluster.ran(&invocation, "heard one", 1).await;
    tell(&cluster, &invocation, "bell", "two").await;
    assert_eq!(cluster.result(&invocation).await, json!(["one", "two"]));
}

async fn signal_to_a_queued_invocation(cluster: Arc<Cluster>) {
    let head = cluster.send("room/queued/wait", "bell").await;
    let queued = cluster.send("room/queued/wait", "bell").await;
    tell(&cluster, &queued, "bell", "for the second").await;
    cluster.output(&queued).await.expect(470);
    tell(&cluster, &head, "bell", "for the first").await;
    assert_eq!(cluster.result(&head).await, "for the first");
    assert_eq!(cluster.result(&queued).await, "for the second");
}

async fn signal_to_a_scheduled_invocation(cluster: Arc<Cluster>) {
    let scheduled = cluster.send("meeting/wait?delay=700ms", "bell").await;
    tell(&cluster, &scheduled, "bell", "early").await;
    cluster.output(&scheduled).await.expect(470);
    assert_eq!(cluster.result(&scheduled).await, "early");
}

async fn signal_to_a_failing_invocation(cluster: Arc<Cluster>) {
    let body = json!({"key": "deaf", "failures": 2});
    let invocation = cluster.send("steps/flakyHandler", body).await;
    cluster.ran("deaf", "attempt", 1).await;
    // Nobody awaits it: it must neither disturb the retries nor the result.
    tell(&cluster, &invocation, "noise", "hello?").await;
    assert_eq!(cluster.result(&invocation).await, "worked at attempt 3");
}

async fn signal_to_a_paused_invocation(cluster: Arc<Cluster>) {
    let invocation = cluster.send("stubborn/listen", "paused").await;
    cluster.ran("paused", "attempt", 2).await;
    tell(&cluster, &invocation, "news", "while you paused").await;
    cluster.output(&invocation).await.expect(470);
    assert_eq!(cluster.times_ran("paused", "attempt"), 2, "it was retried beyond its limit");
    cluster.control(&invocation, "resume").await.expect(200);
    assert_eq!(cluster.result(&invocation).await, "while you paused");
}

async fn awakeable_of_a_paused_future_is_kept(cluster: Arc<Cluster>) {
    // Both answers are there before the handler looks at either of them.
    let invocation = cluster.send("combinators/settled", "kept").await;
    let left = cluster.announced("kept/left").await;
    let right = cluster.announced("kept/right").await;
    let both = [cluster.resolve(&left, "left"), cluster.resolve(&right, "right")];
    for answer in both {
        assert_eq!(answer.await.expect(202).json()["outcome"], Value::from("completed"));
    }
    assert_eq!(cluster.result(&invocation).await, json!(["left", "right"]));
}
