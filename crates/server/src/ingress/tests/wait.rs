//! Answers to awakeables: bodies, receipts and the state of a wait.

use bytes::Bytes;
use expect_test::{Expect, expect};
use http::{HeaderMap, HeaderValue};
use reveille_engine::command::{Failure, Outcome};
use reveille_engine::effect::{Receipt, ReceiptOutcome, Reply, Verb};
use reveille_protocol::id::AwakeableId;

use super::super::error::IngressError;
use super::super::route::WaitFace;
use super::super::wait::completion;
use super::{LIMIT, exchange, get, post, some_id};

pub(super) fn awakeable() -> String {
    AwakeableId { invocation: some_id(), secret: [3; 16], index: 17 }.to_string()
}

fn receipt(outcome: ReceiptOutcome) -> Reply {
    let decided_at = (outcome != ReceiptOutcome::Unknown).then_some(1_795_334_001_421);
    let verb = decided_at.map(|_| Verb::Resolve);
    Reply::Receipt(Receipt { outcome, decided_at, verb })
}

#[test]
fn resolutions() {
    let (json, problem) = ("application/json; charset=utf-8", "application/problem+json");
    let table: [(&str, &[u8], &str); 11] = [
        (json, b"{\"a\":[1,null]} ", r#"Success(b"{\"a\":[1,null]} ")"#),
        (problem, b"1", r#"Success(b"1")"#),
        (json, b"", r#"Success(b"")"#),
        (json, b"{\n \"a\": }", "400 expected value 2:7"),
        (problem, b"nul", "400 EOF while parsing a value 1:3"),
        (json, b"1 2", "400 trailing characters 1:3"),
        (json, b" ", "400 EOF while parsing a value 1:1"),
        (json, b"[1,\n\"\xff\"]", "400 invalid UTF-8 2:2"),
        ("text/plain", b"{", r#"Success(b"{")"#),
        ("application/octet-stream", b"\xff\0", r#"Success(b"\xff\0")"#),
        ("", b"{", r#"Success(b"{")"#),
    ];
    for (content_type, body, expected) in table {
        for face in [WaitFace::Compatible, WaitFace::Native] {
            check_completion((Verb::Resolve, face), content_type, body, expected);
        }
    }
}

#[test]
fn rejections_on_the_compatible_path() {
    let table: [(&str, &[u8], &str); 5] = [
        ("text/plain", b"no", r#"500 "no" []"#),
        ("application/json", b"\"no\"", r#"500 "\"no\"" []"#),
        ("application/json", b"{", "400 EOF while parsing an object 1:1"),
        ("", b"a\xffb", "500 \"a\u{fffd}b\" []"),
        ("", b"", r#"500 "" []"#),
    ];
    for (content_type, body, expected) in table {
        check_completion((Verb::Reject, WaitFace::Compatible), content_type, body, expected);
    }
}

#[test]
fn rejections_on_the_native_path() {
    let json = "application/json";
    let table: [(&str, &[u8], &str); 8] = [
        ("text/plain", b"no", r#"500 "no" []"#),
        ("", b"no", r#"500 "no" []"#),
        (json, b"", r#"500 "" []"#),
        (
            json,
            br#"{"code":418,"message":"no","metadata":{"a":"b"}}"#,
            r#"418 "no" [FailureMetadata { key: "a", value: "b" }]"#,
        ),
        (json, br#"{"message":"no"}"#, r#"500 "no" []"#),
        (
            json,
            br#"{"reason":"no"}"#,
            "400 unknown field `reason`, expected one of `code`, `message`, `metadata` 1:9",
        ),
        (json, br#"{"code":-1}"#, "400 invalid value: integer `-1`, expected u32 1:10"),
        (json, b"\"no\"", r#"500 "no" []"#),
    ];
    for (content_type, body, expected) in table {
        check_completion((Verb::Reject, WaitFace::Native), content_type, body, expected);
    }
}

fn check_completion(
    (verb, face): (Verb, WaitFace),
    content_type: &'static str,
    body: &'static [u8],
    expected: &str,
) {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert("content-type", HeaderValue::from_static(content_type));
    }
    let found = match completion(verb, face, &headers, Bytes::from_static(body)) {
        Ok(Outcome::Failure(Failure { code, message, metadata })) => {
            format!("{code} {message:?} {metadata:?}")
        }
        Ok(success) => format!("{success:?}"),
        Err(IngressError::AnswerNotJson { detail, line, column }) => {
            format!("400 {detail} {line}:{column}")
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{verb:?} {face:?} {content_type} {body:?}");
}

async fn check(path: &str, headers: &[(&str, &str)], body: &str, reply: Reply, expected: Expect) {
    let request = post(&path.replace("ID", &awakeable()), headers, body);
    let found = exchange(request, Ok(reply)).await;
    expected.assert_eq(&found.replace(&awakeable(), "ID"));
}

#[tokio::test]
async fn receipts() {
    use ReceiptOutcome as O;
    let compatible = "/restate/awakeables/ID/resolve";
    let json = ("content-type", "application/json");
    let key = ("idempotency-key", "x");
    check(compatible, &[json, key], "1", receipt(O::Completed), expect![[r#"
        > CompleteWait Awakeable(AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }) Success(b"1") Some("x")
        202
        content-type: application/json
        {"outcome":"completed","wait":"ID","at":"2026-11-22T07:53:21.421Z"}"#]]).await;
    let native = "/reveille/waits/ID/reject";
    check(native, &[], "no", receipt(O::Conflict), expect![[r#"
        > CompleteWait Awakeable(AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }) Failure(Failure { code: 500, message: "no", metadata: [] }) None
        409
        content-type: application/json
        {"outcome":"conflict","wait":"ID","at":"2026-11-22T07:53:21.421Z","verb":"resolve"}"#]]).await;
    check("/restate/a/ID/reject", &[], "no", receipt(O::Conflict), expect![[r#"
        > CompleteWait Awakeable(AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }) Failure(Failure { code: 500, message: "no", metadata: [] }) None
        202
        content-type: application/json
        {"outcome":"conflict","wait":"ID","at":"2026-11-22T07:53:21.421Z","verb":"resolve"}"#]]).await;
    let strict = ("prefer", "respond-async, Handling = \"strict\"; x=1");
    check("/restate/a/ID/reject", &[strict], "no", receipt(O::Gone), expect![[r#"
        > CompleteWait Awakeable(AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }) Failure(Failure { code: 500, message: "no", metadata: [] }) None
        410
        content-type: application/json
        {"outcome":"gone","wait":"ID","at":"2026-11-22T07:53:21.421Z"}"#]]).await;
    let lenient = ("prefer", "handling=lenient");
    check(compatible, &[lenient], "no", receipt(O::Gone), expect![[r#"
        > CompleteWait Awakeable(AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }) Success(b"no") None
        202
        content-type: application/json
        {"outcome":"gone","wait":"ID","at":"2026-11-22T07:53:21.421Z"}"#]]).await;
    check(compatible, &[strict], "", receipt(O::Unknown), expect![[r#"
        > CompleteWait Awakeable(AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }) Success(b"") None
        404
        content-type: application/json
        {"outcome":"unknown","wait":"ID","message":"no such wait"}"#]]).await;
    check(native, &[], "", receipt(O::Unknown), expect![[r#"
        > CompleteWait Awakeable(AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }) Failure(Failure { code: 500, message: "", metadata: [] }) None
        404
        content-type: application/json
        {"outcome":"unknown","wait":"ID","message":"no such wait"}"#]]).await;
}

#[tokio::test]
async fn refusals() {
    let json = ("content-type", "application/json");
    check("/restate/a/ID/resolve", &[json], "{", Reply::Done, expect![[r#"
        400
        content-type: application/json
        x-restate-error-source: ingress
        {"code":400,"message":"bad JSON in the body: EOF while parsing an object at line 1 column 1; nothing was completed, the wait is as it was","source":"ingress"}"#]]).await;
    let big = "x".repeat(LIMIT + 1);
    check(
        "/restate/a/ID/resolve",
        &[],
        &big,
        Reply::Done,
        expect![[r#"
        413
        content-type: text/plain; charset=utf-8
        length limit exceeded"#]],
    )
    .await;
    check("/reveille/waits/ID/resolve", &[], "", Reply::Done, expect![[r#"
        > CompleteWait Awakeable(AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }) Success(b"") None
        500
        content-type: application/json
        x-restate-error-source: ingress
        {"code":500,"message":"the partition gave an answer that does not fit the request; please report this","source":"ingress"}"#]]).await;
    let cancel = AwakeableId { invocation: some_id(), secret: [3; 16], index: 1 }.to_string();
    let kind = "id doesn't match the expected type";
    let table = [
        ("foo", "bad format"),
        ("", "bad length"),
        ("prom_1abc", "bad length"),
        ("sign_1abc", kind),
        (&some_id().to_string(), kind),
        (&cancel, kind),
        ("sign_2abc", "unrecognized codec version"),
        ("xyz_1abc", "unrecognized resource type: xyz"),
    ];
    for (id, reason) in table {
        let request = post(&format!("/restate/awakeables/{id}/resolve"), &[], "");
        let found = exchange(request, Ok(Reply::Done)).await;
        let expected = format!(
            "400\ncontent-type: application/json\nx-restate-error-source: ingress\n\
             {{\"code\":400,\"message\":\"bad awakeable id '{id}': {reason}\",\"source\":\"ingress\"}}"
        );
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn description() {
    let request = || get(&format!("/reveille/waits/{}", awakeable()));
    let pending = Receipt { outcome: ReceiptOutcome::Pending, decided_at: None, verb: None };
    let found = exchange(request(), Ok(Reply::Receipt(pending))).await;
    expect![[r#"
        > DescribeWait AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }
        200
        content-type: application/json
        {"outcome":"pending","wait":"ID"}"#]].assert_eq(&found.replace(&awakeable(), "ID"));
    let found = exchange(request(), Ok(receipt(ReceiptOutcome::Completed))).await;
    expect![[r#"
        > DescribeWait AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }
        200
        content-type: application/json
        {"outcome":"completed","wait":"ID","at":"2026-11-22T07:53:21.421Z","verb":"resolve"}"#]].assert_eq(&found.replace(&awakeable(), "ID"));
    let found = exchange(request(), Ok(receipt(ReceiptOutcome::Unknown))).await;
    expect![[r#"
        > DescribeWait AwakeableId { invocation: inv_100000000007000000000000000000000G, index: 17, .. }
        404
        content-type: application/json
        {"outcome":"unknown","wait":"ID","message":"no such wait"}"#]].assert_eq(&found.replace(&awakeable(), "ID"));
}

/// The Java SDK pads its ids, and whoever builds a path from one escapes that.
#[tokio::test]
async fn padding_may_be_escaped() {
    for (padding, decoded) in [("", ""), ("=", "="), ("%3D", "="), ("%3d", "=")] {
        let path = format!("/reveille/waits/{}{padding}", awakeable());
        for request in [get(&path), post(&format!("{path}/resolve"), &[], "1")] {
            let completed = receipt(ReceiptOutcome::Completed);
            let found = exchange(request, Ok(completed)).await;
            let id = format!("\"wait\":\"{}{decoded}\"", awakeable());
            assert!(found.contains("\n200\n") && found.contains(&id), "{padding}: {found}");
        }
    }
}
