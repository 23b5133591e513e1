//! Workflows and their promises while `run` is under way.

use std::sync::Arc;

use serde_json::json;

use crate::{harness::Cluster, scenarios};

scenarios![
    submitted_review_ends_the_run,
    run_happens_once_per_key,
    second_submission_fails,
    promise_can_be_peeked,
    rejected_promise_fails_the_run,
    promise_completed_before_the_run,
    run_resolves_what_others_await,
];

async fn submitted_review_ends_the_run(cluster: Arc<Cluster>) {
    let run = cluster.send("reviewWorkflow/submitted/run", "doc").await;
    cluster.announced("submitted").await;
    cluster
        .ingress
        .get("/restate/workflow/reviewWorkflow/submitted/output")
        .send()
        .await
        .expect(470);
    cluster.call("reviewWorkflow/submitted/submitReview", "nice").await.expect(200);
    assert_eq!(cluster.result(&run).await, "doc: nice");
    let path = "/restate/workflow/reviewWorkflow/submitted/attach";
    let attached = cluster.ingress.get(path).send().await.expect(200);
    assert_eq!(attached.json(), "doc: nice");
    assert_eq!(attached.header("x-restate-id"), run);
    assert_ne!(attached.header("idempotency-expires"), "");
    assert_eq!(cluster.times_ran("submitted", "process"), 1);
}

async fn run_happens_once_per_key(cluster: Arc<Cluster>) {
    let run = cluster.send("reviewWorkflow/once/run", "doc").await;
    let check_repeated = async || {
        let again = cluster.call("reviewWorkflow/once/run", "other").await.expect(409);
        assert_eq!(again.json()["message"], "the workflow method was already invoked");
        assert_eq!(again.json()["source"], "invocation");
        assert_eq!(again.header("x-restate-id"), run);
        let sent = cluster.ingress.post("/restate/send/reviewWorkflow/once/run").json("other");
        let expected = json!({"invocationId": run, "status": "PreviouslyAccepted"});
        assert_eq!(sent.send().await.expect(202).json(), expected);
    };
    check_repeated().await;
    cluster.call("reviewWorkflow/once/submitReview", "ok").await.expect(200);
    assert_eq!(cluster.result(&run).await, "doc: ok");
    check_repeated().await;
}

async fn second_submission_fails(cluster: Arc<Cluster>) {
    cluster.call("reviewWorkflow/twice/submitReview", "first").await.expect(200);
    for handler in ["submitReview", "rejectReview"] {
        let target = format!("reviewWorkflow/twice/{handler}");
        let answer = cluster.call(&target, "second").await;
        let answer = answer.expect(cluster.setup.sdk.second_completion());
        if answer.status != 200 {
            assert_eq!(answer.json()["message"], "promise was already completed");
            assert_eq!(answer.json()["source"], "invocation");
        }
    }
    assert_eq!(cluster.value("reviewWorkflow/twice/run", "doc").await, "doc: first");
}

async fn promise_can_be_peeked(cluster: Arc<Cluster>) {
    assert_eq!(cluster.call_empty("reviewWorkflow/peeked/peekReview").await.json(), json!(null));
    let run = cluster.send("reviewWorkflow/peeked/run", "doc").await;
    cluster.announced("peeked").await;
    assert_eq!(cluster.call_empty("reviewWorkflow/peeked/peekReview").await.json(), json!(null));
    cluster.call("reviewWorkflow/peeked/submitReview", "seen").await.expect(200);
    assert_eq!(cluster.call_empty("reviewWorkflow/peeked/peekReview").await.json(), "seen");
    assert_eq!(cluster.result(&run).await, "doc: seen");
}

async fn rejected_promise_fails_the_run(cluster: Arc<Cluster>) {
    let run = cluster.send("reviewWorkflow/refused/run", "doc").await;
    cluster.announced("refused").await;
    cluster.call("reviewWorkflow/refused/rejectReview", "not good enough").await.expect(200);
    let failure = cluster.attach(&run).await.expect(500).json();
    assert_eq!(failure["message"], "not good enough");
    for handler in ["peekReview", "awaitReview"] {
        let answer = cluster.call_empty(&format!("reviewWorkflow/refused/{handler}")).await;
        assert_eq!(answer.expect(500).json()["message"], "not good enough");
    }
    assert_eq!(cluster.times_ran("refused", "process"), 0);
}

async fn promise_completed_before_the_run(cluster: Arc<Cluster>) {
    cluster.call("reviewWorkflow/before/submitReview", "early").await.expect(200);
    assert_eq!(cluster.value("reviewWorkflow/before/run", "doc").await, "doc: early");

    cluster.call("reviewWorkflow/never/rejectReview", "too early").await.expect(200);
    let failure = cluster.call("reviewWorkflow/never/run", "doc").await.expect(500).json();
    assert_eq!(failure["message"], "too early");
}

async fn run_resolves_what_others_await(cluster: Arc<Cluster>) {
    let later = |handler: &str| {
        let (cluster, target) = (cluster.clone(), format!("releaseWorkflow/v1/{handler}"));
        tokio::spawn(async move { cluster.call_empty(&target).await })
    };
    let built = [later("awaitBuilt"), later("awaitBuilt"), later("awaitBuilt")];
    let released = [later("awaitReleased"), later("awaitReleased")];
    let run = cluster.send("releaseWorkflow/v1/run", "1.0").await;
    for waiter in built {
        assert_eq!(waiter.await.expect("a waiter ends").expect(200).json(), "artifact-1.0");
    }
    assert!(released.iter().all(|waiter| !waiter.is_finished()));
    cluster.call("releaseWorkflow/v1/approve", "Ada").await.expect(200);
    for waiter in released {
        assert_eq!(waiter.await.expect("a waiter ends").expect(200).json(), "1.0 by Ada");
    }
    assert_eq!(cluster.result(&run).await, "artifact-1.0");
    assert_eq!(cluster.call_empty("releaseWorkflow/v1/phase").await.json(), "released");
}
