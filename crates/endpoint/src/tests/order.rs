//! What depends on order: races, acknowledgements and cancellation; and what the peer gets wrong.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{
        FailureMetadata, InputCommand, Notification, ProposeRunCompletionAck, Start, Void,
        notification,
    },
};

use super::{advance, close, done, failed, machine, notified, push, signal, text, void};
use crate::{Attempt, Failure, Stop};

/// Two awakeables and a timer; answers which came first, then all in the order of creation.
fn race(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let (_, first) = attempt.awakeable();
    let (_, second) = attempt.awakeable();
    let timer = attempt.sleep(Duration::from_secs(1));
    let index = attempt.race(&[first, second, timer])?;
    let value = attempt.wait([first, second, timer][index])?;
    let other = attempt.wait(first)?;
    Ok([index.to_string().as_bytes(), b" ", &value, b" ", &other].concat().into())
}

/// Catches the first cancellation of a call and takes a step then.
fn cleanup(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let called = attempt.call("Service", "", "handler", Bytes::new());
    match attempt.wait(called) {
        Err(Stop::Terminal(failure)) if failure.code == 409 => {}
        other => return other,
    }
    let step = attempt.run("cleanup", || "cleaned".into());
    attempt.wait(step)
}

fn two_steps(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let first = attempt.run("first", || "1".into());
    let second = attempt.run("second", || "2".into());
    let index = attempt.race(&[first, second])?;
    Ok(index.to_string().into())
}

fn cancel() -> Frame {
    notified(notification::Id::SignalId(1), notification::Result::Void(Void {}))
}

fn child() -> Frame {
    let result = notification::Result::InvocationId("inv_1child".to_owned());
    notified(notification::Id::CompletionId(1), result)
}

fn ack(completion_id: u32) -> Frame {
    let message = ProposeRunCompletionAck { completion_id };
    Frame::message(MessageType::PROPOSE_RUN_COMPLETION_ACK, &message)
}

type Handler = fn(&mut Attempt) -> Result<Bytes, Stop>;

/// Frames that arrive one after the other, and all that is written by then.
#[test]
fn arrivals() {
    let rows: [(Handler, &[Frame], &str); 9] = [
        (race, &[signal(18, "b"), signal(17, "a")], "1 b a"),
        (race, &[signal(17, "a"), signal(18, "b")], "0 a a"),
        (race, &[void(1), signal(17, "a"), signal(17, "late")], "2  a"),
        (race, &[signal(17, "a"), cancel(), signal(18, "b")], "0 a a"),
        (race, &[signal(18, "b"), cancel(), signal(17, "a")], "!409"),
        (cleanup, &[done(2, "called"), cancel()], "called"),
        (cleanup, &[failed(2, 400)], "!400"),
        (cleanup, &[child(), cancel(), done(3, "cleaned")], "cleaned"),
        (cleanup, &[cancel(), child(), done(3, "cleaned")], "cleaned"),
    ];
    for (handler, arrivals, expected) in rows {
        let expected = format!("Output {expected}; End");
        let mut written = Vec::new();
        // One at a time over a live stream.
        let mut live = machine(7, handler, &[]);
        written.extend(advance(&mut live));
        for arrival in arrivals {
            push(&mut live, arrival);
            written.extend(advance(&mut live));
        }
        assert!(text(&written).ends_with(&expected), "{} lacks {expected}", text(&written));
        // All at once in a later attempt: the same decisions, so nothing new but the end.
        let commands = written.iter().filter(|frame| frame.ty.is_command());
        let commands = commands.filter(|frame| frame.ty != MessageType::OUTPUT_COMMAND);
        let journal: Vec<_> = commands.chain(arrivals).cloned().collect();
        assert_eq!(text(&close(&mut machine(6, handler, &journal))), expected);
    }
}

#[test]
fn cancellation_reaches_calls() {
    let mut attempt = machine(7, cleanup, &[]);
    assert_eq!(text(&advance(&mut attempt)), "Call; AwaitingOn c[2] s[1]");
    push(&mut attempt, &cancel());
    assert_eq!(text(&advance(&mut attempt)), "AwaitingOn c[1] s[]");
    push(&mut attempt, &child());
    let written = text(&advance(&mut attempt));
    assert_eq!(written, "SendSignal; Run; ProposeRunCompletion");
    assert_eq!(text(&close(&mut attempt)), "Suspension c[3] s[1]");
}

#[test]
fn acknowledgements() {
    let mut attempt = machine(7, two_steps, &[]);
    let written = advance(&mut attempt);
    let expected = "Run; ProposeRunCompletion; Run; ProposeRunCompletion";
    assert_eq!(text(&written), expected);
    assert!(written[1].ack_requested && written[3].ack_requested && !written[0].ack_requested);
    push(&mut attempt, &ack(2));
    assert_eq!(text(&advance(&mut attempt)), "Output 1; End");

    let written = advance(&mut machine(6, two_steps, &[]));
    assert_eq!(text(&written), expected);
    assert!(written.iter().all(|frame| !frame.ack_requested));
}

#[test]
fn a_step_runs_once_per_attempt() {
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let handler = move |attempt: &mut Attempt| {
        let step = attempt.run("step", || {
            counter.fetch_add(1, Ordering::Relaxed);
            Bytes::new()
        });
        attempt.wait(step)?;
        let (_, answered) = attempt.awakeable();
        attempt.wait(answered)
    };
    let mut attempt = machine(7, handler, &[]);
    for frame in [signal(20, "not awaited"), ack(1), signal(17, "yes")] {
        advance(&mut attempt);
        push(&mut attempt, &frame);
    }
    assert_eq!(text(&advance(&mut attempt)), "Output yes; End");
    assert_eq!(executions.load(Ordering::Relaxed), 1);
}

#[test]
fn endings() {
    let metadata = |_: &mut Attempt| {
        let metadata = vec![FailureMetadata { key: "k".into(), value: "v".into() }];
        Err(Stop::Terminal(Failure { code: 400, message: String::new(), metadata }))
    };
    let late = |_: &mut Attempt| {
        let delay = Some(Duration::from_secs(7));
        Err(Stop::Retry { code: 503, message: "later".into(), delay })
    };
    let rows: [(Handler, u32, &str); 6] = [
        (|_| Ok("x".into()), 7, "Output x; End"),
        (|_| Err(Stop::terminal(418, "teapot")), 5, "Output !418; End"),
        (|_| Err(Stop::retry("broken")), 7, "Error 500"),
        (late, 7, "Error 503 in 7000 ms"),
        (metadata, 6, "Output !400; End"),
        (metadata, 5, "Error 573"),
    ];
    for (handler, version, expected) in rows {
        assert_eq!(text(&close(&mut machine(version, handler, &[]))), expected);
    }
    let waiting_for_nothing = |_: &mut Attempt| Err(Stop::Wait);
    assert_eq!(text(&close(&mut machine(7, waiting_for_nothing, &[]))), "Error 500");
}

#[test]
fn what_a_handler_is_told() {
    let handler = |attempt: &mut Attempt| {
        let (key, id, count) = (attempt.key(), attempt.invocation_id(), attempt.retry_count());
        let names = [attempt.header("x-name"), attempt.header("x-other")];
        Ok(format!("{key} {id} {count} {names:?} {:?}", attempt.input()).into())
    };
    let expected = r#"Output k inv_1test 3 [Some("Ann"), None] b"in"; End"#;
    assert_eq!(text(&close(&mut machine(7, handler, &[]))), expected);
}

#[test]
fn violations() {
    let start = |known_entries| {
        Frame::message(MessageType::START, &Start { known_entries, ..Start::default() })
    };
    let input = || Frame::message(MessageType::INPUT_COMMAND, &InputCommand::default());
    let empty = || Frame::message(MessageType::RUN_NOTIFICATION, &Notification::default());
    let garbage = || Frame::new(MessageType::RUN_NOTIFICATION, Bytes::from_static(&[0xff]));
    let unknown = || Frame::new(MessageType(0x00ff), Bytes::new());
    let rows: [(&[Frame], &str); 13] = [
        (&[], "Error 571"),
        (&[input()], "Error 571"),
        (&[start(0)], "Error 500"),
        (&[start(1)], "Error 571"),
        (&[start(2), input()], "Error 571"),
        (&[start(1), done(1, "")], "Error 571"),
        (&[start(2), input(), input()], "Error 571"),
        (&[start(2), input(), unknown()], "Error 571"),
        (&[start(1), input(), input()], "Error 571"),
        (&[start(1), input(), unknown()], "Error 571"),
        (&[start(1), input(), ack(9)], "Error 571"),
        (&[start(1), input(), empty()], "Error 500"),
        (&[start(1), input(), garbage(), done(1, "")], "Error 500"),
    ];
    for (frames, expected) in rows {
        let handler: Handler = race;
        let mut attempt = super::Machine::new(7, Arc::new(handler));
        for frame in frames {
            push(&mut attempt, frame);
        }
        assert_eq!(text(&close(&mut attempt)), expected, "{frames:?}");
    }
}

#[test]
fn a_wait_that_the_journal_does_not_know() {
    let sleep_first = machine(7, race, &[]);
    let journal = advance(&mut { sleep_first });
    let journal: Vec<_> = journal.into_iter().filter(|frame| frame.ty.is_command()).collect();
    let handler = |attempt: &mut Attempt| {
        let (_, answered) = attempt.awakeable();
        attempt.wait(answered)?;
        race(attempt)
    };
    assert_eq!(text(&close(&mut machine(7, handler, &journal))), "Error 570");
}
