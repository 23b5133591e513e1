//! Calls and sends against a scripted partition.

use bytes::Bytes;
use expect_test::{Expect, expect};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use reveille_engine::command::{Command, Outcome, Target};
use reveille_engine::effect::{Completed, Reply};
use reveille_engine::identity;
use reveille_protocol::id::InvocationId;
use tokio::sync::mpsc;

use super::{LIMIT, exchange, get, ingress, post, request, result_reply, some_id};
use crate::partition::Refused;

async fn check(request: Request<Full<Bytes>>, reply: Reply, expected: Expect) {
    expected.assert_eq(&exchange(request, Ok(reply)).await);
}

fn value(body: &'static str) -> Reply {
    let outcome = Outcome::Success(Bytes::from_static(body.as_bytes()));
    result_reply(Completed { outcome, stacktrace: None }, None)
}

fn accepted(fresh: bool, execution_time: Option<u64>) -> Reply {
    Reply::Accepted { id: some_id(), fresh, execution_time }
}

pub const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn calls() {
    check(
        post("/S/h", &[JSON], "1"),
        value("2"),
        expect![[r#"
            > Invoke S/h key=None wait=true idempotency_key=None delayed=false body=b"1"
            200
            content-type: application/json
            x-restate-id: inv_100000000007000000000000000000000G
            2"#]],
    )
    .await;
    check(
        get("/restate/call/O/a%2Fb/h?x=1"),
        value(""),
        expect![[r#"
            > Invoke O/h key=Some("a/b") wait=true idempotency_key=None delayed=false body=b""
            200
            x-restate-id: inv_100000000007000000000000000000000G
        "#]],
    )
    .await;
    // A GET that brings a body is like a POST.
    let with_body = request(Method::GET, "/S/h", &[JSON], "1");
    check(
        with_body,
        value("2"),
        expect![[r#"
            > Invoke S/h key=None wait=true idempotency_key=None delayed=false body=b"1"
            200
            content-type: application/json
            x-restate-id: inv_100000000007000000000000000000000G
            2"#]],
    )
    .await;
    let browser = post("/S/h", &[JSON, ("origin", "https://example")], "1");
    check(
        browser,
        value("2"),
        expect![[r#"
            > Invoke S/h key=None wait=true idempotency_key=None delayed=false body=b"1"
            200
            access-control-allow-origin: https://example
            access-control-expose-headers: x-restate-id, x-restate-error-source, idempotency-expires
            content-type: application/json
            x-restate-id: inv_100000000007000000000000000000000G
            2"#]],
    )
    .await;
}

#[tokio::test]
async fn failures() {
    let completed = Completed { outcome: Outcome::failure(409, "killed"), stacktrace: None };
    let reply = result_reply(completed, Some(1_795_334_001_421));
    check(
        post("/S/h", &[JSON], "1"),
        reply,
        expect![[r#"
            > Invoke S/h key=None wait=true idempotency_key=None delayed=false body=b"1"
            409
            content-type: application/json
            idempotency-expires: 2026-11-22T07:53:21.421+00:00
            x-restate-error-source: invocation
            x-restate-id: inv_100000000007000000000000000000000G
            {"code":409,"message":"killed","source":"invocation"}"#]],
    )
    .await;
    let reply = Reply::WorkflowAlreadyInvoked(some_id());
    check(
        post("/W/k/run", &[JSON], "1"),
        reply,
        expect![[r#"
            > Invoke W/run key=Some("k") wait=true idempotency_key=None delayed=false body=b"1"
            409
            content-type: application/json
            x-restate-error-source: invocation
            x-restate-id: inv_100000000007000000000000000000000G
            {"code":409,"message":"the workflow method was already invoked","source":"invocation"}"#]],
    )
    .await;
    check(
        get("/S/h"),
        Reply::Unavailable("full".into()),
        expect![[r#"
            > Invoke S/h key=None wait=true idempotency_key=None delayed=false body=b""
            503
            content-type: application/json
            retry-after: 1
            x-restate-error-source: ingress
            {"code":503,"message":"full","source":"ingress"}"#]],
    )
    .await;
    check(get("/S/h"), Reply::Done, expect![[r#"
        > Invoke S/h key=None wait=true idempotency_key=None delayed=false body=b""
        500
        content-type: application/json
        x-restate-error-source: ingress
        {"code":500,"message":"the partition gave an answer that does not fit the request; please report this","source":"ingress"}"#]]).await;
    let refused = exchange(get("/S/h"), Err(Refused::Stopping)).await;
    expect![[r#"
        > Invoke S/h key=None wait=true idempotency_key=None delayed=false body=b""
        503
        content-type: application/json
        retry-after: 1
        x-restate-error-source: ingress
        {"code":503,"message":"the server is stopping, retry in a moment","source":"ingress"}"#]]
    .assert_eq(&refused);
}

#[tokio::test]
async fn sends() {
    check(
        post("/S/h/send", &[JSON], "1"),
        accepted(true, None),
        expect![[r#"
            > Invoke S/h key=None wait=false idempotency_key=None delayed=false body=b"1"
            202
            content-type: application/json
            x-restate-id: inv_100000000007000000000000000000000G
            {"invocationId":"inv_100000000007000000000000000000000G","status":"Accepted"}"#]],
    )
    .await;
    let delayed = post("/restate/send/W/k/run?delay=10+sec", &[], "");
    check(delayed, accepted(true, Some(1_795_334_001_421)), expect![[r#"
        > Invoke W/run key=Some("k") wait=false idempotency_key=None delayed=true body=b""
        202
        content-type: application/json
        x-restate-id: inv_100000000007000000000000000000000G
        {"invocationId":"inv_100000000007000000000000000000000G","executionTime":"2026-11-22T07:53:21.421000000Z","status":"Accepted"}"#]]).await;
    let delayed = post("/restate/send/S/h?delay=0s", &[("idempotency-key", "x")], "");
    check(
        delayed,
        accepted(false, None),
        expect![[r#"
            > Invoke S/h key=None wait=false idempotency_key=Some("x") delayed=true body=b""
            202
            content-type: application/json
            x-restate-id: inv_100000000007000000000000000000000G
            {"invocationId":"inv_100000000007000000000000000000000G","status":"PreviouslyAccepted"}"#]],
    )
    .await;
    let joined = post("/restate/send/S/h?delay=1s", &[("idempotency-key", "x")], "");
    check(joined, accepted(false, Some(1_795_334_001_421)), expect![[r#"
        > Invoke S/h key=None wait=false idempotency_key=Some("x") delayed=true body=b""
        202
        content-type: application/json
        x-restate-id: inv_100000000007000000000000000000000G
        {"invocationId":"inv_100000000007000000000000000000000G","executionTime":"2026-11-22T07:53:21.421000000Z","status":"PreviouslyAccepted"}"#]]).await;
}

#[tokio::test]
async fn refusals() {
    // None of these reaches the partition: there is no line with a command.
    let table: [(Request<_>, Expect); 6] = [
        (
            post("/S/h?delay=1s", &[], ""),
            expect![[r#"
            400
            content-type: application/json
            x-restate-error-source: ingress
            {"code":400,"message":"cannot use the delay query parameter with calls. The delay is supported only with sends","source":"ingress"}"#]],
        ),
        (
            post("/S/h/send?delay=10", &[], ""),
            expect![[r#"
            400
            content-type: application/json
            x-restate-error-source: ingress
            {"code":400,"message":"bad delay query parameter, must be a ISO8601 duration: expected a unit such as ms, s, m, h or d at byte 2","source":"ingress"}"#]],
        ),
        (
            post("/S/h?limit-key=a", &[], ""),
            expect![[r#"
            400
            content-type: application/json
            x-restate-error-source: ingress
            {"code":400,"message":"limit-key requires a scope to be set","source":"ingress"}"#]],
        ),
        (
            post("/S/h", &[("x-restate-limit-key", "a")], ""),
            expect![[r#"
            400
            content-type: application/json
            x-restate-error-source: ingress
            {"code":400,"message":"limit-key requires a scope to be set","source":"ingress"}"#]],
        ),
        (
            post("/S/h", &[("idempotency-key", "ä")], ""),
            expect![[r#"
            400
            content-type: application/json
            x-restate-error-source: ingress
            {"code":400,"message":"bad header idempotency-key: \"\\xc3\\xa4\"","source":"ingress"}"#]],
        ),
        (
            post("/W/k/run", &[("idempotency-key", "x")], ""),
            expect![[r#"
            400
            content-type: application/json
            x-restate-error-source: ingress
            {"code":400,"message":"cannot use the idempotency key with workflow handlers. The handler invocation will already be idempotent by the workflow key itself.","source":"ingress"}"#]],
        ),
    ];
    for (request, expected) in table {
        check(request, Reply::Done, expected).await;
    }
}

#[tokio::test]
async fn refusals_of_bodies() {
    let big = "x".repeat(LIMIT + 1);
    let table: [(Request<_>, Expect); 3] = [
        (
            post("/S/h", &[], "1"),
            expect![[r#"
            400
            content-type: application/json
            x-restate-error-source: ingress
            {"code":400,"message":"input validation error: Empty content-type","source":"ingress"}"#]],
        ),
        (
            post("/S/h", &[JSON], &big),
            expect![[r#"
            413
            content-type: text/plain; charset=utf-8
            length limit exceeded"#]],
        ),
        (
            post("/S/private", &[JSON], &big),
            expect![[r#"
            400
            content-type: application/json
            x-restate-error-source: ingress
            {"code":400,"message":"the invoked service is not public","source":"ingress"}"#]],
        ),
    ];
    for (request, expected) in table {
        check(request, Reply::Done, expected).await;
    }
}

#[tokio::test]
async fn ids_follow_the_target() {
    let target = |service: &str, key: Option<&str>, handler: &str| Target {
        scope: None,
        service: service.to_owned(),
        key: key.map(str::to_owned),
        handler: handler.to_owned(),
    };
    let plain = identity::idempotent_id(&target("S", None, "h"), "x");
    let scoped = Target { scope: Some("s".to_owned()), ..target("S", None, "h") };
    let keyed = identity::idempotent_id(&target("O", Some("k"), "h"), "x");
    let shared = identity::idempotent_id(&target("W", Some("k"), "shared"), "x");
    // Path, idempotency key, expected id; `None` is a fresh one.
    let table = [
        ("/S/h", "x", Some(plain)),
        ("/S/h/send", "x", Some(plain)),
        ("/O/k/h", "x", Some(keyed)),
        ("/W/k/shared", "x", Some(shared)),
        ("/W/k/run", "", Some(identity::workflow_run_id(None, "W", "k"))),
        ("/restate/scope/s/call/W/k/run", "", Some(identity::workflow_run_id(Some("s"), "W", "k"))),
        ("/restate/scope/s/call/S/h", "x", Some(identity::idempotent_id(&scoped, "x"))),
        ("/restate/scope/s/call/S/h?limit-key=a", "x", Some(identity::idempotent_id(&scoped, "x"))),
        ("/restate/scope/s/send/O/k/h", "", None),
        ("/S/h", "", None),
        ("/O/k/h", "", None),
    ];
    for (path, key, expected) in table {
        let (first, second) = (id_of(path, key).await, id_of(path, key).await);
        match expected {
            Some(expected) => assert_eq!((first, second), (expected, expected), "{path}"),
            None => assert_ne!(first, second, "{path}"),
        }
        if path.starts_with("/restate/scope/s/") {
            assert_eq!(first.partition_key(), identity::partition_key_of("s"));
        }
        if path.starts_with("/O/k") {
            assert_eq!(first.partition_key(), identity::partition_key_of("k"));
        }
    }
}

#[tokio::test]
async fn limit_keys_are_read_and_checked() {
    let prefix = "400 invalid limit-key: ";
    for (query, header, expected) in [
        ("", None, "None"),
        ("?limit-key=a", None, r#"Some("a")"#),
        ("?limit-key=a%2Fb", None, r#"Some("a/b")"#),
        ("?limit-key=a/b/", None, r#"Some("a/b")"#),
        ("?limit-key=", None, "None"),
        ("?limit-key=a", Some("h"), r#"Some("h")"#),
        ("", Some("a/b"), r#"Some("a/b")"#),
        ("", Some(""), "None"),
        ("?limit-key=a/b/c", None, "too many path components in the given limit-key (max 2)"),
        ("?limit-key=a//", None, "invalid limit-key component: value cannot be empty"),
        ("?limit-key=/a", None, "invalid limit-key component: value cannot be empty"),
        (
            "",
            Some("*"),
            "invalid limit-key component: value contains characters outside the allowed set \
             [a-zA-Z0-9_.-]",
        ),
        (
            "?limit-key=0123456789012345678901234567890123456",
            None,
            "invalid limit-key component: value too long: 37 bytes (max 36)",
        ),
    ] {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let ingress = ingress(move |command| {
            let Command::Invoke { invoke, .. } = command else { panic!("not a call or send") };
            sender.send(invoke.limit_key).unwrap();
            Ok(value(""))
        });
        let headers: Vec<_> = header.map(|key| ("x-restate-limit-key", key)).into_iter().collect();
        let path = format!("/restate/scope/s/call/S/h{query}");
        let answer = ingress.handle(post(&path, &headers, "")).await;
        let found = match receiver.try_recv() {
            Ok(limit_key) => format!("{limit_key:?}"),
            Err(_) => {
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let message = json["message"].as_str().unwrap_or_default();
                format!("{} {message}", json["code"]).trim_start_matches(prefix).to_owned()
            }
        };
        assert_eq!(found, expected, "{query} {header:?}");
    }
}

/// Sends a request and returns the id in the command.
async fn id_of(path: &str, idempotency_key: &str) -> InvocationId {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let ingress = ingress(move |command| {
        let Command::Invoke { invoke, .. } = command else { panic!("not a call or send") };
        sender.send(invoke.id).unwrap();
        Ok(value(""))
    });
    ingress.handle(post(path, &[("idempotency-key", idempotency_key)], "")).await;
    receiver.recv().await.unwrap()
}

/// Keys are parts of row keys: what does not fit is refused at the edge, before anything happens.
#[tokio::test]
async fn keys_that_do_not_fit() {
    let long = "k".repeat(16 * 1024 + 1);
    let fits = "k".repeat(16 * 1024);
    let answer = exchange(post(&format!("/O/{fits}/h"), &[], ""), Ok(value("2"))).await;
    assert!(answer.contains("200"), "{answer}");
    let headers = [("idempotency-key", long.as_str())];
    for request in [post(&format!("/O/{long}/h"), &[], ""), post("/S/h", &headers, "")] {
        let answer = exchange(request, Ok(value("2"))).await;
        assert!(answer.starts_with("400"), "the partition hears nothing: {answer}");
        assert!(answer.contains("has 16385 bytes, at most 16384 fit"), "{answer}");
    }
}
