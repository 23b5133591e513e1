//! One partition turned by hand: batches, a full disk, what stops it.

use bytes::Bytes;
use reveille_engine::command::Command;
use reveille_engine::effect::Reply;
use reveille_engine::keys::{self, Timer, TimerKind};
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::SetStateCommand;
use reveille_store::memory::MemoryStore;
use reveille_store::{Epoch, PartitionId, StoreError};
use tokio::time::Instant;

use super::support::{Rig, id, live_attempt};
use crate::limits;
use crate::partition::Refused;
use crate::partition::batch::LAZY_BATCH_DELAY;
use crate::partition::committer::Committed;
use crate::partition::handle::Mail;

fn answer(rig: &Rig, seq: u64, result: Result<(), StoreError>) -> Committed {
    Committed { epoch: rig.driver.lease.epoch, seq, result }
}

/// Waits until everything submitted is decided.
async fn settle(rig: &mut Rig) {
    while !rig.driver.in_flight.is_empty() {
        let committed = rig.driver.committed.recv().await.expect("the driver holds a sender");
        rig.driver.on_committed(committed);
    }
}

#[tokio::test]
async fn a_reply_waits_for_its_batch() {
    let mut rig = Rig::new(MemoryStore::new(1));
    let mut reply = rig.ask(1, "k", 0);
    assert!(reply.try_recv().is_err(), "nothing is durable yet");
    rig.driver.end_turn();
    settle(&mut rig).await;
    let expected = Reply::Accepted { id: id(1), fresh: true, execution_time: Some(u64::MAX) };
    assert_eq!(reply.await.expect("an answer"), Ok(expected));
}

/// Whoever calls a key that is taken hears nothing before those in front have ended, and their ends are
/// flushed.
#[tokio::test]
async fn a_call_that_queues_causes_no_flush_of_its_own() {
    let mut rig = Rig::new(MemoryStore::new(1));
    let _first = rig.call(1, "k");
    rig.driver.end_turn();
    assert_eq!(rig.driver.in_flight.len(), 1, "it starts an attempt");
    settle(&mut rig).await;
    let _queued = rig.call(2, "k");
    rig.driver.end_turn();
    assert_eq!(rig.driver.in_flight.len(), 0);
    assert!(rig.driver.wake_at().is_some_and(|at| at <= Instant::now() + LAZY_BATCH_DELAY));
    // It goes with the next batch that somebody waits for.
    let _accepted = rig.ask(3, "k", 0);
    rig.driver.end_turn();
    settle(&mut rig).await;
    let row = rig.driver.parts.store.get(PartitionId(0), &keys::invocation(id(2)));
    assert!(row.expect("get").is_some());
}

/// A disk that is slower than the callers must not make the queue of batches grow.
#[tokio::test]
async fn batches_in_flight_are_bounded() {
    let mut rig = Rig::new(MemoryStore::new(1));
    for number in 0..20 {
        let _reply = rig.ask(number, "k", limits::BATCH_BYTES);
        rig.driver.end_turn();
    }
    assert_eq!(rig.driver.in_flight.len(), limits::BATCHES_IN_FLIGHT);
    assert!(rig.driver.is_behind(), "no more mail is taken");
    assert_eq!(rig.driver.wake_at(), None, "nothing but a durable batch helps");
    settle(&mut rig).await;
    rig.driver.end_turn();
    assert!(!rig.driver.is_behind());
    settle(&mut rig).await;
}

/// The batch behind one that did not fit is out of order for the store. That is no news.
#[tokio::test]
async fn a_disk_that_was_full_for_one_batch_only_stops_nothing() {
    let mut rig = Rig::new(MemoryStore::new(1));
    let mut replies = Vec::new();
    for number in 1..=2 {
        replies.push(rig.ask(number, "k", 0));
        rig.driver.submit();
    }
    let partition = PartitionId(0);
    rig.driver.on_committed(answer(&rig, 1, Err(StoreError::Full)));
    let out_of_order = StoreError::OutOfOrder { partition, expected: 1, got: 2 };
    let behind = answer(&rig, 2, Err(out_of_order));
    rig.driver.on_committed(behind);
    assert_eq!(rig.driver.refused(), Some(Refused::Full));
    for reply in replies {
        assert_eq!(reply.await.expect("an answer"), Err(Refused::Full));
    }
    assert!(rig.failures.try_recv().is_err(), "no restart is asked for");
    rig.driver.retry_when_full();
    assert_eq!((rig.driver.refused(), rig.driver.lease.epoch), (None, Epoch(2)));
}

#[tokio::test]
async fn what_only_a_restart_can_help_is_told() {
    // While it serves, and while it waits for space.
    for full in [false, true] {
        let store = MemoryStore::new(1);
        let disk = store.control();
        let mut rig = Rig::new(store);
        if full {
            rig.driver.on_committed(answer(&rig, 1, Err(StoreError::Full)));
        }
        disk.crash();
        if full {
            rig.driver.retry_when_full();
        } else {
            let reply = rig.ask(1, "k", 0);
            assert!(matches!(reply.await, Ok(Err(Refused::Stopped(0, _)))), "it stops");
        }
        assert!(matches!(rig.driver.refused(), Some(Refused::Stopped(0, _))));
        assert!(rig.failures.try_recv().is_ok(), "full: {full}");
    }
}

#[tokio::test]
async fn a_lost_lease_asks_for_no_restart() {
    let mut rig = Rig::new(MemoryStore::new(1));
    let fenced = StoreError::Fenced { partition: PartitionId(0), ours: Epoch(1), owner: Epoch(2) };
    rig.driver.on_committed(answer(&rig, 1, Err(fenced)));
    assert!(matches!(rig.driver.refused(), Some(Refused::Stopped(0, _))));
    assert!(rig.failures.try_recv().is_err());
}

/// Found by the simulator: a successor had deleted the row, and the timer came up for ever.
#[tokio::test]
async fn a_timer_without_a_row_comes_up_once() {
    let mut rig = Rig::new(MemoryStore::new(1));
    rig.driver.end_turn();
    let timer = Timer { due: 1, kind: TimerKind::Sleep, id: id(1), number: 1 };
    rig.driver.timers.follow(&keys::timer(timer), Some(&Bytes::new()));
    assert_eq!(rig.driver.timers.next(), Some(1));
    rig.driver.end_turn();
    assert_eq!(rig.driver.timers.next(), None);
}

/// The store refuses the whole batch of such a row, with the steps of others in it.
#[tokio::test]
async fn a_key_that_cannot_be_stored_is_refused_alone() {
    let mut rig = Rig::new(MemoryStore::new(1));
    let before = rig.ask(1, "k", 0);
    // Only started exclusive invocations write their key.
    let refused = rig.ask_now(2, &"k".repeat(65_100));
    let after = rig.ask(3, "k", 0);
    rig.driver.end_turn();
    settle(&mut rig).await;
    assert!(matches!(before.await, Ok(Ok(Reply::Accepted { .. }))));
    assert!(matches!(refused.await, Ok(Ok(Reply::Unavailable(_)))));
    assert!(matches!(after.await, Ok(Ok(Reply::Accepted { .. }))));
}

/// A place that is promised to an attempt nobody wants any more is free again.
#[tokio::test]
async fn a_place_is_not_kept_for_the_dead() {
    let mut rig = Rig::with_places(MemoryStore::new(1), 1);
    let live = |rig: &Rig| rig.driver.parts.outputs.counts()[2];
    for number in 1..=3 {
        let _answer = rig.ask_now(number, &format!("key {number}"));
    }
    rig.driver.end_turn();
    settle(&mut rig).await;
    assert_eq!(live(&rig), 1);
    // The next one in the queue dies first.
    rig.kill(2);
    rig.kill(1);
    rig.driver.end_turn();
    settle(&mut rig).await;
    assert_eq!(live(&rig), 0);
    for _turn in 0..2 {
        rig.driver.end_turn();
        settle(&mut rig).await;
    }
    assert_eq!(live(&rig), 1, "the third has the place");
}

/// Object key and state key fit each, but not together: the attempt fails, with nothing left out.
#[tokio::test]
async fn frames_that_cannot_be_stored_fail_their_attempt() {
    let mut rig = Rig::new(MemoryStore::new(1));
    let _answer = rig.ask_now(1, &"k".repeat(60_000));
    rig.driver.end_turn();
    settle(&mut rig).await;
    assert_eq!(rig.driver.parts.outputs.counts()[2], 1);
    let key = vec![b's'; 6_000].into();
    let set = SetStateCommand { key, ..SetStateCommand::default() };
    let frames = vec![Frame::message(MessageType::SET_STATE_COMMAND, &set)];
    let told = Mail::Tell(Command::Frames { id: id(1), attempt: live_attempt(&rig), frames });
    assert!(rig.driver.on_mail(told).is_none());
    rig.driver.end_turn();
    settle(&mut rig).await;
    assert_eq!(rig.driver.refused(), None, "the partition goes on");
    assert_eq!(rig.driver.parts.outputs.counts()[2], 0, "the attempt has ended");
    assert!(rig.driver.parts.outputs.next_due().is_some(), "and is retried");
}
