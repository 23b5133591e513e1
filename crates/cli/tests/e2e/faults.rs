//! Deployments that answer nonsense: the attempt fails and is retried, and nobody else notices.
//!
//! A small HTTP/2 server plays the deployment. It announces one object, `flawed`, and misbehaves as
//! the key of the invocation says.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, body::Incoming, header::HeaderValue, server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;

use super::harness::{Cluster, Mode, Setup, eventually};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// How often each fault, and each protocol version, was asked for.
type Counts = Arc<Mutex<HashMap<String, usize>>>;

/// A fault by name: status, content type (or that of a good answer), body.
const FAULTS: &[(&str, u16, Option<&str>, &[u8])] = &[
    ("not-found", 404, None, b"nobody here"),
    ("internal-error", 500, None, b"oops"),
    ("wrong-version", 415, None, b""),
    ("overloaded", 503, None, b""),
    ("wrong-type", 200, Some("text/html"), b"<html>"),
    ("silent-end", 200, None, b""),
    ("truncated-header", 200, None, &[4, 1, 0]),
    ("truncated-frame", 200, None, &[4, 1, 0, 0, 0, 0, 0, 9, 1]),
    ("unknown-frame", 200, None, &[0x33, 0x33, 0, 0, 0, 0, 0, 1, 0]),
    ("not-protobuf", 200, None, &[4, 1, 0, 0, 0, 0, 0, 3, 0xFF, 0xFF, 0xFF]),
    ("huge-frame", 200, None, &[4, 1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0]),
    ("start-from-below", 200, None, &[0, 0, 0, 0, 0, 0, 0, 0]),
    ("end-without-output", 200, None, &[0, 3, 0, 0, 0, 0, 0, 0]),
    ("reset", 0, None, b""),
];

#[tokio::test]
async fn every_fault_is_retried_and_disturbs_nobody() {
    let cluster = Cluster::start(Setup::new(Mode::Bidi, 6)).await;
    let counts = Counts::default();
    register_flawed(&cluster, &counts).await;
    let mut failing = Vec::new();
    for (fault, ..) in FAULTS {
        failing.push((fault, cluster.send(&format!("flawed/{fault}/go"), "x").await));
    }
    let hanging = cluster.send("flawed/hang/go", "x").await;
    let times = |fault: &str| counts.lock().expect("no panic").get(fault).copied().unwrap_or(0);
    for (fault, id) in &failing {
        let what = format!("{fault} is tried again");
        eventually(&what, async || (times(fault) >= 2).then_some(())).await;
        cluster.output(id).await.expect(470);
    }
    assert_eq!(cluster.value("door/json", "others").await, "Hello others");
    for (_, id) in failing.iter().map(|(fault, id)| (fault, id)).chain([(&&"hang", &hanging)]) {
        cluster.control(id, "kill").await.expect(200);
        assert_eq!(cluster.attach(id).await.expect(409).json()["message"], "killed");
    }
    assert_eq!(times("hang"), 1, "a deployment that takes its time is not asked twice");
}

#[tokio::test]
async fn protocol_version_is_the_highest_allowed() {
    for version in [5, 6, 7] {
        let cluster = Cluster::stopped(Setup::new(Mode::Bidi, version));
        cluster.start_server().await;
        let counts = Counts::default();
        register_flawed(&cluster, &counts).await;
        cluster.send("flawed/hang/go", "x").await;
        let expected = format!("application/vnd.restate.invocation.v{version}");
        let asked = eventually("the deployment is asked", async || {
            counts.lock().expect("no panic").keys().find(|key| *key != "hang").cloned()
        });
        assert_eq!(asked.await, expected);
    }
}

#[tokio::test]
async fn deployment_that_comes_back_is_found() {
    let cluster = Cluster::start(Setup::new(Mode::RequestResponse, 6)).await;
    cluster.kill_service();
    let invocation = cluster.send("door/json", "patient").await;
    cluster.output(&invocation).await.expect(470);
    cluster.start_service().await;
    assert_eq!(cluster.result(&invocation).await, "Hello patient");
}

async fn register_flawed(cluster: &Cluster, counts: &Counts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(listener, counts.clone()));
    let body = json!({"uri": format!("http://{address}")});
    cluster.admin.post("/deployments").json(body).send().await.expect(201);
}

async fn serve(listener: TcpListener, counts: Counts) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let counts = counts.clone();
        tokio::spawn(async move {
            let answers = service_fn(move |request| answer(request, counts.clone()));
            let server = http2::Builder::new(TokioExecutor::new());
            // The connection ends with an error when the server under test resets it; so be it.
            drop(server.serve_connection(TokioIo::new(stream), answers).await);
        });
    }
}

/// An error resets the stream.
async fn answer(request: Request<Incoming>, counts: Counts) -> Result<Answer, &'static str> {
    if request.uri().path() == "/discover" {
        return Ok(manifest());
    }
    let header = |name| request.headers().get(name).cloned();
    let key = header("x-restate-service-key").expect("the key of the object");
    let key = key.to_str().expect("a key of letters").to_owned();
    let good_type = header("content-type").expect("the protocol version");
    let version = good_type.to_str().expect("a content type").to_owned();
    for seen in [key.clone(), version] {
        *counts.lock().expect("no panic").entry(seen).or_default() += 1;
    }
    let Some((_, status, content_type, body)) = FAULTS.iter().find(|(name, ..)| *name == key)
    else {
        return pending().await;
    };
    if *status == 0 {
        return Err("reset");
    }
    let content_type = content_type.map_or(good_type, HeaderValue::from_static);
    let answer = Response::builder().status(*status).header("content-type", content_type);
    Ok(answer.body(Full::new(Bytes::from_static(body)).boxed_unsync()).expect("an answer"))
}

fn manifest() -> Answer {
    let manifest = json!({
        "protocolMode": "BIDI_STREAM",
        "minProtocolVersion": 5,
        "maxProtocolVersion": 7,
        "services": [{
            "name": "flawed",
            "ty": "VIRTUAL_OBJECT",
            "handlers": [{"name": "go", "ty": "EXCLUSIVE"}],
        }],
    });
    let body = Full::new(Bytes::from(manifest.to_string())).boxed_unsync();
    let content_type = "application/vnd.restate.endpointmanifest.v4+json";
    Response::builder().header("content-type", content_type).body(body).expect("a manifest")
}
