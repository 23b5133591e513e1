//! Drivers over a memory store, and what is fed to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use reveille_engine::command::{AttemptId, Command, Invoke, Millis, Source, Target};
use reveille_engine::effect::{AttemptStart, Reply};
use reveille_engine::identity::SecretKey;
use reveille_engine::keys;
use reveille_engine::record::{self, InvocationRecord};
use reveille_engine::schema::{
    DeploymentSchema, HandlerKind, HandlerOptions, HandlerSchema, InputRule, OnMaxAttempts,
    OutputRule, RetryPolicy, Schema, ServiceKind, ServiceSchema,
};
use reveille_protocol::id::{DeploymentId, InvocationId};
use reveille_store::memory::MemoryStore;
use reveille_store::{Commit, Lease, PartitionId, Snapshot, Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::invoker::{Invoker, InvokerOptions};
use crate::partition::committer::Committer;
use crate::partition::effects::Outputs;
use crate::partition::handle::Mail;
use crate::partition::{Driver, DriverParts, Partitions, Refused};

pub(super) const DEPLOYMENT: DeploymentId = DeploymentId(1);

/// Repeatable random numbers.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What a [`Hooked`] store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Commit,
    Get,
    Scan,
}

/// A memory store that calls a function first.
pub(super) struct Hooked<F>(pub(super) MemoryStore, pub(super) F);

impl<F: Fn(Access) + Send + Sync + 'static> Store for Hooked<F> {
    fn acquire(&self, partition: PartitionId) -> Result<Lease, StoreError> {
        self.0.acquire(partition)
    }

    fn commit(&self, commits: &[Commit<'_>]) -> Vec<Result<(), StoreError>> {
        (self.1)(Access::Commit);
        self.0.commit(commits)
    }

    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        (self.1)(Access::Get);
        self.0.get(partition, key)
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        (self.1)(Access::Scan);
        self.0.scan(partition, start, end, limit)
    }

    fn partition_count(&self) -> u16 {
        self.0.partition_count()
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.0.snapshot()
    }
}

/// The answer to a request, once it is durable.
pub(super) type Answer = oneshot::Receiver<Result<Reply, Refused>>;

/// The only partition of a server, turned by hand.
pub(super) struct Rig {
    pub(super) driver: Driver,
    pub(super) partitions: Partitions,
    pub(super) failures: mpsc::UnboundedReceiver<String>,
    pub(super) _schema: watch::Sender<Arc<Schema>>,
}

impl Rig {
    pub(super) fn new(store: impl Store) -> Rig {
        Rig::with_places(store, 4)
    }

    pub(super) fn with_places(store: impl Store, attempts_max: usize) -> Rig {
        let store: Arc<dyn Store> = Arc::new(store);
        let (sender, mailbox) = mpsc::channel(64);
        let partitions = Partitions::new(vec![sender]);
        let (committer, _thread) =
            Committer::start(Arc::clone(&store), Arc::default()).expect("a thread");
        let (schema, watched) = watch::channel(Arc::new(schema()));
        let (failed, failures) = mpsc::unbounded_channel();
        let driver = Driver::open(DriverParts {
            partition: 0,
            partitions: 1,
            store,
            committer,
            schema: watched,
            secret_key: SecretKey([7; 32]),
            mailbox,
            outputs: outputs(&partitions, attempts_max),
            failed,
        });
        let driver = driver.expect("the partition opens");
        Rig { driver, partitions, failures, _schema: schema }
    }

    /// Asks for a later invocation: a step with writes and a reply.
    pub(super) fn ask(&mut self, number: u128, key: &str, input: usize) -> Answer {
        self.ask_for(invoke(number, key, input, Some(Millis::MAX)), false)
    }

    /// Asks for an invocation that starts at once.
    pub(super) fn ask_now(&mut self, number: u128, key: &str) -> Answer {
        self.ask_for(invoke(number, key, 0, None), false)
    }

    /// Calls: the answer is the result.
    pub(super) fn call(&mut self, number: u128, key: &str) -> Answer {
        self.ask_for(invoke(number, key, 0, None), true)
    }

    /// Kills an invocation.
    pub(super) fn kill(&mut self, number: u128) {
        let (sender, _answer) = oneshot::channel();
        let kill = move |request| Command::Kill { request, id: id(number) };
        assert!(self.driver.on_mail(Mail::Ask(Box::new(kill), sender)).is_none());
    }

    fn ask_for(&mut self, invoke: Box<Invoke>, wait: bool) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let mail =
            Mail::Ask(Box::new(move |request| Command::Invoke { request, invoke, wait }), sender);
        assert!(self.driver.on_mail(mail).is_none(), "nothing but a stop ends a partition");
        receiver
    }
}

/// Outputs of partition 0 to attempts that never find their deployment.
pub(super) fn outputs(partitions: &Partitions, attempts_max: usize) -> Outputs {
    let options = InvokerOptions::default();
    let invoker = Invoker::new(Handle::current(), partitions.clone(), options);
    Outputs::new(0, partitions.clone(), invoker, attempts_max)
}

pub(super) fn id(number: u128) -> InvocationId {
    InvocationId::from_parts(0, number)
}

pub(super) fn invoke(
    number: u128,
    key: &str,
    input: usize,
    start_at: Option<Millis>,
) -> Box<Invoke> {
    Box::new(Invoke {
        id: id(number),
        fresh: false,
        target: Target {
            scope: None,
            service: "cart".to_owned(),
            key: Some(key.to_owned()),
            handler: "add".to_owned(),
        },
        input: vec![0; input].into(),
        idempotency_key: None,
        limit_key: None,
        start_at,
        caller: None,
        source: Source::Ingress,
        trace: None,
    })
}

/// The attempt of invocation 1, whenever that was created.
pub(super) fn live_attempt(rig: &Rig) -> AttemptId {
    let key = keys::invocation(id(1));
    let row = rig.driver.parts.store.get(PartitionId(0), &key).expect("get").expect("a record");
    let record: InvocationRecord = record::decode(&key, &row).expect("a record");
    AttemptId { created_at: record.created_at, number: record.attempt }
}

/// An attempt of the only life that tests know.
pub(super) fn attempt_id(number: u32) -> AttemptId {
    AttemptId { created_at: 1, number }
}

pub(super) fn attempt(number: u128, attempt_number: u32) -> Box<AttemptStart> {
    Box::new(AttemptStart {
        id: id(number),
        attempt: attempt_id(attempt_number),
        deployment: DEPLOYMENT,
        protocol_version: 7,
        service: "cart".to_owned(),
        handler: "add".to_owned(),
        key: None,
        trace: None,
        bidirectional: true,
        hold_timeout_ms: 600_000,
        inactivity_timeout_ms: 600_000,
        abort_timeout_ms: 600_000,
        frames: Vec::new(),
    })
}

/// A key of the timer table.
pub(super) fn timer(due: Millis, number: u32) -> Bytes {
    use reveille_engine::keys::{self, Timer, TimerKind};
    keys::timer(Timer { due, kind: TimerKind::Sleep, id: id(9), number })
}

pub(super) fn schema() -> Schema {
    let options = HandlerOptions {
        inactivity_timeout_ms: 60_000,
        abort_timeout_ms: 60_000,
        journal_retention_ms: 0,
        idempotency_retention_ms: 60_000,
        workflow_retention_ms: 0,
        lazy_state: false,
        public: true,
        retry: RetryPolicy {
            initial_interval_ms: 60_000,
            factor: 1.0,
            max_interval_ms: 60_000,
            max_attempts: None,
            on_max_attempts: OnMaxAttempts::Pause,
        },
    };
    let handler = HandlerSchema {
        name: "add".to_owned(),
        kind: HandlerKind::Exclusive,
        options,
        input: InputRule { content_type: None, required: false },
        output: OutputRule { content_type: None, set_content_type_if_empty: false },
    };
    let service = ServiceSchema {
        name: "cart".to_owned(),
        kind: ServiceKind::VirtualObject,
        deployment: DEPLOYMENT,
        revision: 1,
        handlers: BTreeMap::from([(handler.name.clone(), handler)]),
    };
    let deployment = DeploymentSchema {
        id: DEPLOYMENT,
        // Nobody listens there.
        uri: "http://127.0.0.1:1/".to_owned(),
        bidirectional: true,
        http1: false,
        protocol_version: 7,
        headers: Vec::new(),
        services: vec![service.name.clone()],
        former: BTreeMap::new(),
    };
    Schema {
        services: BTreeMap::from([(service.name.clone(), service)]),
        deployments: BTreeMap::from([(DEPLOYMENT, deployment)]),
        ..Schema::default()
    }
}
