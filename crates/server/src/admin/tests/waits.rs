//! Listing and answering waits.

use reveille_engine::{
    effect::{Receipt, ReceiptOutcome, Reply, Verb},
    keys,
    record::{self, StoredWait},
    wait::WaitKind,
};
use reveille_protocol::id::InvocationId;
use serde_json::{Value, json};

use super::Bench;
use crate::limits;

fn id(number: u64) -> InvocationId {
    InvocationId::from_parts(number, 9)
}

impl Bench {
    /// Adds a wait that began at `since`, for invocation `number` of `service`.
    fn wait(&self, partition: u16, since: u64, number: u64, kind: WaitKind, service: &str) {
        let wait = StoredWait {
            ordinal: 0,
            kind: kind as u32,
            index: 17,
            name: (kind == WaitKind::Promise).then(|| "review".to_owned()),
            since,
            attempt: 2,
            service: service.to_owned(),
            key: (service == "Object").then(|| "k".to_owned()),
            handler: "ask".to_owned(),
            scope: (kind == WaitKind::Promise).then(|| "tenant".to_owned()),
        };
        let key = keys::wait(since, id(number), kind as u8, 0);
        self.put(partition, key, record::encode(&wait));
    }

    /// Follows `next` to the end and returns the times of each page.
    async fn pages(&self, query: &str) -> Vec<Vec<String>> {
        let (mut pages, mut next) = (Vec::new(), Value::Null);
        loop {
            let after = next.as_str().unwrap_or_default();
            let page = self.get(&format!("/waits?{query}&after={after}")).await.json();
            let waits = page["waits"].as_array().expect("a page has waits");
            let since = waits.iter().map(|wait| {
                let since = wait["since"].as_str().unwrap_or_default();
                since.trim_start_matches("1970-01-01T00:00:").trim_end_matches('Z').to_owned()
            });
            pages.push(since.collect());
            next = page["next"].clone();
            if next.is_null() {
                return pages;
            }
        }
    }
}

#[tokio::test]
async fn waits_are_listed_oldest_first_over_all_partitions() {
    let bench = Bench::start().await;
    bench.wait(0, 2_000, 1, WaitKind::Awakeable, "Approval");
    bench.wait(2, 1_000, 2, WaitKind::Promise, "Object");
    bench.wait(1, 2_000, 3, WaitKind::Timer, "Approval");
    bench.wait(0, 3_000, 4, WaitKind::Call, "Approval");
    let page = bench.get("/v4/waits?service=&key=&kind=&older_than=10m&limit=&after=").await.json();
    assert_eq!(page["next"], Value::Null);
    let first = json!({
        "kind": "promise", "invocation_id": id(2).to_string(), "index": 17, "name": "review",
        "target": "Object/k/ask", "service": "Object", "key": "k", "handler": "ask",
        "scope": "tenant", "since": "1970-01-01T00:00:01.000Z", "attempt": 2,
    });
    let second = json!({
        "kind": "awakeable", "invocation_id": id(1).to_string(), "index": 17,
        "target": "Approval/ask", "service": "Approval", "key": null, "handler": "ask",
        "since": "1970-01-01T00:00:02.000Z", "attempt": 2,
    });
    assert_eq!((&page["waits"][0], &page["waits"][1]), (&first, &second));
    for (query, expected) in [
        ("", vec![vec!["01.000", "02.000", "02.000", "03.000"]]),
        ("limit=4", vec![vec!["01.000", "02.000", "02.000", "03.000"]]),
        ("limit=2", vec![vec!["01.000", "02.000"], vec!["02.000", "03.000"]]),
        ("limit=3", vec![vec!["01.000", "02.000", "02.000"], vec!["03.000"]]),
        ("limit=1", vec![vec!["01.000"], vec!["02.000"], vec!["02.000"], vec!["03.000"]]),
        ("service=Object", vec![vec!["01.000"]]),
        ("key=k", vec![vec!["01.000"]]),
        ("key=other", vec![vec![]]),
        ("kind=awakeable", vec![vec!["02.000"]]),
        ("kind=call&service=Approval", vec![vec!["03.000"]]),
        ("older_than=36500d", vec![vec![]]),
    ] {
        assert_eq!(bench.pages(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn recent_waits_are_left_out_by_age() {
    let bench = Bench::start().await;
    let now = crate::text::time::now();
    bench.wait(0, 1_000, 1, WaitKind::Awakeable, "Approval");
    bench.wait(1, now, 2, WaitKind::Awakeable, "Approval");
    bench.wait(2, now + 60_000, 3, WaitKind::Awakeable, "Approval");
    for (query, expected) in [("", 3), ("older_than=10m", 1), ("older_than=PT10M", 1)] {
        let page = bench.get(&format!("/waits?{query}")).await.json();
        assert_eq!(page["waits"].as_array().map(Vec::len), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn a_page_examines_a_bounded_number_of_rows_and_the_next_goes_on() {
    let bench = Bench::start().await;
    let total = limits::WAIT_ROWS_EXAMINED + 2 * limits::WAIT_ROWS_PER_SCAN;
    for number in 0..total {
        let partition = u16::try_from(number % 3).expect("it is small");
        let number = u64::try_from(number).expect("it is small");
        // Times repeat, within partitions and over them.
        bench.wait(partition, number / 7, number, WaitKind::Signal, "Common");
    }
    bench.wait(1, 59_999, 0, WaitKind::Signal, "Rare");
    assert_eq!(bench.pages("service=Rare").await, [vec![], vec!["59.999".to_owned()]]);
    let pages = bench.pages("service=Common&limit=1000").await;
    let listed: Vec<&String> = pages.iter().flatten().collect();
    assert_eq!(listed.len(), total, "each wait once");
    assert!(listed.is_sorted(), "oldest first");
}

#[tokio::test]
async fn queries_that_make_no_sense() {
    let bench = Bench::start().await;
    let invalid = |parameter: &str, reason: &str| {
        format!(
            "400 {{\"message\":\"The query parameter '{parameter}' is invalid. Reason: {reason}\",\
             \"restate_code\":null}}"
        )
    };
    let cursor_reason = "expected the 'next' of a page";
    for (query, expected) in [
        ("kind=bell", invalid("kind", "expected one of awakeable, signal, promise, timer, call")),
        ("older_than=soon", invalid("older_than", "expected a duration such as 10m")),
        ("limit=0", invalid("limit", "expected 1 to 1000")),
        ("limit=1001", invalid("limit", "expected 1 to 1000")),
        ("limit=x", invalid("limit", "expected 1 to 1000")),
        ("after=!", invalid("after", cursor_reason)),
        ("after=AAAA", invalid("after", cursor_reason)),
        // A key of another table.
        ("after=AAAAAAAAAAAAAHM", invalid("after", cursor_reason)),
    ] {
        assert_eq!(bench.get(&format!("/waits?{query}")).await.line(), expected, "{query}");
    }
}

#[tokio::test]
async fn receipts_have_their_status() {
    let bench = Bench::start().await;
    let receipt =
        |outcome, decided_at, verb| Ok(Reply::Receipt(Receipt { outcome, decided_at, verb }));
    let id = id(5);
    for (reply, status, outcome, at, verb) in [
        (
            receipt(ReceiptOutcome::Completed, Some(1_000), Some(Verb::Resolve)),
            200,
            "completed",
            json!("1970-01-01T00:00:01.000Z"),
            json!("resolve"),
        ),
        (
            receipt(ReceiptOutcome::Replayed, Some(1_000), Some(Verb::Reject)),
            200,
            "replayed",
            json!("1970-01-01T00:00:01.000Z"),
            json!("reject"),
        ),
        (
            receipt(ReceiptOutcome::Conflict, Some(0), None),
            409,
            "conflict",
            json!("1970-01-01T00:00:00.000Z"),
            Value::Null,
        ),
        (receipt(ReceiptOutcome::Gone, None, None), 410, "gone", Value::Null, Value::Null),
        (receipt(ReceiptOutcome::Unknown, None, None), 404, "unknown", Value::Null, Value::Null),
    ] {
        bench.partitions.reply(reply);
        for verb_path in ["resolve", "reject", "replace"] {
            let path = format!("/waits/{id}/17/{verb_path}");
            let answer = bench.send("POST", &path, "", "x").await;
            let body = answer.json();
            assert_eq!((answer.status, &body["outcome"]), (status, &json!(outcome)));
            assert_eq!((&body["at"], &body["verb"]), (&at, &verb), "{outcome}");
            assert_eq!(body["invocation_id"], id.to_string());
            assert_eq!(body["wait"], "17");
        }
    }
    bench.partitions.reply(Ok(Reply::Conflict("consumed".to_owned())));
    let answer = bench.send("POST", &format!("/waits/{id}/17/replace"), "", "x").await;
    assert_eq!(answer.line(), r#"409 {"message":"consumed","restate_code":null}"#);
}

#[tokio::test]
async fn each_path_is_its_command() {
    let bench = Bench::start().await;
    let receipt = Receipt { outcome: ReceiptOutcome::Completed, decided_at: Some(1), verb: None };
    bench.partitions.reply(Ok(Reply::Receipt(receipt)));
    let id = id(5);
    let complete = |name: &str, completion: &str, key: &str| {
        format!(
            "CompleteWait {{ request: RequestId(7), wait: Admin({id}, {name}), completion: \
             {completion}, idempotency_key: {key} }}"
        )
    };
    let rejected = r#"Failure(Failure { code: 500, message: "no", metadata: [] })"#;
    for (path, key, body, expected) in [
        ("17/resolve", "", "\"ok\"", complete("Index(17)", r#"Success(b"\"ok\"")"#, "None")),
        ("17/resolve", "a", "", complete("Index(17)", r#"Success(b"")"#, "Some(\"a\")")),
        ("review/resolve", "", "x", complete("Name(\"review\")", r#"Success(b"x")"#, "None")),
        ("a%2Fb%20c/resolve", "", "x", complete("Name(\"a/b c\")", r#"Success(b"x")"#, "None")),
        ("review/reject", "", "no", complete("Name(\"review\")", rejected, "None")),
        (
            "17/replace",
            "",
            "x",
            format!(
                "ReplaceWait {{ request: RequestId(7), id: {id}, name: Index(17), completion: \
                 Success(b\"x\") }}"
            ),
        ),
    ] {
        let path = format!("/v2/waits/{id}/{path}");
        let answer = bench.send_with("POST", &path, &[("idempotency-key", key)], body).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(bench.partitions.commands(), [expected], "{path}");
    }
}

#[tokio::test]
async fn what_claims_to_be_json_must_parse() {
    let bench = Bench::start().await;
    let receipt = Receipt { outcome: ReceiptOutcome::Completed, decided_at: Some(1), verb: None };
    bench.partitions.reply(Ok(Reply::Receipt(receipt)));
    for (content_type, body, refusal) in [
        ("application/json", "{\"a\": [1, null]}", None),
        ("application/json", "\"ok\"", None),
        ("application/json", "{\n  \"a\":", Some("EOF while parsing a value at line 2 column 6")),
        ("application/json; charset=utf-8", "nope", Some("expected ident at line 1 column 2")),
        ("Application/JSON", "", Some("EOF while parsing a value at line 1 column 0")),
        ("application/problem+json", "1 2", Some("trailing characters at line 1 column 3")),
        ("text/plain", "{", None),
        ("", "{", None),
    ] {
        for verb in ["resolve", "reject", "replace"] {
            let path = format!("/waits/{}/17/{verb}", id(5));
            let answer = bench.send("POST", &path, content_type, body).await;
            match refusal {
                None => assert_eq!(answer.status, 200, "{content_type} {body}"),
                Some(reason) => {
                    let expected = format!(
                        "400 {{\"message\":\"the content type is JSON, but the body does not \
                         parse: {reason}\",\"restate_code\":null}}"
                    );
                    assert_eq!(answer.line(), expected, "{content_type} {body}");
                }
            }
            assert_eq!(bench.partitions.commands().len(), usize::from(refusal.is_none()));
        }
    }
    let answer = bench.send("POST", "/waits/foo/17/resolve", "", "x").await;
    assert_eq!(answer.status, 400, "{answer:?}");
}
