//! Completing promises of workflows by name.

use reveille_engine::effect::{Receipt, ReceiptOutcome, Reply, Verb};
use reveille_engine::identity;
use serde_json::json;

use super::Bench;

/// A bench with a service of each type, `S`, `O` and `W`, whose partitions answer that they completed.
async fn bench() -> Bench {
    let bench = Bench::start().await;
    let service =
        |name: &str, ty: &str| json!({"name": name, "ty": ty, "handlers": [{"name": "h"}]});
    let manifest = json!({
        "minProtocolVersion": 5, "maxProtocolVersion": 7,
        "services": [service("O", "VIRTUAL_OBJECT"), service("W", "WORKFLOW"), service("S", "SERVICE")],
    });
    bench.deployments.serve("http://a/", manifest);
    assert_eq!(bench.register(json!({"uri": "http://a/"})).await.status, 201);
    let (outcome, verb) = (ReceiptOutcome::Completed, Some(Verb::Resolve));
    bench.partitions.reply(Ok(Reply::Receipt(Receipt { outcome, decided_at: Some(1_000), verb })));
    bench.partitions.commands();
    bench
}

#[tokio::test]
async fn each_path_is_its_command() {
    let bench = bench().await;
    let rejected = r#"Failure(Failure { code: 500, message: "no", metadata: [] })"#;
    for (path, scope, key, name, body, completion) in [
        ("W/k/p/resolve", None, "k", "p", "\"ok\"", r#"Success(b"\"ok\"")"#),
        ("W/a%2Fb%20c/p%3F/resolve", None, "a/b c", "p?", "", r#"Success(b"")"#),
        ("W/k/p/resolve?scope=t", Some("t"), "k", "p", "x", r#"Success(b"x")"#),
        ("W/k/p/resolve?scope=", None, "k", "p", "x", r#"Success(b"x")"#),
        ("W/k/p/reject", None, "k", "p", "no", rejected),
    ] {
        let answer = bench.send("POST", &format!("/v4/promises/{path}"), "", body).await;
        let expected = json!({
            "outcome": "completed", "wait": name, "at": "1970-01-01T00:00:01.000Z", "verb": "resolve",
            "invocation_id": identity::workflow_run_id(scope, "W", key).to_string(),
        });
        assert_eq!((answer.status, answer.json()), (200, expected), "{path}");
        let command = format!(
            "CompleteWait {{ request: RequestId(7), wait: Promise(PromiseTarget {{ scope: {scope:?}, \
             service: \"W\", key: {key:?}, name: {name:?} }}), completion: {completion}, \
             idempotency_key: None }}"
        );
        assert_eq!(bench.partitions.commands(), [command], "{path}");
    }
}

#[tokio::test]
async fn what_no_handler_of_a_workflow_could_read_is_not_completed() {
    let bench = bench().await;
    let long = "n".repeat(60_000);
    for (path, content_type, status, why) in [
        ("S/k/p/resolve".to_owned(), "", 400, "'S' is no workflow"),
        ("O/k/p/reject".to_owned(), "", 400, "'O' is no workflow"),
        ("X/k/p/resolve".to_owned(), "", 404, "The requested service 'X' does not exist"),
        (format!("W/{long}/p/resolve"), "", 400, "'key' has a name of 60000 bytes"),
        (format!("W/k/{long}/resolve"), "", 400, "'promise' has a name of 60000 bytes"),
        ("W/k/p/resolve?scope=a%20b".to_owned(), "", 400, "'scope' is wrong"),
        ("W/k/p/resolve".to_owned(), "application/json", 400, "the body does not parse"),
    ] {
        let answer = bench.send("POST", &format!("/promises/{path}"), content_type, "{").await;
        assert_eq!(answer.status, status, "{why}: {answer:?}");
        assert!(answer.body.contains(why), "{why}: {answer:?}");
        assert!(bench.partitions.commands().is_empty(), "{why}");
    }
}
