//! Events and answers, and the loop over a runtime API that is played.

use std::{convert::Infallible, sync::Mutex};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reveille_protocol::manifest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::endpoint::tests::builder;

/// Recorded: an attempt of `Greeter/greet` with the input `"Ann"`, and what another SDK answered.
const RECORDED: (&str, &str) = (
    "AAAAAAAAAEYKGAARIjNEVWZ3iJmqu8zd7v8BAgMEBQYHCBImaW52XzFkZW1vRGVtbzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw\
     MDAYAUgBBAAAAAAAAAlyBwoFIkFubiI=",
    "BAEAAAAAAA9yDQoLIkhlbGxvIEFubiIAAwAAAAAAAA==",
);

async fn answer(event: Value) -> Value {
    // Functions are request/response, whatever was chosen.
    let endpoint = builder().protocol_mode(crate::ProtocolMode::Bidirectional).build();
    let answer = endpoint.expect("an endpoint").answer_lambda(event.to_string().as_bytes()).await;
    serde_json::from_slice(&answer.expect("an answer")).expect("JSON")
}

fn greet() -> Value {
    json!({
        "path": "/invoke/Greeter/greet", "httpMethod": "POST",
        "headers": {"content-type": "application/vnd.restate.invocation.v7"},
        "body": RECORDED.0, "isBase64Encoded": true,
    })
}

#[tokio::test]
async fn an_attempt_is_one_event() {
    let answer = answer(greet()).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["headers"]["content-type"], "application/vnd.restate.invocation.v7");
    assert_eq!((&answer["isBase64Encoded"], &answer["body"]), (&json!(true), &json!(RECORDED.1)));
}

#[tokio::test]
async fn discovery() {
    let accept = "application/vnd.restate.endpointmanifest.v4+json";
    let headers = json!({"accept": accept});
    let answer = answer(json!({
        "path": "/discover", "httpMethod": "GET", "headers": headers, "body": "",
        "isBase64Encoded": true,
    }))
    .await;
    let body = STANDARD.decode(answer["body"].as_str().expect("text")).expect("base64");
    let manifest = manifest::parse(accept, &body).expect("a manifest");
    assert_eq!(manifest.protocol_mode, Some(manifest::ProtocolMode::RequestResponse));
}

#[tokio::test]
async fn what_is_no_request() {
    let status = async |path: &str| answer(json!({"path": path})).await["statusCode"].clone();
    assert_eq!((status("/health").await, status("/nothing").await), (json!(200), json!(404)));
    let endpoint = builder().build().expect("an endpoint");
    let no_base64 = json!({"path": "/discover", "body": "?", "isBase64Encoded": true}).to_string();
    for event in ["", "{}", "[]", r#"{"path": "no path"}"#, &no_base64] {
        let error = endpoint.answer_lambda(event.as_bytes()).await.expect_err(event);
        assert!(matches!(error, LambdaError::Event(_)), "{event}: {error}");
    }
}

/// Hands out two events, then breaks off; notes what was answered.
#[tokio::test]
async fn events_are_taken_one_by_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let events = Mutex::new(vec!["no event".to_owned(), greet().to_string()]);
    let answers = Mutex::new(Vec::new());
    let play = async |request: Request<Incoming>| {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        if !path.ends_with("/next") {
            answers.lock().expect("one at a time").push((path, body));
            return Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()));
        }
        let event = events.lock().expect("one at a time").pop();
        let status = if event.is_some() { 200 } else { 500 };
        let response = Response::builder().status(status).header(REQUEST_ID, "id");
        Ok(response.body(Full::from(event.unwrap_or_default())).expect("a response"))
    };
    let serve = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        let service = service_fn(&play);
        // It breaks off with the client.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    };
    let endpoint = builder().build().expect("an endpoint");
    let run = async {
        let error = endpoint.run_lambda_with(&address.to_string()).await;
        assert!(matches!(error, Err(LambdaError::Runtime(_))), "{error:?}");
    };
    tokio::select! {
        () = run => {}
        () = serve => panic!("the function closed its connection"),
    }
    let answers = answers.into_inner().expect("one at a time");
    let paths: Vec<_> = answers.iter().map(|(path, _)| path.rsplit('/').next()).collect();
    assert_eq!(paths, [Some("response"), Some("error")]);
    assert!(String::from_utf8_lossy(&answers[0].1).contains(RECORDED.1));
}
