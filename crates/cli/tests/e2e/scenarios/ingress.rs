//! Calling and sending over HTTP: both path styles, idempotency, delays, attach, lookup, CORS.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;

use crate::{harness::Cluster, scenarios};

scenarios![
    both_path_styles_work,
    repeated_call_joins_and_replays,
    repeated_send_was_accepted_before,
    failures_are_replayed,
    key_belongs_to_its_target,
    delayed_send_tells_when,
    idempotent_invocation_can_be_looked_up,
    workflow_can_be_looked_up,
    cross_origin_requests_are_mirrored,
    inputs_of_every_kind_pass,
];

async fn both_path_styles_work(cluster: Arc<Cluster>) {
    for path in ["/door/json", "/restate/call/door/json", "//door/json", "/door/json/"] {
        let answer = cluster.ingress.post(path).json("you").send().await.expect(200);
        assert_eq!(answer.text(), r#""Hello you""#, "{path}");
    }
    for path in ["/door/json/send", "/restate/send/door/json"] {
        let answer = cluster.ingress.post(path).json("you").send().await.expect(202);
        let id = answer.header("x-restate-id").to_owned();
        assert_eq!(answer.text(), format!(r#"{{"invocationId":"{id}","status":"Accepted"}}"#));
        assert_eq!(cluster.result(&id).await, "Hello you");
    }
    let answer = cluster.ingress.post("/account/styles/add/send").json(2).send().await.expect(202);
    assert_eq!(cluster.result(answer.header("x-restate-id")).await, 2);
}

async fn repeated_call_joins_and_replays(cluster: Arc<Cluster>) {
    let call = |name: &str| {
        let call = cluster.ingress.post("/restate/call/approval/ask").json(name);
        tokio::spawn(call.header("idempotency-key", "joined").send())
    };
    let first = call("joined");
    let wait = cluster.announced("joined").await;
    let second = call("another body");
    cluster.resolve(&wait, "for both").await.expect(202);
    let first = first.await.expect("the call ends").expect(200);
    let second = second.await.expect("the call ends").expect(200);
    assert_eq!(
        (&first.body, first.header("x-restate-id")),
        (&second.body, second.header("x-restate-id"))
    );
    assert_eq!(first.header("idempotency-expires"), "");
    let third = call("a third body").await.expect("the call ends").expect(200);
    assert_eq!(third.body, first.body);
    assert!(third.header("idempotency-expires").ends_with("+00:00"));
    assert!(cluster.announcement("another body").is_none());
}

async fn repeated_send_was_accepted_before(cluster: Arc<Cluster>) {
    let send = || {
        let send = cluster.ingress.post("/restate/send/account/resent/add").json(5);
        send.header("idempotency-key", "resent").send()
    };
    let first = send().await.expect(202).json();
    assert_eq!(first["status"], "Accepted");
    let second = send().await.expect(202).json();
    let id = first["invocationId"].as_str().expect("an id");
    assert_eq!(second, json!({"invocationId": id, "status": "PreviouslyAccepted"}));
    assert_eq!(cluster.result(id).await, 5);
    assert_eq!(cluster.call_empty("account/resent/get").await.json(), 5);
}

async fn failures_are_replayed(cluster: Arc<Cluster>) {
    let call = || {
        let call = cluster.ingress.post("/restate/call/steps/refuse");
        let call = call.json(json!({"message": "never", "code": 410}));
        call.header("idempotency-key", "replayed-failure").send()
    };
    let (first, second) = (call().await.expect(410), call().await.expect(410));
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("x-restate-id"), second.header("x-restate-id"));
}

async fn key_belongs_to_its_target(cluster: Arc<Cluster>) {
    for key in ["scope-a", "scope-b"] {
        for _ in 0..2 {
            let call = cluster.ingress.post(&format!("/restate/call/account/{key}/add")).json(1);
            let balance = call.header("idempotency-key", "same").send().await.expect(200).json();
            assert_eq!(balance, 1, "{key}");
        }
    }
}

async fn delayed_send_tells_when(cluster: Arc<Cluster>) {
    for delay in ["200ms", "PT0.2S"] {
        let path = format!("/restate/send/door/json?delay={delay}");
        let answer = cluster.ingress.post(&path).json("later").send().await.expect(202);
        let id = answer.header("x-restate-id").to_owned();
        let text = answer.text();
        let prefix = format!(r#"{{"invocationId":"{id}","executionTime":""#);
        assert!(text.starts_with(&prefix), "{text}");
        let time = answer.json()["executionTime"].as_str().expect("a time").to_owned();
        assert_eq!((time.len(), time.ends_with('Z')), (30, true), "{time}");
        cluster.output(&id).await.expect(470);
        assert_eq!(cluster.result(&id).await, "Hello later");
    }
}

async fn idempotent_invocation_can_be_looked_up(cluster: Arc<Cluster>) {
    let call = cluster.ingress.post("/restate/call/account/found/add").json(3);
    let call = call.header("idempotency-key", "found").send().await.expect(200);
    let id = call.header("x-restate-id");
    let target = json!({"target": "idempotentInvocation", "service": "account", "key": "found",
        "handler": "add", "idempotencyKey": "found"});
    let found = cluster.ingress.post("/restate/lookup").json(target.clone()).send().await;
    assert_eq!(found.expect(200).text(), format!(r#"{{"invocationId":"{id}"}}"#));
    for verb in ["attach", "output"] {
        let by_body = cluster.ingress.post(&format!("/restate/{verb}")).json(target.clone());
        assert_eq!(by_body.send().await.expect(200).json(), 3);
        let old_path = format!("/restate/invocation/account/found/add/found/{verb}");
        assert_eq!(cluster.ingress.get(&old_path).send().await.expect(200).json(), 3);
        let by_id = format!("/restate/invocation/{id}/{verb}");
        let by_id = cluster.ingress.get(&by_id).send().await.expect(200);
        assert_eq!((by_id.json(), by_id.header("x-restate-id")), (json!(3), id));
    }
}

async fn workflow_can_be_looked_up(cluster: Arc<Cluster>) {
    let target = json!({"target": "workflow", "workflowName": "reviewWorkflow",
        "workflowKey": "looked-up"});
    let found = cluster.ingress.post("/restate/lookup").json(target.clone()).send().await;
    let found = found.expect(200).json();
    let missing = cluster.ingress.post("/restate/output").json(target.clone()).send().await;
    assert_eq!(missing.expect(404).json()["message"], "invocation not found");
    let run = cluster.send("reviewWorkflow/looked-up/run", "doc").await;
    assert_eq!(found, json!({"invocationId": run}));
    let pending = cluster.ingress.post("/restate/output").json(target.clone()).send().await;
    let expected = "the invocation exists but has not completed yet";
    assert_eq!(pending.expect(470).json()["message"], expected);
    cluster.call("reviewWorkflow/looked-up/submitReview", "ok").await.expect(200);
    let attached = cluster.ingress.post("/restate/attach").json(target).send().await;
    assert_eq!(attached.expect(200).json(), "doc: ok");
}

async fn cross_origin_requests_are_mirrored(cluster: Arc<Cluster>) {
    let origin = "https://shop.example";
    for (path, status) in [("/door/json", 200), ("/nowhere/x", 404)] {
        let call = cluster.ingress.post(path).json("x").header("origin", origin);
        let answer = call.send().await.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
    }
    let preflight = cluster.ingress.request(Method::OPTIONS, "/door/json");
    let preflight = preflight.header("origin", origin);
    let preflight = preflight.header("access-control-request-method", "POST");
    let preflight = preflight.header("access-control-request-headers", "x-one,x-two");
    let answer = preflight.send().await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), origin);
    assert_eq!(answer.header("access-control-allow-methods"), "POST");
    assert_eq!(answer.header("access-control-allow-headers"), "x-one,x-two");
    assert!(answer.body.is_empty());
}

async fn inputs_of_every_kind_pass(cluster: Arc<Cluster>) {
    let bytes = vec![0, 1, 254, 255];
    let call = cluster.ingress.post("/door/bytes").typed("application/octet-stream", bytes.clone());
    let answer = call.send().await.expect(200);
    assert_eq!(answer.body, bytes);
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    let call = cluster.ingress.post("/door/json");
    let call = call.typed("application/json; charset=utf-8", r#""typed""#);
    assert_eq!(call.send().await.expect(200).json(), "Hello typed");
    let call = cluster.ingress.post("/door/image").typed("image/png", vec![1, 2, 3]);
    assert_eq!(call.send().await.expect(200).json(), 3);
    let call = cluster.ingress.request(Method::GET, "/door/nothing");
    assert_eq!(call.send().await.expect(200).json(), "nothing");
}
