//! Overlay and store together read like one map.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use reveille_engine::keys::tag;
use reveille_engine::tx::View;
use reveille_store::memory::MemoryStore;
use reveille_store::{Batch, Commit, Lease, PartitionId, Store, Write};

use super::support::{Access, Hooked, Random};
use crate::partition::known::KEYS_MAX;
use crate::partition::overlay::{Overlay, PartitionView};

/// Few keys of several lengths, so that rows meet and prefixes matter. A third of them are rows of state,
/// of which the keys of a range are remembered.
fn key(random: &mut Random) -> Bytes {
    let length = 1 + random.below(4);
    (0..length).map(|_| tag::STATE - 1 + random.below(3) as u8).collect::<Vec<u8>>().into()
}

/// Three batches at most are in flight, and become durable in order.
struct World {
    store: MemoryStore,
    lease: Lease,
    overlay: Overlay,
    in_flight: Vec<(u64, Batch)>,
    model: BTreeMap<Bytes, Bytes>,
}

impl World {
    fn new() -> World {
        let store = MemoryStore::new(1);
        let lease = store.acquire(PartitionId(0)).expect("acquire");
        let (overlay, model) = (Overlay::default(), BTreeMap::new());
        World { store, lease, overlay, in_flight: Vec::new(), model }
    }

    fn write(&mut self, random: &mut Random) {
        let seq = self.lease.last_seq + 1 + self.in_flight.len() as u64;
        let mut batch = Batch::default();
        for _ in 0..random.below(6) {
            let key = key(random);
            let byte = random.below(256) as u8;
            let value = (random.below(3) > 0).then(|| Bytes::from(vec![byte]));
            match &value {
                Some(value) => self.model.insert(key.clone(), value.clone()),
                None => self.model.remove(&key),
            };
            self.overlay.write(seq, key.clone(), value.clone());
            batch.writes.push(Write { key, value, fresh: false });
        }
        self.in_flight.push((seq, batch));
    }

    fn commit(&mut self) {
        let (seq, batch) = self.in_flight.remove(0);
        let (partition, epoch) = (self.lease.partition, self.lease.epoch);
        let answers = self.store.commit(&[Commit { partition, epoch, seq, batch: &batch }]);
        answers.into_iter().for_each(|answer| answer.expect("commit"));
        self.lease.last_seq = seq;
        self.overlay.committed(seq, batch.writes.iter().map(|write| &write.key));
    }

    fn check(&self, random: &mut Random, context: &str) {
        let view = PartitionView {
            overlay: &self.overlay,
            store: &self.store,
            partition: self.lease.partition,
        };
        let key_read = key(random);
        let got = view.get(&key_read).expect("get");
        assert_eq!(got, self.model.get(&key_read).cloned(), "{context}: get {key_read:?}");
        let (start, end) = (key(random), key(random));
        let limit = [0, 1, 2, 5, usize::MAX][random.below(5) as usize];
        let got = view.scan(&start, &end, limit).expect("scan");
        let expected: Vec<_> = if start < end {
            let range = self.model.range(start.clone()..end.clone());
            range.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect()
        } else {
            Vec::new()
        };
        assert_eq!(got, expected, "{context}: scan {start:?}..{end:?}, {limit}");
    }
}

#[test]
fn reads_are_those_of_one_map() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut world = World::new();
        for step in 0..100 {
            match random.below(4) {
                0 | 1 if world.in_flight.len() < 3 => world.write(&mut random),
                2 if !world.in_flight.is_empty() => world.commit(),
                _ => {}
            }
            world.check(&mut random, &format!("seed {seed}, step {step}"));
        }
    }
}

/// Found by measuring a key that 100,000 calls queued for: each of them scanned the state.
#[test]
fn the_state_of_an_object_is_scanned_once() {
    let scans = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&scans);
    let store = Hooked(MemoryStore::new(1), move |access| {
        counted.fetch_add(usize::from(access == Access::Scan), Ordering::Relaxed);
    });
    let mut overlay = Overlay::default();
    let (start, end) = (b"sa:".as_slice(), b"sa;".as_slice());
    let key = |name: &str| Bytes::from(format!("sa:{name}"));
    let mut expected = BTreeMap::new();
    for seq in 0..100_u64 {
        let name = format!("{}", seq % 5);
        let value = (seq % 7 > 0).then(|| Bytes::from(vec![seq as u8]));
        match &value {
            Some(value) => expected.insert(key(&name), value.clone()),
            None => expected.remove(&key(&name)),
        };
        overlay.write(seq, key(&name), value);
        // Of another object, and behind the range.
        overlay.write(seq, Bytes::from_static(b"sb:x"), Some(Bytes::new()));
        let view = PartitionView { overlay: &overlay, store: &store, partition: PartitionId(0) };
        let rows = view.scan(start, end, usize::MAX).expect("scan");
        assert_eq!(rows, expected.clone().into_iter().collect::<Vec<_>>(), "step {seq}");
    }
    assert_eq!(scans.load(Ordering::Relaxed), 1);
    // With many keys a scan is the better way.
    for number in 0..=KEYS_MAX {
        overlay.write(100, key(&format!("many {number}")), Some(Bytes::new()));
    }
    let view = PartitionView { overlay: &overlay, store: &store, partition: PartitionId(0) };
    for _ in 0..2 {
        let rows = view.scan(start, end, usize::MAX).expect("scan");
        assert_eq!(rows.len(), expected.len() + KEYS_MAX + 1);
    }
    assert_eq!(scans.load(Ordering::Relaxed), 3);
}

#[test]
fn a_refused_batch_leaves_no_trace() {
    let mut random = Random(1);
    let mut world = World::new();
    (0..3).for_each(|_| world.write(&mut random));
    world.overlay.clear();
    world.model.clear();
    (0..50).for_each(|step| world.check(&mut random, &format!("step {step}")));
}
