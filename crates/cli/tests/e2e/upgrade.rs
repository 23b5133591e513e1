//! Deployments come and go: what each SDK announces, and a new revision of its programs while
//! somebody waits on the old one.

use std::sync::Arc;

use serde_json::{Value, json};

use super::harness::{Cluster, Mode, Process, Sdk, Setup, eventually, free_port, tell};

macro_rules! upgrades {
    ($($name:ident: $sdk:ident, $mode:ident;)*) => {
        $(#[tokio::test]
        async fn $name() {
            let setup = Setup::new(Mode::$mode, 7).sdk(Sdk::$sdk);
            let cluster = Arc::new(Cluster::start(setup).await);
            tell(&cluster, "an upgrade", upgrade(cluster.clone())).await;
        })*
    };
}

upgrades! {
    typescript_bidi: TypeScript, Bidi;
    typescript_request_response: TypeScript, RequestResponse;
    typescript_http1: TypeScript, Http1;
    python_bidi: Python, Bidi;
    python_request_response: Python, RequestResponse;
    python_http1: Python, Http1;
    rust_bidi: Rust, Bidi;
    rust_request_response: Rust, RequestResponse;
    rust_http1: Rust, Http1;
    reveille_bidi: Reveille, Bidi;
    reveille_request_response: Reveille, RequestResponse;
    reveille_http1: Reveille, Http1;
}

async fn upgrade(cluster: Arc<Cluster>) {
    check_announcement(&cluster).await;
    let (old, old_wait) = cluster.ask("approval/askRevision", "old").await;

    let port = free_port();
    let second = serve_second(&cluster, port).await;
    let registered = cluster.register_port(port).await.expect(201).json();
    assert_eq!(revision(&registered), 2, "{registered}");

    // The new revision takes what starts now; the old one goes on with what it has begun.
    let (new, new_wait) = cluster.ask("approval/askRevision", "new").await;
    cluster.resolve(&old_wait, "answered").await.expect(202);
    cluster.resolve(&new_wait, "answered").await.expect(202);
    assert_eq!(cluster.result(&old).await, "answered on 1");
    assert_eq!(cluster.result(&new).await, "answered on 2");

    // The old one is down when its answer comes, and goes on when it is back.
    let (waiting, wait) = cluster.ask("approval/askRevision", "on the new").await;
    drop(second);
    cluster.resolve(&wait, "answered").await.expect(202);
    cluster.output(&waiting).await.expect(470);
    let _second = serve_second(&cluster, port).await;
    assert_eq!(cluster.result(&waiting).await, "answered on 2");
}

/// Serves revision 2 on a port of its own.
async fn serve_second(cluster: &Cluster, port: u16) -> Process {
    let log = cluster.log("second service");
    let second = cluster.spawn_service(port, &[("REVISION", "2")], &log).await;
    eventually("the second service listens", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok().then_some(())
    })
    .await;
    second
}

/// What the server makes of the manifest.
async fn check_announcement(cluster: &Cluster) {
    let list = cluster.admin.get("/deployments").send().await.expect(200).json();
    let deployment = &list["deployments"][0];
    let mode = match cluster.setup.mode {
        Mode::Bidi => "BidiStream",
        Mode::RequestResponse | Mode::Http1 | Mode::Lambda => "RequestResponse",
    };
    for (member, value) in [
        ("sdk_version", json!(cluster.setup.sdk.announces())),
        ("protocol_type", json!(mode)),
        ("min_protocol_version", json!(5)),
        ("max_protocol_version", json!(7)),
    ] {
        assert_eq!(deployment[member], value, "{member} in {deployment}");
    }
    assert_eq!(revision(deployment), 1, "{deployment}");
    let path = |service: &str| format!("/services/{service}");
    for (service, kind) in
        [("approval", "Service"), ("account", "VirtualObject"), ("reviewWorkflow", "Workflow")]
    {
        let shown = cluster.admin.get(&path(service)).send().await.expect(200).json();
        assert_eq!(shown["ty"], kind, "{shown}");
    }
}

fn revision(deployment: &Value) -> u64 {
    let services = deployment["services"].as_array().expect("services");
    let service = services.iter().find(|service| service["name"] == "approval");
    service.expect("the approval service")["revision"].as_u64().expect("a revision")
}
