//! An operator mends things: restarts of completed invocations, edits of state.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    harness::{Cluster, Response, eventually},
    scenarios,
};

scenarios![
    restart_from_the_input_runs_everything_again,
    restart_from_an_entry_runs_the_rest,
    restart_of_a_failure_on_an_object,
    what_cannot_be_restarted,
    state_is_edited_behind_the_running_handler,
    state_is_edited_by_version,
];

const STEPS: u32 = 6;

/// Restarts an invocation and returns the id of the new one.
async fn restart(cluster: &Cluster, id: &str, query: &str) -> String {
    let answer = cluster.control(id, &format!("restart-as-new{query}")).await.expect(200).json();
    let new = answer["new_invocation_id"].as_str().expect("a new id").to_owned();
    assert_ne!(new, id);
    // The same routing hash: both live in the same partition.
    assert_eq!(new[..16], id[..16], "{new} {id}");
    new
}

/// Takes a walk of some steps; returns its id and its result.
async fn walk(cluster: &Cluster, key: &str) -> (String, Value) {
    let id = cluster.send("steps/walk", json!({"key": key, "count": STEPS})).await;
    let result = cluster.result(&id).await;
    (id, result)
}

async fn restart_from_the_input_runs_everything_again(cluster: Arc<Cluster>) {
    let (id, result) = walk(&cluster, "restarted").await;
    for query in ["", "?from=0", "?from=0&deployment=latest"] {
        let new = restart(&cluster, &id, query).await;
        assert_eq!(cluster.result(&new).await, result);
    }
    for step in 1..=STEPS {
        assert_eq!(cluster.times_ran("restarted", &format!("step {step}")), 4, "step {step}");
    }
    // The old one is what it was.
    assert_eq!(cluster.result(&id).await, result);
}

async fn restart_from_an_entry_runs_the_rest(cluster: Arc<Cluster>) {
    let (id, result) = walk(&cluster, "continued").await;
    // Behind the input each step is a command and its result.
    let new = restart(&cluster, &id, "?from=7").await;
    assert_eq!(cluster.result(&new).await, result);
    let again = restart(&cluster, &new, "?from=10&deployment=keep").await;
    assert_eq!(cluster.result(&again).await, result);
    let expected = [1, 1, 1, 1, 2, 3];
    for (step, times) in (1..).zip(expected) {
        assert_eq!(cluster.times_ran("continued", &format!("step {step}")), times, "step {step}");
    }
}

async fn restart_of_a_failure_on_an_object(cluster: Arc<Cluster>) {
    let withdrawal = json!({"name": "withdrawn-again", "amount": 1});
    let head = cluster.send("account/withdrawn-again/withdraw", withdrawal).await;
    let wait = cluster.announced("withdrawn-again").await;
    cluster.reject(&wait, "denied").await.expect(202);
    cluster.attach(&head).await.expect(500);
    let withdrawal = json!({"name": "in-between", "amount": 1});
    let between = cluster.send("account/withdrawn-again/withdraw", withdrawal).await;
    let wait = cluster.announced("in-between").await;
    // It queues behind the one that holds the lock.
    let new = restart(&cluster, &head, "").await;
    cluster.output(&new).await.expect(470);
    cluster.control(&new, "restart-as-new").await.expect(425);
    cluster.resolve(&wait, "granted").await.expect(202);
    assert_eq!(cluster.result(&between).await, "granted -1");
    cluster.waits_of(&new, "&kind=awakeable").await;
    cluster.control(&new, "kill").await.expect(200);
}

async fn what_cannot_be_restarted(cluster: Arc<Cluster>) {
    let (id, _) = walk(&cluster, "not-restarted").await;
    for from in [2 * STEPS + 2, 100] {
        let answer = cluster.control(&id, &format!("restart-as-new?from={from}")).await.expect(400);
        let message = format!(
            "The prefix of the journal '{id}' up to 'from' (included) contains some Commands \
             without respective Completions."
        );
        assert_eq!(answer.json()["message"], message);
    }
    for query in ["?from=-1", "?from=x", "?deployment=x"] {
        cluster.control(&id, &format!("restart-as-new{query}")).await.expect(400);
    }
    cluster.control(&id, "purge-journal").await.expect(200);
    cluster.control(&id, "restart-as-new").await.expect(410);
    cluster.control(&id, "purge").await.expect(200);
    cluster.control(&id, "restart-as-new").await.expect(404);
    cluster.control("nonsense", "restart-as-new").await.expect(400);
    let (waiting, _) = cluster.ask("approval/ask", "still-waiting").await;
    let answer = cluster.control(&waiting, "restart-as-new").await.expect(409);
    let message = format!("The invocation '{waiting}' is still running.");
    assert_eq!(answer.json()["message"], message);
    let scheduled = cluster.send("account/not-yet/add?delay=1h", 1).await;
    cluster.control(&scheduled, "restart-as-new").await.expect(425);
}

/// Replaces the state of an account.
async fn edit(cluster: &Cluster, key: &str, state: Value, version: Value) -> Response {
    let body = json!({"object_key": key, "new_state": state, "version": version});
    cluster.admin.post("/services/account/state").json(body).send().await
}

/// Reads the state of an account.
async fn state(cluster: &Cluster, key: &str) -> Value {
    let path = format!("/services/account/state?key={key}");
    cluster.admin.get(&path).send().await.expect(200).json()
}

async fn state_is_edited_behind_the_running_handler(cluster: Arc<Cluster>) {
    let key = "edited-behind";
    cluster.call(&format!("account/{key}/add"), 10).await.expect(200);
    let withdrawal = json!({"name": key, "amount": 3});
    let head = cluster.send(&format!("account/{key}/withdraw"), withdrawal).await;
    let wait = cluster.announced(key).await;
    let before = state(&cluster, key).await;
    // 49, 48, 48 is the text 100.
    edit(&cluster, key, json!({"balance": [49, 48, 48]}), Value::Null).await.expect(202);
    let next = cluster.send(&format!("account/{key}/add"), 1).await;
    cluster.output(&next).await.expect(470);
    assert_eq!(state(&cluster, key).await, before);
    cluster.resolve(&wait, "granted").await.expect(202);
    assert_eq!(cluster.result(&head).await, "granted 7");
    assert_eq!(cluster.result(&next).await, 101);
    edit(&cluster, key, json!({}), Value::Null).await.expect(202);
    assert_eq!(state(&cluster, key).await["state"], json!({}));
}

async fn state_is_edited_by_version(cluster: Arc<Cluster>) {
    let key = "edited-by-version";
    let empty = state(&cluster, key).await;
    cluster.call(&format!("account/{key}/add"), 5).await.expect(200);
    let seen = state(&cluster, key).await;
    assert_eq!(seen["state"], json!({"balance": "NQ=="}));
    let answer = edit(&cluster, key, json!({}), empty["version"].clone()).await.expect(409);
    let message = answer.json()["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("has changed since"), "{message}");
    edit(&cluster, key, json!({"balance": "6"}), seen["version"].clone()).await.expect(202);
    let balance = async || {
        let answer = cluster.call_empty(&format!("account/{key}/get")).await;
        (answer.json() == 6).then_some(())
    };
    eventually("the edit is applied", balance).await;
    edit(&cluster, key, json!({}), seen["version"].clone()).await.expect(409);
    // A version of another origin cannot be compared.
    edit(&cluster, key, json!({}), json!("l16B69MLUj81zlEwdtKCVvbaFHDccOkJnpZVc8SZ42s"))
        .await
        .expect(202);
    edit(&cluster, key, json!({"balance": 6}), Value::Null).await.expect(422);
    let body = json!({"object_key": key, "new_state": {}});
    let post = async |service: &str, body: &Value| {
        let path = format!("/services/{service}/state");
        cluster.admin.post(&path).json(body.clone()).send().await
    };
    assert_eq!(
        post("steps", &body).await.expect(400).json()["message"],
        "Cannot modify state for service type Service"
    );
    post("nobody", &body).await.expect(404);
    post("account", &json!({"new_state": {}})).await.expect(422);
}
