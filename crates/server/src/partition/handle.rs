//! How the rest of the server talks to the partitions.
//!
//! - Owns: routing by invocation id, the request/reply pairing and what a caller is told when a
//!   partition cannot take a command.
//! - Does not own: the partitions' threads ([`super::driver`]).
//! - Invariant: a reply reaches the caller only after the step that caused it is durable.

use std::sync::Arc;
use std::time::Instant;

use reveille_engine::command::{Command, RequestId};
use reveille_engine::effect::Reply;
use reveille_protocol::id::InvocationId;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::metrics::Metrics;
use crate::metrics::seldom::Seldom;
use crate::traces::Tracer;

/// A cheap handle to all partitions of this server.
#[derive(Clone)]
pub struct Partitions {
    shared: Arc<Shared>,
}

struct Shared {
    mailboxes: Box<[mpsc::Sender<Mail>]>,
    metrics: Metrics,
    tracer: Tracer,
    full: Seldom,
}

/// Why a partition did not take a command. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The disk is full. Retry when space is free again.
    #[error("the data directory is full, new work is refused until space is free again")]
    Full,
    /// The server is stopping. Retry against the next one.
    #[error("the server is stopping, retry in a moment")]
    Stopping,
    /// The partition met a corrupt record or lost its lease. An operator must look at the log.
    #[error("partition {0} is stopped: {1}")]
    Stopped(u16, String),
}

/// What arrives in a partition's mailbox.
pub enum Mail {
    /// A command whose reply somebody waits for.
    Ask(Box<dyn FnOnce(RequestId) -> Command + Send>, oneshot::Sender<Result<Reply, Refused>>),
    /// A command nobody waits for.
    Tell(Command),
    /// Nothing but a sign that it came so far.
    Probe(oneshot::Sender<()>),
    /// Stops the partition after what is in flight is durable.
    Stop(oneshot::Sender<()>),
}

impl Partitions {
    /// Makes a handle from the mailboxes, in order of partition number.
    pub fn new(mailboxes: Vec<mpsc::Sender<Mail>>) -> Partitions {
        let count = u16::try_from(mailboxes.len()).expect("partition numbers are u16");
        Partitions::observed(mailboxes, Metrics::new(count), Tracer::default())
    }

    /// Makes a handle from the mailboxes, with cells for as many partitions, and with a tracer.
    pub fn observed(
        mailboxes: Vec<mpsc::Sender<Mail>>,
        metrics: Metrics,
        tracer: Tracer,
    ) -> Partitions {
        let (mailboxes, full) = (mailboxes.into(), Seldom::default());
        Partitions { shared: Arc::new(Shared { mailboxes, metrics, tracer, full }) }
    }

    /// Number of partitions.
    pub fn count(&self) -> u16 {
        u16::try_from(self.shared.mailboxes.len()).expect("partition numbers are u16")
    }

    /// What everyone who works with these partitions counts.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Where everyone who works with these partitions leaves spans.
    pub fn tracer(&self) -> &Tracer {
        &self.shared.tracer
    }

    /// Commands that wait in front of a partition.
    pub fn mailbox_len(&self, partition: u16) -> usize {
        let mailbox = self.mailbox_of(partition);
        mailbox.max_capacity() - mailbox.capacity()
    }

    /// Sends a command to the partition of `id` and waits for its reply. Waits while the mailbox is
    /// full. Dropping the future forgets the reply, never the command.
    pub fn ask(
        &self,
        id: InvocationId,
        command: impl FnOnce(RequestId) -> Command + Send + 'static,
    ) -> impl Future<Output = Result<Reply, Refused>> + Send {
        self.ask_partition(self.of(id), command)
    }

    /// Sends a command to the partition of `id`, and returns where its reply will come. Commands that
    /// one caller sends one after the other arrive in that order.
    pub async fn begin(
        &self,
        id: InvocationId,
        command: impl FnOnce(RequestId) -> Command + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<Reply, Refused>>, Refused> {
        let (sender, receiver) = oneshot::channel();
        match self.send(self.of(id), Mail::Ask(Box::new(command), sender)).await {
            true => Ok(receiver),
            false => Err(Refused::Stopping),
        }
    }

    /// Sends a command to one partition, whatever it is about, and waits for its reply.
    pub fn ask_partition(
        &self,
        partition: u16,
        command: impl FnOnce(RequestId) -> Command + Send + 'static,
    ) -> impl Future<Output = Result<Reply, Refused>> + Send {
        // Boxed before the future begins: one for each open request is as large as what it holds.
        let command: Box<dyn FnOnce(RequestId) -> Command + Send> = Box::new(command);
        async move {
            let (sender, receiver) = oneshot::channel();
            if !self.send(partition, Mail::Ask(command, sender)).await {
                return Err(Refused::Stopping);
            }
            receiver.await.map_err(|_| Refused::Stopping)?
        }
    }

    /// Sends a command whose effects need no answer. Waits while the mailbox is full; returns false
    /// when the partition has stopped.
    pub async fn tell(&self, id: InvocationId, command: Command) -> bool {
        self.send(self.of(id), Mail::Tell(command)).await
    }

    /// Goes the way of a command to one partition and back, and changes nothing.
    pub async fn probe(&self, partition: u16) {
        let (sender, receiver) = oneshot::channel();
        if self.send(partition, Mail::Probe(sender)).await {
            // One that is dropped has come to an end, too: the partition stops.
            let _back = receiver.await;
        }
    }

    /// Stops every partition after what is in flight is durable.
    pub async fn stop(&self) {
        for mailbox in &self.shared.mailboxes {
            let (sender, receiver) = oneshot::channel();
            if mailbox.send(Mail::Stop(sender)).await.is_ok() {
                // A partition that is gone already has nothing left to finish.
                let _stopped = receiver.await;
            }
        }
    }

    /// The mailbox of one partition, for messages between partitions.
    pub(crate) fn mailbox_of(&self, partition: u16) -> &mpsc::Sender<Mail> {
        &self.shared.mailboxes[usize::from(partition)]
    }

    /// The partition of an invocation.
    pub(crate) fn of(&self, id: InvocationId) -> u16 {
        reveille_engine::identity::partition_of(id, self.count())
    }

    /// Sends at once, or waits for room. Returns false when the partition has stopped.
    fn send(&self, partition: u16, mail: Mail) -> impl Future<Output = bool> + Send {
        let mailbox = self.mailbox_of(partition);
        let sent = match mailbox.try_send(mail) {
            Ok(()) => Ok(true),
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(false),
            Err(mpsc::error::TrySendError::Full(mail)) => {
                self.shared.metrics.mailbox_full.add(1);
                if let Some(more) = self.shared.full.allow(Instant::now()) {
                    warn!(partition, more, "the mailbox is full, commands wait for room");
                }
                // Seldom, so there is no room for it in what waits for an answer.
                Err(Box::pin(mailbox.send(mail)))
            }
        };
        async {
            match sent {
                Ok(sent) => sent,
                Err(sending) => sending.await.is_ok(),
            }
        }
    }
}
