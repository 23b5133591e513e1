//! Random steps on every backend, compared with ordered maps. A failure names its seed.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included},
};

use bytes::Bytes;
use reveille_store::{Batch, Commit, Head, Lease, PartitionId, Write};

use crate::script::{Bed, beds};

const PARTITIONS: [PartitionId; 4] =
    [PartitionId(0), PartitionId(1), PartitionId(3), PartitionId::META];
const STEPS: usize = 1_500;

#[test]
fn random_steps_match_the_model() {
    for seed in [1, 2, 3] {
        for bed in beds() {
            let seed_state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed);
            let mut run = Run {
                bed,
                random: Random(seed_state),
                model: Model::default(),
                leases: Vec::new(),
            };
            for step in 0..STEPS {
                run.step(&format!("{} seed {seed} step {step}", run.bed.name()));
            }
            run.reopen();
            run.compare_all(&format!("{} seed {seed} at the end", run.bed.name()));
        }
    }
}

/// A xorshift generator: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn key(&mut self) -> Vec<u8> {
        let alphabet = [0x00, b'a', b'b', 0xFF];
        (0..self.below(4)).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

#[derive(Default)]
struct Model {
    heads: BTreeMap<PartitionId, Head>,
    rows: RowsByKey,
}

type RowsByKey = BTreeMap<(PartitionId, Vec<u8>), Bytes>;

impl Model {
    fn write(&mut self, partition: PartitionId, batch: Batch) {
        for Write { key, value, .. } in batch.writes {
            let key = (partition, key.to_vec());
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }

    fn scan(&self, partition: PartitionId, start: &[u8], end: &[u8], limit: usize) -> Rows {
        if start >= end {
            return Vec::new();
        }
        let bounds = (Included((partition, start.to_vec())), Excluded((partition, end.to_vec())));
        let rows = self.rows.range(bounds).take(limit);
        rows.map(|((_, key), value)| (Bytes::from(key.clone()), value.clone())).collect()
    }
}

type Rows = Vec<(Bytes, Bytes)>;

struct Run {
    bed: Box<dyn Bed>,
    random: Random,
    model: Model,
    /// Every lease ever given, so that superseded ones are used, too.
    leases: Vec<Lease>,
}

impl Run {
    fn step(&mut self, at: &str) {
        match self.random.below(20) {
            0 => self.acquire(at),
            1 if self.random.below(10) == 0 => self.reopen(),
            2..=4 => self.scan(at),
            5..=7 => self.get(at),
            _ => self.commit(at),
        }
    }

    fn partition(&mut self) -> PartitionId {
        PARTITIONS[self.random.below(PARTITIONS.len())]
    }

    fn acquire(&mut self, at: &str) {
        let partition = self.partition();
        let head = self.model.heads.entry(partition).or_default();
        let expected = head.take_over(partition);
        let lease = self.bed.store().acquire(partition).expect(at);
        assert_eq!(lease, expected, "{at}");
        self.leases.push(lease);
    }

    fn reopen(&mut self) {
        self.bed.reopen();
    }

    fn get(&mut self, at: &str) {
        let (partition, key) = (self.partition(), self.random.key());
        let found = self.bed.store().get(partition, &key).expect(at);
        assert_eq!(found.as_ref(), self.model.rows.get(&(partition, key)), "{at}");
    }

    fn scan(&mut self, at: &str) {
        let (partition, limit) = (self.partition(), self.random.below(12));
        let (start, end) = (self.random.key(), self.random.key());
        let found = self.bed.store().scan(partition, &start, &end, limit).expect(at);
        assert_eq!(found, self.model.scan(partition, &start, &end, limit), "{at}");
    }

    fn commit(&mut self, at: &str) {
        if self.leases.is_empty() {
            return;
        }
        let mut heads = self.model.heads.clone();
        let mut rows = self.model.rows.clone();
        let mut asked = Vec::new();
        for _ in 0..=self.random.below(4) {
            let recent = self.leases.len().saturating_sub(6);
            let lease = self.leases[recent + self.random.below(self.leases.len() - recent)];
            let head = heads.entry(lease.partition).or_default();
            // Mostly the right number, so that most commits of live leases are let in.
            let seq = head.seq + [1, 1, 1, 1, 1, 0, 2][self.random.below(7)];
            let good = lease.epoch == head.epoch && seq == head.seq + 1;
            if good {
                head.seq = seq;
            }
            let batch = self.batch(lease.partition, &mut rows, good);
            asked.push((lease, seq, good, batch));
        }
        let commits: Vec<Commit<'_>> = asked
            .iter()
            .map(|(lease, seq, _, batch)| Commit {
                partition: lease.partition,
                epoch: lease.epoch,
                seq: *seq,
                batch,
            })
            .collect();
        let answers = self.bed.store().commit(&commits);
        assert_eq!(answers.len(), asked.len(), "{at}");
        for ((lease, _, good, batch), answer) in asked.into_iter().zip(answers) {
            assert_eq!(answer.is_ok(), good, "{at}: {answer:?}");
            if !good {
                continue;
            }
            self.model.write(lease.partition, batch);
        }
        self.model.heads = heads;
    }

    /// Makes a batch, and writes it to `rows` if it is `good`. Of most rows that are not there it says so.
    fn batch(&mut self, partition: PartitionId, rows: &mut RowsByKey, good: bool) -> Batch {
        let mut batch = Batch::default();
        let mut rows_after = rows.clone();
        for _ in 0..self.random.below(6) {
            let key = self.random.key();
            let at = (partition, key.clone());
            if self.random.below(4) == 0 {
                rows_after.remove(&at);
                batch.delete(key);
                continue;
            }
            let fill = u8::try_from(self.random.below(256)).expect("a byte");
            let value = vec![fill; self.random.below(300)];
            let known = rows_after.insert(at, value.clone().into()).is_some();
            if known || self.random.below(4) == 0 {
                batch.put(key, value);
            } else {
                batch.create(key, value);
            }
        }
        if good {
            *rows = rows_after;
        }
        batch
    }

    fn compare_all(&mut self, at: &str) {
        for partition in PARTITIONS {
            let found =
                self.bed.store().scan(partition, b"", b"\xFF\xFF\xFF\xFF", 9_999).expect(at);
            let expected = self.model.scan(partition, b"", b"\xFF\xFF\xFF\xFF", 9_999);
            assert_eq!(found, expected, "{at}: {partition}");
            let head = self.model.heads.entry(partition).or_default();
            let expected = head.take_over(partition);
            assert_eq!(self.bed.store().acquire(partition).expect(at), expected, "{at}");
        }
    }
}
