//! A whole server over the memory store: what must go on by itself, without anybody asking.

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use reveille_engine::keys::tag;
use reveille_server::config::ServerConfig;
use reveille_store::memory::MemoryStore;
use reveille_store::{Commit, Lease, PartitionId, Snapshot, Store, StoreError, Write};

use world::{World, eventually};

/// A test that waits longer than this is stuck.
const STUCK: Duration = Duration::from_secs(20);

/// Nobody talks to the partition after the restart, so nothing but the timer can wake it.
#[tokio::test(flavor = "multi_thread")]
async fn timers_fire_after_a_restart_although_nobody_calls() {
    let store = MemoryStore::new(1);
    let disk = store.control();
    let world = World::start(store, ServerConfig::default()).await;
    let sent = world.post("/reviews/later/ask/send?delay=500ms", "later").await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    disk.crash();
    let world = world.restart(disk.reopen(), ServerConfig::default()).await;
    let started = tokio::time::timeout(STUCK, world.review("later")).await;
    assert!(started.is_ok(), "the handler was not started");
    world.server.stop().await;
}

/// A store whose disk is full for one commit: the first arrival of a message from another partition,
/// or the one with a given number.
struct FullOnce {
    store: MemoryStore,
    /// Commits that count, so far.
    seen: Arc<AtomicUsize>,
    only_arrivals: bool,
    refused: usize,
}

impl FullOnce {
    fn refuses(&self, commit: &Commit<'_>) -> bool {
        let arrival = |write: &Write| write.key.first() == Some(&tag::INBOUND_SEQ);
        let counts = if self.only_arrivals {
            commit.batch.writes.iter().any(arrival)
        } else {
            commit.partition != PartitionId::META
        };
        counts && self.seen.fetch_add(1, Ordering::SeqCst) == self.refused
    }
}

impl Store for FullOnce {
    fn acquire(&self, partition: PartitionId) -> Result<Lease, StoreError> {
        self.store.acquire(partition)
    }

    fn commit(&self, commits: &[Commit<'_>]) -> Vec<Result<(), StoreError>> {
        let one = |commit: &Commit<'_>| {
            if self.refuses(commit) {
                return Err(StoreError::Full);
            }
            self.store.commit(std::slice::from_ref(commit)).remove(0)
        };
        commits.iter().map(one).collect()
    }

    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.store.get(partition, key)
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.store.scan(partition, start, end, limit)
    }

    fn partition_count(&self) -> u16 {
        self.store.partition_count()
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.store.snapshot()
    }
}

fn full_once(only_arrivals: bool, refused: usize) -> (FullOnce, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let store = MemoryStore::new(2);
    (FullOnce { store, seen: Arc::clone(&seen), only_arrivals, refused }, seen)
}

/// Attempts, timers and messages that were on their way go on, whatever the disk had no room for.
#[tokio::test(flavor = "multi_thread")]
async fn whichever_commit_meets_a_full_disk_the_work_ends() {
    let work = (0..16).map(async |refused| {
        let (store, seen) = full_once(false, refused);
        let world = World::start(store, ServerConfig::default()).await;
        let mut sent = String::new();
        // The same key again and again: one that was refused after all does no harm.
        eventually(async || {
            let answer = world.post("/chain/a/link/send?delay=1ms", "4").await;
            sent = answer.text().to_owned();
            answer.status == 202
        })
        .await;
        let id = sent.split('"').find(|part| part.starts_with("inv_1")).expect("an id");
        let path = format!("/restate/invocation/{id}/attach");
        eventually(async || {
            let answer = world.get(&path).await;
            assert!(matches!(answer.status, 200 | 503), "{refused}: {}", answer.text());
            answer.status == 200 && answer.text() == "43210"
        })
        .await;
        assert!(seen.load(Ordering::SeqCst) > refused, "{refused}: it was never full");
        world.server.stop().await;
    });
    let all = tokio::time::timeout(STUCK, join_all(work)).await;
    assert!(all.is_ok(), "somebody waits for ever");
}

/// The sender never learns that the receiver was full, and restarts no more than the receiver.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_met_a_full_disk_arrives_later() {
    let (store, seen) = full_once(true, 0);
    let world = World::start(store, ServerConfig::default()).await;
    // Six links, so that some of them lie in different partitions.
    let answer = tokio::time::timeout(STUCK, world.post("/chain/a/link", "6")).await;
    let answer = answer.expect("a message was lost");
    assert_eq!((answer.status, answer.text()), (200, "6543210"));
    assert!(seen.load(Ordering::SeqCst) > 1, "nothing crossed partitions");
    world.server.stop().await;
}

/// Whoever embeds a server and drops it can open the store again.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_dropped_lets_go_of_the_store() {
    let (store, held) = full_once(true, usize::MAX);
    let World { server, .. } = World::start(store, ServerConfig::default()).await;
    drop(server);
    eventually(async || Arc::strong_count(&held) == 1).await;
}

/// One place for all attempts: callers make room for what they wait for, and nobody is passed over.
#[tokio::test(flavor = "multi_thread")]
async fn one_place_is_enough_for_everyone() {
    for version in [5, 7] {
        let config = ServerConfig {
            concurrent_attempts_max: 1,
            protocol_version_max: version,
            ..ServerConfig::default()
        };
        let world = World::start(MemoryStore::new(1), config).await;
        let work = async {
            let greetings = join_all((0..40).map(|_| world.post("/greeter/greet", "x")));
            let chains = join_all((0..4).map(|n| world.post(CHAINS[n], "5")));
            let (greetings, chains) = tokio::join!(greetings, chains);
            assert!(greetings.iter().all(|answer| answer.text() == "x"), "v{version}");
            assert!(chains.iter().all(|answer| answer.text() == "543210"), "v{version}");
        };
        tokio::time::timeout(STUCK, work).await.expect("somebody waits for ever");
        world.server.stop().await;
    }
}

const CHAINS: [&str; 4] = ["/chain/a/link", "/chain/b/link", "/chain/c/link", "/chain/d/link"];

/// Polls all of them at once.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(cx) {
                *output = Some(ready);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}
