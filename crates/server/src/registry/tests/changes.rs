//! What operators change afterwards: options of services, addresses of deployments, removal.

use reveille_engine::{
    keys,
    record::{InvocationRecord, Status, encode},
};
use reveille_protocol::id::{DeploymentId, InvocationId};
use reveille_store::{Batch, Commit, PartitionId, Store, memory::MemoryStore};
use serde_json::{Value, json};

use super::{
    super::{Registry, RegistryError},
    FakeDeployments, open,
};

const A: &str = "http://a/";
const B: &str = "http://b/";

struct Bench {
    store: MemoryStore,
    deployments: FakeDeployments,
    registry: Registry,
}

impl Bench {
    fn new() -> Bench {
        let (store, deployments) = (MemoryStore::new(1), FakeDeployments::default());
        let registry = open(&store, &deployments).expect("an empty store opens");
        Bench { store, deployments, registry }
    }

    fn serve(&self, uri: &str, services: Value) {
        let manifest = json!({"protocolMode": "BIDI_STREAM", "minProtocolVersion": 5,
            "maxProtocolVersion": 7, "services": services});
        self.deployments.serve(uri, manifest);
    }

    async fn register(&self, body: Value) -> DeploymentId {
        let request = serde_json::from_value(body).expect("a request");
        let (_, view) = self.registry.register(request).await.expect("registered");
        view.id.parse().expect("ids read back")
    }

    async fn patch(&self, service: &str, body: Value) -> Result<Value, RegistryError> {
        let patch = serde_json::from_value(body).expect("a patch");
        let view = self.registry.patch_service(service.to_owned(), patch).await?;
        Ok(serde_json::to_value(view).expect("views serialize"))
    }

    async fn update(&self, id: DeploymentId, body: Value) -> Result<Value, String> {
        let update = serde_json::from_value(body).expect("an update");
        let view = self.registry.update(id, update).await.map_err(|error| error.to_string())?;
        Ok(serde_json::to_value(view).expect("views serialize"))
    }

    fn store_invocation(&self, number: u64, record: &InvocationRecord) {
        let lease = self.store.acquire(PartitionId(0)).expect("acquire");
        let mut batch = Batch::default();
        let key = keys::invocation(InvocationId::from_parts(number, 0));
        batch.put(key, encode(record));
        let (partition, epoch, seq) = (lease.partition, lease.epoch, lease.last_seq + 1);
        let commit = Commit { partition, epoch, seq, batch: &batch };
        self.store.commit(&[commit]).remove(0).expect("commit");
    }
}

fn service(name: &str, more: Value) -> Value {
    let mut service = json!({"name": name, "ty": "SERVICE", "handlers": [{"name": "h"}]});
    let members = service.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    service
}

#[tokio::test]
async fn patches_count_until_a_manifest_says_otherwise() {
    let mut bench = Bench::new();
    bench.serve(A, json!([service("S", json!({"abortTimeout": 5000}))]));
    bench.register(json!({"uri": A})).await;
    let body = json!({"public": null, "idempotency_retention": "2d", "journal_retention": "PT1H",
        "inactivity_timeout": "7s", "abort_timeout": "8s", "unknown": 1});
    let view = bench.patch("S", body).await.expect("patched");
    let shown = |view: &Value| {
        ["idempotency_retention", "journal_retention", "inactivity_timeout", "abort_timeout"]
            .map(|name| view[name].as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(shown(&view), ["2d", "1h", "7s", "8s"]);
    let schema = bench.registry.schema().borrow().clone();
    let options = &schema.services["S"].handlers["h"].options;
    assert_eq!((options.inactivity_timeout_ms, options.abort_timeout_ms), (7_000, 8_000));

    let view = bench.patch("S", json!({"public": false, "inactivity_timeout": "9s"})).await;
    let view = view.expect("patched");
    assert_eq!(shown(&view), ["2d", "1h", "9s", "8s"], "what was changed before stays");
    assert_eq!((&view["public"], &view["handlers"][0]["public"]), (&json!(false), &json!(false)));

    // A restart keeps it; a new revision only where its manifest says nothing.
    bench.registry = open(&bench.store, &bench.deployments).expect("it opens again");
    let view = serde_json::to_value(bench.registry.service("S")).expect("views serialize");
    assert_eq!(shown(&view), ["2d", "1h", "9s", "8s"]);
    bench.register(json!({"uri": A, "force": true})).await;
    let view = serde_json::to_value(bench.registry.service("S")).expect("views serialize");
    assert_eq!(shown(&view), ["2d", "1h", "9s", "5s"]);
    assert_eq!(view["public"], json!(false));
}

#[tokio::test]
async fn patches_that_are_refused() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S", json!({}))]));
    bench.register(json!({"uri": A})).await;
    for (name, body, expected) in [
        ("T", json!({}), "not found in the schema registry: service with name 'T'"),
        (
            "S",
            json!({"workflow_completion_retention": "1d"}),
            "modifying retention time for service type Service is unsupported",
        ),
    ] {
        let error = bench.patch(name, body).await.expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
    for body in
        [json!({"abort_timeout": "soon"}), json!({"abort_timeout": 5}), json!({"public": "x"})]
    {
        assert!(serde_json::from_value::<super::super::ServicePatch>(body).is_err());
    }
}

#[tokio::test]
async fn a_deployment_moves_with_what_is_pinned_to_it() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S", json!({}))]));
    bench.serve(B, json!([service("S", json!({})), service("T", json!({}))]));
    let id = bench.register(json!({"uri": A, "additional_headers": {"x": "1"}})).await;

    let dry = bench.update(id, json!({"uri": B, "dry_run": true})).await.expect("it would do");
    assert_eq!(dry["uri"], B);
    assert_eq!(bench.registry.schema().borrow().deployments[&id].uri, A);

    let moved = bench.update(id, json!({"uri": B})).await.expect("moved");
    assert_eq!((&moved["id"], &moved["uri"]), (&json!(id.to_string()), &json!(B)));
    let schema = bench.registry.schema().borrow().clone();
    assert_eq!(schema.deployments[&id].uri, B);
    assert_eq!(schema.deployments[&id].headers, [("x".to_owned(), "1".to_owned())]);
    assert_eq!((schema.services["S"].revision, schema.services["T"].revision), (1, 1));
    let bare = bench.update(id, json!({"additional_headers": {}})).await.expect("without headers");
    assert!(bare.get("additional_headers").is_none(), "{bare}");
}

#[tokio::test]
async fn a_deployment_does_not_move_to_where_less_is() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S", json!({})), service("T", json!({}))]));
    let id = bench.register(json!({"uri": A})).await;
    let object = json!({"name": "S", "ty": "VIRTUAL_OBJECT", "handlers": [{"name": "h"}]});
    let other = json!({"name": "S", "ty": "SERVICE", "handlers": [{"name": "i"}]});
    for (services, what) in [
        (json!([service("S", json!({}))]), "service 'T' is missing"),
        (json!([object, service("T", json!({}))]), "service 'S' is VirtualObject now"),
        (json!([other, service("T", json!({}))]), "handler 'S/h' is missing"),
    ] {
        bench.serve(B, services);
        let error = bench.update(id, json!({"uri": B})).await.expect_err(what);
        assert!(error.contains(what) && error.contains("overwrite"), "{error}");
        bench.update(id, json!({"uri": B, "overwrite": true, "dry_run": true})).await.expect(what);
    }
    bench.serve(B, json!([service("U", json!({}))]));
    let other = bench.register(json!({"uri": B})).await;
    let error = bench.update(id, json!({"uri": B, "overwrite": true})).await.expect_err("taken");
    assert_eq!(error, format!("deployment '{other}' has the address {B} already"));
    let unknown = bench.update(DeploymentId(7), json!({})).await.expect_err("unknown");
    assert!(unknown.starts_with("not found"), "{unknown}");
}

#[tokio::test]
async fn only_what_is_drained_is_removed() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S", json!({}))]));
    bench.serve(B, json!([service("S", json!({}))]));
    let old = bench.register(json!({"uri": A})).await;
    let refused = bench.registry.remove(old, false).await.expect_err("it serves S");
    assert!(refused.to_string().contains("serves the latest revision of S"), "{refused}");
    bench.register(json!({"uri": B})).await;

    let on = |status: Status| {
        let here = bytes::Bytes::copy_from_slice(&old.0.to_be_bytes());
        InvocationRecord {
            status: status as i32,
            pinned_deployment: if status == Status::Running {
                bytes::Bytes::new()
            } else {
                here.clone()
            },
            attempt_deployment: here,
            ..InvocationRecord::default()
        }
    };
    let needed = [Status::Suspended, Status::Paused, Status::Running, Status::BackingOff];
    for (number, status) in (1..).zip(needed) {
        bench.store_invocation(number, &on(status));
        let refused = bench.registry.remove(old, false).await.expect_err("it is needed");
        let text = format!("is needed by {number} invocations");
        assert!(refused.to_string().contains(&text), "{refused}");
    }
    for number in 1..=4 {
        bench.store_invocation(number, &on(Status::Completed));
    }
    bench.registry.remove(old, false).await.expect("nothing needs it");
    assert!(bench.registry.get(old).is_none());
}

/// What has started on an old revision needs its options there, whatever the latest one lacks.
#[tokio::test]
async fn handlers_that_the_latest_revision_lacks_keep_their_options() {
    let bench = Bench::new();
    let handlers = json!([{"name": "h"}, {"name": "i", "abortTimeout": 5000}]);
    bench.serve(A, json!([service("S", json!({"handlers": handlers}))]));
    bench.serve(B, json!([service("S", json!({}))]));
    let old = bench.register(json!({"uri": A})).await;
    assert!(bench.registry.schema().borrow().deployments[&old].former.is_empty());
    let new = bench.register(json!({"uri": B})).await;
    let schema = bench.registry.schema().borrow().clone();
    let former: Vec<&String> = schema.deployments[&old].former["S"].keys().collect();
    assert_eq!(former, ["i"]);
    assert_eq!(schema.options("S", "i", Some(old)).map(|o| o.abort_timeout_ms), Some(5_000));
    assert!(schema.options("S", "i", Some(new)).is_none());
}
