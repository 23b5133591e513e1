//! Threads that end, and those who must hear of it.

use std::sync::Arc;

use bytes::Bytes;
use reveille_store::memory::MemoryStore;
use reveille_store::{Batch, Commit, Epoch, Lease, PartitionId, Snapshot, Store, StoreError};
use tokio::sync::mpsc;

use super::support::Rig;
use crate::partition::committer::{Committer, Submission};
use crate::partition::handle::Mail;
use crate::partition::spawn;

/// A store with a bug.
struct Broken(MemoryStore);

impl Store for Broken {
    fn acquire(&self, partition: PartitionId) -> Result<Lease, StoreError> {
        self.0.acquire(partition)
    }

    fn commit(&self, _: &[Commit<'_>]) -> Vec<Result<(), StoreError>> {
        panic!("a bug of the store, for the test")
    }

    fn get(&self, _: PartitionId, _: &[u8]) -> Result<Option<Bytes>, StoreError> {
        panic!("a bug of the store, for the test")
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.0.scan(partition, start, end, limit)
    }

    fn partition_count(&self) -> u16 {
        self.0.partition_count()
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.0.snapshot()
    }
}

#[tokio::test]
async fn a_panic_of_a_partition_asks_for_a_restart() {
    let Rig { driver, partitions, mut failures, _schema } = Rig::new(Broken(MemoryStore::new(1)));
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
    let store: Arc<dyn Store> = Arc::new(Broken(MemoryStore::new(1)));
    let (committer, thread) = Committer::start(store, Arc::default()).expect("a thread");
    let (done, mut answers) = mpsc::unbounded_channel();
    for seq in 1..=2 {
        let batch = Arc::new(Batch::default());
        let (partition, epoch, done) = (PartitionId(0), Epoch(1), done.clone());
        assert!(committer.submit(Submission { partition, epoch, seq, batch, done }));
        let answer = answers.recv().await.expect("an answer");
        assert_eq!(answer.seq, seq);
        assert!(matches!(answer.result, Err(StoreError::Poisoned)));
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
