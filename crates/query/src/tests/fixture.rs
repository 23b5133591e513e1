//! A store with rows of every kind, and stores that count what is read.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use bytes::Bytes;
use prost::Message;
use reveille_engine::{
    command::AttemptId,
    event::StoredEvent,
    identity,
    keys::{self, Instance},
    level::LevelRecord,
    record::{
        InvocationRecord, JournalEntry, Kind, LockRecord, PromiseRecord, Status, StoredFailure,
        StoredResult, StoredWait, encode,
    },
    rules::{Rule, Rules},
    trace::TraceContext,
};
use reveille_protocol::{
    frame::{Frame, MessageType},
    id::{DeploymentId, InvocationId},
    message::{CompleteAwakeableCommand, Failure, Future, InputCommand, Value},
};
use reveille_store::{
    Batch, Commit, PartitionId, Snapshot, Store, StoreError, memory::MemoryStore,
};

use super::LIMITS;
use crate::{Attempts, Catalog, DeploymentRow, Format, ServiceRow, World, run};

const PARTITIONS: u16 = 2;
/// The moment that all queries see.
pub const NOW_MS: u64 = 1_795_333_000_000;
/// What is registered.
pub const DEPLOYMENT: DeploymentId = DeploymentId(7);
/// Stands for the secret part of an awakeable id.
pub const SECRET: &str = "SECRETSECRETSECRETSECRETSEC";

/// The id of the n-th invocation; even ones lie in the first partition.
pub fn id(number: u64) -> InvocationId {
    let half = if number.is_multiple_of(2) { 0 } else { 1 << 63 };
    InvocationId::from_parts(half + number, u128::from(number))
}

/// A store with `count` plain invocations in all states, taken in turn, and some of everything else.
pub fn world(count: u64) -> World {
    let store = MemoryStore::new(PARTITIONS);
    let mut batches = [Batch::default(), Batch::default()];
    for number in 0..count {
        invocation(batch_of(&mut batches, id(number)), number);
    }
    if count > 0 {
        keyed(&mut batches);
    }
    seen(&store, &batches)
}

/// A store with these rows alone, in its first partition.
pub fn world_of(rows: &[(Bytes, Bytes)]) -> World {
    let mut batches = [Batch::default(), Batch::default()];
    for (key, value) in rows {
        batches[0].put(key.clone(), value.clone());
    }
    seen(&MemoryStore::new(PARTITIONS), &batches)
}

fn seen(store: &MemoryStore, batches: &[Batch; 2]) -> World {
    for (partition, batch) in (0..).map(PartitionId).zip(batches) {
        let lease = store.acquire(partition).expect("acquire");
        let commit = Commit { partition, epoch: lease.epoch, seq: lease.last_seq + 1, batch };
        store.commit(&[commit]).remove(0).expect("commit");
    }
    let snapshot = store.snapshot().expect("snapshot");
    World::new(snapshot, Arc::new(catalog()), Arc::new(OneOpen(id(3))), NOW_MS)
}

/// Of those that run, only this one has a request open.
struct OneOpen(InvocationId);

impl Attempts for OneOpen {
    fn started_at(&self, id: InvocationId, attempt: AttemptId) -> Option<u64> {
        (id == self.0 && attempt.number == 1).then_some(NOW_MS - 250)
    }
}

fn batch_of(batches: &mut [Batch; 2], id: InvocationId) -> &mut Batch {
    &mut batches[usize::from(identity::partition_of(id, PARTITIONS))]
}

fn catalog() -> Catalog {
    let rule = Rule { concurrency: Some(3), version: 2, modified_at: NOW_MS, ..Rule::default() };
    Catalog {
        deployments: vec![DeploymentRow {
            id: DEPLOYMENT.to_string(),
            ty: "http",
            endpoint: "http://localhost:9080/".to_owned(),
            created_at_ms: NOW_MS - 5,
            protocol_version_min: 5,
            protocol_version_max: 7,
            services: vec!["Count".to_owned(), "Mail".to_owned()],
            server: Some("sdk/1.2".to_owned()),
        }],
        services: vec![ServiceRow {
            name: "Mail".to_owned(),
            revision: 3,
            public: true,
            ty: "service",
            deployment_id: DEPLOYMENT.to_string(),
        }],
        rules: Arc::new(Rules { version: 2, by_pattern: [("tenant".to_owned(), rule)].into() }),
    }
}

/// The states by turns: the number decides.
const STATES: [Status; 7] = [
    Status::Completed,
    Status::Suspended,
    Status::BackingOff,
    Status::Running,
    Status::Scheduled,
    Status::Paused,
    Status::Queued,
];

fn invocation(batch: &mut Batch, number: u64) {
    let id = id(number);
    let status = STATES[usize::try_from(number % 7).expect("small")];
    let mut record = InvocationRecord {
        service: "Mail".to_owned(),
        handler: "send".to_owned(),
        kind: Kind::Plain as i32,
        status: status as i32,
        created_at: NOW_MS - 1_000_000 + number,
        modified_at: NOW_MS - 1_000,
        journal_len: 2,
        commands_len: 2,
        attempt: 1,
        completion_retention_ms: 86_400_000,
        journal_retention_ms: 4_500,
        ..InvocationRecord::default()
    };
    match status {
        Status::Completed => {
            record.completed_at = NOW_MS - 10;
            record.result = Some(StoredResult {
                failure: Some(Failure { code: 409, message: "killed".into(), metadata: vec![] }),
                ..StoredResult::default()
            });
        }
        Status::Suspended => {
            let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            record.trace = TraceContext::parse(parent, None).map(Box::new);
            record.awaiting = Some(Future {
                waiting_signals: vec![1, 17],
                waiting_completions: vec![3],
                ..Future::default()
            });
            let wait = StoredWait {
                kind: 1,
                index: 17,
                since: NOW_MS - 60_000,
                attempt: 1,
                service: "Mail".to_owned(),
                handler: "send".to_owned(),
                scope: (number == 1).then(|| "tenant".to_owned()),
                ..StoredWait::default()
            };
            batch.put(keys::wait(wait.since, id, 1, 0), encode(&wait));
            record.waits = vec![wait];
        }
        Status::BackingOff => {
            failing(batch, id, &mut record);
            batch.put(keys::in_flight(id), Bytes::new());
        }
        Status::Running => batch.put(keys::in_flight(id), Bytes::new()),
        Status::Scheduled => {
            record.start_at = Some(NOW_MS + 60_000);
            record.attempt = 0;
        }
        _ => {}
    }
    batch.put(keys::invocation(id), encode(&record));
    journal(batch, id);
}

fn failing(batch: &mut Batch, id: InvocationId, record: &mut InvocationRecord) {
    let failure = StoredFailure {
        code: 500,
        message: "out of order".to_owned(),
        stacktrace: "at mail.ts:7".to_owned(),
        doc_code: "RT0007".to_owned(),
        command_index: Some(1),
        command_name: Some("post".to_owned()),
        command_type: Some(MessageType::RUN_COMMAND.0.into()),
        at: 0,
    };
    record.failed_attempts = 2;
    record.attempt_deployment = Bytes::copy_from_slice(&DEPLOYMENT.0.to_be_bytes());
    record.next_retry_at = Some(NOW_MS + 500);
    record.events_total = 1;
    let event = StoredEvent {
        at: NOW_MS - 7,
        after_index: 1,
        failure: Some(failure.clone()),
        paused: false,
    };
    batch.put(keys::event(id, 0), encode(&event));
    record.last_failure = Some(failure);
}

fn journal(batch: &mut Batch, id: InvocationId) {
    let input = InputCommand {
        value: Some(Value { content: Bytes::from_static(b"hi") }),
        ..InputCommand::default()
    };
    let awakeable_id = format!("sign_1{}{SECRET}", "A".repeat(32));
    let complete = CompleteAwakeableCommand { awakeable_id, ..Default::default() };
    let frames = [
        (MessageType::INPUT_COMMAND, input.encode_to_vec()),
        (MessageType::COMPLETE_AWAKEABLE_COMMAND, complete.encode_to_vec()),
    ];
    for (index, (ty, payload)) in (0..).zip(frames) {
        let entry = JournalEntry { at: NOW_MS - 900, frame: Frame::new(ty, payload.into()) };
        batch.put(keys::journal(id, index), entry.encode());
    }
}

/// An object with state, its lock and its queue; a workflow with promises.
fn keyed(batches: &mut [Batch; 2]) {
    let key = InvocationId::from_parts(identity::partition_key_of("k1"), 0);
    let batch = batch_of(batches, key);
    let instance = Instance { scope: None, service: "Count", key: "k1" };
    batch.put(keys::state(instance, b"n"), Bytes::from_static(b"42"));
    batch.put(keys::state(instance, b"raw"), Bytes::from_static(&[0xff, 0x00]));
    let holder = Bytes::copy_from_slice(id(3).as_bytes());
    batch.put(
        keys::lock(instance),
        encode(&LockRecord { holder, head: 4, tail: 6, ..LockRecord::default() }),
    );
    batch.put(keys::queue(instance, 5), Bytes::copy_from_slice(id(6).as_bytes()));
    let scoped = Instance { scope: Some("tenant"), service: "Count", key: "k1" };
    batch.put(keys::state(scoped, b"n"), Bytes::from_static(b"7"));
    batch.put(
        keys::level(&["tenant"]),
        encode(&LevelRecord { usage: 2, waiting: 4, ..LevelRecord::default() }),
    );
    let flow = Instance { scope: None, service: "Flow", key: "k1" };
    batch.put(keys::promise(flow, "open"), encode(&PromiseRecord::default()));
    let result = StoredResult { value: Bytes::from_static(b"yes"), ..StoredResult::default() };
    let kept = PromiseRecord { result: Some(result), completed_at: NOW_MS };
    batch.put(keys::promise(flow, "kept"), encode(&kept));
}

/// Counts the rows that a query reads.
pub struct Counting {
    inner: Arc<dyn Snapshot>,
    rows: AtomicUsize,
}

impl Counting {
    pub fn over(world: &World) -> (Arc<Counting>, World) {
        let inner = Arc::clone(&world.snapshot);
        let counting = Arc::new(Counting { inner, rows: AtomicUsize::new(0) });
        let snapshot: Arc<dyn Snapshot> = Arc::<Counting>::clone(&counting);
        (counting, World { snapshot, ..world.clone() })
    }

    pub fn reset(&self) {
        self.rows.store(0, Ordering::Relaxed);
    }

    pub fn rows_read(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }
}

impl Snapshot for Counting {
    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.rows.fetch_add(1, Ordering::Relaxed);
        self.inner.get(partition, key)
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let rows = self.inner.scan(partition, start, end, limit)?;
        self.rows.fetch_add(rows.len(), Ordering::Relaxed);
        Ok(rows)
    }

    fn partition_count(&self) -> u16 {
        self.inner.partition_count()
    }
}

/// Runs a query for Arrow and reads the stream back.
pub fn arrow(world: &World, text: &str) -> Vec<RecordBatch> {
    let mut answer = Vec::new();
    run(world, text, Format::Arrow, LIMITS, |piece| {
        answer.extend(piece);
        Ok(())
    })
    .expect(text);
    let reader = StreamReader::try_new(answer.as_slice(), None).expect("a schema");
    reader.map(|batch| batch.expect("a batch")).collect()
}
