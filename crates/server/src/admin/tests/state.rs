//! State of a key over HTTP: what reaches a partition, and how a state is shown.

use bytes::Bytes;
use reveille_engine::{
    effect::Reply,
    identity,
    keys::{self, Instance},
    record::{InvocationRecord, Kind, Status, encode},
    state_edit::version_of,
};
use reveille_protocol::id::InvocationId;
use serde_json::{Value, json};

use super::{Answer, Bench};

const JSON: &str = "application/json";

impl Bench {
    /// Registers an object `O`, a workflow `W` and a plain service `S`.
    async fn register_all(&self) {
        let service =
            |name: &str, ty: &str| json!({ "name": name, "ty": ty, "handlers": [{ "name": "h" }] });
        let services =
            [service("O", "VIRTUAL_OBJECT"), service("W", "WORKFLOW"), service("S", "SERVICE")];
        self.deployments.serve(
            "http://a/",
            json!({ "minProtocolVersion": 5, "maxProtocolVersion": 7, "services": services }),
        );
        let answer = self.send("POST", "/deployments", JSON, r#"{"uri":"http://a"}"#).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    async fn edit(&self, service: &str, body: &Value) -> Answer {
        self.send("POST", &format!("/v4/services/{service}/state"), JSON, &body.to_string()).await
    }

    /// Puts a row where the partition of a key keeps it.
    fn put_of_key(&self, key: &str, row: Bytes, value: Bytes) {
        let id = InvocationId::from_parts(identity::partition_key_of(key), 0);
        self.put(identity::partition_of(id, 3), row, value);
    }
}

fn message(text: &str) -> String {
    json!({ "message": text, "restate_code": null }).to_string()
}

#[tokio::test]
async fn an_edit_reaches_its_partition() {
    let bench = Bench::start().await;
    bench.register_all().await;
    bench.partitions.reply(Ok(Reply::Accept));
    let version = format!("sv1_{}", "A".repeat(43));
    let foreign = "l16B69MLUj81zlEwdtKCVvbaFHDccOkJnpZVc8SZ42s";
    let nothing = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let of_nothing = format!("Some({:?})", version_of(std::iter::empty()));
    let zeros = format!("Some({:?})", [0; 32]);
    for (state, sent, entries, seen) in [
        (json!({}), Value::Null, "{}", "None"),
        (
            json!({ "b": [98, 0, 255], "a": "\u{e9}" }),
            Value::Null,
            r#"{b"a": b"\xc3\xa9", b"b": b"b\0\xff"}"#,
            "None",
        ),
        (json!({ "a": [] }), json!(version), r#"{b"a": b""}"#, zeros.as_str()),
        (json!({}), json!(foreign), "{}", "None"),
        (json!({}), json!("garbage"), "{}", "None"),
        (json!({}), json!(nothing), "{}", of_nothing.as_str()),
    ] {
        let body = json!({ "object_key": "k", "new_state": state, "version": sent });
        assert_eq!(bench.edit("O", &body).await.line(), "202", "{body}");
        let expected = format!(
            "ReplaceState {{ request: RequestId(7), edit: StateEdit {{ scope: None, service: \"O\", key: \"k\", \
             entries: {entries}, version: {seen} }} }}"
        );
        assert_eq!(bench.partitions.commands(), [expected], "{body}");
    }
    let body = json!({ "object_key": "", "new_state": {} });
    assert_eq!(bench.edit("W", &body).await.line(), "202");
}

#[tokio::test]
async fn each_reply_to_an_edit_has_its_status() {
    let bench = Bench::start().await;
    bench.register_all().await;
    let body = json!({ "object_key": "k", "new_state": {} });
    for (reply, status) in [
        (Reply::Accept, 202),
        (Reply::Conflict("x".to_owned()), 409),
        (Reply::Invalid("x".to_owned()), 400),
        (Reply::Unavailable("x".to_owned()), 503),
        (Reply::Done, 500),
    ] {
        bench.partitions.reply(Ok(reply.clone()));
        assert_eq!(bench.edit("O", &body).await.status, status, "{reply:?}");
    }
}

#[tokio::test]
async fn what_is_no_edit_reaches_no_partition() {
    let bench = Bench::start().await;
    bench.register_all().await;
    let plain = format!("400 {}", message("Cannot modify state for service type Service"));
    let unknown = format!("404 {}", message("The requested service 'X' does not exist"));
    let version =
        message("The request field 'version' is invalid, send it as it was read, or leave it out");
    let scope = message(
        "The request field 'scope' is wrong: value contains characters outside the allowed set [a-zA-Z0-9_.-]",
    );
    let long = "k".repeat(16 * 1024 + 1);
    let edit = |state: Value| json!({ "object_key": "k", "new_state": state });
    for (service, body, expected) in [
        ("S", edit(json!({})), plain.as_str()),
        ("X", edit(json!({})), unknown.as_str()),
        (
            "O",
            json!({ "object_key": "k", "new_state": {}, "version": "sv1_x" }),
            &format!("400 {version}"),
        ),
        (
            "O",
            json!({ "object_key": "k", "new_state": {}, "scope": "a b" }),
            &format!("400 {scope}"),
        ),
        ("O", json!({ "object_key": long, "new_state": {} }), "400"),
        ("O", edit(json!({ long.clone(): "" })), "400"),
        ("O", json!({ "object_key": "k" }), "422"),
        ("O", json!({ "new_state": {} }), "422"),
        ("O", edit(json!([])), "422"),
        ("O", edit(json!({ "a": 1 })), "422"),
        ("O", edit(json!({ "a": [256] })), "422"),
        ("O", edit(json!({ "a": [-1] })), "422"),
        ("O", edit(json!({ "a": null })), "422"),
    ] {
        let line = bench.edit(service, &body).await.line();
        assert!(line.starts_with(expected), "{line}, not {expected}");
    }
    let path = "/services/O/state";
    assert_eq!(bench.send("POST", path, JSON, "{").await.status, 400);
    assert_eq!(bench.send("POST", path, "text/plain", "{}").await.status, 415);
    assert_eq!(bench.send("PUT", path, JSON, "{}").await.status, 405);
    assert!(bench.partitions.commands().is_empty());
}

#[tokio::test]
async fn a_state_is_shown_with_its_version() {
    let bench = Bench::start().await;
    bench.register_all().await;
    let show = async |service: &str, key: &str| {
        bench.get(&format!("/services/{service}/state?key={key}")).await
    };
    let empty = "sv1_47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    assert_eq!(show("O", "k").await.json(), json!({ "version": empty, "state": {} }));
    let instance = Instance { scope: None, service: "O", key: "k" };
    bench.put_of_key("k", keys::state(instance, b"a"), Bytes::from_static(b"\xff"));
    bench.put_of_key("k", keys::state(instance, b"b"), Bytes::new());
    let shown = show("O", "k").await.json();
    assert_eq!(shown["state"], json!({ "a": "/w==", "b": "" }));
    assert_eq!(shown["version"], "sv1_BuZmjtFIuUwPXwEDWD33wxXwyVVJh9me8dqGaHFTs9k");
    assert_eq!(show("O", "other").await.json()["version"], empty);
    for (path, status) in [
        ("/services/S/state?key=k", 400),
        ("/services/X/state?key=k", 404),
        ("/services/O/state", 400),
    ] {
        assert_eq!(bench.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_state_of_an_expired_run_is_gone() {
    let bench = Bench::start().await;
    bench.register_all().await;
    let instance = Instance { scope: None, service: "W", key: "k" };
    bench.put_of_key("k", keys::state(instance, b"a"), Bytes::from_static(b"1"));
    let id = identity::workflow_run_id(None, "W", "k");
    for (retention_ms, shown) in [(u64::MAX, json!({ "a": "MQ==" })), (1, json!({}))] {
        let record = InvocationRecord {
            kind: Kind::WorkflowRun.into(),
            status: Status::Completed.into(),
            completed_at: 1,
            completion_retention_ms: retention_ms,
            ..InvocationRecord::default()
        };
        bench.put_of_key("k", keys::invocation(id), encode(&record));
        assert_eq!(bench.get("/services/W/state?key=k").await.json()["state"], shown);
    }
}
