//! Every command: written when new, matched when replayed, awaited, and refused when it differs.
//!
//! Start with [`commands`]; a row is all that a command needs.

use std::time::Duration;

use bytes::Bytes;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{ClearAllStateCommand, notification},
};

use super::{advance, close, done, machine, notified, push, signal, text, void};
use crate::{Attempt, Stop};

type Handler = fn(&mut Attempt) -> Result<Bytes, Stop>;

struct Row {
    handler: Handler,
    /// What is written at first, without the hint of version 7 on what is awaited.
    fresh: &'static str,
    /// What is awaited after that.
    awaited: &'static str,
    completion: Frame,
    /// What is written once that is known.
    end: &'static str,
}

fn rows() -> Vec<Row> {
    let row =
        |handler, fresh, awaited, completion, end| Row { handler, fresh, awaited, completion, end };
    let child = notification::Result::InvocationId("inv_1child".to_owned());
    vec![
        row(run, "Run; ProposeRunCompletion", "c[1] s[1]", done(1, "in"), "Output in; End"),
        row(sleep, "Sleep", "c[1] s[1]", void(1), "Output ; End"),
        row(call, "Call", "c[2] s[1]", done(2, "called"), "Output called; End"),
        row(
            send,
            "OneWayCall",
            "c[1] s[1]",
            notified(notification::Id::CompletionId(1), child),
            "Output inv_1child; End",
        ),
        row(awakeable, "", "c[] s[17, 1]", signal(17, "yes"), "Output sign_1AQIDBAAAABE yes; End"),
        row(promise, "GetPromise", "c[1] s[1]", done(1, "kept"), "Output kept; End"),
        row(peek, "PeekPromise", "c[1] s[1]", void(1), "Output open; End"),
        row(resolve, "CompletePromise", "c[1] s[1]", void(1), "Output ; End"),
        row(
            state,
            "GetEagerState; SetState; ClearState; GetEagerState; GetEagerState; GetLazyState",
            "c[4] s[1]",
            done(4, "lazy"),
            "Output 5 7 - lazy; End",
        ),
        row(
            complete,
            "CompleteAwakeable; CompleteAwakeable; Sleep",
            "c[1] s[1]",
            void(1),
            "Output k; End",
        ),
    ]
}

#[test]
fn commands() {
    for row in rows() {
        for version in 5..=7 {
            check(version, &row);
        }
    }
}

fn check(version: u32, row: &Row) {
    let context = format!("v{version} {}", row.fresh);
    // An attempt that stays connected. No hint while the acknowledgement of a step is due.
    let mut attempt = machine(version, row.handler, &[]);
    let written = advance(&mut attempt);
    let is_hinted = version == 7 && !row.fresh.contains("Propose");
    let hint = is_hinted.then(|| format!("AwaitingOn {}", row.awaited));
    let expected = [Some(row.fresh.to_owned()), hint].into_iter().flatten();
    let expected: Vec<_> = expected.filter(|text| !text.is_empty()).collect();
    assert_eq!(text(&written), expected.join("; "), "{context}: fresh");
    push(&mut attempt, &row.completion);
    assert_eq!(text(&advance(&mut attempt)), row.end, "{context}: completed");
    assert_eq!(text(&close(&mut attempt)), "", "{context}: nothing after the end");

    // The same, but the request ends first.
    let suspension = format!("Suspension {}", row.awaited);
    let mut attempt = machine(version, row.handler, &[]);
    let connected = advance(&mut attempt);
    // Compared as text: a sleep ends later when it begins later.
    assert_eq!(text(&connected), text(&written), "{context}: repeatable");
    assert_eq!(text(&close(&mut attempt)), suspension, "{context}: suspended");

    // A later attempt that finds the commands in its journal, and then also their result.
    let mut journal: Vec<_> = written.into_iter().filter(|frame| frame.ty.is_command()).collect();
    let again = close(&mut machine(version, row.handler, &journal));
    let again: Vec<_> = again.into_iter().filter(|frame| !is_proposal(frame)).collect();
    assert_eq!(text(&again), suspension, "{context}: replayed");
    if let Some(last) = journal.last() {
        let mut other = journal.clone();
        let ty = MessageType::CLEAR_ALL_STATE_COMMAND;
        assert_ne!(last.ty, ty);
        *other.last_mut().expect("not empty") =
            Frame::message(ty, &ClearAllStateCommand::default());
        let refused = close(&mut machine(version, row.handler, &other));
        assert_eq!(text(&refused), "Error 570", "{context}: another command in its place");
    }
    journal.push(row.completion.clone());
    let end = close(&mut machine(version, row.handler, &journal));
    assert_eq!(text(&end), row.end, "{context}: replayed and completed");

    // The output was stored, but not the end.
    journal.extend(end.into_iter().filter(|frame| frame.ty.is_command()));
    let end = close(&mut machine(version, row.handler, &journal));
    assert_eq!(text(&end), "End", "{context}: output stored");
}

fn is_proposal(frame: &Frame) -> bool {
    frame.ty == MessageType::PROPOSE_RUN_COMPLETION
}

fn run(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let input = attempt.input();
    let step = attempt.run("step", || input);
    attempt.wait(step)
}

fn sleep(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let timer = attempt.sleep(Duration::from_secs(3600));
    attempt.wait(timer)
}

fn call(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let input = attempt.input();
    let called = attempt.call("Service", "key", "handler", input);
    attempt.wait(called)
}

fn send(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let input = attempt.input();
    let sent = attempt.send("Service", "", "handler", input, Duration::ZERO);
    attempt.wait(sent)
}

fn awakeable(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let (id, answered) = attempt.awakeable();
    let answer = attempt.wait(answered)?;
    Ok(format!("{id} {}", String::from_utf8_lossy(&answer)).into())
}

fn promise(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let promise = attempt.promise("p");
    attempt.wait(promise)
}

fn peek(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let peeked = attempt.peek_promise("p");
    Ok(attempt.wait_optional(peeked)?.unwrap_or_else(|| "open".into()))
}

fn resolve(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let input = attempt.input();
    let resolved = attempt.resolve_promise("p", input);
    attempt.wait(resolved)
}

fn state(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let sent = attempt.get_state("there")?;
    attempt.set_state("there", "7".into());
    attempt.clear_state("gone");
    let written = attempt.get_state("there")?;
    let cleared = attempt.get_state("gone")?;
    let lazy = attempt.get_state("elsewhere")?;
    let texts = [sent, written, cleared, lazy].map(|value| {
        value.map_or("-".into(), |value| String::from_utf8_lossy(&value).into_owned())
    });
    Ok(texts.join(" ").into())
}

fn complete(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    attempt.complete_awakeable("sign_1AQIDBAAAABE", "yes".into());
    let Stop::Terminal(failure) = Stop::terminal(400, "no") else { unreachable!() };
    attempt.reject_awakeable("sign_1AQIDBAAAABE", failure);
    let timer = attempt.sleep(Duration::ZERO);
    attempt.wait(timer)?;
    Ok(attempt.key().to_owned().into())
}
