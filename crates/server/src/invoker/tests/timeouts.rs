//! Silence: what is reported, and when the stream is given up.

use reveille_engine::effect::AttemptStart;
use reveille_protocol::frame::MessageType;

use crate::invoker::ToAttempt;

use super::support::{Deployment, Rig, frame, send, start};

fn timeouts(hold_ms: u64, inactivity_ms: u64, abort_ms: u64) -> Box<AttemptStart> {
    let mut attempt = start();
    attempt.hold_timeout_ms = hold_ms;
    attempt.inactivity_timeout_ms = inactivity_ms;
    attempt.abort_timeout_ms = abort_ms;
    attempt
}

const ABORTED: &str = "3 failed: 500 RT0001 the invocation stream was closed after the 'abort \
    timeout' (40ms) fired.";

#[tokio::test]
async fn idle_is_reported_once_per_silence_and_kind() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let handle = rig.start(timeouts(30, 60, 40));
    let mut served = deployment.served().await;
    let mut response = served.ok();
    for _silence in 0..2 {
        assert_eq!(rig.told().await, "3 idle: false");
        assert_eq!(rig.told().await, "3 idle: true");
        send(&mut response, &[frame(MessageType::RUN_COMMAND, 1)]);
        assert_eq!(rig.told().await, "frames of 3: Run(1)");
    }
    assert_eq!(rig.told().await, "3 idle: false");
    assert_eq!(rig.told().await, "3 idle: true");
    let signal = frame(MessageType::SIGNAL_NOTIFICATION, 1);
    handle.sender.try_send(ToAttempt::Frame(signal)).expect("there is room");
    assert_eq!(rig.told().await, "3 idle: false");
    assert_eq!(rig.told().await, "3 idle: true");
    // The engine closes the input, and the deployment does nothing about it.
    handle.sender.try_send(ToAttempt::CloseInput).expect("room");
    assert_eq!(rig.told().await, ABORTED);
    let expected = ["Start(10)", "Input(3)", "Signal(1)", "eof"];
    assert_eq!(served.read_all().await, expected);
    assert_eq!(super::support::reset_reason(&mut response).await, h2::Reason::CANCEL);
    assert_eq!(rig.rest().await, [""; 0]);
}

#[tokio::test]
async fn a_hold_timeout_that_is_no_shorter_is_not_reported() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let _handle = rig.start(timeouts(20, 20, 40));
    let _served = deployment.served().await;
    assert_eq!(rig.told().await, "3 idle: true");
}

#[tokio::test]
async fn a_deployment_that_hangs_before_its_answer_is_given_up() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let mut attempt = timeouts(10, 20, 40);
    attempt.bidirectional = false;
    let _handle = rig.start(attempt);
    let mut served = deployment.served().await;
    assert_eq!(rig.told().await, ABORTED);
    assert_eq!(served.read_all().await.last().map(String::as_str), Some("eof"));
    let reset = std::future::poll_fn(|cx| served.respond.poll_reset(cx)).await;
    assert_eq!(reset.expect("the stream was reset"), h2::Reason::CANCEL);
}

#[tokio::test]
async fn the_largest_timeouts_do_not_overflow() {
    let mut deployment = Deployment::listen(100).await;
    let mut rig = Rig::new(&deployment.uri, false);
    let _handle = rig.start(timeouts(u64::MAX, u64::MAX, u64::MAX));
    let mut served = deployment.served().await;
    send(&mut served.ok(), &[frame(MessageType::END, 0)]);
    assert_eq!(rig.told().await, "frames of 3: End(0)");
}
