//! Workflows after `run` ended: retained, killed, forgotten.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    harness::{Cluster, eventually},
    scenarios,
};

scenarios![
    shared_handlers_outlive_the_run,
    shared_handlers_outlive_a_kill,
    waiter_outlives_a_killed_run,
    short_retention_forgets_all,
];

/// What the programs ask for.
const SHORT_RETENTION: Duration = Duration::from_millis(1500);

async fn shared_handlers_outlive_the_run(cluster: Arc<Cluster>) {
    cluster.call("reviewWorkflow/ended/submitReview", "fine").await.expect(200);
    assert_eq!(cluster.value("reviewWorkflow/ended/run", "doc").await, "doc: fine");
    assert_eq!(cluster.call_empty("reviewWorkflow/ended/peekReview").await.json(), "fine");
    assert_eq!(cluster.call_empty("reviewWorkflow/ended/awaitReview").await.json(), "fine");
    let late = cluster.call("reviewWorkflow/ended/submitReview", "late").await;
    late.expect(cluster.setup.sdk.second_completion());
    assert_eq!(cluster.call_empty("reviewWorkflow/ended/awaitReview").await.json(), "fine");
}

async fn shared_handlers_outlive_a_kill(cluster: Arc<Cluster>) {
    let run = cluster.send("reviewWorkflow/killed/run", "doc").await;
    cluster.announced("killed").await;
    cluster.control(&run, "kill").await.expect(200);
    assert_eq!(cluster.attach(&run).await.expect(409).json()["message"], "killed");
    cluster.call("reviewWorkflow/killed/submitReview", "anyway").await.expect(200);
    assert_eq!(cluster.call_empty("reviewWorkflow/killed/awaitReview").await.json(), "anyway");
    cluster.call("reviewWorkflow/killed/run", "doc").await.expect(409);
}

async fn waiter_outlives_a_killed_run(cluster: Arc<Cluster>) {
    let run = cluster.send("reviewWorkflow/left/run", "doc").await;
    cluster.announced("left").await;
    let (background, path) = (cluster.clone(), "reviewWorkflow/left/awaitReview");
    let waiter = tokio::spawn(async move { background.call_empty(path).await });
    cluster.control(&run, "kill").await.expect(200);
    cluster.call("reviewWorkflow/left/submitReview", "for the waiter").await.expect(200);
    let answer = waiter.await.expect("the waiter ends").expect(200);
    assert_eq!(answer.json(), "for the waiter");
}

async fn short_retention_forgets_all(cluster: Arc<Cluster>) {
    let workflow = "shortReviewWorkflow/short";
    cluster.call(&format!("{workflow}/submitReview"), "brief").await.expect(200);
    let begun = Instant::now();
    let run = cluster.send(&format!("{workflow}/run"), "doc").await;
    assert_eq!(cluster.result(&run).await, "doc: brief");
    // Still there right after the end, gone when 1.5 s are over; a machine that takes longer than
    // that from the beginning on has nothing to show here.
    let peeked = cluster.call_empty(&format!("{workflow}/peekReview")).await.json();
    if begun.elapsed() < SHORT_RETENTION {
        assert_eq!(peeked, "brief");
    }
    eventually("the result expires", async || {
        let answer = cluster.output(&run).await;
        (answer.status == 404).then_some(())
    })
    .await;
    let peeked = cluster.call_empty(&format!("{workflow}/peekReview")).await;
    assert_eq!(peeked.expect(200).json(), Value::Null);
    let again = cluster.send(&format!("{workflow}/run"), "again").await;
    assert_eq!(again, run, "the id of a run depends on its key only");
    cluster.call(&format!("{workflow}/submitReview"), "new").await.expect(200);
    assert_eq!(cluster.result(&again).await, json!("again: new"));
}
