//! Cancellation: whom it reaches, and what is seen before it.

use reveille_protocol::{
    frame::Frame,
    message::{Void, notification::Id},
    version::ServiceProtocolVersion as Version,
};

use super::{Script, any_of, completed, names, notify, push, site, tree, value, written};
use crate::vm::{CallRequest, Handle, Outcome, Progress, Status, Vm};

fn cancel_signal() -> Frame {
    notify(Id::SignalId(1), Outcome::Void(Void {}))
}

fn call(vm: &mut Vm) -> (Handle, Handle) {
    let request =
        CallRequest { service: "S".into(), handler: "h".into(), ..CallRequest::default() };
    vm.call(request, site()).expect("a call")
}

fn called(id: u32, invocation: &str) -> Frame {
    notify(Id::CompletionId(id), Outcome::InvocationId(invocation.to_owned()))
}

#[test]
fn cancellation_reaches_children() {
    let mut vm = Script::new(Version::V7).vm();
    let (first_id, _) = call(&mut vm);
    let (_, second) = call(&mut vm);
    push(&mut vm, &[called(1, "inv_1a")]);
    assert_eq!(vm.progress(any_of(&[first_id]), site()), Ok(Progress::Ready));
    assert_eq!(vm.take(first_id), Some(Outcome::InvocationId("inv_1a".into())));
    push(&mut vm, &[cancel_signal()]);
    // The id of the second one is awaited alone.
    assert_eq!(vm.progress(any_of(&[second]), site()), Ok(Progress::NeedInput));
    assert_eq!(tree(written(&mut vm).last().expect("a hint")), "race(3)");
    push(&mut vm, &[completed(4, "result"), called(3, "inv_1b")]);
    assert_eq!(vm.progress(any_of(&[second]), site()), Ok(Progress::Cancelled));
    assert_eq!(names(&written(&mut vm)), ["SendSignal", "SendSignal"]);
    // What was awaited goes on: its result has been here all the time.
    assert_eq!(vm.progress(any_of(&[second]), site()), Ok(Progress::Ready));
    // The next cancellation reaches nobody.
    push(&mut vm, &[cancel_signal()]);
    let sleep = vm.sleep(1, site()).expect("a sleep");
    assert_eq!(vm.progress(any_of(&[sleep]), site()), Ok(Progress::Cancelled));
    assert_eq!(names(&written(&mut vm)), ["Sleep"]);
    vm.push_eof();
    assert_eq!(vm.progress(any_of(&[sleep]), site()), Ok(Progress::Suspended));
}

/// What is let in while a cancellation waits for the ids of children came after it, and is seen after it.
#[test]
fn nothing_is_taken_before_a_cancellation_that_came_first() {
    let mut vm = Script::new(Version::V7).vm();
    let (_, result) = call(&mut vm);
    let sleep = vm.sleep(1, site()).expect("a sleep");
    push(&mut vm, &[cancel_signal(), completed(3, "7")]);
    assert_eq!(vm.progress(any_of(&[result, sleep]), site()), Ok(Progress::NeedInput));
    // A step may wake the handler at this moment, which then looks.
    assert_eq!(vm.status(sleep), Status::Succeeded);
    assert_eq!(vm.take(sleep), None);
    push(&mut vm, &[called(1, "inv_1a")]);
    assert_eq!(vm.progress(any_of(&[result, sleep]), site()), Ok(Progress::Cancelled));
    assert_eq!(vm.take(sleep), Some(Outcome::Value(value("7"))));
}
