//! Attempts that end without a terminal frame, and what the partition hears of them.

use bytes::Bytes;
use h2::Reason;
use reveille_protocol::frame::MessageType;
use tokio::net::TcpListener;

use crate::invoker::ToAttempt;

use super::http1;
use super::support::{
    Deployment, MEDIA_TYPE, Rig, Served, encoded, frame, reset_reason, send, start,
};

/// What the deployment does with the stream.
enum Script {
    /// Answers with status, content type and body, and ends the response.
    Answer(u16, &'static str, Bytes),
    /// Answers 200, then resets.
    ResetBody,
    /// Resets without an answer.
    ResetHead,
}

impl Script {
    fn play(self, served: &mut Served) {
        match self {
            Script::Answer(status, content_type, body) => {
                let mut stream = served.answer(status, content_type);
                stream.send_data(body, true).expect("the stream is open");
            }
            Script::ResetBody => served.ok().send_reset(Reason::INTERNAL_ERROR),
            Script::ResetHead => served.respond.send_reset(Reason::INTERNAL_ERROR),
        }
    }
}

async fn check(script: Script, expected: &[&str]) {
    let mut deployment = Deployment::listen(100).await;
    let rig = Rig::new(&deployment.uri, false);
    let _handle = rig.start(start());
    let mut served = deployment.served().await;
    assert_eq!((served.read().await, served.read().await), ("Start(10)".into(), "Input(3)".into()));
    script.play(&mut served);
    let told: Vec<String> =
        rig.rest().await.iter().map(|told| told.replace(&deployment.uri, "URI/")).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn statuses() {
    let table = [
        (404, "", "500 RT0012 unexpected http status code: 404 Not Found"),
        (
            500,
            r#"{"message":"oops"}"#,
            "500 RT0012 unexpected http status code: 500 Internal Server Error, with body: \
             {\"message\":\"oops\"}",
        ),
        (201, "", "500 RT0012 unexpected http status code: 201 Created"),
        (
            415,
            "",
            "415 RT0015 cannot start the invocation because the SDK doesn't support the protocol \
             version '7' negotiated at discovery time",
        ),
        (503, "", "500 RT0023 service is rate limited due to '503 Service Unavailable'"),
    ];
    for (status, body, expected) in table {
        let script = Script::Answer(status, "text/plain", Bytes::from_static(body.as_bytes()));
        check(script, &[&format!("3 failed: {expected}")]).await;
    }
}

#[tokio::test]
async fn error_bodies_are_cut() {
    let body = "x".repeat(100_000);
    let expected = format!(
        "3 failed: 500 RT0012 unexpected http status code: 500 Internal Server Error, with body: {}",
        "x".repeat(crate::limits::ERROR_BODY_BYTES)
    );
    check(Script::Answer(500, "text/plain", body.into()), &[&expected]).await;
}

#[tokio::test]
async fn streams() {
    let run = encoded(&[frame(MessageType::RUN_COMMAND, 2)]);
    let told_run = "frames of 3: Run(2)";
    let too_long = [run.as_ref(), &[4, 1, 0, 0, 0, 32, 0, 0]].concat();
    let truncated = [run.as_ref(), &[4, 1, 0, 0, 0, 0, 0, 9, 1]].concat();
    let table: [(Script, &[&str]); 7] = [
        (
            Script::Answer(200, "application/json", Bytes::new()),
            &["3 failed: 500 RT0012 unexpected content type 'application/json'; expected content \
               type 'application/vnd.restate.invocation.v7'"],
        ),
        (Script::Answer(200, MEDIA_TYPE, Bytes::new()), &["3 failed: 500 RT0007 unknown"]),
        (Script::Answer(200, MEDIA_TYPE, run), &[told_run, "3 failed: 500 RT0007 unknown"]),
        (
            Script::Answer(200, MEDIA_TYPE, truncated.into()),
            &[
                told_run,
                "3 failed: 500 RT0012 cannot decode entry: the stream ended inside a message",
            ],
        ),
        (
            Script::Answer(200, MEDIA_TYPE, too_long.into()),
            &[
                told_run,
                "3 failed: 500 RT0003 Output (0x0401) frame of 2097152 bytes exceeds the limit of \
                 1048576 bytes; see `worker.invoker.message-size-limit`",
            ],
        ),
        (
            Script::ResetBody,
            &["3 failed: 500 RT0010 error when calling 'URI/invoke/Greeter/greet': the stream \
               broke before the invocation ended. stream error received: unexpected internal \
               error encountered"],
        ),
        (
            Script::ResetHead,
            &["3 failed: 500 RT0010 error when calling 'URI/invoke/Greeter/greet': the stream \
               broke before the invocation ended. stream error received: unexpected internal \
               error encountered"],
        ),
    ];
    for (script, expected) in table {
        check(script, expected).await;
    }
}

#[tokio::test]
async fn unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let closed = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let refused = "unable to reach the remote endpoint. Cannot connect: Connection refused";
    let scheme = "unable to reach the remote endpoint. the address of the deployment is no http://";
    let table = [
        (closed.as_str(), false, refused),
        (closed.as_str(), true, refused),
        ("https://127.0.0.1:1/", false, refused),
        ("ftp://127.0.0.1/", false, scheme),
        ("not a uri/", false, "invalid uri character."),
    ];
    for (uri, http1, cause) in table {
        let rig = Rig::new(uri, http1);
        let _handle = rig.start(start());
        let told = rig.rest().await;
        let expected =
            format!("3 failed: 500 RT0010 error when calling '{uri}invoke/Greeter/greet': {cause}");
        assert!(told.len() == 1 && told[0].starts_with(&expected), "{told:?} is not {expected}");
    }
}

#[tokio::test]
async fn secrets_of_a_deployment_are_hidden_in_what_it_answers() {
    let (uri, _) = http1::listen(403, "text/plain", "no: Bearer c2VjcmV0 (open)").await;
    let mut rig = Rig::new(&uri, true);
    rig.schema.headers.push(("authorization".to_owned(), "Bearer c2VjcmV0".to_owned()));
    assert!(!format!("{:?}", rig.schema).contains("c2VjcmV0"));
    let _handle = rig.start(start());
    let expected = "3 failed: 500 RT0012 unexpected http status code: 403 Forbidden, with body: no: \
                    *** (open)";
    assert_eq!(rig.rest().await, [expected]);
}

#[tokio::test]
async fn invalid_deployment_headers() {
    let mut rig = Rig::new("http://127.0.0.1:1/", false);
    rig.schema.headers.push(("sp ace".to_owned(), "x".to_owned()));
    let _handle = rig.start(start());
    let expected = "3 failed: 500 RT0010 error when calling \
        'http://127.0.0.1:1/invoke/Greeter/greet': the deployment's header 'sp ace' is not valid.";
    assert_eq!(rig.told().await, expected);
}

#[tokio::test]
async fn a_frame_for_a_closed_request_fails_the_attempt() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let mut attempt = start();
    attempt.bidirectional = false;
    let handle = rig.start(attempt);
    let mut served = deployment.served().await;
    handle
        .sender
        .try_send(ToAttempt::Frame(frame(MessageType::SIGNAL_NOTIFICATION, 1)))
        .expect("room");
    let told = rig.told().await;
    assert!(told.contains("RT0010") && told.contains("request/response mode"), "{told}");
    let mut response = served.ok();
    assert_eq!(super::support::reset_reason(&mut response).await, Reason::CANCEL);
}

/// Whoever aborts an attempt need not wait for the deployment to read.
#[tokio::test]
async fn an_attempt_whose_deployment_does_not_read_can_be_aborted() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let handle = rig.start(start());
    let mut served = deployment.served().await;
    let mut response = served.ok();
    send(&mut response, &[frame(MessageType::RUN_COMMAND, 1)]);
    assert_eq!(rig.told().await, "frames of 3: Run(1)");
    // Far more than the windows take, until nothing is taken any more.
    let signal = || ToAttempt::Frame(frame(MessageType::SIGNAL_NOTIFICATION, 16 << 10));
    while handle.sender.try_send(signal()).is_ok() {
        tokio::task::yield_now().await;
    }
    drop(handle);
    assert_eq!(reset_reason(&mut response).await, Reason::CANCEL);
    assert_eq!(rig.rest().await, [""; 0]);
}

/// A mistake of ours in one attempt must not leave its invocation running for ever.
#[tokio::test]
async fn a_panic_of_an_attempt_is_told() {
    let mut rig = Rig::new("http://127.0.0.1:1/", false);
    let attempt = rig.attempt(start());
    let panicked = tokio::spawn(async move {
        let _attempt = attempt;
        panic!("a mistake, for the test");
    });
    assert!(panicked.await.is_err());
    let expected = "3 failed: 500 RT0007 the attempt ended with a panic of the server, see its log";
    assert_eq!(rig.told().await, expected);
    // One that is merely dropped says nothing, as when the server is dropped.
    drop(rig.attempt(start()));
    assert_eq!(rig.rest().await, [""; 0]);
}
