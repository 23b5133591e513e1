//! Rules that span commands: order, runs and their retries, versions, violations.

use std::time::Duration;

use bytes::Bytes;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{
        Failure, FailureMetadata, IdempotentRequestTarget, ProposeRunCompletion,
        ProposeRunCompletionAck, RunCommand, Start, Void, WorkflowTarget, notification::Id,
    },
    version::ServiceProtocolVersion as Version,
};

use super::{
    Script, VERSIONS, any_of, completed, error, names, notify, push, site, tree, value, written,
};
use crate::vm::{
    CallRequest, Ended, InvocationTarget, OnExhausted, Outcome, Progress, RetryLimits, Status,
    Stopped, Vm, VmOptions,
};

fn ack(id: u32) -> Frame {
    let ack = ProposeRunCompletionAck { completion_id: id };
    Frame::message(MessageType::PROPOSE_RUN_COMPLETION_ACK, &ack)
}

/// Of two results that are both here, the earlier one is seen first, and alone.
#[test]
fn one_at_a_time() {
    for order in [[1, 2], [2, 1]] {
        let mut vm = Script::new(Version::V7).vm();
        let handles = [vm.sleep(1, site()).expect("one"), vm.sleep(2, site()).expect("two")];
        push(&mut vm, &order.map(|id| completed(id, "7")));
        for (seen, id) in order.into_iter().enumerate() {
            let known = || handles.iter().filter(|handle| vm.status(**handle) != Status::Pending);
            assert_eq!(known().count(), 0, "{seen}");
            assert_eq!(vm.progress(any_of(&handles), site()), Ok(Progress::Ready));
            let first = handles[id as usize - 1];
            assert_eq!(vm.take(first), Some(Outcome::Value(value("7"))));
        }
    }
}

#[test]
fn signals_queue_up() {
    let mut vm = Script::new(Version::V7).vm();
    let go = |text| notify(Id::SignalName("go".into()), Outcome::Value(value(text)));
    push(&mut vm, &[go("1"), go("2")]);
    for text in ["1", "2"] {
        let handle = vm.signal("go", site()).expect("a signal");
        assert_eq!(vm.progress(any_of(&[handle]), site()), Ok(Progress::Ready));
        assert_eq!(vm.take(handle), Some(Outcome::Value(value(text))));
    }
}

#[test]
fn runs_are_answered_by_the_server() {
    for version in VERSIONS {
        let mut vm = Script::new(version).vm();
        let runs = [vm.run("a", site()).expect("a"), vm.run("b", site()).expect("b")];
        assert_eq!(vm.progress(any_of(&runs), site()), Ok(Progress::Execute(runs[0])));
        assert_eq!(vm.progress(any_of(&runs), site()), Ok(Progress::Execute(runs[1])));
        assert_eq!(vm.progress(any_of(&runs), site()), Ok(Progress::Executing));
        vm.propose(runs[1], Ok(Bytes::from_static(b"2"))).expect("a proposal");
        // Its own result is no news before the server has stored it.
        assert_eq!(vm.progress(any_of(&runs), site()), Ok(Progress::Executing));
        let frames = written(&mut vm);
        assert_eq!(names(&frames), ["Run", "Run", "ProposeRunCompletion"]);
        assert_eq!(frames[2].ack_requested, version == Version::V7);
        let is_v7 = version == Version::V7;
        push(&mut vm, &[if is_v7 { ack(2) } else { completed(2, "2") }]);
        assert_eq!(vm.progress(any_of(&runs), site()), Ok(Progress::Ready));
        assert_eq!(vm.take(runs[1]), Some(Outcome::Value(value("2"))));
        // The other one is executed, so that the attempt goes on although the request has ended.
        vm.push_eof();
        assert_eq!(vm.progress(any_of(&runs[..1]), site()), Ok(Progress::Executing));
        vm.propose(runs[0], Ok(Bytes::from_static(b"1"))).expect("a proposal");
        assert_eq!(vm.progress(any_of(&runs[..1]), site()), Ok(Progress::Suspended));
        let frames = written(&mut vm);
        assert_eq!(names(&frames), ["ProposeRunCompletion", "Suspension"]);
        assert_eq!(tree(&frames[1]), "race(1 s1)");
    }
}

/// A full notification in the place of the acknowledgement is as good.
#[test]
fn run_answered_in_full_on_v7() {
    let mut vm = Script::new(Version::V7).vm();
    let run = vm.run("a", site()).expect("a run");
    vm.progress(any_of(&[run]), site()).expect("to be executed");
    vm.propose(run, Ok(Bytes::from_static(b"1"))).expect("a proposal");
    push(&mut vm, &[completed(1, "1")]);
    assert_eq!(vm.progress(any_of(&[run]), site()), Ok(Progress::Ready));
}

#[test]
fn stored_run_without_result_is_executed_again() {
    let run = RunCommand { result_completion_id: 1, name: "a".into() };
    let run = Frame::message(MessageType::RUN_COMMAND, &run);
    let mut vm = Script::new(Version::V7).journal([run]).vm();
    let run = vm.run("a", site()).expect("a run");
    assert_eq!(vm.progress(any_of(&[run]), site()), Ok(Progress::Execute(run)));
    vm.abandon(run);
    assert_eq!(vm.progress(any_of(&[run]), site()), Ok(Progress::NeedInput));
}

fn retried(retries: u32, is_replayed: bool, limits: Option<RetryLimits>) -> Vm {
    let mut script = Script::new(Version::V7);
    script.start.retry_count_since_last_stored_entry = retries;
    script.start.duration_since_last_stored_entry = u64::from(retries) * 100;
    if is_replayed {
        let run = RunCommand { result_completion_id: 1, name: "flaky".into() };
        script = script.journal([Frame::message(MessageType::RUN_COMMAND, &run)]);
    }
    let mut vm = script.vm();
    let run = vm.run("flaky", site()).expect("a run");
    vm.progress(any_of(&[run]), site()).expect("to be executed");
    let error = Vm::internal("transient");
    // Stopped or proposed: the frames tell.
    let _ = vm.retry(run, error, Duration::from_millis(10), limits.as_ref());
    vm
}

#[test]
fn retries_of_runs() {
    let limits = RetryLimits {
        initial_delay: Duration::from_millis(100),
        factor: 3.0,
        delay_max: Duration::from_millis(2_000),
        attempts_max: Some(3),
        duration_max: None,
        on_exhausted: OnExhausted::Fail,
    };
    let duration_max = Some(Duration::from_millis(150));
    let endless = RetryLimits { attempts_max: None, ..limits };
    let short = RetryLimits { duration_max, ..endless };
    let pausing = RetryLimits { on_exhausted: OnExhausted::Pause, ..limits };
    // Retries, whether the run is replayed, its limits, and the delay or what it becomes.
    let table = [
        (0, false, Some(limits), "retry 100"),
        (1, true, Some(limits), "retry 300"),
        (2, true, Some(limits), "failure"),
        // Those retries were about something earlier.
        (2, false, Some(limits), "retry 100"),
        (40, true, Some(endless), "retry 2000"),
        (u32::MAX, true, Some(endless), "retry 2000"),
        (1, true, Some(short), "retry 300"),
        (2, true, Some(short), "failure"),
        (2, true, Some(pausing), "pause"),
        (2, true, None, "retry policy"),
    ];
    for (retries, is_replayed, limits, expected) in table {
        let mut vm = retried(retries, is_replayed, limits);
        let last = written(&mut vm).pop().expect("a frame");
        let actual = if last.ty == MessageType::ERROR {
            let error: reveille_protocol::message::ErrorMessage = last.decode().expect("an error");
            assert_eq!((error.code, error.message.as_str()), (500, "transient"));
            assert_eq!(error.related_command_index, Some(1));
            assert_eq!(error.related_command_name.as_deref(), Some("flaky"));
            assert_eq!(error.related_command_type, Some(0x0411));
            match (error.behavior, error.next_retry_delay) {
                (1, _) => "pause".into(),
                (_, None) => "retry policy".into(),
                (_, Some(delay)) => format!("retry {delay}"),
            }
        } else {
            let proposal: ProposeRunCompletion = last.decode().expect("a proposal");
            format!("{:?}", proposal.result).contains("transient").to_string()
        };
        assert_eq!(actual.replace("true", "failure"), expected, "{retries} {limits:?}");
    }
}

#[test]
fn hints_are_not_repeated() {
    let mut vm = Script::new(Version::V7).vm();
    let go = vm.signal("go", site()).expect("a signal");
    for _ in 0..2 {
        assert_eq!(vm.progress(any_of(&[go]), site()), Ok(Progress::NeedInput));
    }
    assert_eq!(names(&written(&mut vm)), ["AwaitingOn"]);
    // The server forgets a hint when something that it mentions happens.
    push(&mut vm, &[notify(Id::SignalName("go".into()), Outcome::Void(Void {}))]);
    assert_eq!(vm.progress(any_of(&[go]), site()), Ok(Progress::Ready));
    vm.take(go);
    assert_eq!(vm.progress(any_of(&[go]), site()), Ok(Progress::NeedInput));
    assert_eq!(names(&written(&mut vm)), ["AwaitingOn"]);
}

#[test]
fn versions_are_respected() {
    type Code = fn(&mut Vm) -> Result<(), Stopped>;
    let table: [(u32, Code); 4] = [
        (6, |vm| {
            let metadata = vec![FailureMetadata { key: "a".into(), value: "b".into() }];
            vm.complete(Err(Failure { code: 400, message: "m".into(), metadata }), site())
        }),
        (7, |vm| {
            let scope = Some("s".into());
            vm.call(CallRequest { scope, ..CallRequest::default() }, site()).map(drop)
        }),
        (7, |vm| {
            let target = WorkflowTarget { scope: Some("s".into()), ..WorkflowTarget::default() };
            vm.attach(InvocationTarget::WorkflowTarget(target), site()).map(drop)
        }),
        (7, |vm| {
            let limits = RetryLimits {
                initial_delay: Duration::ZERO,
                factor: 1.0,
                delay_max: Duration::ZERO,
                attempts_max: Some(1),
                duration_max: None,
                on_exhausted: OnExhausted::Pause,
            };
            let run = vm.run("r", site())?;
            vm.retry(run, Vm::internal("m"), Duration::ZERO, Some(&limits))?;
            Ok(())
        }),
    ];
    for (since, code) in table {
        for version in VERSIONS {
            let mut vm = Script::new(version).vm();
            // A run that is paused stops in any case.
            let _ = code(&mut vm);
            let code = vm.ended().map(|ended| matches!(ended, Ended::Failed(e) if e.code == 573));
            assert_eq!(code == Some(true), version.number() < since, "{version} {since}");
        }
    }
}

#[test]
fn requests_are_checked() {
    let request = CallRequest::default;
    let empty = || Some(String::new());
    let table = [
        (CallRequest { idempotency_key: empty(), ..request() }, "idempotency key"),
        (CallRequest { scope: empty(), ..request() }, "scope"),
        (CallRequest { scope: Some("s".into()), limit_key: empty(), ..request() }, "limit key"),
        (CallRequest { limit_key: Some("l".into()), ..request() }, "no scope"),
    ];
    for (request, expected) in table {
        let mut vm = Script::new(Version::V7).vm();
        assert!(vm.call(request, site()).is_err());
        let error = error(&mut vm);
        assert_eq!(error.code, 500);
        assert!(error.message.contains(expected), "{}", error.message);
    }
    let mut vm = Script::new(Version::V7).vm();
    let target = IdempotentRequestTarget::default();
    assert!(vm.attach(InvocationTarget::IdempotentRequestTarget(target), site()).is_err());
    assert!(error(&mut vm).message.contains("idempotency key"));
}

#[test]
fn mismatches_are_explained() {
    let mut vm = Script::new(Version::V7).vm();
    vm.run("charge", site()).expect("a run");
    let journal = written(&mut vm);

    let mut vm = Script::new(Version::V7).journal(journal.clone()).vm();
    let line = line!() + 1;
    assert_eq!(vm.sleep(1, site()), Err(Stopped));
    let error = error(&mut vm);
    assert_eq!((error.code, error.related_command_index), (570, Some(1)));
    let here = format!("{}:{line}:", file!());
    for part in ["Run (0x0411) named \"charge\"", "Sleep (0x040c)", &here, "ctx.run"] {
        assert!(error.message.contains(part), "{part} in {}", error.message);
    }

    let mut vm = Script::new(Version::V7).journal(journal.clone()).vm();
    assert_eq!(vm.run("pay", site()), Err(Stopped));
    let message = super::error(&mut vm).message;
    assert!(message.contains("`name`") && message.contains("\"charge\""), "{message}");
    assert!(message.contains("\"pay\""), "{message}");
    assert_eq!(vm.run("pay", site()), Err(Stopped));
    assert!(written(&mut vm).is_empty());

    // Code that returns too early, and code that awaits more than before.
    let mut vm = Script::new(Version::V7).journal(journal.clone()).vm();
    assert_eq!(vm.complete(Ok(Bytes::new()), site()), Err(Stopped));
    let ended = super::error(&mut vm);
    assert_eq!(ended.code, 570);
    assert!(ended.message.contains("\n  after"), "{}", ended.message);
    let mut vm = Script::new(Version::V7).journal(journal).vm();
    let go = vm.signal("go", site()).expect("a signal");
    assert_eq!(vm.progress(any_of(&[go]), site()), Err(Stopped));
    let message = super::error(&mut vm).message;
    assert!(message.contains("signal (signal \"go\") at "), "{message}");
}

/// An awakeable id holds a secret.
#[test]
fn mismatches_hide_secrets() {
    let id = |end: &str| format!("sign_1AAAABBBBCCCCDDDDsecret{end}");
    let done = |vm: &mut Vm, id: &str| vm.complete_awakeable(id, Ok(Bytes::new()), site());
    let mut vm = Script::new(Version::V7).vm();
    done(&mut vm, &id("1")).expect("a command");
    let journal = written(&mut vm);
    let mut vm = Script::new(Version::V7).journal(journal).vm();
    assert_eq!(done(&mut vm, &id("2")), Err(Stopped));
    let message = error(&mut vm).message;
    assert!(message.contains("sign_1AAAABBBBCC") && !message.contains("secret"), "{message}");
}

#[test]
fn violations() {
    let start = |known_entries| {
        let id = Bytes::from_static(b"1");
        Frame::message(MessageType::START, &Start { id, known_entries, ..Start::default() })
    };
    let raw = |ty: u16| Frame::new(MessageType(ty), Bytes::new());
    let input = || raw(0x0400);
    let table: Vec<(&str, Vec<Frame>, u32)> = vec![
        ("no journal", vec![start(0)], 500),
        ("no start", vec![input()], 571),
        ("no input", vec![start(1), raw(0x0411)], 571),
        ("control in the journal", vec![start(2), input(), ack(1)], 571),
        ("custom command", vec![start(2), input(), raw(0xfc01)], 571),
        ("only a notification", vec![start(1), completed(1, "7")], 571),
        ("command after the journal", vec![start(1), input(), raw(0x040c)], 571),
        ("unknown control", vec![start(1), input(), raw(0x00ff)], 500),
        ("command ack", vec![start(1), input(), raw(0x0004)], 500),
        ("notification of nothing", vec![start(1), input(), raw(0x800c)], 500),
        ("ack of nothing", vec![start(1), input(), ack(3)], 571),
        ("undecodable", vec![Frame::new(MessageType::START, Bytes::from_static(b"\x0a\xff"))], 500),
    ];
    for (name, frames, code) in table {
        let mut vm = Vm::new(Version::V7, VmOptions::default());
        for frame in &frames {
            push(&mut vm, std::slice::from_ref(frame));
            if vm.is_ready() && frame.ty == MessageType::INPUT_COMMAND {
                vm.input().expect(name);
            }
        }
        assert_eq!(error(&mut vm).code, code, "{name}");
        push(&mut vm, &[start(1)]);
        assert!(written(&mut vm).is_empty(), "{name}");
    }
    for frames in [vec![], vec![start(2), input()]] {
        let mut vm = Vm::new(Version::V7, VmOptions::default());
        push(&mut vm, &frames);
        vm.push_eof();
        assert_eq!(error(&mut vm).code, 571);
    }
}

#[test]
fn errors_are_of_bounded_length() {
    let mut vm = Script::new(Version::V7).vm();
    vm.fail(Vm::internal("é".repeat(100_000)));
    let message = error(&mut vm).message;
    assert!(message.len() <= 64 * 1024 && message.chars().all(|c| c == 'é'), "{}", message.len());
}
