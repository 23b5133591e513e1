//! A malformed answer is refused and does not brick the waiter.

use std::sync::Arc;

use serde_json::json;

use crate::{
    harness::{Cluster, Mode, eventually},
    scenarios,
};

scenarios![
    malformed_json_is_refused,
    malformed_json_rejection_is_refused,
    other_content_types_pass,
    administrator_mends_a_value,
];

const PATHS: [&str; 3] = ["/restate/awakeables", "/restate/a", "/reveille/waits"];

async fn malformed_json_is_refused(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "malformed").await;
    let bodies = ["Looks good!", "{\n  \"a\": 1,\n  b\n}", "\"unfinished", "\"a\" \"b\""];
    let types = ["application/json", "application/json; charset=utf-8"];
    for path in PATHS {
        for content_type in types {
            for body in bodies {
                let call = cluster.ingress.post(&format!("{path}/{wait}/resolve"));
                let answer = call.typed(content_type, body).send().await.expect(400);
                let message = answer.json()["message"].as_str().expect("a message").to_owned();
                assert!(message.contains("line") && message.contains("column"), "{message}");
            }
        }
    }
    let place = cluster.ingress.post(&format!("/restate/awakeables/{wait}/resolve"));
    let answer = place.typed("application/json", "{\n  \"a\": 1,\n  b\n}").send().await;
    let message = answer.expect(400).json()["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("line 3") && message.contains("column 3"), "{message}");
    cluster.output(&invocation).await.expect(470);
    cluster.resolve(&wait, "well-formed").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "well-formed");
}

async fn malformed_json_rejection_is_refused(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "malformed-reject").await;
    for path in PATHS {
        let call = cluster.ingress.post(&format!("{path}/{wait}/reject"));
        call.typed("application/json", "{no}").send().await.expect(400);
    }
    cluster.output(&invocation).await.expect(470);
    cluster.reject(&wait, "{no}").await.expect(202);
    assert_eq!(cluster.attach(&invocation).await.expect(500).json()["message"], "{no}");
}

async fn other_content_types_pass(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askBinary", "other-type").await;
    let call = cluster.ingress.post(&format!("/restate/awakeables/{wait}/resolve"));
    call.typed("text/plain", "{no}").send().await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(b"{no}"));
}

async fn administrator_mends_a_value(cluster: Arc<Cluster>) {
    // `early` is not consumed before the gate opens. A body that does not claim to be JSON passes
    // unchecked, which is how a wrong value gets there.
    let invocation = cluster.send("combinators/answeredEarly", "mended").await;
    let wait = cluster.announced("mended/early").await;
    let gate = cluster.announced("mended/gate").await;
    eventually("the handler waits for its gate", async || {
        let waits = cluster.waits_of(&invocation, "&kind=awakeable").await;
        waits.iter().any(|entry| entry["index"] == 18).then_some(())
    })
    .await;
    let call = cluster.ingress.post(&format!("/restate/awakeables/{wait}/resolve"));
    call.typed("text/plain", "not JSON").send().await.expect(202);
    let path = format!("/waits/{invocation}/17/replace");
    let answer = cluster.admin.post(&path).json("mended").send().await;
    if cluster.setup.mode == Mode::Bidi && answer.status == 409 {
        // The open stream was handed the first value at once, so it cannot be taken back.
        cluster.control(&invocation, "kill").await.expect(200);
        return;
    }
    answer.expect(200);
    cluster.resolve(&gate, "open").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["open", "mended"]));
}
