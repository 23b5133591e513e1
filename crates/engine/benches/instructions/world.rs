//! A partition with invocations that have ended, and the commands that cases send it.
//!
//! - Owns: the schema, ids, the counted call of [`apply`].
//! - Invariant: a command is counted over the rows as they are, and only then committed. `apply` is
//!   pure, so the first time leaves no trace.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use reveille_engine::apply;
use reveille_engine::command::{AttemptId, Command, Invoke, Source, Target};
use reveille_engine::effect::AttemptStart;
use reveille_engine::identity::{SecretKey, fresh_id};
use reveille_engine::memory::{Demand, MemoryPartition};
use reveille_engine::schema::{
    DeploymentSchema, HandlerKind, HandlerOptions, HandlerSchema, InputRule, OnMaxAttempts,
    OutputRule, RetryPolicy, Schema, ServiceKind, ServiceSchema,
};
use reveille_engine::tx::{Context, View, ViewError};
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::{DeploymentId, InvocationId};
use reveille_protocol::message::{InputCommand, OutputCommand, Value, output_command};

use crate::counted;

/// Invocations that have ended and are kept.
const RETAINED: u64 = 500;
const NOW: u64 = 1_700_000_000_000;
pub const SECRET_KEY: SecretKey = SecretKey([7; 32]);

/// A partition, and what a case needs to send it commands.
pub struct World {
    partition: MemoryPartition,
    schema: Arc<Schema>,
    /// Invocations so far.
    invocations: u64,
}

struct Rows<'a>(&'a BTreeMap<Bytes, Bytes>);

impl View for Rows<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, ViewError> {
        let range = Bytes::copy_from_slice(start)..Bytes::copy_from_slice(end);
        Ok(self.0.range(range).take(limit).map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}

impl World {
    /// Makes a partition in which invocations have ended.
    pub fn new() -> World {
        let schema = Arc::new(schema());
        let partition = MemoryPartition::new(Arc::clone(&schema), SECRET_KEY, NOW);
        let mut world = World { partition, schema, invocations: 0 };
        for _ in 0..RETAINED {
            let (id, attempt) = world.running();
            world.commit(frames(id, attempt, output_and_end()));
            world.ended();
        }
        world
    }

    /// Makes the command that invokes the handler once more and waits for its result.
    pub fn invoke(&mut self) -> Command {
        self.invocations += 1;
        let number = self.invocations;
        // Spread over the keys of the partition as random ids are.
        let placement = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let invoke = Invoke {
            id: fresh_id(None, placement, NOW, u128::from(number)),
            fresh: true,
            target: Target {
                scope: None,
                service: "Greeter".to_owned(),
                key: None,
                handler: "greet".to_owned(),
            },
            input: input(),
            idempotency_key: None,
            limit_key: None,
            start_at: None,
            caller: None,
            source: Source::Ingress,
            trace: None,
        };
        let request = self.partition.request();
        Command::Invoke { request, invoke: Box::new(invoke), wait: true }
    }

    /// Counts a command, then commits it.
    pub fn count(&mut self, command: Command) {
        let rows = Rows(self.partition.rows());
        let context = Context {
            now: NOW,
            schema: &self.schema,
            partition: 0,
            partitions: 1,
            secret_key: &SECRET_KEY,
            hold_ms: 250,
        };
        let same = command.clone();
        let step = counted(|| apply(black_box(&rows), black_box(&context), same));
        let step = step.expect("the rows are sound");
        assert!(!step.writes.is_empty(), "nothing was decided");
        self.commit(command);
    }

    /// Commits a command that is not counted.
    pub fn commit(&mut self, command: Command) {
        self.partition.submit(command).expect("the rows are sound");
    }

    /// Invokes the handler; returns its attempt.
    pub fn running(&mut self) -> (InvocationId, AttemptId) {
        let command = self.invoke();
        self.commit(command);
        let start = self.started();
        (start.id, start.attempt)
    }

    /// Takes the attempt that was started.
    pub fn started(&mut self) -> Box<AttemptStart> {
        match self.partition.next_demand() {
            Some(Demand::Start(start)) => start,
            other => panic!("no attempt was started, but {other:?}"),
        }
    }

    /// Takes the frame that was sent to an attempt.
    pub fn forwarded(&mut self) -> Frame {
        match self.partition.next_demand() {
            Some(Demand::Frame(_, _, frame)) => frame,
            other => panic!("no frame was sent, but {other:?}"),
        }
    }

    /// Takes the half-close of an attempt that was asked to suspend.
    pub fn asked_to_suspend(&mut self) {
        let demand = self.partition.next_demand();
        assert!(matches!(demand, Some(Demand::CloseInput(..))), "{demand:?}");
    }

    /// Takes the end of an attempt.
    pub fn ended(&mut self) {
        let demand = self.partition.next_demand();
        assert!(matches!(demand, Some(Demand::End(..))), "{demand:?}");
    }

    /// Makes a name for whoever waits for a reply.
    pub fn request(&mut self) -> reveille_engine::command::RequestId {
        self.partition.request()
    }
}

/// Makes the command for frames that arrived together.
pub fn frames<const N: usize>(id: InvocationId, attempt: AttemptId, frames: [Frame; N]) -> Command {
    Command::Frames { id, attempt, frames: frames.into() }
}

/// What a handler without steps sends.
pub fn output_and_end() -> [Frame; 2] {
    let value = Value { content: Bytes::from_static(b"\"Hello, World!\"") };
    let output =
        OutputCommand { result: Some(output_command::Result::Value(value)), name: String::new() };
    [
        Frame::message(MessageType::OUTPUT_COMMAND, &output),
        Frame::new(MessageType::END, Bytes::new()),
    ]
}

fn input() -> Bytes {
    let value = Value { content: Bytes::from_static(b"\"World\"") };
    let input = InputCommand { value: Some(value), ..InputCommand::default() };
    Frame::message(MessageType::INPUT_COMMAND, &input).payload
}

fn schema() -> Schema {
    let handler = HandlerSchema {
        name: "greet".to_owned(),
        kind: HandlerKind::Plain,
        options: HandlerOptions {
            inactivity_timeout_ms: 60_000,
            abort_timeout_ms: 60_000,
            journal_retention_ms: 86_400_000,
            idempotency_retention_ms: 86_400_000,
            workflow_retention_ms: 86_400_000,
            lazy_state: false,
            public: true,
            retry: RetryPolicy {
                initial_interval_ms: 50,
                factor: 2.0,
                max_interval_ms: 10_000,
                max_attempts: None,
                on_max_attempts: OnMaxAttempts::Pause,
            },
        },
        input: InputRule { content_type: None, required: false },
        output: OutputRule { content_type: None, set_content_type_if_empty: false },
    };
    let deployment = DeploymentSchema {
        id: DeploymentId(1),
        uri: "http://localhost:9080/".to_owned(),
        bidirectional: true,
        http1: false,
        protocol_version: 7,
        headers: Vec::new(),
        services: vec!["Greeter".to_owned()],
        former: BTreeMap::new(),
    };
    let service = ServiceSchema {
        name: "Greeter".to_owned(),
        kind: ServiceKind::Service,
        deployment: deployment.id,
        revision: 1,
        handlers: BTreeMap::from([("greet".to_owned(), handler)]),
    };
    Schema {
        services: BTreeMap::from([(service.name.clone(), service)]),
        deployments: BTreeMap::from([(deployment.id, deployment)]),
        rules: Arc::default(),
    }
}
