//! Attach, output, lookup and health against a scripted partition.

use bytes::Bytes;
use expect_test::{Expect, expect};
use http::Request;
use http_body_util::Full;
use reveille_engine::command::Outcome;
use reveille_engine::effect::{Completed, Reply};

use super::super::query::parse_target;
use super::super::route::Query;
use super::{exchange, get, post, result_reply, some_id};

async fn check(request: Request<Full<Bytes>>, reply: Reply, expected: Expect) {
    expected.assert_eq(&exchange(request, Ok(reply)).await);
}

#[tokio::test]
async fn results() {
    let outcome = Outcome::Success(Bytes::from_static(b"2"));
    let reply = result_reply(Completed { outcome, stacktrace: None }, Some(1_795_334_001_421));
    let attach = get(&format!("/restate/attach/{}", some_id()));
    check(
        attach,
        reply,
        expect![[r#"
        > Attach inv_100000000007000000000000000000000G
        200
        content-type: application/json
        idempotency-expires: 2026-11-22T07:53:21.421+00:00
        x-restate-id: inv_100000000007000000000000000000000G
        2"#]],
    )
    .await;
}

#[tokio::test]
async fn not_there_and_not_yet() {
    let attach = || get(&format!("/restate/attach/{}", some_id()));
    let output = || get(&format!("/restate/output/{}", some_id()));
    check(
        attach(),
        Reply::NotFound(some_id()),
        expect![[r#"
        > Attach inv_100000000007000000000000000000000G
        404
        content-type: application/json
        x-restate-error-source: invocation
        x-restate-id: inv_100000000007000000000000000000000G
        {"code":404,"message":"not found","source":"invocation"}"#]],
    )
    .await;
    check(
        output(),
        Reply::NotFound(some_id()),
        expect![[r#"
        > Output inv_100000000007000000000000000000000G
        404
        content-type: application/json
        x-restate-error-source: ingress
        {"code":404,"message":"invocation not found","source":"ingress"}"#]],
    )
    .await;
    check(output(), Reply::NotReady(some_id()), expect![[r#"
        > Output inv_100000000007000000000000000000000G
        470
        content-type: application/json
        x-restate-error-source: ingress
        {"code":470,"message":"the invocation exists but has not completed yet","source":"ingress"}"#]]).await;
    let older = |path: &str| get(&format!("/restate/invocation/{path}/attach"));
    check(older("X/h/k"), Reply::Done, expect![[r#"
        404
        content-type: application/json
        x-restate-error-source: ingress
        {"code":404,"message":"service 'X' not found, make sure to register the service before calling it.","source":"ingress"}"#]]).await;
    check(older("O/h/k"), Reply::Done, expect![[r#"
        400
        content-type: application/json
        x-restate-error-source: ingress
        {"code":400,"message":"bad path, expected /restate/invocation/:invocation-id, /restate/invocation/:service/:handler/:idempotency-key or /restate/invocation/:object/:key/:handler/:idempotency-key, followed by /attach or /output","source":"ingress"}"#]]).await;
}

#[tokio::test]
async fn lookup_and_health() {
    let id = format!(r#"{{"target":"invocation","invocationId":"{}"}}"#, some_id());
    let (lookup, attach) = (|body| post("/restate/lookup", &[], body), "/restate/attach");
    check(
        lookup(&id),
        Reply::Done,
        expect![[r#"
            200
            content-type: application/json
            {"invocationId":"inv_100000000007000000000000000000000G"}"#]],
    )
    .await;
    let workflow = r#"{"target":"workflow","workflowName":"W","workflowKey":"k"}"#;
    check(
        lookup(workflow),
        Reply::Done,
        expect![[r#"
        200
        content-type: application/json
        {"invocationId":"inv_1ewhPOopLQSx6M2aZB4jxQa0jt46miTt2M"}"#]],
    )
    .await;
    check(
        post(attach, &[], workflow),
        Reply::NotFound(some_id()),
        expect![[r#"
        > Attach inv_1ewhPOopLQSx6M2aZB4jxQa0jt46miTt2M
        404
        content-type: application/json
        x-restate-error-source: invocation
        x-restate-id: inv_100000000007000000000000000000000G
        {"code":404,"message":"not found","source":"invocation"}"#]],
    )
    .await;
    check(lookup("{}"), Reply::Done, expect![[r#"
        400
        content-type: application/json
        x-restate-error-source: ingress
        {"code":400,"message":"cannot read body: invalid lookup body: missing field `target` at line 1 column 2","source":"ingress"}"#]]).await;
    check(
        get("/restate/health"),
        Reply::Done,
        expect![[r#"
        200
        content-type: application/json
        {"services":["O","S","W"]}"#]],
    )
    .await;
}

#[test]
fn targets() {
    let table = [
        (
            r#"{"target":"workflow","workflowName":"W","workflowKey":"k","more":[1]}"#,
            r#"Workflow { scope: None, name: "W", key: "k" }"#,
        ),
        (
            r#"{"idempotencyKey":"x","target":"idempotentInvocation","service":"S","handler":"h"}"#,
            r#"Idempotent { target: Target { scope: None, service: "S", key: None, handler: "h" }, idempotency_key: "x" }"#,
        ),
        (
            r#"{"target":"idempotentInvocation","service":"O","key":"k","handler":"h","idempotencyKey":"x"}"#,
            r#"Idempotent { target: Target { scope: None, service: "O", key: Some("k"), handler: "h" }, idempotency_key: "x" }"#,
        ),
        (
            r#"{"target":"invocation","invocationId":"foo"}"#,
            "400 bad invocation id 'foo': bad format",
        ),
        (
            r#"{"target":"workflow","workflowName":"W","workflowKey":"k","scope":"s"}"#,
            r#"Workflow { scope: Some("s"), name: "W", key: "k" }"#,
        ),
        (
            r#"{"target":"workflow","workflowName":"W","workflowKey":"k","scope":""}"#,
            "400 bad scope value: value cannot be empty",
        ),
        (
            r#"{"target":"idempotentInvocation","service":"S","handler":"h","idempotencyKey":"x","scope":"s"}"#,
            r#"Idempotent { target: Target { scope: Some("s"), service: "S", key: None, handler: "h" }, idempotency_key: "x" }"#,
        ),
        (
            r#"{"target":"idempotentInvocation","service":"S","handler":"h","idempotencyKey":"x","scope":"a b"}"#,
            "400 bad scope value: value contains characters outside the allowed set [a-zA-Z0-9_.-]",
        ),
        (
            r#"{"target":"workflow","workflowName":"W"}"#,
            "400 cannot read body: invalid request body: missing field `workflowKey`",
        ),
        (
            "not json",
            "400 cannot read body: invalid request body: expected ident at line 1 column 2",
        ),
        (
            r#"{"target":"other"}"#,
            "400 cannot read body: invalid request body: unknown variant `other`, expected one of \
             `workflow`, `idempotentInvocation`, `invocation` at line 1 column 17",
        ),
    ];
    for (body, expected) in table {
        let found = match parse_target(Query::Attach, body.as_bytes()) {
            Ok(target) => format!("{target:?}"),
            Err(error) => format!("{} {error}", error.status().as_u16()),
        };
        assert_eq!(found, expected, "{body}");
    }
}
