//! What the bytes of an answer become: nothing on the way may touch them.

use std::sync::Arc;

use serde_json::json;

use crate::{harness::Cluster, scenarios};

scenarios![
    raw_bytes_pass_untouched,
    bytes_without_a_content_type_pass,
    no_bytes_are_an_answer_too,
    custom_serializer_passes,
    large_answers_pass,
    rejection_text_is_taken_as_it_is,
    rejection_that_is_not_text_is_replaced,
];

async fn raw_bytes_pass_untouched(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askBinary", "raw-bytes").await;
    let bytes: Vec<u8> = (0..=255).collect();
    let path = format!("/restate/awakeables/{wait}/resolve");
    let call = cluster.ingress.post(&path).typed("application/octet-stream", bytes.clone());
    call.send().await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(bytes));
}

async fn bytes_without_a_content_type_pass(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askBinary", "untyped-bytes").await;
    let path = format!("/restate/awakeables/{wait}/resolve");
    cluster.ingress.post(&path).bytes(vec![0, 159, 146, 150]).send().await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!([0, 159, 146, 150]));
}

async fn no_bytes_are_an_answer_too(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askBinary", "no-bytes").await;
    cluster.ingress.post(&format!("/restate/awakeables/{wait}/resolve")).send().await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!([]));
}

async fn custom_serializer_passes(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askVerdict", "verdict").await;
    let path = format!("/restate/awakeables/{wait}/resolve");
    let call = cluster.ingress.post(&path).typed("text/x-verdict", "approved: fine by mé");
    call.send().await.expect(202);
    let expected = json!({"decision": "approved", "comment": "fine by mé"});
    assert_eq!(cluster.result(&invocation).await, expected);
}

async fn large_answers_pass(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/ask", "large").await;
    let text = "0123456789abcdef".repeat(64 * 1024);
    cluster.resolve(&wait, text.clone()).await.expect(202);
    assert!(cluster.result(&invocation).await == text, "a megabyte came back changed");
}

async fn rejection_text_is_taken_as_it_is(cluster: Arc<Cluster>) {
    let cases = [
        ("text/plain; charset=utf-8", "plain é", "plain é"),
        ("application/json", r#""quoted""#, r#""quoted""#),
        ("application/json", r#"{"code":418,"message":"x"}"#, r#"{"code":418,"message":"x"}"#),
        ("text/plain", "", ""),
    ];
    for (number, (content_type, body, message)) in cases.into_iter().enumerate() {
        let name = format!("rejection-{number}");
        let (invocation, wait) = cluster.ask("approval/askKindly", &name).await;
        let path = format!("/restate/awakeables/{wait}/reject");
        cluster.ingress.post(&path).typed(content_type, body).send().await.expect(202);
        let result = cluster.result(&invocation).await;
        assert_eq!((&result["message"], &result["code"]), (&json!(message), &json!(500)));
    }
}

async fn rejection_that_is_not_text_is_replaced(cluster: Arc<Cluster>) {
    let (invocation, wait) = cluster.ask("approval/askKindly", "not-text").await;
    let path = format!("/restate/awakeables/{wait}/reject");
    cluster.ingress.post(&path).bytes(vec![b'a', 0xFF, b'b']).send().await.expect(202);
    assert_eq!(cluster.result(&invocation).await["message"], "a\u{FFFD}b");
}
