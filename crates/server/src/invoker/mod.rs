//! The invoker: one task per live attempt, streams multiplexed over pooled connections.
//!
//! Start at [`Invoker::start`], then `attempt.rs`: it opens an `exchange` through the `pool`,
//! writes what `outgoing` holds, judges the `response` and tells the partition what arrives.
//! - Owns: connections to deployments (`pool`, `http1`), the tasks of attempts (`attempt`), the
//!   texts of failed attempts (`failure`), discovery requests ([`discovery`]) and what both have in
//!   common ([`Outbound`]).
//! - Does not own: what a frame means (crate `engine`) or when an attempt may start
//!   ([`crate::partition`]).
//! - Invariant: whatever happens on the stream, the partition hears exactly one end of each attempt:
//!   a terminal frame or an [`reveille_engine::command::Command::AttemptFailed`]. Of an attempt
//!   that it aborted itself it hears nothing more.

mod attempt;
mod call;
pub(crate) mod connect;
pub mod discovery;
mod exchange;
mod failure;
mod http1;
pub(crate) mod local;
mod open;
mod outbound;
mod outgoing;
mod pool;
mod quiet;
mod response;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use reveille_engine::command::{AttemptId, Command};
use reveille_engine::effect::AttemptStart;
use reveille_engine::schema::DeploymentSchema;
use reveille_protocol::frame::Frame;
use reveille_protocol::id::InvocationId;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::limits;
use crate::partition::Partitions;

pub use self::local::{
    LocalDeployment, LocalDeployments, LocalRequest, LocalResponse, RequestReset,
};
pub use self::outbound::Outbound;
pub(crate) use connect::dial;

use self::attempt::Attempt;
pub use self::open::OpenAttempts;
use self::pool::{ConnectionTimes, Pool};

/// What a partition tells a live attempt.
#[derive(Debug)]
pub enum ToAttempt {
    /// Write this frame to the request stream.
    Frame(Frame),
    /// Half-close the request stream: the deployment is asked to suspend.
    CloseInput,
    /// The engine has taken the terminal frame: half-close if need be and let the response end.
    End,
    /// Reset the stream at once.
    Abort,
}

/// The partition's end of a live attempt. Dropping it means [`ToAttempt::Abort`].
///
/// After the attempt reported its end the receiver may be gone at any time: a failed send then
/// means nothing.
#[derive(Debug)]
pub struct AttemptHandle {
    /// Bounded by [`crate::limits::ATTEMPT_MAILBOX_LEN`]; the partition never waits on it.
    pub sender: mpsc::Sender<ToAttempt>,
    /// Its drop is noticed even by an attempt whose deployment does not read, which takes nothing
    /// more from its channel.
    _wanted: oneshot::Sender<Infallible>,
}

/// The attempt's end of an [`AttemptHandle`].
struct Inbox {
    told: mpsc::Receiver<ToAttempt>,
    unwanted: oneshot::Receiver<Infallible>,
}

impl Inbox {
    /// Takes the next message; `None` when the handle was dropped. With `busy`, messages stay where
    /// they are, so that they are bounded, and only the drop of the handle is noticed.
    fn poll(&mut self, busy: bool, cx: &mut Context<'_>) -> Poll<Option<ToAttempt>> {
        if busy {
            return Pin::new(&mut self.unwanted).poll(cx).map(|_dropped| None);
        }
        self.told.poll_recv(cx)
    }
}

/// Notes that the task of an attempt ended, and tells the partition when that was a panic: nothing else
/// would end the attempt there.
struct Obituary {
    shared: Arc<Shared>,
    id: InvocationId,
    attempt: AttemptId,
}

impl Drop for Obituary {
    fn drop(&mut self) {
        self.shared.open.closed(self.id, self.attempt);
        if !std::thread::panicking() {
            return;
        }
        let (id, attempt, shared) = (self.id, self.attempt, Arc::clone(&self.shared));
        let command = Command::AttemptFailed { id, attempt, failure: failure::internal() };
        self.shared.runtime.spawn(async move {
            // Nobody needs it once the partition has stopped.
            let _stopped = shared.partitions.tell(id, command).await;
        });
    }
}

/// Settings of the invoker.
#[derive(Clone, Debug)]
pub struct InvokerOptions {
    /// Largest payload of a message accepted from a deployment, in bytes.
    pub message_size_limit: usize,
    /// How deployments are reached.
    pub outbound: Outbound,
}

impl Default for InvokerOptions {
    fn default() -> InvokerOptions {
        InvokerOptions {
            message_size_limit: limits::MESSAGE_BYTES_DEFAULT,
            outbound: Outbound::default(),
        }
    }
}

/// Starts attempts. Clones share one pool of connections.
#[derive(Clone)]
pub struct Invoker {
    shared: Arc<Shared>,
}

/// What all attempts share.
struct Shared {
    runtime: Handle,
    partitions: Partitions,
    options: InvokerOptions,
    pool: Pool,
    open: Arc<OpenAttempts>,
}

impl Invoker {
    /// Makes an invoker whose tasks run on `runtime` and report to `partitions`.
    pub fn new(runtime: Handle, partitions: Partitions, options: InvokerOptions) -> Invoker {
        Invoker::with_times(runtime, partitions, options, ConnectionTimes::default())
    }

    fn with_times(
        runtime: Handle,
        partitions: Partitions,
        options: InvokerOptions,
        times: ConnectionTimes,
    ) -> Invoker {
        let pool = Pool::new(runtime.clone(), times, options.outbound.clone());
        let open = Arc::default();
        Invoker { shared: Arc::new(Shared { runtime, partitions, options, pool, open }) }
    }

    /// Which attempts are open.
    pub fn open_attempts(&self) -> Arc<OpenAttempts> {
        Arc::clone(&self.shared.open)
    }

    /// Starts the task of an attempt. Never blocks and needs no runtime on the calling thread.
    ///
    /// A deployment that is called with HTTP/1.1 gets a complete request whatever
    /// [`AttemptStart::bidirectional`] says, so its schema should not call it bidirectional: a
    /// frame that is forwarded to such an attempt ends it as failed.
    pub fn start(&self, start: Box<AttemptStart>, deployment: &DeploymentSchema) -> AttemptHandle {
        let (sender, inbox) = mpsc::channel(limits::ATTEMPT_MAILBOX_LEN);
        let (wanted, unwanted) = oneshot::channel();
        let inbox = Inbox { told: inbox, unwanted };
        let attempt = Attempt::new(self.shared.clone(), start, deployment, inbox);
        self.shared.runtime.spawn(Box::new(attempt).run());
        AttemptHandle { sender, _wanted: wanted }
    }
}
