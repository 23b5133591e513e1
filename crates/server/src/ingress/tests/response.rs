//! Response shapes.

use expect_test::expect;
use http::{HeaderMap, HeaderValue};
use reveille_engine::command::{Failure, Outcome};
use reveille_engine::effect::{Completed, Receipt, ReceiptOutcome, Verb};
use reveille_engine::schema::OutputRule;
use reveille_protocol::message::FailureMetadata;

use super::super::error::IngressError;
use super::super::response;
use super::super::route::WaitFace;
use super::{show_answer, some_id};

#[test]
fn failure_codes() {
    let table = [
        (418, 418),
        (422, 422),
        (430, 430),
        (470, 470),
        (500, 500),
        (599, 599),
        (999, 999),
        (302, 302),
        // A failure never looks like a success, and never breaks the response.
        (200, 500),
        (204, 500),
        (304, 500),
        (101, 500),
        (0, 500),
        (99, 500),
        (1000, 500),
        (u32::MAX, 500),
    ];
    for (code, expected) in table {
        let completed = Completed { outcome: Outcome::failure(code, "no"), stacktrace: None };
        let answer = response::completed(some_id(), completed, None, None);
        assert_eq!(answer.status().as_u16(), expected, "{code}");
    }
}

#[tokio::test]
async fn members_stand_in_order() {
    let metadata = vec![
        FailureMetadata { key: "why".to_owned(), value: "x".to_owned() },
        FailureMetadata { key: "a".to_owned(), value: "\"".to_owned() },
    ];
    let failure = Failure { code: 1000, message: "no".to_owned(), metadata };
    let stacktrace = Some("at line 1".to_owned());
    let completed = Completed { outcome: Outcome::Failure(failure), stacktrace };
    let answer = response::completed(some_id(), completed, Some(1_795_334_001_421), None);
    expect![[r#"
        500
        content-type: application/json
        idempotency-expires: 2026-11-22T07:53:21.421+00:00
        x-restate-error-source: invocation
        x-restate-id: inv_100000000007000000000000000000000G
        {"code":1000,"message":"no","metadata":{"why":"x","a":"\""},"stacktrace":"at line 1","source":"invocation"}"#]].assert_eq(&show_answer(with_cors(answer)).await);
}

#[tokio::test]
async fn content_type_of_results() {
    let json = Some("application/json");
    // Declared content type, sent with an empty body, body, expected.
    let table = [
        (json, false, "1", json),
        (json, false, "", None),
        (json, true, "", json),
        (None, true, "1", None),
        (Some("not\na header"), false, "1", None),
    ];
    for (declared, set_content_type_if_empty, body, expected) in table {
        let content_type = declared.map(str::to_owned);
        let rule = OutputRule { content_type, set_content_type_if_empty };
        let completed = Completed { outcome: Outcome::Success(body.into()), stacktrace: None };
        let answer = response::completed(some_id(), completed, None, Some(&rule));
        let found = answer.headers().get("content-type");
        assert_eq!(found.map(|value| value.to_str().unwrap()), expected, "{rule:?} {body:?}");
    }
}

#[test]
fn receipt_statuses() {
    use ReceiptOutcome as O;
    // Outcome, native, compatible, strict.
    let table = [
        (O::Completed, 200, 202, 202),
        (O::Replayed, 200, 202, 202),
        (O::Conflict, 409, 202, 409),
        (O::Gone, 410, 202, 410),
        (O::Unknown, 404, 404, 404),
    ];
    for (outcome, native, compatible, strict) in table {
        let receipt = Receipt { outcome, decided_at: None, verb: None };
        let status =
            |face, strict| response::receipt("sign_1x", &receipt, face, strict).status().as_u16();
        assert_eq!(status(WaitFace::Native, false), native, "{outcome:?}");
        assert_eq!(status(WaitFace::Native, true), native, "{outcome:?}");
        assert_eq!(status(WaitFace::Compatible, false), compatible, "{outcome:?}");
        assert_eq!(status(WaitFace::Compatible, true), strict, "{outcome:?}");
    }
}

#[tokio::test]
async fn receipt_bodies() {
    let mut text = String::new();
    use ReceiptOutcome as O;
    for outcome in [O::Completed, O::Replayed, O::Conflict, O::Gone, O::Unknown, O::Pending] {
        let decided = !matches!(outcome, O::Unknown | O::Pending);
        let receipt = Receipt {
            outcome,
            decided_at: decided.then_some(1_795_334_001_421),
            verb: decided.then_some(Verb::Reject),
        };
        let answer = response::receipt("sign_1x", &receipt, WaitFace::Native, false);
        text += &show_answer(with_cors(answer)).await;
        text += "\n";
    }
    expect![[r#"
        200
        content-type: application/json
        {"outcome":"completed","wait":"sign_1x","at":"2026-11-22T07:53:21.421Z"}
        200
        content-type: application/json
        {"outcome":"replayed","wait":"sign_1x","at":"2026-11-22T07:53:21.421Z"}
        409
        content-type: application/json
        {"outcome":"conflict","wait":"sign_1x","at":"2026-11-22T07:53:21.421Z","verb":"reject"}
        410
        content-type: application/json
        {"outcome":"gone","wait":"sign_1x","at":"2026-11-22T07:53:21.421Z"}
        404
        content-type: application/json
        {"outcome":"unknown","wait":"sign_1x","message":"no such wait"}
        200
        content-type: application/json
        {"outcome":"pending","wait":"sign_1x"}
    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn errors() {
    let mut text = String::new();
    for error in [
        IngressError::PathNotFound,
        IngressError::BodyTooLarge,
        IngressError::NotReady,
        IngressError::Unavailable("full".to_owned()),
        IngressError::WorkflowAlreadyInvoked(some_id()),
        IngressError::AttachNotFound(some_id()),
        IngressError::InvocationNotFound,
    ] {
        text += &show_answer(with_cors(response::refused(&error))).await;
        text += "\n";
    }
    expect![[r#"
        404
        content-type: application/json
        x-restate-error-source: ingress
        {"code":404,"message":"not found","source":"ingress"}
        413
        content-type: text/plain; charset=utf-8
        length limit exceeded
        470
        content-type: application/json
        x-restate-error-source: ingress
        {"code":470,"message":"the invocation exists but has not completed yet","source":"ingress"}
        503
        content-type: application/json
        retry-after: 1
        x-restate-error-source: ingress
        {"code":503,"message":"full","source":"ingress"}
        409
        content-type: application/json
        x-restate-error-source: invocation
        x-restate-id: inv_100000000007000000000000000000000G
        {"code":409,"message":"the workflow method was already invoked","source":"invocation"}
        404
        content-type: application/json
        x-restate-error-source: invocation
        x-restate-id: inv_100000000007000000000000000000000G
        {"code":404,"message":"not found","source":"invocation"}
        404
        content-type: application/json
        x-restate-error-source: ingress
        {"code":404,"message":"invocation not found","source":"ingress"}
    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn preflight_mirrors() {
    let mut headers = HeaderMap::new();
    headers.insert("origin", HeaderValue::from_static("https://example"));
    headers.insert("access-control-request-method", HeaderValue::from_static("PATCH"));
    headers.insert("access-control-request-headers", HeaderValue::from_static("x-a, x-b"));
    let mut answer = response::preflight(&headers);
    response::cors(&mut answer, response::origin(&headers));
    expect![[r#"
        200
        access-control-allow-headers: x-a, x-b
        access-control-allow-methods: PATCH
        access-control-allow-origin: https://example
        access-control-expose-headers: x-restate-id, x-restate-error-source, idempotency-expires
    "#]]
    .assert_eq(&show_answer(answer).await);
}

fn with_cors(mut answer: response::Answer) -> response::Answer {
    response::cors(&mut answer, None);
    answer
}
