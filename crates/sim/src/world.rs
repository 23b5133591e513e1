//! The world: virtual time, one queue of events, and everything that reacts to them.
//!
//! - Owns: the clock, the queue, the processes with their drivers, who owns which partition.
//! - Does not own: what the parts do: [`crate::turns`] drives partitions, [`crate::release`] carries
//!   out effects, [`crate::deployment`] is the SDK, [`crate::clients`] and [`crate::faults`] stir.
//! - Invariant: single-threaded, and chance comes from [`Rng`] alone: a seed is a history. Events of
//!   the same millisecond come in an order drawn by lot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use reveille_engine::command::{AttemptId, Command, Millis, RequestId};
use reveille_engine::identity::SecretKey;
use reveille_engine::schema::Schema;
use reveille_protocol::id::{AwakeableId, InvocationId};
use reveille_store::memory::{MemoryControl, MemoryStore};
use reveille_store::{Batch, Lease, StoreError};

use crate::clients::Ask;
use crate::coverage::Coverage;
use crate::deployment::Stream;
use crate::driver::{Around, Driver};
use crate::faults::Chaos;
use crate::model::Model;
use crate::mutant::Mutant;
use crate::observer::Observer;
use crate::rng::Rng;
use crate::schema;
use crate::topic::Topic;
use crate::trace::{Checked, Trace, invariant, violation};

/// When the simulated world begins.
pub const EPOCH_MS: Millis = 1_000_000;

/// A partition in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Index of the process.
    pub process: usize,
    /// The partition.
    pub partition: u16,
}

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// A client does something.
    Client,
    /// A client's request arrives.
    Ask(usize),
    /// A message between partitions arrives.
    Channel(u16, u16),
    /// Frames of a stream arrive at the server.
    FromSdk(usize),
    /// Something arrives at the SDK.
    ToSdk(usize),
    /// A side effect has been executed.
    RunDone(usize, u32),
    /// A stream may have been silent for too long.
    Idle(usize),
    /// A partition has a turn.
    Turn(At),
    /// The committer of a process flushes.
    Flush(usize),
    /// The committer of a process reports.
    Report(usize),
    /// A new process takes over what has no living owner.
    Restart,
    /// Something goes wrong.
    Fault,
    /// The disk has space again.
    DiskFree,
}

/// A batch that was submitted.
#[derive(Clone)]
pub struct Submission {
    /// The partition and its lease.
    pub lease: Lease,
    /// Its sequence number.
    pub seq: u64,
    /// Its writes.
    pub batch: Arc<Batch>,
}

/// One life of the server.
pub struct Process {
    /// Its handle of the disk.
    pub store: MemoryStore,
    /// False after a crash.
    pub alive: bool,
    /// Its partitions.
    pub drivers: BTreeMap<u16, Driver>,
    /// Batches that wait for the next flush.
    pub queue: Vec<Submission>,
    /// Outcomes that the drivers do not know yet, by flush.
    pub reports: VecDeque<Vec<(Lease, Result<(), StoreError>)>>,
}

/// Everything.
pub struct World {
    /// The time.
    pub now: Millis,
    /// Chance.
    pub rng: Rng,
    /// The mistake to make.
    pub mutant: Mutant,
    /// What happened.
    pub trace: Trace,
    /// What was reached.
    pub coverage: Coverage,
    /// What may go wrong.
    pub chaos: Chaos,
    /// The disk.
    pub control: MemoryControl,
    /// Every process so far.
    pub processes: Vec<Process>,
    /// Which process owns a partition.
    pub owners: Vec<usize>,
    /// Everything registered.
    pub schema: Arc<Schema>,
    /// Key of awakeable secrets.
    pub secret_key: SecretKey,
    /// The durable history.
    pub observer: Observer,
    /// The reference model.
    pub model: Model,
    /// Every stream so far.
    pub streams: Vec<Stream>,
    /// Every request so far.
    pub asks: Vec<Ask>,
    /// Records of a topic, and what became of them.
    pub topic: Topic,
    /// Requests that wait for a reply.
    pub requests: BTreeMap<RequestId, usize>,
    /// Messages on their way between partitions.
    pub channels: BTreeMap<(u16, u16), VecDeque<Command>>,
    /// Awakeable ids that were announced.
    pub board: Vec<AwakeableId>,
    /// Invocations that clients and handlers know, with their level.
    pub known: Vec<(InvocationId, u8)>,
    /// Invocations that were accepted.
    pub accepted: BTreeSet<InvocationId>,
    /// Failures so far of operations, by `Start.id`.
    pub stumbled: BTreeMap<Bytes, BTreeMap<usize, u32>>,
    /// Attempts that were started: their numbers are used once.
    pub started: BTreeSet<(Bytes, AttemptId)>,
    /// Awakeables that one call decided.
    pub decided: BTreeSet<(InvocationId, u32)>,
    /// Most attempts of a partition at a time.
    pub attempts_max: usize,
    /// True while the disk has no space.
    pub disk_full: bool,
    /// True when the workload has scopes and rules.
    pub scoped: bool,
    /// Steps so far.
    pub steps: u64,
    events: BTreeMap<(Millis, u64), Event>,
    event_last: u64,
    request_last: u64,
}

impl World {
    /// Builds a world and starts its first process.
    pub fn new(seed: u64, mutant: Mutant, traced: bool) -> Checked<World> {
        let mut rng = Rng::new(seed);
        let partitions = u16::try_from(rng.between(2, 3)).unwrap_or(2);
        let store = MemoryStore::new(partitions);
        let control = store.control();
        control.set_no_fence(mutant == Mutant::NoFence);
        control.set_durable_lie(mutant == Mutant::DurableLie);
        let schema = Arc::new(schema::draw(&mut rng));
        let attempts_max = if rng.one_in(3) { 3 } else { 1000 };
        let mut world = World {
            now: EPOCH_MS,
            chaos: Chaos::draw(&mut rng),
            rng,
            mutant,
            trace: Trace { on: traced, lines: Vec::new() },
            coverage: Coverage::default(),
            control,
            processes: Vec::new(),
            owners: vec![0; usize::from(partitions)],
            schema,
            secret_key: SecretKey([7; 32]),
            observer: Observer::new(partitions),
            model: Model::default(),
            streams: Vec::new(),
            asks: Vec::new(),
            topic: Topic::default(),
            requests: BTreeMap::new(),
            channels: BTreeMap::new(),
            board: Vec::new(),
            known: Vec::new(),
            accepted: BTreeSet::new(),
            stumbled: BTreeMap::new(),
            started: BTreeSet::new(),
            decided: BTreeSet::new(),
            attempts_max,
            disk_full: false,
            scoped: seed % 3 == 2,
            steps: 0,
            events: BTreeMap::new(),
            event_last: 0,
            request_last: 0,
        };
        let first = world.open_process();
        for partition in 0..partitions {
            world.take_over(At { process: first, partition })?;
        }
        Ok(world)
    }

    /// Number of partitions.
    pub fn partitions(&self) -> u16 {
        u16::try_from(self.owners.len()).unwrap_or(u16::MAX)
    }

    /// Plans an event.
    pub fn plan(&mut self, delay_ms: u64, event: Event) {
        self.event_last += 1;
        let lot = self.rng.below(1 << 24) << 32 | (self.event_last & 0xFFFF_FFFF);
        self.events.insert((self.now + delay_ms, lot), event);
    }

    /// Lets everything happen up to a time.
    pub fn run_until(&mut self, until: Millis) -> Checked {
        while let Some(entry) = self.events.first_entry() {
            let (at, _) = *entry.key();
            if at > until {
                break;
            }
            let event = entry.remove();
            self.now = self.now.max(at);
            self.steps += 1;
            if self.steps > 400_000 {
                return violation(invariant::NOT_LOST, "the world never comes to rest");
            }
            self.handle(event)?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Checked {
        match event {
            Event::Client => self.on_client(),
            Event::Ask(ask) => self.on_ask(ask),
            Event::Channel(from, to) => self.on_channel(from, to),
            Event::FromSdk(stream) => self.on_from_sdk(stream),
            Event::ToSdk(stream) => self.on_to_sdk(stream),
            Event::RunDone(stream, id) => self.on_run_done(stream, id),
            Event::Idle(stream) => self.on_idle(stream),
            Event::Turn(at) => self.on_turn(at),
            Event::Flush(process) => self.on_flush(process),
            Event::Report(process) => self.on_report(process),
            Event::Restart => self.on_restart(),
            Event::Fault => self.on_fault(),
            Event::DiskFree => {
                self.set_disk_full(false);
                Ok(())
            }
        }
    }

    /// Records a line of the trace.
    pub fn say(&mut self, text: impl FnOnce() -> String) {
        self.trace.line(self.now - EPOCH_MS, text);
    }

    /// Where a partition is served now, if it is.
    pub fn serving(&self, partition: u16) -> Option<At> {
        let at = At { process: self.owners[usize::from(partition)], partition };
        self.is_serving(at).then_some(at)
    }

    /// True when a driver takes commands.
    pub fn is_serving(&self, at: At) -> bool {
        let process = &self.processes[at.process];
        let driver = process.drivers.get(&at.partition);
        process.alive && driver.is_some_and(|d| d.mode == crate::driver::Mode::Serving)
    }

    /// Every partition of every living process, superseded or not.
    pub fn everywhere(&self) -> Vec<At> {
        let living = self.processes.iter().enumerate().filter(|(_, process)| process.alive);
        living
            .flat_map(|(number, process)| {
                process
                    .drivers
                    .keys()
                    .map(move |partition| At { process: number, partition: *partition })
            })
            .collect()
    }

    /// The driver of a partition and what it needs.
    pub fn driver(&mut self, at: At) -> Option<(&mut Driver, Around<'_>)> {
        let process = &mut self.processes[at.process];
        let driver = process.drivers.get_mut(&at.partition)?;
        let around = Around {
            now: self.now,
            schema: &self.schema,
            partitions: u16::try_from(self.owners.len()).unwrap_or(u16::MAX),
            secret_key: &self.secret_key,
            store: &process.store,
            mutant: self.mutant,
        };
        Some((driver, around))
    }

    /// A request number that was never used.
    pub fn next_request(&mut self) -> RequestId {
        self.request_last += 1;
        RequestId(self.request_last)
    }
}
