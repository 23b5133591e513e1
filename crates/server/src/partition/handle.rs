//! How the rest of the server talks to the partitions.
//!
//! - Owns: routing by invocation id, the request/reply pairing and what a caller is told when a
//!   partition cannot take a command.
//! - Does not own: the partitions' threads ([`super::driver`]).
//! - Invariant: a reply reaches the caller only after the step that caused it is durable.

use std::sync::Arc;

use bytes::Bytes;
use reveille_engine::command::{Command, RequestId};
use reveille_engine::effect::Reply;
use reveille_protocol::id::InvocationId;
use tokio::sync::{mpsc, oneshot};

/// A cheap handle to all partitions of this server.
#[derive(Clone)]
pub struct Partitions {
    mailboxes: Arc<[mpsc::Sender<Mail>]>,
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
    /// A read of committed rows: `start <= key < end`, at most so many.
    Scan(Bytes, Bytes, usize, oneshot::Sender<Result<Vec<(Bytes, Bytes)>, Refused>>),
    /// Stops the partition after what is in flight is durable.
    Stop(oneshot::Sender<()>),
}

impl Partitions {
    /// Makes a handle from the mailboxes, in order of partition number.
    pub fn new(mailboxes: Vec<mpsc::Sender<Mail>>) -> Partitions {
        Partitions { mailboxes: mailboxes.into() }
    }

    /// Number of partitions.
    pub fn count(&self) -> u16 {
        u16::try_from(self.mailboxes.len()).expect("partition numbers are u16")
    }

    /// Sends a command to the partition of `id` and waits for its reply. Waits while the mailbox is
    /// full. Dropping the future forgets the reply, never the command.
    pub async fn ask(
        &self,
        id: InvocationId,
        command: impl FnOnce(RequestId) -> Command + Send + 'static,
    ) -> Result<Reply, Refused> {
        let (sender, receiver) = oneshot::channel();
        let mail = Mail::Ask(Box::new(command), sender);
        self.mailbox(id).send(mail).await.map_err(|_| Refused::Stopping)?;
        receiver.await.map_err(|_| Refused::Stopping)?
    }

    /// Sends a command whose effects need no answer. Waits while the mailbox is full; returns false
    /// when the partition has stopped.
    pub async fn tell(&self, id: InvocationId, command: Command) -> bool {
        self.mailbox(id).send(Mail::Tell(command)).await.is_ok()
    }

    /// Reads committed rows of one partition in key order, at most `limit`.
    pub async fn scan(
        &self,
        partition: u16,
        start: Bytes,
        end: Bytes,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, Refused> {
        let (sender, receiver) = oneshot::channel();
        let mail = Mail::Scan(start, end, limit, sender);
        let mailbox = &self.mailboxes[usize::from(partition)];
        mailbox.send(mail).await.map_err(|_| Refused::Stopping)?;
        receiver.await.map_err(|_| Refused::Stopping)?
    }

    /// Stops every partition after what is in flight is durable.
    pub async fn stop(&self) {
        for mailbox in self.mailboxes.iter() {
            let (sender, receiver) = oneshot::channel();
            if mailbox.send(Mail::Stop(sender)).await.is_ok() {
                // A partition that is gone already has nothing left to finish.
                let _stopped = receiver.await;
            }
        }
    }

    /// The mailbox of one partition, for messages between partitions.
    pub(crate) fn mailbox_of(&self, partition: u16) -> &mpsc::Sender<Mail> {
        &self.mailboxes[usize::from(partition)]
    }

    fn mailbox(&self, id: InvocationId) -> &mpsc::Sender<Mail> {
        let partition = reveille_engine::identity::partition_of(id, self.count());
        &self.mailboxes[usize::from(partition)]
    }
}
