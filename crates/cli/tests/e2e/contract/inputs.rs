//! Delays, content types, idempotency keys, and bodies that describe a target.

use serde_json::json;

use super::{JSON, Row, check, cluster, row};

const DELAY: &str = "bad delay query parameter, must be a ISO8601 duration: …";
const EMPTY_TYPE: &str = "input validation error: Empty content-type";
const NOT_EMPTY: &str = "input validation error: Expected body and content-type to be empty, \
    but wasn't with content-type '…";
const TEXT: (&str, &[u8]) = ("content-type", b"text/plain");
const KEY: (&str, &[u8]) = ("idempotency-key", b"key");
const NO_KEY: &str = "cannot use the idempotency key with workflow handlers. \
    The handler invocation will already be idempotent by the workflow key itself.";
const BAD_BODY: &str = "cannot read body: invalid request body: …";
const BAD_LOOKUP: &str = "cannot read body: invalid lookup body…";

const ROWS: &[Row] = &[
    row(
        "POST /restate/call/door/json?delay=1s",
        400,
        "cannot use the delay query parameter with calls. The delay is supported only with sends",
    ),
    row("POST /restate/send/door/json?delay=10", 400, DELAY),
    row("POST /restate/send/door/json?delay=", 400, DELAY),
    row("POST /restate/send/door/json?delay=abc", 400, DELAY),
    row("POST /restate/send/door/json?delay=2026-01-01", 400, DELAY),
    row("POST /restate/send/door/json?delay=-5s", 400, DELAY),
    row("POST /restate/send/door/json?delay=PT-5S", 400, DELAY),
    row("POST /door/json/send?delay=ten", 400, DELAY),
    row("POST /door/json", 400, EMPTY_TYPE).body(b"\"x\""),
    row("POST /restate/send/door/json", 400, EMPTY_TYPE).body(b"\"x\""),
    row("POST /door/bytes", 400, EMPTY_TYPE).body(b"x"),
    row(
        "POST /door/json",
        400,
        "input validation error: Content-type 'text/plain' does not match 'application/json'",
    )
    .with(&[TEXT])
    .body(b"x"),
    row(
        "POST /door/image",
        400,
        "input validation error: Content-type 'text/plain' does not match 'image/*'",
    )
    .with(&[TEXT])
    .body(b"x"),
    row("POST /door/nothing", 400, NOT_EMPTY).with(&[JSON]).body(b"1"),
    row("POST /door/nothing", 400, NOT_EMPTY).with(&[TEXT]),
    row("POST /door/json", 400, "bad header idempotency-key: …")
        .with(&[JSON, ("idempotency-key", b"\xC3\xA9")])
        .body(b"1"),
    row("POST /restate/call/reviewWorkflow/w/run", 400, NO_KEY).with(&[JSON, KEY]).body(b"\"d\""),
    row("POST /restate/send/reviewWorkflow/w/run", 400, NO_KEY).with(&[JSON, KEY]).body(b"\"d\""),
    // The peer answers 500 with a stack dump here.
    row("POST /restate/attach", 400, BAD_BODY).with(&[JSON]).body(b"no JSON"),
    row("POST /restate/output", 400, BAD_BODY).with(&[JSON]).body(b"{}"),
    row("POST /restate/attach", 400, BAD_BODY).with(&[JSON]).body(br#"{"target":"nonsense"}"#),
    row("POST /restate/output", 400, BAD_BODY)
        .with(&[JSON])
        .body(br#"{"target":"workflow","workflowName":"reviewWorkflow"}"#),
    row("POST /restate/lookup", 400, BAD_LOOKUP).with(&[JSON]).body(b"[]"),
    row("POST /restate/lookup", 400, "bad invocation id 'foo': bad format")
        .body(br#"{"target":"invocation","invocationId":"foo"}"#),
    row("POST /restate/output", 404, "invocation not found")
        .body(br#"{"target":"workflow","workflowName":"unheardOf","workflowKey":"k"}"#),
    row(
        "GET /restate/invocation/nosuch/h/key/output",
        404,
        "service 'nosuch' not found, make sure to register the service before calling it.",
    ),
];

#[tokio::test]
async fn wrong_inputs() {
    let cluster = cluster().await;
    check(&cluster, ROWS).await;

    // The refused workflow calls left no trace: the key is unused.
    let run = cluster.send("reviewWorkflow/w/run", "doc").await;
    cluster.call("reviewWorkflow/w/submitReview", "ok").await.expect(200);
    assert_eq!(cluster.result(&run).await, "doc: ok");
}

#[tokio::test]
async fn every_delay_that_is_meant_is_understood() {
    let cluster = cluster().await;
    let delays = [
        "0s",
        "1ms",
        "1h",
        "1d",
        "1h30m",
        "10%20sec",
        "10seconds",
        "1.5h",
        "PT1H",
        "PT1.5S",
        "P1D",
        "P1DT1H",
    ];
    for delay in delays {
        let path = format!("/restate/send/door/json?delay={delay}");
        let answer = cluster.ingress.post(&path).json("x").send().await.expect(202);
        let time = answer.json()["executionTime"].as_str().unwrap_or_default().to_owned();
        assert!(time.len() == 30 && time.ends_with('Z'), "{delay}: {}", answer.text());
    }
    let old = cluster.ingress.post("/restate/send/door/json?delaySec=10").json("x").send().await;
    assert_eq!(old.expect(202).json()["executionTime"], json!(null));
}

#[tokio::test]
async fn handler_judges_what_it_cannot_read() {
    // The schema and the JSON itself are the business of the SDK, not of the ingress.
    let cluster = cluster().await;
    let call = cluster.ingress.post("/door/json").typed("application/json", "no JSON");
    let answer = call.send().await.expect(400);
    assert_eq!(answer.header("x-restate-error-source"), "invocation");
    let message = answer.json()["message"].as_str().expect("a message").to_owned();
    assert!(message.starts_with("Failed to deserialize input"), "{message}");
}
