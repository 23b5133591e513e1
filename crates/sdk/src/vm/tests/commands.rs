//! Every command: issued for the first time, replayed, replayed after its completion, suspended on.

use bytes::Bytes;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{
        Failure, IdempotentRequestTarget, StateKeys, Void, WorkflowTarget, notification::Id,
    },
};

use super::{
    Script, VERSIONS, any_of, completed, error, names, notify, push, site, tree, value, written,
};
use crate::vm::{
    Await, CallRequest, Combinator, Handle, InvocationTarget, Outcome, Progress, SendRequest,
    Status, Stopped, Vm, VmOptions,
};

type Issue = fn(&mut Vm) -> Result<Vec<Handle>, Stopped>;

/// One command: what the code does, what is written, and what completes it.
struct Row {
    name: &'static str,
    issue: Issue,
    is_written: bool,
    /// What each handle waits for.
    ids: Vec<Id>,
}

fn row(name: &'static str, issue: Issue, ids: &[u32]) -> Row {
    let ids = ids.iter().copied().map(Id::CompletionId).collect();
    Row { name, issue, is_written: true, ids }
}

fn request() -> CallRequest {
    CallRequest {
        service: "Greeter".into(),
        handler: "greet".into(),
        key: "k".into(),
        parameter: Bytes::from_static(b"\"Bob\""),
        headers: vec![("x-a".into(), "1".into())],
        idempotency_key: Some("ik".into()),
        ..CallRequest::default()
    }
}

fn failure() -> Failure {
    Failure { code: 500, message: "bad".into(), metadata: Vec::new() }
}

fn by_id() -> InvocationTarget {
    InvocationTarget::InvocationId("inv_1t".into())
}

fn by_workflow() -> InvocationTarget {
    let (workflow_name, workflow_key) = ("Wf".into(), "k".into());
    InvocationTarget::WorkflowTarget(WorkflowTarget { workflow_name, workflow_key, scope: None })
}

fn by_request() -> InvocationTarget {
    InvocationTarget::IdempotentRequestTarget(IdempotentRequestTarget {
        service_name: "S".into(),
        service_key: Some("k".into()),
        handler_name: "h".into(),
        idempotency_key: "ik".into(),
        scope: None,
    })
}

/// A large payload, which is written as a segment of its own.
fn large() -> Bytes {
    Bytes::from(vec![b'x'; 100_000])
}

fn commands() -> Vec<Row> {
    let signal = |name: &'static str, issue: Issue, id: Id| Row {
        is_written: false,
        ids: vec![id],
        ..row(name, issue, &[])
    };
    let mut rows = vec![
        row("GetLazyState", |vm| Ok(vec![vm.get_state("lazy", site())?]), &[1]),
        row("GetLazyStateKeys", |vm| Ok(vec![vm.state_keys(site())?]), &[1]),
        row("SetState", |vm| vm.set_state("a", large(), site()).map(|()| vec![]), &[]),
        row("ClearState", |vm| vm.clear_state("a", site()).map(|()| vec![]), &[]),
        row("ClearAllState", |vm| vm.clear_all_state(site()).map(|()| vec![]), &[]),
        row("GetPromise", |vm| Ok(vec![vm.promise("p", site())?]), &[1]),
        row("PeekPromise", |vm| Ok(vec![vm.peek_promise("p", site())?]), &[1]),
        row("CompletePromise", |vm| Ok(vec![vm.complete_promise("p", Ok(large()), site())?]), &[1]),
        row(
            "CompletePromise",
            |vm| Ok(vec![vm.complete_promise("p", Err(failure()), site())?]),
            &[1],
        ),
        row("Sleep", |vm| Ok(vec![vm.sleep(17, site())?]), &[1]),
        row("Call", |vm| vm.call(request(), site()).map(|(id, result)| vec![id, result]), &[1, 2]),
        row(
            "OneWayCall",
            |vm| {
                let send = SendRequest { request: request(), invoke_time_ms: 17 };
                Ok(vec![vm.send(send, site())?])
            },
            &[1],
        ),
        row("SendSignal", |vm| vm.cancel("inv_1x", site()).map(|()| vec![]), &[]),
        row(
            "SendSignal",
            |vm| vm.send_signal("inv_1x", "go", Ok(large()), site()).map(|()| vec![]),
            &[],
        ),
        row("Run", |vm| Ok(vec![vm.run("side", site())?]), &[1]),
        row("AttachInvocation", |vm| Ok(vec![vm.attach(by_id(), site())?]), &[1]),
        row("AttachInvocation", |vm| Ok(vec![vm.attach(by_workflow(), site())?]), &[1]),
        row("AttachInvocation", |vm| Ok(vec![vm.attach(by_request(), site())?]), &[1]),
        row("GetInvocationOutput", |vm| Ok(vec![vm.invocation_output(by_id(), site())?]), &[1]),
        row(
            "GetInvocationOutput",
            |vm| Ok(vec![vm.invocation_output(by_workflow(), site())?]),
            &[1],
        ),
        row(
            "GetInvocationOutput",
            |vm| Ok(vec![vm.invocation_output(by_request(), site())?]),
            &[1],
        ),
        row(
            "CompleteAwakeable",
            |vm| vm.complete_awakeable("sign_1ABC", Ok(large()), site()).map(|()| vec![]),
            &[],
        ),
    ];
    rows.push(signal(
        "awakeable",
        |vm| {
            let (id, handle) = vm.awakeable(site())?;
            assert_eq!(id, "sign_1AQIDBAAAABE");
            Ok(vec![handle])
        },
        Id::SignalId(17),
    ));
    let named = Id::SignalName("go".into());
    rows.push(signal("signal", |vm| Ok(vec![vm.signal("go", site())?]), named));
    rows
}

/// A marker behind the command under test, so that it does not end the replay.
fn marker(vm: &mut Vm) -> Result<(), Stopped> {
    vm.set_state("marker", Bytes::new(), site())
}

#[test]
fn fresh_replayed_and_suspended() {
    for (at, version) in commands().iter().flat_map(|row| VERSIONS.map(|version| (row, version))) {
        let script = || Script::new(version).state(&[], true);
        // Fresh: it is written, and waits.
        let mut vm = script().vm();
        let handles = (at.issue)(&mut vm).expect(at.name);
        let recorded = written(&mut vm);
        let expected = at.is_written.then_some(at.name);
        assert_eq!(names(&recorded), Vec::from_iter(expected), "{}", at.name);
        assert_eq!(handles.len(), at.ids.len(), "{}", at.name);
        assert!(handles.iter().all(|handle| vm.status(*handle) == Status::Pending));

        // Suspended: the request has ended, and what is awaited is told.
        vm.push_eof();
        if !handles.is_empty() {
            suspends(&mut vm, at, &handles);
        }

        // Replayed: nothing is written, and the notification of the journal answers.
        let completions = at.ids.iter().map(|id| notify(id.clone(), Outcome::Value(value("7"))));
        let mut before = script().vm();
        marker(&mut before).expect("the marker");
        let frames = recorded.iter().cloned().chain(written(&mut before)).chain(completions);
        let mut vm = script().journal(frames).vm();
        let handles = (at.issue)(&mut vm).expect(at.name);
        for handle in &handles {
            assert_eq!(vm.progress(any_of(&[*handle]), site()), Ok(Progress::Ready), "{}", at.name);
            assert_eq!(vm.take(*handle), Some(Outcome::Value(value("7"))), "{}", at.name);
            assert_eq!(vm.take(*handle), None);
        }
        marker(&mut vm).expect("the marker");
        assert!(written(&mut vm).is_empty(), "{}", at.name);

        // In the place of another command it is a mismatch.
        if !recorded.is_empty() {
            let other = Frame::new(MessageType::CLEAR_ALL_STATE_COMMAND, Bytes::new());
            let other = match at.name {
                "ClearAllState" => written_by(&mut script().vm(), |vm| vm.clear_state("a", site())),
                _ => vec![other],
            };
            let mut vm = script().journal(other).vm();
            assert_eq!((at.issue)(&mut vm).map(drop), Err(Stopped));
            assert_eq!(error(&mut vm).code, 570, "{}", at.name);
        }
    }
}

fn written_by(vm: &mut Vm, code: impl Fn(&mut Vm) -> Result<(), Stopped>) -> Vec<Frame> {
    code(vm).expect("the code");
    written(vm)
}

fn suspends(vm: &mut Vm, at: &Row, handles: &[Handle]) {
    let progress = vm.progress(any_of(handles), site()).expect("progress");
    if let Progress::Execute(run) = progress {
        vm.propose(run, Ok(Bytes::from_static(b"7"))).expect("a proposal");
        assert_eq!(vm.progress(any_of(handles), site()), Ok(Progress::Suspended));
    } else {
        assert_eq!(progress, Progress::Suspended, "{}", at.name);
    }
    let frames = written(vm);
    let leaves = at.ids.iter().map(|id| match id {
        Id::CompletionId(id) => id.to_string(),
        Id::SignalId(id) => format!("s{id}"),
        Id::SignalName(name) => format!("{name:?}"),
    });
    // Completions, then signals, then names.
    let mut leaves: Vec<_> = leaves.chain(["s1".into()]).collect();
    leaves.sort_by_key(|leaf| (leaf.starts_with('"'), leaf.starts_with('s'), leaf == "s1"));
    let expected = format!("race({})", leaves.join(" "));
    assert_eq!(tree(frames.last().expect("a suspension")), expected, "{}", at.name);
    assert_eq!(vm.progress(any_of(handles), site()), Err(Stopped));
}

/// Large payloads are the same to a decoder, and are not copied.
#[test]
fn large_payloads_are_segments() {
    let content = large();
    let mut vm = Script::new(VERSIONS[2]).vm();
    vm.set_state("a", content.clone(), site()).expect("a command");
    let run = vm.run("r", site()).expect("a run");
    vm.propose(run, Ok(content.clone())).expect("a proposal");
    let request = CallRequest { parameter: content.clone(), ..request() };
    vm.call(request, site()).expect("a call");
    vm.complete(Ok(content.clone()), site()).expect("an output");
    let segments: Vec<_> = std::iter::from_fn(|| vm.take_output()).collect();
    let shared = segments.iter().filter(|segment| segment.as_ptr() == content.as_ptr()).count();
    assert_eq!(shared, 4);

    let mut decoder = reveille_protocol::frame::FrameDecoder::new(1 << 20);
    segments.into_iter().for_each(|segment| decoder.push(segment));
    let mut commands = Vec::new();
    while let Some(frame) = decoder.next().expect("frames") {
        if frame.ty.is_command() {
            commands.push(frame);
        }
    }
    let mut again = Script::new(VERSIONS[2]).journal(commands).journal([completed(1, "7")]).vm();
    again.set_state("a", content.clone(), site()).expect("the same");
    again.run("r", site()).expect("the same");
}

#[test]
fn eager_state() {
    let state: &[(&str, &str)] = &[("count", "3"), ("empty", "")];
    let read = |vm: &mut Vm, key: &str| {
        let handle = vm.get_state(key, site()).expect("a read");
        vm.take(handle)
    };
    let void = Some(Outcome::Void(Void {}));
    let listed = |vm: &mut Vm| match vm.state_keys(site()).map(|handle| vm.take(handle)) {
        Ok(Some(Outcome::StateKeys(StateKeys { keys }))) => keys.len(),
        other => panic!("{other:?}"),
    };
    // Partial: what is not known is fetched.
    let mut vm = Script::new(VERSIONS[0]).state(state, true).vm();
    assert_eq!(read(&mut vm, "count"), Some(Outcome::Value(value("3"))));
    assert_eq!(read(&mut vm, "other"), None);
    vm.clear_state("count", site()).expect("a command");
    assert_eq!(read(&mut vm, "count"), void);
    vm.clear_all_state(site()).expect("a command");
    assert_eq!((read(&mut vm, "other"), listed(&mut vm)), (void.clone(), 0));
    // Complete: everything is known.
    let code = |vm: &mut Vm| {
        assert_eq!(read(vm, "empty"), Some(Outcome::Value(value(""))));
        assert_eq!((read(vm, "other"), listed(vm)), (void.clone(), 2));
        vm.set_state("other", Bytes::from_static(b"1"), site()).expect("a command");
        assert_eq!(read(vm, "other"), Some(Outcome::Value(value("1"))));
        vm.clear_state("count", site()).expect("a command");
        assert_eq!(listed(vm), 2);
    };
    let mut vm = Script::new(VERSIONS[0]).state(state, false).vm();
    code(&mut vm);
    // The journal answers, whatever the state is by now.
    let journal = written(&mut vm);
    let mut vm = Script::new(VERSIONS[0]).state(&[("x", "9")], true).journal(journal).vm();
    code(&mut vm);
    assert!(written(&mut vm).is_empty());
}

#[test]
fn payloads_are_compared_unless_told_otherwise() {
    for check_payloads in [true, false] {
        let mut vm = Script::new(VERSIONS[1]).vm();
        vm.set_state("a", Bytes::from_static(b"1"), site()).expect("a command");
        let journal = written(&mut vm);
        let mut script = Script::new(VERSIONS[1]).journal(journal);
        script.options = VmOptions { check_payloads, ..script.options };
        let mut vm = script.vm();
        let again = vm.set_state("a", Bytes::from_static(b"2"), site());
        assert_eq!(again.is_ok(), !check_payloads);
    }
}

#[test]
fn output_and_end() {
    for (result, name) in [(Ok(Bytes::from_static(b"1")), "value"), (Err(failure()), "failure")] {
        let mut vm = Script::new(VERSIONS[0]).vm();
        vm.complete(result.clone(), site()).expect(name);
        let frames = written(&mut vm);
        assert_eq!(names(&frames), ["Output", "End"]);
        // The output is there, the end got lost.
        let mut vm = Script::new(VERSIONS[0]).journal(frames.into_iter().take(1)).vm();
        vm.complete(result, site()).expect(name);
        assert_eq!(names(&written(&mut vm)), ["End"]);
        assert_eq!(vm.complete(Ok(Bytes::new()), site()), Err(Stopped));
        push(&mut vm, &[completed(1, "late")]);
        vm.push_eof();
        assert!(written(&mut vm).is_empty());
    }
}

#[test]
fn trees() {
    use Combinator::{AllCompleted, AllSucceeded, FirstCompleted, FirstSucceeded};
    let failed = |id| notify(Id::CompletionId(id), Outcome::Failure(failure()));
    let table: Vec<(Combinator, Vec<Frame>, &str)> = vec![
        (FirstCompleted, vec![], "race(s1 race(1 2))"),
        (FirstCompleted, vec![failed(2)], "ready"),
        (AllCompleted, vec![failed(1)], "race(s1 settled(2))"),
        (AllCompleted, vec![failed(1), completed(2, "7")], "ready"),
        (FirstSucceeded, vec![failed(1)], "race(s1 any(2))"),
        (FirstSucceeded, vec![completed(2, "7")], "ready"),
        (FirstSucceeded, vec![failed(2), failed(1)], "ready"),
        (AllSucceeded, vec![completed(1, "7")], "race(s1 all(2))"),
        (AllSucceeded, vec![failed(2)], "ready"),
        (AllSucceeded, vec![completed(1, "7"), completed(2, "7")], "ready"),
    ];
    for (combinator, notifications, expected) in table {
        let mut vm = Script::new(VERSIONS[2]).vm();
        let both = [vm.sleep(1, site()).expect("one"), vm.sleep(2, site()).expect("two")];
        push(&mut vm, &notifications);
        vm.push_eof();
        let node = Await::Node(combinator, any_of(&both));
        let progress = vm.progress(vec![node], site());
        let last = written(&mut vm).pop().expect("a frame");
        let actual = match progress {
            Ok(Progress::Ready) => "ready".to_owned(),
            _ => tree(&last),
        };
        assert_eq!(actual, expected, "{combinator:?}");
    }
}

/// As the examples of the protocol have them.
#[test]
fn targets_of_attaching_are_written() {
    let table = [
        (by_id(), "0a06696e765f3174"),
        (by_workflow(), "22070a02576612016b"),
        (by_request(), "1a0d0a015312016b1a01682202696b"),
    ];
    for (target, expected) in table {
        let mut vm = Script::new(VERSIONS[0]).vm();
        vm.attach(target.clone(), site()).expect("a command");
        vm.invocation_output(target, site()).expect("a command");
        for (frame, id) in written(&mut vm).iter().zip(["5801", "5802"]) {
            let hex: String = frame.payload.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, [expected, id].concat(), "{}", frame.ty);
        }
    }
}
