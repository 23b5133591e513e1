//! One partition of a topic: its records in order, some of them on their way.
//!
//! ```text
//! queue ─▶ again ─▶ sent ─▶ durable
//!            ▲        │ refused: everything that was sent
//!            └────────┘
//! ```
//!
//! - Owns: the order, the bound on what is on its way, the pause after a record that was not taken.
//! - Invariant: a record is sent only when the one before it is taken or on its way, and the engine is
//!   told which one that is. After a refusal nothing is sent before everything sent was answered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use reveille_engine::command::Command;
use reveille_engine::effect::{Reply, Taken};
use reveille_engine::schema::Schema;
use tokio::sync::{Notify, oneshot, watch};
use tracing::{debug, info, warn};

use super::Statuses;
use super::client::Open;
use super::record::{Record, Route, Unfit};
use crate::limits;
use crate::partition::{Partitions, Refused};
use crate::registry::kafka::BAD_RECORDS;

/// What all lanes of a subscription share.
pub(super) struct Shared {
    /// Where records go.
    pub(super) route: Route,
    /// Who takes them.
    pub(super) partitions: Partitions,
    /// The latest schema.
    pub(super) schema: watch::Receiver<Arc<Schema>>,
    /// Whose records they are.
    pub(super) consumer: Open,
    /// Where problems are shown.
    pub(super) statuses: Statuses,
}

/// Records that wait in front of a lane.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    records: VecDeque<Record>,
    bytes: usize,
    paused: bool,
}

impl Waiting {
    /// True when it holds more than this part of what it may.
    fn exceeds(&self, part: usize) -> bool {
        self.records.len() > limits::KAFKA_LANE_RECORDS / part
            || self.bytes > limits::KAFKA_LANE_BYTES / part
    }
}

impl Queue {
    /// Adds a record; asks for no more of its partition when there are too many. Those that the client
    /// has handed out before it hears of that come nevertheless.
    pub(super) fn push(&self, record: Record, shared: &Shared) {
        let mut waiting = self.lock();
        let partition = record.partition;
        waiting.bytes += record.size();
        waiting.records.push_back(record);
        if waiting.exceeds(1) {
            waiting.paused = true;
            shared.flow(partition, false);
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    fn pop(&self, shared: &Shared) -> Option<Record> {
        let mut waiting = self.lock();
        let record = waiting.records.pop_front()?;
        waiting.bytes -= record.size();
        if waiting.paused && !waiting.exceeds(2) {
            waiting.paused = false;
            shared.flow(record.partition, true);
        }
        Some(record)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Asks for more records of a partition, or for none.
    fn flow(&self, partition: u32, more: bool) {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&self.route.subscription.topic, number(partition));
        let done = if more { self.consumer.resume(&list) } else { self.consumer.pause(&list) };
        if let Err(error) = done {
            // It belongs to another member of the group now, and begins anew if it comes back.
            debug!(partition, %error, "the flow of a partition of a topic was not changed");
        }
    }

    /// True when records that do not fit are passed over.
    fn skips(&self) -> bool {
        self.route.subscription.options.get(BAD_RECORDS) == Some("skip")
    }
}

/// A record that was sent, or passed over.
struct Sent {
    record: Record,
    /// `None` when it was passed over.
    answer: Option<oneshot::Receiver<Result<Reply, Refused>>>,
}

/// Why a record was not taken.
enum Trouble {
    Unfit(Unfit),
    Refused(String),
    Stopping,
}

impl Trouble {
    fn text(&self) -> String {
        match self {
            Trouble::Unfit(unfit) => unfit.to_string(),
            Trouble::Refused(text) => text.clone(),
            Trouble::Stopping => Refused::Stopping.to_string(),
        }
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Trouble {
        match refused {
            Refused::Stopping => Trouble::Stopping,
            refused => Trouble::Refused(refused.to_string()),
        }
    }
}

/// One partition of a topic.
pub(super) struct Lane {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    partition: u32,
    schema: watch::Receiver<Arc<Schema>>,
    /// To be sent before what is in the queue.
    again: VecDeque<Record>,
    sent: VecDeque<Sent>,
    /// The last offset that each partition of ours was sent since all was answered.
    last: BTreeMap<u16, u64>,
    delay: Duration,
}

impl Lane {
    /// Makes the lane of a partition.
    pub(super) fn new(shared: Arc<Shared>, queue: Arc<Queue>, partition: u32) -> Lane {
        let schema = shared.schema.clone();
        Lane {
            shared,
            queue,
            partition,
            schema,
            again: VecDeque::new(),
            sent: VecDeque::new(),
            last: BTreeMap::new(),
            delay: limits::KAFKA_RETRY_DELAY,
        }
    }

    /// Works until the server stops. Dropping it loses nothing: what is not durable is read again.
    pub(super) async fn run(mut self) {
        loop {
            let trouble = match self.fill().await {
                Ok(()) => self.next_answer(true).await.err(),
                Err(trouble) => self.finish(trouble).await,
            };
            match trouble {
                None => {}
                Some(Trouble::Stopping) => return,
                Some(trouble) => self.wait(&trouble).await,
            }
        }
    }

    /// Sends what there is, as far as the bound allows.
    async fn fill(&mut self) -> Result<(), Trouble> {
        while self.sent.len() < limits::KAFKA_IN_FLIGHT {
            let next = self.again.pop_front().or_else(|| self.queue.pop(&self.shared));
            let Some(record) = next else { break };
            self.send(record).await?;
        }
        Ok(())
    }

    async fn send(&mut self, record: Record) -> Result<(), Trouble> {
        let schema = Arc::clone(&self.schema.borrow_and_update());
        let (invoke, mut at) = match record.invoke(&self.shared.route, &schema) {
            Ok(invoke) => invoke,
            Err(unfit) if unfit.of_record() && self.shared.skips() => {
                let (subscription, partition) = (self.shared.route.id, self.partition);
                warn!(%subscription, partition, offset = record.offset, "passed over: {unfit}");
                self.shared.partitions.metrics().kafka.skipped.add(1);
                self.sent.push_back(Sent { record, answer: None });
                return Ok(());
            }
            Err(unfit) => {
                self.again.push_front(record);
                return Err(Trouble::Unfit(unfit));
            }
        };
        let id = invoke.id;
        at.previous = self.last.insert(self.shared.partitions.of(id), at.offset);
        let command = move |request| Command::TakeRecord {
            request,
            invoke: Box::new(invoke),
            at: Box::new(at),
        };
        match self.shared.partitions.begin(id, command).await {
            Ok(answer) => {
                self.sent.push_back(Sent { record, answer: Some(answer) });
                Ok(())
            }
            Err(refused) => {
                self.again.push_front(record);
                Err(refused.into())
            }
        }
    }

    /// Waits for the answer to the oldest record, or until one more can be sent.
    async fn next_answer(&mut self, more: bool) -> Result<(), Trouble> {
        let more = more && self.sent.len() < limits::KAFKA_IN_FLIGHT;
        let Some(first) = self.sent.front_mut() else {
            self.queue.arrived.notified().await;
            return Ok(());
        };
        let answer = match &mut first.answer {
            None => None,
            Some(answer) => tokio::select! {
                biased;
                answer = answer => Some(answer.unwrap_or(Err(Refused::Stopping))),
                () = self.queue.arrived.notified(), if more => return Ok(()),
            },
        };
        first.answer = None;
        match answer.map_or(Ok(None), |answer| judge(answer).map(Some)) {
            Ok(taken) => {
                if let Some(Sent { record, .. }) = self.sent.pop_front() {
                    self.taken(record, taken);
                }
                Ok(())
            }
            Err(trouble) => {
                self.take_back().await;
                Err(trouble)
            }
        }
    }

    /// A record is durable here, or passed over: so the group may know.
    fn taken(&mut self, record: Record, taken: Option<Taken>) {
        let metrics = &self.shared.partitions.metrics().kafka;
        match taken {
            Some(Taken::Created) => metrics.taken.add(1),
            Some(Taken::Joined) => {
                let (subscription, partition) = (self.shared.route.id, self.partition);
                let offset = record.offset;
                info!(%subscription, partition, offset, "its workflow key has a run already");
                metrics.joined.add(1);
            }
            Some(Taken::Before) => metrics.duplicates.add(1),
            None => {}
        }
        if let Some(span) = record.span.and_then(|span| span.end("kafka", Some(202))) {
            self.shared.partitions.tracer().record(span);
        }
        let topic = &self.shared.route.subscription.topic;
        // What the group commits is one more than what is stored so.
        let offset = i64::try_from(record.offset).unwrap_or(i64::MAX);
        if let Err(error) = self.shared.consumer.store_offset(topic, number(self.partition), offset)
        {
            // The group has given the partition to somebody else; here it is durable all the same.
            debug!(partition = self.partition, %error, "an offset was not stored for the group");
        }
        if self.delay != limits::KAFKA_RETRY_DELAY {
            self.delay = limits::KAFKA_RETRY_DELAY;
            self.shared.statuses.clear(self.shared.route.id, Some(self.partition));
        }
    }

    /// Waits for what is on its way before a record that was not sent; a trouble of that comes first.
    async fn finish(&mut self, trouble: Trouble) -> Option<Trouble> {
        while !self.sent.is_empty() {
            if let Err(earlier) = self.next_answer(false).await {
                return Some(earlier);
            }
        }
        Some(trouble)
    }

    /// After a refusal: waits for every answer, then has everything sent again from the refused one on.
    /// What was taken nevertheless is dropped as a duplicate.
    async fn take_back(&mut self) {
        let mut back = VecDeque::with_capacity(self.sent.len() + self.again.len());
        for Sent { record, answer } in self.sent.drain(..) {
            if let Some(answer) = answer {
                // The first one was answered; of the others it does not matter how.
                let _answer = answer.await;
            }
            back.push_back(record);
        }
        back.append(&mut self.again);
        self.again = back;
        self.last.clear();
    }

    /// Shows what is wrong and pauses; a change of what is registered ends the pause.
    async fn wait(&mut self, trouble: &Trouble) {
        let Some(offset) = self.again.front().map(|record| record.offset) else { return };
        let (subscription, partition, text) =
            (self.shared.route.id, self.partition, trouble.text());
        if self.shared.statuses.show(subscription, Some((partition, offset)), &text) {
            let topic = &self.shared.route.subscription.topic;
            warn!(%subscription, topic, partition, offset, "the partition waits: {text}");
        }
        self.last.clear();
        let delay = self.delay;
        self.delay = (delay * 2).min(limits::KAFKA_RETRY_DELAY_MAX);
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            changed = self.schema.changed() => {
                if changed.is_err() {
                    // The registry is gone, and with it the server.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// What an answer of a partition means.
fn judge(answer: Result<Reply, Refused>) -> Result<Taken, Trouble> {
    let refused = |text: &str| Err(Trouble::Refused(text.to_owned()));
    match answer? {
        Reply::Taken { taken, .. } => Ok(taken),
        Reply::TakenTooEarly { .. } => refused("a record before it was refused"),
        Reply::Unavailable(text) => Err(Trouble::Refused(text)),
        _ => refused("a partition gave an answer that does not fit; please report this"),
    }
}

/// A number of a partition as the client wants it.
fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
