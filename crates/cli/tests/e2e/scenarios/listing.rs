//! What is awaited is data: `GET /waits` on the admin API lists it, and an administrator may answer.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    harness::{Cluster, eventually, id_bytes},
    scenarios,
};

scenarios![
    awakeable_is_listed,
    promise_is_listed,
    signal_timer_and_call_are_listed,
    answered_wait_leaves_the_list,
    list_is_filtered_and_paged,
    administrator_completes_a_wait,
    administrator_rejects_a_wait,
];

async fn awakeable_is_listed(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "listed").await;
    let entry = cluster.waits_of(&invocation, "&kind=awakeable").await.remove(0);
    for (member, value) in [
        ("kind", json!("awakeable")),
        ("invocation_id", json!(invocation)),
        ("index", json!(17)),
        ("target", json!("approval/ask")),
        ("service", json!("approval")),
        ("key", Value::Null),
        ("handler", json!("ask")),
    ] {
        assert_eq!(entry[member], value, "{member} in {entry}");
    }
    assert!(entry["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{entry}");
    // Neither the id nor the secret inside it may be read here.
    assert_eq!(id_bytes(&wait).len(), 44);
    let tail = &wait[wait.len() - 24..wait.len() - 6];
    assert!(!entry.to_string().contains(tail), "{entry} shows {wait}");
    cluster.resolve(&wait, "done").await.expect(202);
}

async fn promise_is_listed(cluster: Arc<Cluster>) {
    let run = cluster.send("reviewWorkflow/listed-run/run", "doc").await;
    let entry = cluster.waits_of(&run, "&kind=promise").await.remove(0);
    assert_eq!(entry["name"], "review", "{entry}");
    assert_eq!((&entry["key"], &entry["handler"]), (&json!("listed-run"), &json!("run")));
    assert_eq!(entry["target"], "reviewWorkflow/listed-run/run");
    cluster.call("reviewWorkflow/listed-run/submitReview", "ok").await.expect(200);
    assert_eq!(cluster.result(&run).await, "doc: ok");
}

async fn signal_timer_and_call_are_listed(cluster: Arc<Cluster>) {
    let signal = cluster.send("meeting/wait", "listed-signal").await;
    let entry = cluster.waits_of(&signal, "&kind=signal").await.remove(0);
    assert_eq!(entry["name"], "listed-signal", "{entry}");

    let timer = cluster.send("combinators/sleep", 600_000).await;
    cluster.waits_of(&timer, "&kind=timer").await;

    let call = cluster.send("caller/delegate", "listed-call").await;
    cluster.waits_of(&call, "&kind=call").await;
    for id in [signal, timer, call] {
        cluster.control(&id, "kill").await.expect(200);
    }
}

async fn answered_wait_leaves_the_list(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "unlisted").await;
    cluster.waits_of(&invocation, "").await;
    cluster.resolve(&wait, "done").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "done");
    eventually("the wait leaves the list", async || {
        let page = cluster.admin.get("/waits?limit=1000").send().await.expect(200);
        (!page.text().contains(&invocation)).then_some(())
    })
    .await;
}

async fn list_is_filtered_and_paged(cluster: Arc<Cluster>) {
    let mut expected = Vec::new();
    for number in 0..3 {
        let name = format!("paged-{number}");
        let withdrawal = json!({"name": name, "amount": 1});
        expected.push(cluster.send(&format!("account/{name}/withdraw"), withdrawal).await);
        cluster.waits_of(&expected[number], "&service=account&kind=awakeable").await;
    }
    let one = cluster.admin.get("/waits?service=account&key=paged-1").send().await.expect(200);
    let one = one.json();
    assert_eq!(one["waits"].as_array().map(Vec::len), Some(1), "{one}");
    assert_eq!(one["waits"][0]["invocation_id"], expected[1]);

    // Pages of one: oldest first, each exactly once.
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/waits?service=account&kind=awakeable&limit=1{after}");
        let page = cluster.admin.get(&path).send().await.expect(200).json();
        for entry in page["waits"].as_array().expect("a list") {
            seen.push(entry["invocation_id"].as_str().expect("an id").to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    seen.retain(|id| expected.contains(id));
    assert_eq!(seen, expected);

    let old = cluster.admin.get("/waits?service=account&older_than=1h").send().await.expect(200);
    assert_eq!(old.json(), json!({"waits": [], "next": null}));
    for id in expected {
        cluster.control(&id, "kill").await.expect(200);
    }
}

async fn administrator_completes_a_wait(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "by-admin").await;
    cluster.waits_of(&invocation, "").await;
    let path = format!("/waits/{invocation}/17/resolve");
    let receipt = cluster.admin.post(&path).json("by the administrator").send().await;
    assert_eq!(receipt.expect(200).json()["outcome"], "completed");
    assert_eq!(cluster.result(&invocation).await, "by the administrator");
    cluster.resolve(&wait, "too late").await.expect(202);

    let run = cluster.send("reviewWorkflow/by-admin-run/run", "doc").await;
    cluster.waits_of(&run, "&kind=promise").await;
    let path = format!("/waits/{run}/review/resolve");
    cluster.admin.post(&path).json("admin").send().await.expect(200);
    assert_eq!(cluster.result(&run).await, "doc: admin");
}

async fn administrator_rejects_a_wait(cluster: Arc<Cluster>) {
    let (invocation, _) = cluster.ask("approval/ask", "admin-reject").await;
    let path = format!("/waits/{invocation}/17/reject");
    cluster.admin.post(&path).typed("text/plain", "withdrawn").send().await.expect(200);
    let failure = cluster.attach(&invocation).await.expect(500).json();
    assert_eq!(failure["message"], "withdrawn");
    let unknown = format!("/waits/inv_1{}/17/resolve", "0".repeat(33));
    cluster.admin.post(&unknown).json(1).send().await.expect(404);
}
