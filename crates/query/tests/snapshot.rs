//! A query sees one moment: what is committed while it runs does not show, and does not wait for it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reveille_engine::{
    command::AttemptId,
    keys::{self, Instance},
};
use reveille_protocol::id::InvocationId;
use reveille_query::{Attempts, Catalog, Format, Limits, World, run};
use reveille_store::{Batch, Commit, Lease, PartitionId, Store, memory::MemoryStore};

struct NoneOpen;

impl Attempts for NoneOpen {
    fn started_at(&self, _id: InvocationId, _attempt: AttemptId) -> Option<u64> {
        None
    }
}

const ROWS: u32 = 3_000;

fn commit(store: &MemoryStore, lease: &mut Lease, batch: &Batch) {
    let (partition, epoch, seq) = (lease.partition, lease.epoch, lease.last_seq + 1);
    store.commit(&[Commit { partition, epoch, seq, batch }]).remove(0).expect("a commit");
    lease.last_seq = seq;
}

fn key(number: u32) -> Bytes {
    keys::state(Instance { scope: None, service: "S", key: "k" }, &number.to_be_bytes())
}

#[test]
fn commits_during_a_query_do_not_show_and_are_not_held_up() {
    let store = MemoryStore::new(1);
    let mut lease = store.acquire(PartitionId(0)).expect("a lease");
    let mut batch = Batch::default();
    (0..ROWS).for_each(|number| batch.put(key(number), "old"));
    commit(&store, &mut lease, &batch);

    let snapshot = store.snapshot().expect("a snapshot");
    let world = World::new(snapshot, Arc::new(Catalog::default()), Arc::new(NoneOpen), 0);
    let limits = Limits { time: Duration::from_secs(60), answer_bytes: 1 << 30 };
    let (mut answer, mut commits) = (Vec::new(), 0);
    run(&world, "select value_utf8 from state", Format::Json, limits, |piece| {
        answer.extend(piece);
        let mut batch = Batch::default();
        (0..ROWS).for_each(|number| batch.delete(key(number)));
        (ROWS..ROWS + 100).for_each(|number| batch.put(key(number), "new"));
        commit(&store, &mut lease, &batch);
        commits += 1;
        Ok(())
    })
    .expect("an answer");
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
    let rows = answer["rows"].as_array().expect("rows");
    assert!(commits > 1, "the first commit came before the last row was read");
    assert_eq!(rows.len(), ROWS as usize);
    assert!(rows.iter().all(|row| row["value_utf8"] == "old"));
}
