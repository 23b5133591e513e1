//! Threads that end, and those who must hear of it.

use std::sync::{Arc, Mutex};

use reveille_store::memory::MemoryStore;
use reveille_store::{Batch, Epoch, PartitionId, Store, StoreError};
use tokio::sync::mpsc;

use super::support::{Access, Hooked, Rig};
use crate::partition::committer::{Committer, Submission};
use crate::partition::handle::Mail;
use crate::partition::spawn;

/// A store with a bug.
fn broken() -> impl Store {
    Hooked(MemoryStore::new(1), |access| {
        assert_eq!(access, Access::Scan, "a bug of the store, for the test");
    })
}

#[tokio::test]
async fn a_panic_of_a_partition_asks_for_a_restart() {
    let Rig { driver, partitions, mut failures, _schema } = Rig::new(broken());
    let thread = spawn(driver, 0).expect("a thread");
    let purge =
        |request| reveille_engine::command::Command::Purge { request, id: super::support::id(1) };
    let answer = partitions.ask(super::support::id(1), purge).await;
    assert!(answer.is_err());
    let why = failures.recv().await.expect("it is told");
    assert_eq!(why, "the thread of partition 0 ended with a panic");
    assert!(thread.join().is_err());
}

#[tokio::test]
async fn a_panic_of_the_store_is_an_answer_to_every_batch() {
    let store: Arc<dyn Store> = Arc::new(broken());
    let (committer, thread) = Committer::start(store, Arc::default()).expect("a thread");
    let (done, mut answers) = mpsc::unbounded_channel();
    for (seq, here) in [(1, false), (2, true), (3, false)] {
        let batch = Arc::new(Batch::default());
        let (partition, epoch, done) = (PartitionId(0), Epoch(1), done.clone());
        assert!(committer.submit(Submission { partition, epoch, seq, batch, done }, here));
        let answer = answers.recv().await.expect("an answer");
        assert_eq!(answer.seq, seq);
        assert!(matches!(answer.result, Err(StoreError::Poisoned)));
    }
    drop(committer);
    thread.join().expect("it ends in peace");
}

#[tokio::test]
async fn a_batch_is_committed_at_once_unless_another_one_is_on_its_way() {
    let (word, words) = std::sync::mpsc::channel();
    let words = Mutex::new(words);
    // Each commit waits for a word.
    let slow = move |access| {
        if access == Access::Commit {
            words.lock().expect("no panic").recv().expect("a word");
        }
    };
    let store: Arc<dyn Store> = Arc::new(Hooked(MemoryStore::new(1), slow));
    let epoch = store.acquire(PartitionId(0)).expect("a lease").epoch;
    let (committer, thread) = Committer::start(store, Arc::default()).expect("a thread");
    let (done, mut answers) = mpsc::unbounded_channel();
    let submission = |seq| {
        let (partition, batch, done) = (PartitionId(0), Arc::default(), done.clone());
        Submission { partition, epoch, seq, batch, done }
    };
    word.send(()).expect("the store lives");
    assert!(committer.submit(submission(1), true));
    let first = answers.try_recv().expect("it was committed here");
    assert!(matches!((first.seq, first.result), (1, Ok(()))));
    assert!(committer.submit(submission(2), false));
    assert!(committer.submit(submission(3), true), "it does not wait here for the one before");
    assert!(answers.try_recv().is_err());
    for seq in 2..=3 {
        word.send(()).expect("the store lives");
        let next = answers.recv().await.expect("an answer");
        assert!(next.seq == seq && next.result.is_ok());
    }
    drop(committer);
    thread.join().expect("it ends in peace");
}

#[tokio::test]
async fn a_stop_finishes_what_was_accepted() {
    let store = MemoryStore::new(1);
    let disk = store.control();
    let mut rig = Rig::new(store);
    let replies: Vec<_> = (0..50).map(|number| rig.ask(number, "k", 0)).collect();
    let Rig { driver, partitions, _schema, .. } = rig;
    let thread = spawn(driver, 0).expect("a thread");
    partitions.stop().await;
    thread.join().expect("it ends in peace");
    for reply in replies {
        assert!(matches!(reply.await, Ok(Ok(_))), "it was taken, so it is finished");
    }
    let rows = disk.reopen().scan(PartitionId(0), b"i", b"j", usize::MAX).expect("scan");
    assert_eq!(rows.len(), 50);
    let late = partitions.mailbox_of(0).send(Mail::Stop(tokio::sync::oneshot::channel().0)).await;
    assert!(late.is_err(), "the partition is gone");
}
