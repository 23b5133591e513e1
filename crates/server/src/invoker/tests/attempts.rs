//! What goes over the wire, and what the partition hears, when all goes well.

use h2::Reason;
use reveille_engine::trace::{TraceContext, attempt_span};
use reveille_protocol::frame::MessageType;

use crate::invoker::ToAttempt;
use crate::limits;

use super::support::{Deployment, Rig, encoded, frame, reset_reason, send, start};

#[tokio::test]
async fn bidirectional() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&format!("{}prefix/", deployment.uri), false);
    let mut attempt = start();
    attempt.key = Some("é x".to_owned());
    let handle = rig.start(attempt);

    // The replay comes without a response head.
    let mut served = deployment.served().await;
    assert_eq!(served.head.method(), "POST");
    assert_eq!(served.head.uri().path(), "/prefix/invoke/Greeter/greet");
    let headers = [
        ("content-type", "application/vnd.restate.invocation.v7"),
        ("accept", "application/vnd.restate.invocation.v7"),
        ("x-restate-service-key", "%C3%A9%20x"),
        ("x-gateway", "open"),
    ];
    for (name, expected) in headers {
        assert_eq!(served.header(name), expected, "{name}");
    }
    assert!(served.header("x-restate-invocation-id").starts_with("inv_1"));
    assert_eq!((served.read().await, served.read().await), ("Start(10)".into(), "Input(3)".into()));

    // Frames that arrive together are told together.
    let mut response = served.ok();
    let run = [frame(MessageType::RUN_COMMAND, 2), frame(MessageType::PROPOSE_RUN_COMPLETION, 4)];
    send(&mut response, &run);
    assert_eq!(rig.told().await, "frames of 3: Run(2) ProposeRunCompletion(4)");

    for (ty, len) in
        [(MessageType::SIGNAL_NOTIFICATION, 5), (MessageType::SIGNAL_NOTIFICATION, 70_000)]
    {
        handle.sender.try_send(ToAttempt::Frame(frame(ty, len))).expect("there is room");
        assert_eq!(served.read().await, format!("Signal({len})"));
    }

    // What follows the terminal frame is not told, and the request is half-closed although the
    // response stays open.
    let end = [frame(MessageType::OUTPUT_COMMAND, 1), frame(MessageType::END, 0)];
    send(&mut response, &end);
    send(&mut response, &end);
    assert_eq!(rig.told().await, "frames of 3: Output(1) End(0)");
    assert_eq!(served.read().await, "eof");
    response.send_data(encoded(&end), true).expect("the stream is open");
    assert_eq!(rig.rest().await, [""; 0]);
    drop(handle);
}

#[tokio::test]
async fn frames_may_be_split_anywhere() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let _handle = rig.start(start());
    let mut served = deployment.served().await;
    let mut response = served.ok();
    let bytes =
        encoded(&[frame(MessageType::OUTPUT_COMMAND, 3), frame(MessageType::SUSPENSION, 2)]);
    for index in 0..bytes.len() {
        response.send_data(bytes.slice(index..=index), false).expect("the stream is open");
    }
    let mut told = Vec::new();
    while told.len() < 2 {
        let frames = rig.told().await;
        told.extend(frames.trim_start_matches("frames of 3: ").split(' ').map(str::to_owned));
    }
    assert_eq!(told, ["Output(3)", "Suspension(2)"]);
    assert_eq!(served.read_all().await, ["Start(10)", "Input(3)", "eof"]);
}

/// Handlers find the trace in the headers of the request: the caller's, or our span below it.
#[tokio::test]
async fn the_trace_goes_along() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (recorded, state) in [(false, None), (true, Some("a=1"))] {
        let mut deployment = Deployment::listen(100).await;
        let rig = Rig::new(&deployment.uri, false);
        let mut attempt = start();
        let mut context = TraceContext::parse(PARENT, state).expect("valid");
        context.recorded = recorded;
        let span = attempt_span(attempt.id, attempt.attempt);
        attempt.trace = Some(Box::new(context));
        let _handle = rig.start(attempt);
        let served = deployment.served().await;
        let ours = format!("00-0af7651916cd43dd8448eb211c80319c-{span:016x}-01");
        let expected = if recorded { ours.as_str() } else { PARENT };
        assert_eq!(served.header("traceparent"), expected);
        assert_eq!(served.header("tracestate"), state.unwrap_or_default());
    }
}

#[tokio::test]
async fn request_response() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let mut attempt = start();
    attempt.bidirectional = false;
    // More than the window of a stream, in payloads small and large.
    let sizes = [500, 200_000, 0, 2000, 90_000];
    attempt.frames.extend(sizes.map(|len| frame(MessageType::RUN_NOTIFICATION, len)));
    let _handle = rig.start(attempt);
    let mut served = deployment.served().await;
    let expected = [
        "Start(10)",
        "Input(3)",
        "Run(500)",
        "Run(200000)",
        "Run(0)",
        "Run(2000)",
        "Run(90000)",
        "eof",
    ];
    assert_eq!(served.read_all().await, expected);
    let mut response = served.ok();
    let end = encoded(&[frame(MessageType::ERROR, 4)]);
    response.send_data(end, true).expect("the stream is open");
    assert_eq!(rig.told().await, "frames of 3: Error(4)");
    assert_eq!(rig.rest().await, [""; 0]);
}

#[tokio::test]
async fn close_input_half_closes() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let handle = rig.start(start());
    let mut served = deployment.served().await;
    handle
        .sender
        .try_send(ToAttempt::Frame(frame(MessageType::SIGNAL_NOTIFICATION, 1)))
        .expect("room");
    handle.sender.try_send(ToAttempt::CloseInput).expect("room");
    assert_eq!(served.read_all().await, ["Start(10)", "Input(3)", "Signal(1)", "eof"]);
    let mut response = served.ok();
    send(&mut response, &[frame(MessageType::SUSPENSION, 6)]);
    assert_eq!(rig.told().await, "frames of 3: Suspension(6)");
    response.send_data(encoded(&[]), true).expect("the stream is open");
    assert_eq!(rig.rest().await, [""; 0]);
}

#[tokio::test]
async fn a_step_is_bounded_and_a_full_mailbox_loses_nothing() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::with_mailbox(&deployment.uri, false, 1);
    let _handle = rig.start(start());
    let mut served = deployment.served().await;
    let mut response = served.ok();
    let mut frames = vec![frame(MessageType::SET_STATE_COMMAND, 0); 3 * limits::FRAMES_PER_STEP];
    frames.push(frame(MessageType::END, 0));
    send(&mut response, &frames);
    let mut counts = Vec::new();
    while counts.iter().sum::<usize>() < frames.len() {
        counts.push(rig.told().await.split(' ').count() - 3);
    }
    assert_eq!(counts.iter().sum::<usize>(), frames.len());
    assert!(counts.iter().all(|count| *count <= limits::FRAMES_PER_STEP), "{counts:?}");
}

#[tokio::test]
async fn abort_resets_the_stream_and_tells_nothing() {
    // (the response has begun, the handle is dropped instead of told)
    for (answered, dropped) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut deployment = Deployment::listen(100).await;
        let mut rig = Rig::new(&deployment.uri, false);
        let handle = rig.start(start());
        let mut served = deployment.served().await;
        if answered {
            let mut response = served.ok();
            send(&mut response, &[frame(MessageType::RUN_COMMAND, 1)]);
            assert_eq!(rig.told().await, "frames of 3: Run(1)");
        }
        if !dropped {
            handle.sender.try_send(ToAttempt::Abort).expect("there is room");
        }
        drop(handle);
        assert_eq!(served.read_all().await, ["Start(10)", "Input(3)", "reset 8"]);
        assert_eq!(rig.rest().await, [""; 0], "{answered} {dropped}");
    }
}

#[tokio::test]
async fn abort_resets_a_stream_that_is_blocked_by_its_window() {
    let mut deployment = Deployment::listen(100).await;
    let rig = Rig::new(&deployment.uri, false);
    let mut attempt = start();
    attempt.frames.push(frame(MessageType::RUN_NOTIFICATION, 500_000));
    let handle = rig.start(attempt);
    let mut served = deployment.served().await;
    let mut response = served.ok();
    drop(handle);
    assert_eq!(reset_reason(&mut response).await, Reason::CANCEL);
    assert_eq!(rig.rest().await, [""; 0]);
}

#[tokio::test]
async fn an_attempt_that_the_engine_ends_is_finished_in_peace() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let handle = rig.start(start());
    let mut served = deployment.served().await;
    let mut response = served.ok();
    send(&mut response, &[frame(MessageType::RUN_COMMAND, 1)]);
    assert_eq!(rig.told().await, "frames of 3: Run(1)");
    handle.sender.try_send(ToAttempt::End).expect("there is room");
    drop(handle);
    assert_eq!(served.read_all().await, ["Start(10)", "Input(3)", "eof"]);
    response.send_data(encoded(&[]), true).expect("the stream was not reset");
    assert_eq!(rig.rest().await, [""; 0]);
}
