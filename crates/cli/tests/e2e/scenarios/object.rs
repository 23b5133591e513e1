//! Virtual objects: one exclusive handler per key, in order; readers and other keys go on.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{harness::Cluster, scenarios};

scenarios![
    waiting_head_blocks_its_key_only,
    queue_moves_on_when_the_head_is_killed,
    queue_moves_on_when_the_head_is_rejected,
    eager_state,
    lazy_state,
    empty_key_is_a_key,
];

async fn waiting_head_blocks_its_key_only(cluster: Arc<Cluster>) {
    cluster.call("account/blocked/add", 10).await.expect(200);
    let withdrawal = json!({"name": "blocked", "amount": 3});
    let head = cluster.send("account/blocked/withdraw", withdrawal).await;
    let wait = cluster.announced("blocked").await;
    let mut queued = Vec::new();
    for line in ["a", "b", "c", "d"] {
        queued.push(cluster.send("account/blocked/book", line).await);
    }
    // Others are not held up: readers of this key, and writers of another one.
    assert_eq!(cluster.call_empty("account/blocked/get").await.json(), 10);
    assert_eq!(cluster.value("account/unblocked/add", 1).await, 1);
    for id in &queued {
        cluster.output(id).await.expect(470);
    }
    cluster.resolve(&wait, "granted").await.expect(202);
    assert_eq!(cluster.result(&head).await, "granted 7");
    let mut statement = Vec::new();
    for (id, line) in queued.iter().zip(["a", "b", "c", "d"]) {
        statement.push(json!(line));
        assert_eq!(cluster.result(id).await, Value::from(statement.clone()));
    }
}

async fn queue_moves_on_when_the_head_is_killed(cluster: Arc<Cluster>) {
    let withdrawal = json!({"name": "killed-head", "amount": 3});
    let head = cluster.send("account/killed-head/withdraw", withdrawal).await;
    cluster.announced("killed-head").await;
    let next = cluster.send("account/killed-head/book", "next").await;
    cluster.control(&head, "kill").await.expect(200);
    assert_eq!(cluster.result(&next).await, json!(["next"]));
}

async fn queue_moves_on_when_the_head_is_rejected(cluster: Arc<Cluster>) {
    let withdrawal = json!({"name": "rejected-head", "amount": 3});
    let head = cluster.send("account/rejected-head/withdraw", withdrawal).await;
    let wait = cluster.announced("rejected-head").await;
    let next = cluster.send("account/rejected-head/book", "next").await;
    cluster.reject(&wait, "denied").await.expect(202);
    assert_eq!(cluster.attach(&head).await.expect(500).json()["message"], "denied");
    assert_eq!(cluster.result(&next).await, json!(["next"]));
}

async fn eager_state(cluster: Arc<Cluster>) {
    check_state(&cluster, "cabinet").await;
}

async fn lazy_state(cluster: Arc<Cluster>) {
    check_state(&cluster, "archive").await;
}

async fn check_state(cluster: &Cluster, object: &str) {
    let target = |handler: &str| format!("{object}/state/{handler}");
    let keys = async || cluster.call_empty(&target("keys")).await.expect(200).json();
    let get = async |name: &str| cluster.value(&target("get"), name).await;
    assert_eq!(keys().await, json!([]));
    assert_eq!(get("x").await, json!(null));

    cluster.call(&target("put"), json!({"name": "x", "value": {"deep": [1]}})).await.expect(200);
    cluster.call(&target("put"), json!({"name": "y", "value": "2"})).await.expect(200);
    assert_eq!(keys().await, json!(["x", "y"]));
    assert_eq!(get("x").await, json!({"deep": [1]}));

    cluster.call(&target("clear"), "x").await.expect(200);
    assert_eq!(keys().await, json!(["y"]));
    assert_eq!(get("x").await, json!(null));

    // What a handler wrote stays, even when it fails.
    let put = json!({"name": "z", "value": 3});
    let failure = cluster.call(&target("putAndFail"), put).await.expect(500).json();
    assert_eq!(failure["message"], "z is 3");
    assert_eq!(get("z").await, 3);

    cluster.call_empty(&target("clearAll")).await.expect(200);
    assert_eq!(keys().await, json!([]));
}

async fn empty_key_is_a_key(cluster: Arc<Cluster>) {
    let call = || cluster.ingress.post("/restate/call/account//add").json(4);
    assert_eq!(call().send().await.expect(200).json(), 4);
    let old_style = cluster.ingress.post("/account//add").json(4).send().await;
    assert_eq!(old_style.expect(200).json(), 8);
    let encoded = cluster.ingress.post("/restate/call/account/a%2Fb%20%C3%A9/add").json(1);
    assert_eq!(encoded.send().await.expect(200).json(), 1);
    let read = cluster.ingress.get("/account/a%2Fb%20%C3%A9/get").send().await;
    assert_eq!(read.expect(200).json(), 1);
}
