//! Who is let in with which header, and that handlers do not see the token.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use prost::Message;
use reveille_engine::command::Command;
use reveille_engine::effect::{Receipt, ReceiptOutcome, Reply};
use reveille_protocol::id::AwakeableId;
use reveille_protocol::message::InputCommand;

use super::super::IngressAccess;
use super::{ingress, request, some_id};
use crate::access::{Tokens, hash, token};

fn access(waits_without_token: bool) -> IngressAccess {
    let tokens = Tokens::parse(&hash(&token(&[1; 32]))).expect("a hash");
    IngressAccess { tokens, waits_without_token }
}

fn reply(command: &Command) -> Reply {
    match command {
        Command::Invoke { invoke, .. } => {
            let input = InputCommand::decode(invoke.input.clone()).expect("an input");
            let header = input.headers.iter().find(|header| header.key == "authorization");
            assert!(header.is_none(), "the token got into the journal");
            Reply::Accepted { id: some_id(), fresh: true, execution_time: None }
        }
        Command::CompleteWait { .. } | Command::DescribeWait { .. } => Reply::Receipt(Receipt {
            outcome: ReceiptOutcome::Pending,
            verb: None,
            decided_at: None,
        }),
        _ => Reply::NotReady(some_id()),
    }
}

async fn ask(access: &IngressAccess, request: Request<Full<Bytes>>) -> (u16, String, String) {
    let mut ingress = ingress(|command| Ok(reply(&command)));
    ingress.access = access.clone();
    let answer = ingress.handle(request).await;
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge.map_or("", |value| value.to_str().expect("ASCII")).to_owned();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, challenge, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn every_route() {
    let output = format!("/restate/output/{}", some_id());
    let wait = AwakeableId { invocation: some_id(), secret: [3; 16], index: 17 };
    let resolve = format!("/restate/awakeables/{wait}/resolve");
    let describe = format!("/reveille/waits/{wait}");
    // Method, path, status with a token, whether it is open always, and when waits are open.
    let table = [
        (Method::OPTIONS, "/S/h", 200, true, true),
        (Method::GET, "/restate/health", 200, true, true),
        (Method::POST, "/S/h/send", 202, false, false),
        (Method::POST, "/restate/send/S/h", 202, false, false),
        (Method::GET, output.as_str(), 470, false, false),
        (Method::POST, resolve.as_str(), 202, false, true),
        (Method::GET, describe.as_str(), 200, false, true),
        (Method::POST, "/reveille/waits/nonsense/resolve", 400, false, true),
        (Method::GET, "/no", 400, false, false),
        (Method::PUT, "/S/h", 405, false, false),
    ];
    let right = format!("Bearer {}", token(&[1; 32]));
    let wrong = format!("Bearer {}", token(&[2; 32]));
    for (method, path, status, open, open_waits) in table {
        for (waits_without_token, open) in [(false, open), (true, open_waits)] {
            let access = access(waits_without_token);
            let with = |value: &str| {
                let json = ("content-type", "application/json");
                let headers = [json, ("authorization", value)];
                let count = if value.is_empty() { 1 } else { 2 };
                request(method.clone(), path, &headers[..count], "1")
            };
            let (found, challenge, _) = ask(&access, with(&right)).await;
            assert_eq!((found, challenge.as_str()), (status, ""), "{method} {path}");
            for (value, challenge) in [("", "Bearer"), (&wrong, "Bearer error=\"invalid_token\"")] {
                let expected = if open { (status, "") } else { (401, challenge) };
                let (found, challenge, body) = ask(&access, with(value)).await;
                assert_eq!((found, challenge.as_str()), expected, "{method} {path} {value}");
                assert!(open || body.starts_with(r#"{"code":401,"message":"#), "{body}");
            }
        }
    }
}

#[tokio::test]
async fn health_tells_names_to_those_who_may_know_them() {
    let right = format!("Bearer {}", token(&[1; 32]));
    for (access, headers, expected) in [
        (access(true), &[][..], "{}"),
        (access(true), &[("authorization", right.as_str())][..], r#"{"services":["O","S","W"]}"#),
        (IngressAccess::default(), &[][..], r#"{"services":["O","S","W"]}"#),
    ] {
        let request = request(Method::GET, "/restate/health", headers, "");
        assert_eq!(ask(&access, request).await.2, expected);
    }
}

#[tokio::test]
async fn without_tokens_the_header_is_the_handlers() {
    let mut ingress = ingress(|command| {
        let Command::Invoke { invoke, .. } = &command else { panic!("not an invocation") };
        let input = InputCommand::decode(invoke.input.clone()).expect("an input");
        let header = input.headers.iter().find(|header| header.key == "authorization");
        assert_eq!(header.map(|header| header.value.as_str()), Some("Bearer theirs"));
        Ok(Reply::Accepted { id: some_id(), fresh: true, execution_time: None })
    });
    ingress.access = IngressAccess::default();
    let headers = [("authorization", "Bearer theirs")];
    let answer = ingress.handle(super::post("/S/h/send", &headers, "")).await;
    assert_eq!(answer.status().as_u16(), 202);
}
