//! What the Java and Go SDKs announce and send, imitated: there is no toolchain for them where these
//! tests run, so their code does not.
//!
//! A small deployment says what their published sources (MIT license) make them say: the fields of
//! the manifest and their presence, `x-restate-server`, the range of versions, padded awakeable ids,
//! the shape of suspensions and errors. A pass means that the server understands that; it is no
//! proof that the SDKs work.
//!
//! - Owns: [`SDKS`], the table of imitations, and the stories.
//! - [`deployment`]: the HTTP side; [`attempt`]: a state machine with the habits of the SDK;
//!   [`manifest`]: what is announced; [`programs`]: the handlers.

mod attempt;
mod deployment;
mod manifest;
mod programs;

use std::sync::Arc;

use serde_json::{Value, json};

use super::harness::{Cluster, Mode, Setup, eventually, tell};
use deployment::Deployment;

/// Habits in which the imitated SDKs differ.
#[derive(Debug)]
pub struct Sdk {
    /// The value of `x-restate-server`.
    server: &'static str,
    /// The highest version that it announces; the lowest is 5 everywhere.
    version_max: u32,
    /// Whether it writes awakeable ids with the padding of base64.
    pads_awakeable_ids: bool,
    /// The first and last manifest version that it knows.
    manifest_versions: (u32, u32),
    /// Whether it announces streams whatever version of HTTP it is asked over.
    streams_over_http1: bool,
    manifest: fn(mode: &str, version_max: u32) -> Value,
}

/// Below Java 23: the state machine in Java.
const JAVA: Sdk = Sdk {
    server: "restate-sdk-java/2.10.0-SNAPSHOT_d533e91d",
    version_max: 6,
    pads_awakeable_ids: true,
    manifest_versions: (1, 4),
    streams_over_http1: false,
    manifest: manifest::java,
};

/// From Java 23 on: the core that it shares with other SDKs.
const JAVA_NATIVE: Sdk = Sdk { version_max: 7, pads_awakeable_ids: false, ..JAVA };

const GO: Sdk = Sdk {
    server: "restate-sdk-go/v1.0.2",
    version_max: 7,
    pads_awakeable_ids: false,
    manifest_versions: (2, 4),
    streams_over_http1: true,
    manifest: manifest::go,
};

macro_rules! imitations {
    ($($name:ident: $sdk:ident, $mode:ident, $version:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            check(&$sdk, Mode::$mode, $version).await;
        })*
    };
}

imitations! {
    java_bidi_v5: JAVA, Bidi, 5;
    java_bidi_up_to_v6: JAVA, Bidi, 7;
    java_request_response_v5: JAVA, RequestResponse, 5;
    java_request_response_up_to_v6: JAVA, RequestResponse, 7;
    java_http1_up_to_v6: JAVA, Http1, 7;
    java_native_bidi_v7: JAVA_NATIVE, Bidi, 7;
    java_native_request_response_v7: JAVA_NATIVE, RequestResponse, 7;
    go_bidi_v5: GO, Bidi, 5;
    go_bidi_v7: GO, Bidi, 7;
    go_request_response_v6: GO, RequestResponse, 6;
    go_request_response_v7: GO, RequestResponse, 7;
    go_http1_v7: GO, Http1, 7;
}

async fn check(sdk: &'static Sdk, mode: Mode, version: u32) {
    let cluster = Arc::new(Cluster::stopped(Setup::new(mode, version)));
    cluster.start_server().await;
    let expected_version = version.min(sdk.version_max);
    let deployment = Deployment::serve(sdk, mode, expected_version).await;
    let registered = cluster.register_port(deployment.port).await.expect(201).json();
    check_services(&registered["services"]);
    let list = cluster.admin.get("/deployments").send().await.expect(200).json();
    check_registration(sdk, mode, &list["deployments"][0]);
    let told = cluster.clone();
    let story = async move {
        waits(&told, &deployment, sdk).await;
        stumbles_and_refuses(&told, &deployment).await;
        calls_and_keeps_state(&told).await;
        is_cancelled(&told, &deployment).await;
        deployment.assert_no_complaints();
    };
    tell(&cluster, sdk.server, story).await;
}

fn check_services(services: &Value) {
    let described = |service: &Value| json!([service["name"], service["ty"]]);
    let described: Vec<_> = services.as_array().expect("services").iter().map(described).collect();
    let expected = json!([["imitatedObject", "VirtualObject"], ["imitation", "Service"]]);
    assert_eq!(Value::from(described), expected, "{services}");
}

fn check_registration(sdk: &Sdk, mode: Mode, listed: &Value) {
    // HTTP/1.1 means request/response, whatever is announced.
    let protocol = if mode == Mode::Bidi { "BidiStream" } else { "RequestResponse" };
    for (member, value) in [
        ("min_protocol_version", json!(5)),
        ("max_protocol_version", json!(sdk.version_max)),
        ("sdk_version", json!(sdk.server)),
        ("protocol_type", json!(protocol)),
    ] {
        assert_eq!(listed[member], value, "{member} in {listed}");
    }
}

/// The id is announced by a step without a name; the answer comes over HTTP, padding and all.
async fn waits(cluster: &Cluster, deployment: &Deployment, sdk: &Sdk) {
    for (number, escape) in ["=", "%3D", "%3d"].into_iter().enumerate() {
        let invocation = cluster.send("imitation/wait", format!("wait {number}")).await;
        let wait = announced(deployment, &format!("wait {number}")).await;
        assert_eq!(wait.ends_with('='), sdk.pads_awakeable_ids, "{wait}");
        cluster.resolve(&wait.replace('=', escape), "answered").await.expect(202);
        assert_eq!(cluster.result(&invocation).await, "answered");
    }
    // And from a handler, which passes on what it was told.
    let invocation = cluster.send("imitation/wait", "by handler").await;
    let wait = announced(deployment, "by handler").await;
    cluster.call("imitation/answer", wait).await.expect(200);
    assert_eq!(cluster.result(&invocation).await, "by a handler");
}

async fn announced(deployment: &Deployment, name: &str) -> String {
    let what = format!("{name} asks for a review");
    eventually(&what, async || deployment.announcement(name)).await
}

/// A step that fails is retried after the delay that the SDK asks for, with a count; a terminal
/// error may come without a message.
async fn stumbles_and_refuses(cluster: &Cluster, deployment: &Deployment) {
    assert_eq!(cluster.value("imitation/stumble", "stumble").await, "third attempt");
    assert_eq!(deployment.retry_counts(), [0, 1, 2]);
    let refusal = cluster.call("imitation/refuse", "x").await.expect(418);
    assert_eq!(refusal.text(), r#"{"code":418,"message":"","source":"invocation"}"#);
}

/// Calls, sends with an idempotency key, and eager state that is void at first.
async fn calls_and_keeps_state(cluster: &Cluster) {
    assert_eq!(cluster.value("imitation/call", "a key").await, json!([1, true]));
    eventually("the one-way call arrives once", async || {
        let read = cluster.call_empty("imitatedObject/a%20key/read").await.expect(200).json();
        (read == 2).then_some(())
    })
    .await;
    let unknown = cluster.call_empty("imitatedObject/another/read").await.expect(200);
    assert_eq!(unknown.json(), 0);
}

/// Cancelled while it awaits a call: the SDK cancels the child, then fails.
async fn is_cancelled(cluster: &Cluster, deployment: &Deployment) {
    let parent = cluster.send("imitation/delegate", "child").await;
    let wait = announced(deployment, "child").await;
    cluster.control(&parent, "cancel").await.expect(202);
    let failure = cluster.attach(&parent).await.expect(409).json();
    assert_eq!(failure["message"], "cancelled");
    eventually("the child is cancelled as well", async || {
        let state = cluster.ingress.get(&format!("/reveille/waits/{wait}")).send().await;
        [404, 410].contains(&state.status).then_some(())
    })
    .await;
}
