//! Places, pressure, requests and messages that are sent again.

use reveille_engine::command::Command;
use reveille_engine::effect::Effect;
use reveille_engine::schema::Schema;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant};

use super::support::{attempt, attempt_id, id, outputs, schema};
use crate::partition::Partitions;
use crate::partition::effects::Outputs;
use crate::partition::handle::Mail;

fn rig(attempts_max: usize) -> (Outputs, Schema, Vec<mpsc::Receiver<Mail>>) {
    let (senders, mailboxes): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel(8)).unzip();
    let partitions = Partitions::new(senders);
    (outputs(&partitions, attempts_max), schema(), mailboxes)
}

fn start(outputs: &mut Outputs, schema: &Schema, number: u128, attempt_number: u32) {
    let effect = Effect::StartAttempt(attempt(number, attempt_number));
    assert!(outputs.carry_out(effect, schema).is_none(), "the deployment is known");
}

fn end(outputs: &mut Outputs, schema: &Schema, number: u128, attempt_number: u32) {
    let effect = Effect::EndAttempt(id(number), attempt_id(attempt_number));
    assert!(outputs.carry_out(effect, schema).is_none(), "nothing follows");
}

/// What is due, in short.
fn due(outputs: &mut Outputs) -> Vec<String> {
    due_at(outputs, Instant::now())
}

fn due_at(outputs: &mut Outputs, instant: Instant) -> Vec<String> {
    let short = |command| match command {
        Command::AttemptAdmitted { id, attempt } => format!("admit {} {attempt}", number(id)),
        Command::AttemptIdle { id, attempt, expired: false } => {
            format!("idle {} {attempt}", number(id))
        }
        Command::RetryDue { id, attempt } => format!("retry {} {attempt}", number(id)),
        other => panic!("not a command of the time: {other:?}"),
    };
    outputs.due(1_000, instant).into_iter().map(short).collect()
}

fn number(found: reveille_protocol::id::InvocationId) -> u128 {
    (0..100).find(|number| id(*number) == found).expect("an id of these tests")
}

#[tokio::test]
async fn a_place_is_given_once_and_in_order() {
    let (mut outputs, schema, _mailboxes) = rig(1);
    for number in 1..=3 {
        start(&mut outputs, &schema, number, 1);
    }
    assert_eq!(due(&mut outputs), [""; 0]);
    end(&mut outputs, &schema, 1, 1);
    assert_eq!(outputs.next_due(), Some(0), "a free place is due at once");
    assert_eq!(due(&mut outputs), ["admit 2 1"]);
    // The new attempt of 2 is not durable yet: its place is taken all the same.
    assert_eq!(due(&mut outputs), [""; 0]);
    assert_eq!(outputs.next_due(), None);
    // Whoever comes now queues behind 3.
    start(&mut outputs, &schema, 4, 1);
    start(&mut outputs, &schema, 2, 2);
    end(&mut outputs, &schema, 2, 2);
    start(&mut outputs, &schema, 5, 1);
    assert_eq!(due(&mut outputs), ["admit 3 1"]);
    // It was killed meanwhile.
    outputs.forgo(id(3));
    assert_eq!(due(&mut outputs), ["admit 4 1"]);
    start(&mut outputs, &schema, 4, 2);
    // The next attempt of the same invocation, without a pause, keeps the place.
    start(&mut outputs, &schema, 4, 3);
    assert_eq!(due(&mut outputs), [""; 0]);
    end(&mut outputs, &schema, 4, 2);
    assert_eq!(due(&mut outputs), [""; 0], "a late end of an earlier attempt frees nothing");
    end(&mut outputs, &schema, 4, 3);
    assert_eq!(due(&mut outputs), ["admit 5 1"]);
}

#[tokio::test]
async fn silent_attempts_are_asked_once_to_make_room() {
    const SILENCE: Duration = Duration::from_millis(20);
    let (mut outputs, schema, _mailboxes) = rig(2);
    start(&mut outputs, &schema, 1, 1);
    start(&mut outputs, &schema, 2, 1);
    assert_eq!(outputs.next_check(), None, "nobody waits for a place");
    start(&mut outputs, &schema, 3, 1);
    let begun = Instant::now();
    assert_eq!(due_at(&mut outputs, begun), [""; 0]);
    let check = outputs.next_check().expect("the driver must come back by itself");
    assert_eq!(check, begun + SILENCE);
    let heard = Command::Frames { id: id(2), attempt: attempt_id(1), frames: Vec::new() };
    outputs.heard_from(&heard);
    assert_eq!(due_at(&mut outputs, begun + SILENCE), ["idle 1 1"]);
    assert_eq!(outputs.next_check(), Some(begun + 2 * SILENCE));
    let much_later = Instant::now() + 10 * SILENCE;
    assert_eq!(due_at(&mut outputs, much_later), ["idle 2 1"]);
    assert_eq!(outputs.next_check(), None, "all were asked");
    assert_eq!(due_at(&mut outputs, much_later + SILENCE), [""; 0]);
    outputs.heard_from(&heard);
    assert_eq!(due_at(&mut outputs, much_later + 2 * SILENCE), ["idle 2 1"]);
}

#[tokio::test]
async fn requests_of_askers_who_have_gone_do_not_pile_up() {
    let (mut outputs, schema, _mailboxes) = rig(1);
    let (sender, mut kept) = oneshot::channel();
    let request = outputs.expect_reply(sender);
    outputs.carry_out(Effect::Park(request, id(0)), &schema);
    for number in 1..10_000 {
        // Each waits for another invocation, and hangs up.
        let (sender, _) = oneshot::channel();
        let request = outputs.expect_reply(sender);
        outputs.carry_out(Effect::Park(request, id(number)), &schema);
    }
    let [requests, parked, _] = outputs.counts();
    assert!(requests <= 1_100 && parked <= 1_100, "{requests} requests, {parked} parked");
    assert!(kept.try_recv().is_err(), "whoever waits goes on waiting");
}

#[tokio::test]
async fn messages_are_sent_again_until_they_are_confirmed() {
    const DELAY: Duration = Duration::from_secs(2);
    let (mut outputs, _schema, mut mailboxes) = rig(1);
    outputs.send(1, 7, "first".into());
    outputs.send(1, 8, "second".into());
    outputs.send(2, 1, "other".into());
    let sent = Instant::now();
    assert_eq!(outputs.overdue(sent + DELAY), [0; 0], "they still queue here");
    outputs.flush();
    assert!(mailboxes[1].try_recv().is_ok() && mailboxes[1].try_recv().is_ok());
    assert_eq!(outputs.overdue(sent), [0; 0]);
    assert!(outputs.next_check().is_some(), "the driver must come back by itself");
    outputs.heard_from(&Command::Delivered { to: 1, seq: 7 });
    assert_eq!(outputs.overdue(sent + DELAY), [1, 2]);
    // A part of it is sent again; the rest is overdue as soon as that part is confirmed.
    outputs.send(1, 9, "third".into());
    outputs.forget_sent(1, 8);
    outputs.send(1, 8, "second".into());
    outputs.flush();
    assert_eq!(outputs.overdue(sent + DELAY), [2]);
    outputs.heard_from(&Command::Delivered { to: 1, seq: 8 });
    assert_eq!(outputs.overdue(Instant::now() + DELAY), [1, 2]);
    outputs.forget_sent(1, u64::MAX);
    outputs.heard_from(&Command::Delivered { to: 2, seq: 1 });
    assert_eq!(outputs.next_check(), None);
}

#[tokio::test]
async fn retries_are_due_in_order_and_a_bounded_number_at_a_time() {
    let (mut outputs, schema, _mailboxes) = rig(1);
    for attempt in 0..600 {
        let retry = Effect::RetryAt(id(1), attempt_id(attempt), 1_000 - u64::from(attempt));
        outputs.carry_out(retry, &schema);
    }
    assert_eq!(outputs.next_due(), Some(401));
    let first = due(&mut outputs);
    assert_eq!((first.len(), first[0].as_str()), (512, "retry 1 599"));
    assert_eq!(due(&mut outputs).len(), 88);
    assert_eq!(outputs.next_due(), None);
}
