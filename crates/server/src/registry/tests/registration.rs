//! Outcomes of registrations and removals, and what a restart finds.

use reveille_store::{
    Batch, Commit, PartitionId, Store,
    memory::{Fault, MemoryStore},
};
use serde_json::{Value, json};

use super::{FakeDeployments, open};
use crate::registry::{DeploymentView, RegisterDeployment, Registered, Registry, RegistryError};

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
        let manifest = json!({
            "protocolMode": "BIDI_STREAM",
            "minProtocolVersion": 5,
            "maxProtocolVersion": 7,
            "services": services,
        });
        self.deployments.serve(uri, manifest);
    }

    async fn register(&self, body: Value) -> Result<(Registered, DeploymentView), RegistryError> {
        let request: RegisterDeployment =
            serde_json::from_value(body).expect("tests send requests that parse");
        self.registry.register(request).await
    }

    /// Registers and prints the outcome: `Created S@1`, or the code and text of the error.
    async fn check(&self, body: Value, expected: &str) {
        let text = match self.register(body.clone()).await {
            Ok((registered, view)) => {
                let services = view.services.iter();
                let services =
                    services.map(|service| format!(" {}@{}", service.name, service.revision));
                format!("{registered:?}{}", services.collect::<String>())
            }
            Err(error) => format!("{} {error}", error.code().unwrap_or("-")),
        };
        assert_eq!(text, expected, "{body}");
    }

    /// Prints where new work goes: `S@1=http://a/`.
    fn routes(&self) -> String {
        let schema = self.registry.schema().borrow().clone();
        let routes = schema.services.values().map(|service| {
            let uri = &schema.deployments[&service.deployment].uri;
            format!("{}@{}={uri}", service.name, service.revision)
        });
        routes.collect::<Vec<_>>().join(" ")
    }
}

fn service(name: &str) -> Value {
    json!({ "name": name, "ty": "SERVICE", "handlers": [{ "name": "h" }] })
}

fn object(name: &str) -> Value {
    json!({ "name": name, "ty": "VIRTUAL_OBJECT", "handlers": [{ "name": "h" }] })
}

#[tokio::test]
async fn a_known_address_is_not_discovered_again_without_force() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S")]));
    bench.check(json!({ "uri": "http://a?x=y" }), "Created S@1").await;
    bench.serve(A, json!([service("S"), service("T")]));
    bench.check(json!({ "uri": "http://A/" }), "Existing S@1").await;
    bench.check(json!({ "uri": A, "dry_run": true, "breaking": true }), "Existing S@1").await;
    assert_eq!(bench.deployments.discoveries(), 1);
    bench.check(json!({ "uri": A, "force": true }), "Existing S@2 T@1").await;
    assert_eq!(bench.registry.list().len(), 1);
    assert_eq!(bench.routes(), "S@2=http://a/ T@1=http://a/");
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S")]));
    bench.check(json!({ "uri": A, "dry_run": true }), "Created S@1").await;
    assert!(bench.registry.list().is_empty());
    bench.check(json!({ "uri": A }), "Created S@1").await;
    bench.check(json!({ "uri": A, "dry_run": true, "force": true }), "Existing S@2").await;
    assert_eq!(bench.routes(), "S@1=http://a/");
}

#[tokio::test]
async fn new_work_goes_to_the_newest_revision_and_old_deployments_stay() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S"), service("T")]));
    bench.serve(B, json!([service("S")]));
    bench.check(json!({ "uri": A }), "Created S@1 T@1").await;
    bench.check(json!({ "uri": B }), "Created S@2").await;
    assert_eq!(bench.routes(), "S@2=http://b/ T@1=http://a/");
    assert_eq!(bench.registry.schema().borrow().deployments.len(), 2);
    bench.check(json!({ "uri": A, "force": true }), "Existing S@3 T@2").await;
    assert_eq!(bench.routes(), "S@3=http://a/ T@2=http://a/");
}

#[tokio::test]
async fn a_service_changes_its_type_only_when_that_is_meant() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S")]));
    bench.serve(B, json!([object("S")]));
    bench.check(json!({ "uri": A }), "Created S@1").await;
    let refusal = "META0006 service 'S' is registered as Service and the deployment declares it as \
                   VirtualObject. Register with \"breaking\": true if that is meant";
    bench.check(json!({ "uri": B }), refusal).await;
    assert_eq!(bench.routes(), "S@1=http://a/");
    bench.check(json!({ "uri": B, "breaking": true, "dry_run": true }), "Created S@2").await;
    bench.check(json!({ "uri": B, "force": true }), "Created S@2").await;
}

#[tokio::test]
async fn protocol_versions_and_modes_are_negotiated() {
    let refused = |min, max| {
        format!(
            "META0012 unsupported service protocol versions: [{min}, {max}]. Supported versions by \
             this runtime are [5, 6]. Use an SDK that speaks one of these"
        )
    };
    let bidirectional = json!("BIDI_STREAM");
    for (min, max, mode, http1, expected) in [
        (1, 4, &bidirectional, false, Err(refused(1, 4))),
        (8, 9, &bidirectional, false, Err(refused(8, 9))),
        (7, 7, &bidirectional, false, Err(refused(7, 7))),
        (1, 5, &bidirectional, false, Ok((5, true))),
        (5, 7, &bidirectional, false, Ok((6, true))),
        (6, 6, &Value::Null, false, Ok((6, true))),
        (5, 5, &Value::Null, true, Ok((5, false))),
        (5, 5, &bidirectional, true, Ok((5, false))),
        (5, 5, &json!("REQUEST_RESPONSE"), false, Ok((5, false))),
    ] {
        let bench = Bench::new();
        let manifest = json!({
            "protocolMode": mode,
            "minProtocolVersion": min,
            "maxProtocolVersion": max,
            "services": [],
        });
        bench.deployments.serve(A, manifest);
        let answer = bench.register(json!({ "uri": A, "use_http_11": http1 })).await;
        let answer = answer.map_err(|error| format!("{} {error}", error.code().unwrap_or("-")));
        let schema = bench.registry.schema().borrow().clone();
        let answer = answer.map(|_| {
            let deployment = schema.deployments.values().next().expect("it is registered");
            (deployment.protocol_version, deployment.bidirectional)
        });
        assert_eq!(answer, expected, "{min}..{max} {mode} {http1}");
    }
}

#[tokio::test]
async fn refusals_of_the_deployment_change_nothing() {
    let bench = Bench::new();
    bench.check(json!({ "uri": A }), "META0003 error when calling 'http://a/': refused").await;
    let manifest = json!([{ "name": "S", "ty": "SERVICE",
        "handlers": [{ "name": "h", "ty": "EXCLUSIVE" }] }]);
    bench.serve(A, manifest);
    let refusal = "- invalid combination of service type and handler type '(Service, \
                   Some(Exclusive))'";
    bench.check(json!({ "uri": A }), refusal).await;
    assert!(bench.registry.list().is_empty());
}

#[tokio::test]
async fn removal_takes_the_services_along() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S"), service("T")]));
    bench.serve(B, json!([service("S")]));
    bench.check(json!({ "uri": A }), "Created S@1 T@1").await;
    let (_, b) = bench.register(json!({ "uri": B })).await.expect("it is registered");
    let b = b.id.parse().expect("ids read back");
    let refused = bench.registry.remove(b, false).await;
    assert!(matches!(refused, Err(RegistryError::Serving { .. })), "{refused:?}");
    bench.registry.remove(b, true).await.expect("it is there");
    assert_eq!(bench.routes(), "T@1=http://a/", "S does not fall back to an old revision");
    let refused = bench.registry.remove(b, true).await;
    assert!(matches!(refused, Err(RegistryError::UnknownDeployment(_))), "{refused:?}");
    bench.check(json!({ "uri": A, "force": true }), "Existing S@2 T@2").await;
    assert_eq!(bench.routes(), "S@2=http://a/ T@2=http://a/");
}

#[tokio::test]
async fn a_restart_finds_everything_and_leaves_other_rows_alone() {
    let mut bench = Bench::new();
    bench.serve(A, json!([service("S")]));
    bench.serve(B, json!([object("O")]));
    let body = json!({ "uri": A, "additional_headers": { "x-a": "1" }, "metadata": { "m": "n" } });
    bench.check(body, "Created S@1").await;
    bench.check(json!({ "uri": B }), "Created O@1").await;
    let before = serde_json::to_value(bench.registry.list()).expect("views serialize");

    let lease = bench.store.acquire(PartitionId::META).expect("a lease is given");
    let mut batch = Batch::default();
    batch.put("secret", "other");
    let (partition, epoch, seq) = (lease.partition, lease.epoch, lease.last_seq + 1);
    let answers = bench.store.commit(&[Commit { partition, epoch, seq, batch: &batch }]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");

    bench.registry = open(&bench.store, &bench.deployments).expect("the store opens again");
    let after = serde_json::to_value(bench.registry.list()).expect("views serialize");
    assert_eq!(after, before);
    assert_eq!(bench.routes(), "O@1=http://b/ S@1=http://a/");
    bench.check(json!({ "uri": A, "force": true }), "Existing S@2").await;
    let secret = bench.store.get(PartitionId::META, b"secret").expect("reads work");
    assert_eq!(secret.as_deref(), Some(&b"other"[..]));
}

#[tokio::test]
async fn what_is_not_durable_is_not_shown() {
    let bench = Bench::new();
    bench.serve(A, json!([service("S")]));
    bench.store.control().inject(Fault::DiskFull);
    let refused = bench.register(json!({ "uri": A })).await;
    assert!(matches!(refused, Err(RegistryError::Store(_))), "{refused:?}");
    assert_eq!(bench.routes(), "");
    bench.check(json!({ "uri": A }), "Created S@1").await;
}

#[test]
fn a_damaged_record_stops_the_start() {
    for (value, expected) in [
        (&b""[..], "it is empty"),
        (b"\x09{}", "it has format 9, this program supports format 1"),
        (b"\x01{", "EOF while parsing an object at line 1 column 1"),
    ] {
        let store = MemoryStore::new(1);
        let lease = store.acquire(PartitionId::META).expect("a lease is given");
        let mut batch = Batch::default();
        batch.put([&b"deployment/"[..], &[0; 16]].concat(), value.to_vec());
        let (partition, epoch, seq) = (lease.partition, lease.epoch, lease.last_seq + 1);
        let answers = store.commit(&[Commit { partition, epoch, seq, batch: &batch }]);
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let error = open(&store, &FakeDeployments::default()).err().map(|error| error.to_string());
        let expected =
            format!("the record of deployment dp_10000000000000000000000 is damaged: {expected}");
        assert_eq!(error, Some(expected));
    }
}
