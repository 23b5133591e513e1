//! Flow control: scopes, limit keys and concurrency rules.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Cluster, eventually},
    scenarios,
};

scenarios![
    two_at_a_time_and_limit_keys_take_turns,
    a_rule_that_changes_counts_at_once,
    whoever_queues_can_be_cancelled,
    a_scope_is_part_of_the_identity,
    handlers_call_within_a_scope,
    rules_are_kept_and_checked,
];

async fn set_limit(cluster: &Cluster, pattern: &str, concurrency: Value) {
    let rules = json!([{"pattern": pattern, "limits": {"concurrency": concurrency}}]);
    let put = cluster.admin.request(Method::PUT, "/limits/rules").json(rules);
    put.send().await.expect(200);
}

/// Sends to a handler of the desk within a scope.
async fn send(cluster: &Cluster, scope: &str, target: &str, body: Value) -> String {
    let path = format!("/restate/scope/{scope}/send/desk/{target}");
    let answer = cluster.ingress.post(&path).json(body).send().await.expect(202).json();
    answer["invocationId"].as_str().expect("an invocation id").to_owned()
}

async fn two_at_a_time_and_limit_keys_take_turns(cluster: Arc<Cluster>) {
    set_limit(&cluster, "turns", json!(2)).await;
    // A handler that waits for a person takes no place.
    let parked = send(&cluster, "turns", "ask?limit-key=a", json!("turns-ask")).await;
    let wait = cluster.announced("turns-ask").await;
    cluster.waits_of(&parked, "").await;
    let mut jobs = Vec::new();
    for limit_key in ["a", "b"] {
        for number in 1..=5 {
            let name = format!("{limit_key}{number}");
            let job = json!({"name": name, "board": "turns", "millis": 120});
            let target = format!("work?limit-key={limit_key}");
            jobs.push((name, send(&cluster, "turns", &target, job).await));
        }
    }
    for (name, id) in &jobs {
        assert_eq!(cluster.result(id).await, json!(name));
    }
    let steps = cluster.steps("turns");
    let (mut working, mut most) = (0_u32, 0);
    for step in &steps {
        working = if step.starts_with("begin") { working + 1 } else { working - 1 };
        most = most.max(working);
    }
    assert_eq!(most, 2, "{steps:?}");
    // All of `a` were there before the first of `b`, yet it does not wait for them.
    let at = |name: &str| steps.iter().position(|step| *step == format!("begin {name}"));
    assert!(at("b1") < at("a5"), "{steps:?}");
    assert!(at("b2") < at("b5") && at("a3") < at("a5"), "{steps:?}");
    cluster.resolve(&wait, "done").await.expect(202);
    assert_eq!(cluster.result(&parked).await, "done");
}

async fn a_rule_that_changes_counts_at_once(cluster: Arc<Cluster>) {
    set_limit(&cluster, "raised/*", json!(1)).await;
    let job = |name: &str, millis: u32| json!({"name": name, "board": "raised", "millis": millis});
    let first = send(&cluster, "raised", "work?limit-key=k", job("first", 1500)).await;
    cluster.ran("raised", "begin first", 1).await;
    let second = send(&cluster, "raised", "work?limit-key=k/x", job("second", 1)).await;
    let other = send(&cluster, "raised", "work?limit-key=other", job("other", 1)).await;
    assert_eq!(cluster.result(&other).await, "other");
    cluster.output(&second).await.expect(470);
    assert_eq!(cluster.times_ran("raised", "begin second"), 0);
    set_limit(&cluster, "raised/*", json!(2)).await;
    assert_eq!(cluster.result(&second).await, "second");
    assert_eq!(cluster.times_ran("raised", "end first"), 0, "the first is still at work");
    assert_eq!(cluster.result(&first).await, "first");
}

async fn whoever_queues_can_be_cancelled(cluster: Arc<Cluster>) {
    set_limit(&cluster, "left", json!(1)).await;
    let job = |name: &str, millis: u32| json!({"name": name, "board": "left", "millis": millis});
    let first = send(&cluster, "left", "work", job("first", 800)).await;
    cluster.ran("left", "begin first", 1).await;
    let second = send(&cluster, "left", "work", job("second", 1)).await;
    let third = send(&cluster, "left", "work", job("third", 1)).await;
    cluster.control(&second, "pause").await.expect(409);
    cluster.control(&second, "cancel").await.expect(200);
    assert_eq!(cluster.result(&third).await, "third");
    assert_eq!(cluster.result(&first).await, "first");
    assert_eq!(cluster.times_ran("left", "begin second"), 0);
}

async fn a_scope_is_part_of_the_identity(cluster: Arc<Cluster>) {
    let add = |scope: &str| {
        let path = format!("/restate/scope/{scope}/call/account/shared-key/add?limit-key=x");
        cluster.ingress.post(&path).json(5)
    };
    assert_eq!(add("one").send().await.expect(200).json(), 5);
    assert_eq!(add("one").send().await.expect(200).json(), 10);
    assert_eq!(add("two").send().await.expect(200).json(), 5);
    let outside = cluster.call_empty("account/shared-key/get").await.expect(200);
    assert_eq!(outside.json(), 0);

    let once = |scope: &str| {
        let path = format!("/restate/scope/{scope}/call/account/once/add");
        cluster.ingress.post(&path).header("idempotency-key", "k").json(1)
    };
    let first = once("one").send().await.expect(200);
    let again = once("one").send().await.expect(200);
    let other = once("two").send().await.expect(200);
    let id = first.header("x-restate-id").to_owned();
    assert_eq!(again.header("x-restate-id"), id);
    assert_ne!(other.header("x-restate-id"), id);
    let target = json!({
        "target": "idempotentInvocation", "service": "account", "key": "once", "handler": "add",
        "idempotencyKey": "k", "scope": "one",
    });
    let found = cluster.ingress.post("/restate/lookup").json(target.clone()).send().await;
    assert_eq!(found.expect(200).json()["invocationId"], json!(id));
    let output = cluster.ingress.post("/restate/output").json(target).send().await;
    assert_eq!(output.expect(200).json(), 1);
}

async fn handlers_call_within_a_scope(cluster: Arc<Cluster>) {
    if cluster.setup.version < 7 {
        // The SDK refuses to send what the version does not have; the attempt fails and says so.
        let id = cluster.send("desk/delegate", "early").await;
        cluster.output(&id).await.expect(470);
        cluster.control(&id, "kill").await.expect(200);
        return;
    }
    let answer = cluster.value("desk/delegate", "nested").await;
    let expected = json!({"called": "nested/a/b", "apart": true, "answer": "nested/undefined"});
    assert_eq!(answer, expected);
    let path = "/restate/scope/direct/call/desk/whoami?limit-key=one/two/";
    let direct = cluster.ingress.post(path).send().await.expect(200);
    assert_eq!(direct.json(), "direct/one/two");
}

async fn rules_are_kept_and_checked(cluster: Arc<Cluster>) {
    let put = |rules: Value| cluster.admin.request(Method::PUT, "/limits/rules").json(rules).send();
    let rule = json!({"pattern": "kept/*/x", "limits": {"concurrency": 3}, "description": "d"});
    let stored = put(json!([rule])).await.expect(200).json();
    assert_eq!(stored[0]["limits"], json!({"concurrency": 3}));
    let version = stored[0]["version"].clone();
    let listed = eventually("the rule is listed", async || {
        let rules = cluster.admin.get("/limits/rules").send().await.expect(200).json();
        rules
            .as_array()
            .and_then(|rules| rules.iter().find(|r| r["pattern"] == "kept/*/x"))
            .cloned()
    })
    .await;
    assert_eq!(listed, stored[0]);
    for (rules, status, text) in [
        (json!([{"pattern": "a/b/c/d"}]), 422, "[0].pattern: too many path components (max 3)"),
        (json!([{"pattern": "a b"}]), 422, "value contains characters outside the allowed set"),
        (json!([{"pattern": ""}]), 422, "pattern cannot be empty"),
        (json!([{"pattern": "a", "limits": {"concurrency": 0}}]), 422, "expected a nonzero u32"),
        (json!([{"pattern": "a", "concurrency": 1}]), 422, "unknown field `concurrency`"),
        (json!({}), 422, "expected a sequence"),
        (
            json!([{"pattern": "kept/*/x", "precondition": {"type": "does_not_exist"}}]),
            409,
            "but no version was expected; nothing was changed",
        ),
    ] {
        let answer = put(rules.clone()).await.expect(status);
        assert!(answer.text().contains(text), "{rules}: {}", answer.text());
    }
    let delete = |body: Value| cluster.admin.post("/limits/rules/bulk-delete").json(body).send();
    let wrong = json!([{"pattern": "kept/*/x", "expected_version": 0}]);
    delete(wrong).await.expect(409);
    let right = json!([{"pattern": "kept/*/x", "expected_version": version}, {"pattern": "none"}]);
    assert_eq!(delete(right).await.expect(200).json(), json!(["kept/*/x"]));
}
