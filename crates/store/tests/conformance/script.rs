//! Scripts: a line of steps and the line that they must print, on every backend.
//!
//! ```text
//! x = acquire P             takes partition P (a number or `meta`) over as lease x
//! commit x#SEQ K=V !K | ..  one call; commits are divided by `|`, `!K` deletes
//! get P K                   the value, or `-`
//! scan P A..B LIMIT         the rows
//! reopen                    closes the store (memory: crashes) and opens it again
//! ```
//! Steps are divided by `; `. Bytes that are not plain are written as `\hh`.

use std::collections::BTreeMap;

use bytes::Bytes;
use reveille_store::{
    Batch, Commit, Lease, PartitionId, Store, StoreError,
    memory::{MemoryControl, MemoryStore},
};

/// One backend, opened.
pub trait Bed {
    fn name(&self) -> &'static str;
    fn store(&self) -> &dyn Store;
    fn reopen(&mut self);
}

/// Every backend with an empty store of four partitions.
pub fn beds() -> Vec<Box<dyn Bed>> {
    vec![
        Box::new(Memory::new()),
        #[cfg(feature = "embedded")]
        Box::new(embedded::Embedded::new()),
    ]
}

/// Runs a table of steps and expected prints on every backend.
pub fn check(table: &[(&str, &str)]) {
    for mut bed in beds() {
        let mut leases = BTreeMap::new();
        for (steps, expected) in table {
            let printed: Vec<String> =
                steps.split("; ").map(|step| run(bed.as_mut(), &mut leases, step)).collect();
            assert_eq!(printed.join("; "), *expected, "{}: {steps}", bed.name());
        }
    }
}

fn run(bed: &mut dyn Bed, leases: &mut BTreeMap<String, Lease>, step: &str) -> String {
    let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
    match verb {
        "commit" => commit(bed.store(), leases, rest),
        "get" => {
            let (partition, key) = rest.split_once(' ').expect("get P K");
            match bed.store().get(parse_partition(partition), &unescape(key)) {
                Ok(Some(value)) => escape(&value),
                Ok(None) => "-".to_owned(),
                Err(error) => describe(&error),
            }
        }
        "scan" => scan(bed.store(), rest),
        "reopen" => {
            bed.reopen();
            "reopened".to_owned()
        }
        name => {
            let partition = rest.strip_prefix("= acquire ").expect("x = acquire P");
            match bed.store().acquire(parse_partition(partition)) {
                Ok(lease) => {
                    leases.insert(name.to_owned(), lease);
                    format!("{} seq {}", lease.epoch, lease.last_seq)
                }
                Err(error) => describe(&error),
            }
        }
    }
}

fn scan(store: &dyn Store, rest: &str) -> String {
    let words: Vec<&str> = rest.split(' ').collect();
    let [partition, range, limit] = words[..] else { panic!("scan P A..B LIMIT") };
    let (start, end) = range.split_once("..").expect("A..B");
    let limit = limit.parse().expect("LIMIT");
    match store.scan(parse_partition(partition), &unescape(start), &unescape(end), limit) {
        Ok(rows) => {
            let rows: Vec<String> = rows
                .iter()
                .map(|(key, value)| format!("{}={}", escape(key), escape(value)))
                .collect();
            rows.join(" ")
        }
        Err(error) => describe(&error),
    }
}

fn commit(store: &dyn Store, leases: &BTreeMap<String, Lease>, rest: &str) -> String {
    let mut parsed = Vec::new();
    for part in rest.split(" | ") {
        let mut words = part.split(' ');
        let (name, seq) = words.next().and_then(|word| word.split_once('#')).expect("x#SEQ");
        let mut batch = Batch::default();
        for word in words {
            match (word.strip_prefix('!'), word.split_once('=')) {
                (Some(key), _) => batch.delete(unescape(key)),
                (None, Some((key, value))) => batch.put(unescape(key), unescape(value)),
                (None, None) => panic!("K=V or !K, not {word}"),
            }
        }
        parsed.push((leases[name], seq.parse().expect("SEQ"), batch));
    }
    let commits: Vec<Commit<'_>> = parsed
        .iter()
        .map(|(lease, seq, batch)| Commit {
            partition: lease.partition,
            epoch: lease.epoch,
            seq: *seq,
            batch,
        })
        .collect();
    let answers: Vec<String> = store
        .commit(&commits)
        .iter()
        .map(|answer| answer.as_ref().map_or_else(describe, |()| "ok".to_owned()))
        .collect();
    answers.join(" ")
}

fn describe(error: &StoreError) -> String {
    match error {
        StoreError::Fenced { ours, owner, .. } => format!("fenced {} by {}", ours.0, owner.0),
        StoreError::OutOfOrder { expected, got, .. } => format!("order {got} for {expected}"),
        StoreError::NoSuchPartition { partition, .. } => format!("none {}", partition.0),
        error => format!("{error:?}"),
    }
}

fn parse_partition(text: &str) -> PartitionId {
    match text {
        "meta" => PartitionId::META,
        number => PartitionId(number.parse().expect("partition number")),
    }
}

fn escape(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' => char::from(*byte).to_string(),
        byte => format!("\\{byte:02x}"),
    };
    bytes.iter().map(escape).collect()
}

fn unescape(text: &str) -> Bytes {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (hex, plain) = part.split_at(2);
        bytes.push(u8::from_str_radix(hex, 16).expect("two hex digits"));
        bytes.extend(plain.as_bytes());
    }
    bytes.into()
}

struct Memory {
    store: MemoryStore,
    control: MemoryControl,
}

impl Memory {
    fn new() -> Memory {
        let store = MemoryStore::new(4);
        Memory { control: store.control(), store }
    }
}

impl Bed for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn store(&self) -> &dyn Store {
        &self.store
    }

    fn reopen(&mut self) {
        self.control.crash();
        self.store = self.control.reopen();
    }
}

#[cfg(feature = "embedded")]
mod embedded {
    use reveille_store::{
        Store,
        embedded::{EmbeddedOptions, EmbeddedStore},
    };
    use tempfile::TempDir;

    use super::Bed;

    pub struct Embedded {
        store: Option<EmbeddedStore>,
        directory: TempDir,
    }

    impl Embedded {
        pub fn new() -> Embedded {
            let directory = tempfile::tempdir().expect("temporary directory");
            let mut bed = Embedded { store: None, directory };
            bed.reopen();
            bed
        }
    }

    impl Bed for Embedded {
        fn name(&self) -> &'static str {
            "embedded"
        }

        fn store(&self) -> &dyn Store {
            self.store.as_ref().expect("open store")
        }

        fn reopen(&mut self) {
            if let Some(store) = self.store.take() {
                store.close().expect("close");
            }
            let options = EmbeddedOptions {
                partitions_new: 4,
                // Small, so that tables are written and merged, too.
                write_buffer_bytes: 64 * 1024,
                ..EmbeddedOptions::default()
            };
            self.store = Some(EmbeddedStore::open(self.directory.path(), options).expect("open"));
        }
    }
}
