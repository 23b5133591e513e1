//! A waiting handler holds nothing: its stream is closed, its slot is free, and it is replayed.

use std::sync::Arc;

use serde_json::json;

use crate::{harness::Cluster, scenarios};

scenarios![
    suspended_handler_goes_on_when_answered,
    rejection_wakes_a_suspended_handler,
    cancel_wakes_a_suspended_handler,
    answers_reach_many_suspended_handlers,
];

/// How many handlers wait at once: more than any sensible bound on live attempts per test.
const CROWD: usize = 60;

/// Starts `patient/wait` and returns once its attempt has been ended by the server.
async fn suspended(cluster: &Cluster, key: &str) -> (String, String) {
    let ids = cluster.ask("patient/wait", key).await;
    cluster.ran(key, "attempt over", 1).await;
    ids
}

async fn suspended_handler_goes_on_when_answered(cluster: Arc<Cluster>) {
    let (invocation, wait) = suspended(&cluster, "suspended").await;
    cluster.output(&invocation).await.expect(470);
    let attempts = cluster.times_ran("suspended", "attempt");
    cluster.resolve(&wait, "wake up").await.expect(202);
    let expected = json!(["before", "wake up", "after", false]);
    assert_eq!(cluster.result(&invocation).await, expected);
    assert!(cluster.times_ran("suspended", "attempt") > attempts, "it was not replayed");
    assert_eq!(cluster.times_ran("suspended", "before"), 1);
    assert_eq!(cluster.times_ran("suspended", "after"), 1);
}

async fn rejection_wakes_a_suspended_handler(cluster: Arc<Cluster>) {
    let (invocation, wait) = suspended(&cluster, "suspended-rejected").await;
    cluster.reject(&wait, "no").await.expect(202);
    assert_eq!(cluster.attach(&invocation).await.expect(500).json()["message"], "no");
    assert_eq!(cluster.times_ran("suspended-rejected", "before"), 1);
    assert_eq!(cluster.times_ran("suspended-rejected", "after"), 0);
}

async fn cancel_wakes_a_suspended_handler(cluster: Arc<Cluster>) {
    let (invocation, _) = suspended(&cluster, "suspended-cancelled").await;
    cluster.control(&invocation, "cancel").await.expect(202);
    assert_eq!(
        cluster.attach(&invocation).await.expect(409).json()["message"],
        cluster.setup.sdk.cancelled()
    );
}

async fn answers_reach_many_suspended_handlers(cluster: Arc<Cluster>) {
    let mut waiting = Vec::new();
    for number in 0..CROWD {
        let key = format!("crowd-{number}");
        waiting.push((cluster.send("patient/wait", key.clone()).await, key));
    }
    for (_, key) in &waiting {
        cluster.ran(key, "attempt over", 1).await;
    }
    // While all of them wait, a newcomer is served.
    assert_eq!(cluster.value("door/json", "newcomer").await, "Hello newcomer");
    for (_, key) in waiting.iter().rev() {
        let wait = cluster.announced(key).await;
        cluster.resolve(&wait, key.clone()).await.expect(202);
    }
    for (invocation, key) in &waiting {
        let expected = json!(["before", key, "after", false]);
        assert_eq!(cluster.result(invocation).await, expected);
        assert_eq!(cluster.times_ran(key, "before"), 1, "{key}");
        assert_eq!(cluster.times_ran(key, "after"), 1, "{key}");
    }
}
