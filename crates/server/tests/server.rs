//! A whole server over the memory store: what needs faults, several partitions or tight bounds.

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod world;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reveille_engine::{identity, keys};
use reveille_server::config::ServerConfig;
use reveille_store::memory::MemoryStore;
use reveille_store::{Batch, Commit, PartitionId, Store as _};

use world::{World, eventually};

/// Every call crosses partitions for most keys: the chain adds its own name at each link.
#[tokio::test(flavor = "multi_thread")]
async fn calls_cross_partitions_and_come_back() {
    let world = World::start(MemoryStore::new(5), ServerConfig::default()).await;
    for key in ["a", "b", "c", "d", "e", "f"] {
        let answer = world.post(&format!("/chain/{key}/link"), "6").await;
        assert_eq!((answer.status, answer.text()), (200, "6543210"), "key {key}");
    }
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers() {
    let store = MemoryStore::new(1);
    let disk = store.control();
    let world = World::start(store, ServerConfig::default()).await;
    let waiting = world.begin_review("kept").await;

    disk.set_disk_full(true);
    let refused = world.post("/greeter/greet", "x").await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("full"), "{}", refused.text());
    assert_eq!(refused.header("retry-after"), Some("1"));
    let unanswered = world.post(&format!("/restate/awakeables/{waiting}/resolve"), "no").await;
    assert_eq!(unanswered.status, 503, "nothing is acknowledged that is not durable");

    disk.set_disk_full(false);
    eventually(async || world.post("/greeter/greet", "x").await.status == 200).await;
    let path = format!("/restate/awakeables/{waiting}/resolve");
    eventually(async || world.post(&path, "yes").await.status == 202).await;
    let result = world.attach("kept").await;
    assert_eq!((result.status, result.text()), (200, "yes"));
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_survive_a_crash_of_the_server() {
    let store = MemoryStore::new(3);
    let disk = store.control();
    let world = World::start(store, ServerConfig::default()).await;
    let ids = [world.begin_review("one").await, world.begin_review("two").await];
    disk.crash();
    let world = world.restart(disk.reopen(), ServerConfig::default()).await;
    for (id, name) in ids.iter().zip(["one", "two"]) {
        let receipt = world.post(&format!("/reveille/waits/{id}/resolve"), name).await;
        assert_eq!(receipt.status, 200, "{}", receipt.text());
        assert_eq!(world.attach(name).await.text(), name);
    }
    world.server.stop().await;
}

/// More handlers wait than there are places for attempts; new work starts all the same.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_handlers_hold_no_places() {
    for version in [5, 6, 7] {
        let config = ServerConfig {
            concurrent_attempts_max: 4,
            protocol_version_max: version,
            ..ServerConfig::default()
        };
        let world = World::start(MemoryStore::new(1), config).await;
        let mut ids = Vec::new();
        for n in 0..20 {
            ids.push(world.begin_review(&format!("n{n}")).await);
        }
        let answer = world.post("/greeter/greet", "still served").await;
        assert_eq!((answer.status, answer.text()), (200, "still served"), "v{version}");
        for (n, id) in ids.iter().enumerate() {
            let path = format!("/restate/awakeables/{id}/resolve");
            assert_eq!(world.post(&path, "ok").await.status, 202);
            assert_eq!(world.attach(&format!("n{n}")).await.text(), "ok", "v{version}");
        }
        world.server.stop().await;
    }
}

/// A second server takes the store over: the first may not commit any more, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_server_acknowledges_nothing() {
    let store = MemoryStore::new(1);
    let disk = store.control();
    let old = World::start(store, ServerConfig::default()).await;
    let id = old.begin_review("contested").await;
    let new = old.second(Arc::new(disk.reopen()), ServerConfig::default()).await;
    let refused = old.post(&format!("/restate/awakeables/{id}/resolve"), "old").await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    let receipt = new.post(&format!("/restate/awakeables/{id}/resolve"), "new").await;
    assert_eq!(receipt.status, 202, "{}", receipt.text());
    assert_eq!(new.attach("contested").await.text(), "new");
}

/// A row that cannot be understood stops its partition, which says which row it was; the others go
/// on.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_row_stops_its_partition_and_is_named() {
    let store = MemoryStore::new(2);
    let disk = store.control();
    let world = World::start(store, ServerConfig::default()).await;
    world.begin_review("broken").await;
    let id = identity::workflow_run_id(None, "reviews", "broken");
    let partition = PartitionId(identity::partition_of(id, 2));
    disk.crash();
    let store = disk.reopen();
    let lease = store.acquire(partition).expect("the partition is free");
    let mut batch = Batch::default();
    batch.put(keys::invocation(id), Bytes::from_static(b"\xffgarbage"));
    let (epoch, seq) = (lease.epoch, lease.last_seq + 1);
    for result in store.commit(&[Commit { partition, epoch, seq, batch: &batch }]) {
        result.expect("the row is written");
    }
    let world = world.restart(disk.reopen(), ServerConfig::default()).await;
    let refused = world.attach("broken").await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    let row: String = id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = format!("partition {} is stopped: row i:{row} is corrupt", partition.0);
    assert!(refused.text().contains(&expected), "{}", refused.text());
    let other = ["a", "b", "c", "d"].into_iter().find(|key| {
        identity::partition_of(identity::workflow_run_id(None, "reviews", key), 2) != partition.0
    });
    let other = other.expect("four keys are enough for two partitions");
    world.begin_review(other).await;
}

/// A stop makes durable what was accepted, and the next server goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_loses_nothing() {
    let store = MemoryStore::new(2);
    let disk = store.control();
    let world = World::start(store, ServerConfig::default()).await;
    let sent = world.post("/greeter/greet/send?delay=1h", "later").await;
    assert_eq!(sent.status, 202);
    let id = world.begin_review("stopped").await;
    let started = std::time::Instant::now();
    let world = world.stop_and_restart(disk.reopen(), ServerConfig::default()).await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "nothing was open, so nothing is waited for"
    );
    assert_eq!(world.post(&format!("/restate/a/{id}/resolve"), "on").await.status, 202);
    assert_eq!(world.attach("stopped").await.text(), "on");
    world.server.stop().await;
}
