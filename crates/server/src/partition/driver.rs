//! The driver of one partition: mailbox in, batches to the committer, effects out.
//!
//! One thread, one loop ([`Driver::run`]):
//! 1. take what is in the mailbox, what became durable and what is due,
//! 2. apply each command to the engine over the partition's own uncommitted view ([`Driver::apply`]),
//! 3. submit the open batch if anybody waits for it ([`Driver::submit`]),
//! 4. release the effects of batches that became durable ([`Driver::on_committed`]).
//!
//! With much to do the driver does not wait for a flush: effects wait, work does not, until as many
//! batches are in flight as may be and the next one is complete as well.
//! - Owns: the lease, the overlay, the open batch and those in flight.
//! - Does not own: rules (crate `engine`), flushing ([`super::committer`]), carrying out effects
//!   ([`super::effects`]).
//! - Invariant: an effect is released only when its batch, and every batch before it, is durable.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use reveille_engine::Write;
use reveille_engine::command::{AttemptFailure, AttemptId, Command};
use reveille_engine::effect::Effect;
use reveille_engine::identity::SecretKey;
use reveille_engine::schema::Schema;
use reveille_engine::tx::{Context, EngineError};
use reveille_protocol::id::InvocationId;
use reveille_store::{KEY_BYTES_MAX, Lease, PartitionId, Store, StoreError, VALUE_BYTES_MAX};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::warn;

use super::availability::{FULL_RETRY_DELAY, Mode};
use super::batch::{self, InFlight, LAZY_BATCH_DELAY, OpenBatch};
use super::census::Census;
use super::clock::Clock;
use super::committer::{Committed, Committer, Submission};
use super::effects::Outputs;
use super::handle::{Mail, Refused};
use super::observe::Origin;
use super::overlay::{Overlay, PartitionView};
use super::timers::Timers;
use crate::limits;

/// What a driver needs from the rest of the server.
pub struct DriverParts {
    /// The partition.
    pub partition: u16,
    /// Number of partitions.
    pub partitions: u16,
    /// Committed rows.
    pub store: Arc<dyn Store>,
    /// Flushes batches.
    pub committer: Committer,
    /// Everything registered.
    pub schema: watch::Receiver<Arc<Schema>>,
    /// Key of awakeable secrets.
    pub secret_key: SecretKey,
    /// Commands from everywhere.
    pub mailbox: mpsc::Receiver<Mail>,
    /// Carries out effects.
    pub outputs: Outputs,
    /// Told when only a restart of the process can help.
    pub failed: mpsc::UnboundedSender<String>,
}

/// One partition at work.
pub struct Driver {
    pub(super) parts: DriverParts,
    pub(super) lease: Lease,
    pub(super) overlay: Overlay,
    pub(super) timers: Timers,
    pub(super) census: Census,
    pub(super) clock: Clock,
    pub(super) open: OpenBatch,
    pub(super) in_flight: VecDeque<InFlight>,
    pub(super) committed: mpsc::UnboundedReceiver<Committed>,
    committed_sender: mpsc::UnboundedSender<Committed>,
    pub(super) mode: Mode,
    /// Commands applied in this turn: about as many come while the next batch is committed.
    applied: usize,
    /// Version of the concurrency rules that those who queue were last looked for with.
    pub(super) rules_version: u32,
}

impl Driver {
    /// Takes over the partition and starts again whatever was in flight. Blocks on the store. A
    /// partition with a corrupt row is opened, but stopped.
    pub fn open(parts: DriverParts) -> Result<Driver, OpenError> {
        let lease = parts.store.acquire(PartitionId(parts.partition))?;
        let (committed_sender, committed) = mpsc::unbounded_channel();
        let rules_version = parts.schema.borrow().rules.version;
        let mut driver = Driver {
            rules_version,
            parts,
            lease,
            overlay: Overlay::default(),
            timers: Timers::default(),
            census: Census::default(),
            clock: Clock::default(),
            open: OpenBatch::default(),
            in_flight: VecDeque::new(),
            committed,
            committed_sender,
            mode: Mode::Serving,
            applied: 0,
        };
        match driver.recover() {
            Ok(()) => {}
            // The other partitions can go on; this one says which row it is to whoever asks.
            Err(error @ OpenError::Engine(EngineError::Corrupt { .. })) => driver.stop_on(&error),
            Err(error) => return Err(error),
        }
        Ok(driver)
    }

    /// Where to tell that only a restart of the process can help.
    pub(super) fn failed(&self) -> mpsc::UnboundedSender<String> {
        self.parts.failed.clone()
    }

    /// Works until it is told to stop, or everyone who could tell it something is gone.
    pub async fn run(mut self) {
        let mut mail = Vec::with_capacity(limits::COMMANDS_PER_TURN);
        // What the last owner left may be due already, or become due before anyone writes to us.
        self.end_turn();
        loop {
            self.applied = 0;
            let wake_at = self.wake_at();
            let behind = self.is_behind();
            tokio::select! {
                biased;
                Some(committed) = self.committed.recv() => self.on_committed(committed),
                taken = self.parts.mailbox.recv_many(&mut mail, limits::COMMANDS_PER_TURN),
                    if !behind =>
                {
                    if taken == 0 {
                        break;
                    }
                }
                // Without its sender nothing changes any more.
                Ok(()) = self.parts.schema.changed() => self.on_schema(),
                () = sleep_until(wake_at) => {}
            }
            while let Ok(committed) = self.committed.try_recv() {
                self.on_committed(committed);
            }
            for mail in mail.drain(..) {
                if let Some(stopped) = self.on_mail(mail) {
                    self.drain().await;
                    // Whoever asked may have given up waiting.
                    let _asked = stopped.send(());
                    return;
                }
            }
            self.end_turn();
        }
        self.drain().await;
    }

    pub(super) fn end_turn(&mut self) {
        self.on_time();
        self.submit_if_due();
        self.parts.outputs.flush();
        self.publish();
    }

    /// Applies a command to the engine and adds its step to the open batch.
    pub(super) fn apply(&mut self, command: Command) {
        if let Err(error) = self.try_apply(command) {
            self.stop_on(&error.into());
        }
    }

    pub(super) fn try_apply(&mut self, command: Command) -> Result<(), EngineError> {
        let schema = Arc::clone(&self.parts.schema.borrow());
        let context = Context {
            now: self.clock.now(),
            schema: &schema,
            partition: self.parts.partition,
            partitions: self.parts.partitions,
            secret_key: &self.parts.secret_key,
            hold_ms: limits::HOLD_MS,
        };
        let view = PartitionView {
            overlay: &self.overlay,
            store: self.parts.store.as_ref(),
            partition: self.lease.partition,
        };
        let (admitted, speaker) = match command {
            Command::AttemptAdmitted { id, .. } => (Some(id), None),
            Command::Frames { id, attempt, .. } => (None, Some((id, attempt))),
            _ => (None, None),
        };
        self.applied += 1;
        let origin = Origin::of(&command);
        let step = reveille_engine::apply(&view, &context, command)?;
        if let Some(id) = admitted
            && !step.effects.iter().any(|e| matches!(e, Effect::StartAttempt(s) if s.id == id))
        {
            self.parts.outputs.forgo(id);
        }
        if !step.writes.iter().all(fits) {
            return self.refuse(step.effects, speaker);
        }
        self.observe(origin, &step);
        let seq = self.next_seq();
        for Write { key, value, fresh } in step.writes {
            self.timers.follow(&key, value.as_ref());
            self.census.follow(&key, value.as_ref());
            self.open.tally.follow(&key, value.as_ref());
            self.open.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
            self.overlay.write(seq, key.clone(), value.clone());
            self.open.batch.writes.push(reveille_store::Write { key, value, fresh });
        }
        if !self.open.batch.writes.is_empty() && self.open.since.is_none() {
            self.open.since = Some(Instant::now());
        }
        self.add_effects(step.effects);
        if self.open.bytes >= limits::BATCH_BYTES
            && self.in_flight.len() < limits::BATCHES_IN_FLIGHT
        {
            self.submit();
        }
        Ok(())
    }

    /// Drops a step with a row that does not fit into the store. What an attempt said cannot be left
    /// out from its middle, so that attempt fails.
    fn refuse(
        &mut self,
        effects: Vec<Effect>,
        speaker: Option<(InvocationId, AttemptId)>,
    ) -> Result<(), EngineError> {
        let message = "a key or value is too long to be stored, nothing was changed";
        warn!(partition = self.parts.partition, "{message}");
        self.parts.outputs.refuse_step(effects, message);
        let Some((id, attempt)) = speaker else { return Ok(()) };
        let (message, doc_code) = (message.to_owned(), "RT0017");
        let failure = AttemptFailure { code: 500, message, doc_code };
        self.try_apply(Command::AttemptFailed { id, attempt, failure })
    }

    /// Effects wait for everything that was written before them. With nothing uncommitted there is
    /// nothing to wait for.
    fn add_effects(&mut self, effects: Vec<Effect>) {
        if !self.open.batch.writes.is_empty() {
            let wanted = self.parts.outputs.places.are_wanted();
            self.open.urgent |= effects.iter().any(|effect| batch::is_urgent(effect, wanted));
            self.open.effects.extend(effects);
        } else if let Some(last) = self.in_flight.back_mut() {
            last.effects.extend(effects);
        } else {
            self.release(effects);
        }
    }

    fn next_seq(&self) -> u64 {
        self.in_flight.back().map_or(self.lease.last_seq, |batch| batch.seq) + 1
    }

    fn submit_if_due(&mut self) {
        let overdue = self.open.since.is_some_and(|since| since.elapsed() >= LAZY_BATCH_DELAY);
        if (self.open.urgent || overdue) && self.in_flight.len() < limits::BATCHES_IN_FLIGHT {
            self.submit();
        }
    }

    /// Hands the open batch to the committer.
    pub(super) fn submit(&mut self) {
        if self.open.batch.writes.is_empty() {
            return;
        }
        let seq = self.next_seq();
        let open = std::mem::take(&mut self.open);
        let batch = Arc::new(open.batch);
        let submission = Submission {
            partition: self.lease.partition,
            epoch: self.lease.epoch,
            seq,
            batch: Arc::clone(&batch),
            done: self.committed_sender.clone(),
        };
        self.in_flight.push_back(InFlight {
            seq,
            batch,
            bytes: open.bytes,
            effects: open.effects,
            tally: open.tally,
        });
        let here = self.applied <= limits::COMMIT_HERE_COMMANDS;
        if !self.parts.committer.submit(submission, here) {
            self.fail("the committer has stopped".to_owned());
        }
    }

    /// A batch is durable, or never will be.
    pub(super) fn on_committed(&mut self, committed: Committed) {
        // What was in flight when the disk became full is dropped, and so is what the store says to
        // the batches behind the one that did not fit.
        if committed.epoch != self.lease.epoch || !matches!(self.mode, Mode::Serving) {
            return;
        }
        if committed.result.is_err() {
            self.parts.outputs.metrics().batches_failed.add(1);
        }
        match committed.result {
            Ok(()) => {
                let Some(batch) = self.in_flight.pop_front() else { return };
                debug_assert_eq!(batch.seq, committed.seq, "batches become durable in order");
                self.lease.last_seq = batch.seq;
                let keys = batch.batch.writes.iter().map(|write| &write.key);
                self.overlay.committed(batch.seq, keys);
                self.count_durable(&batch.tally, batch.bytes);
                self.release(batch.effects);
            }
            Err(StoreError::Full) => {
                warn!(partition = self.parts.partition, "the disk is full, new work is refused");
                self.reset();
                self.parts.outputs.refuse_all(&Refused::Full);
                self.mode = Mode::Full { retry_at: Instant::now() + FULL_RETRY_DELAY };
            }
            Err(error) => self.stop_on(&error.into()),
        }
    }

    /// Carries out effects that are safe to show, and applies what they ask back for.
    fn release(&mut self, effects: Vec<Effect>) {
        let schema = Arc::clone(&self.parts.schema.borrow());
        for effect in effects {
            if !matches!(self.mode, Mode::Serving) {
                // What was asked back for has stopped the partition: nothing is started any more.
                return;
            }
            if let Some(command) = self.parts.outputs.carry_out(effect, &schema) {
                self.apply(command);
            }
        }
    }

    pub(super) fn on_mail(&mut self, mail: Mail) -> Option<tokio::sync::oneshot::Sender<()>> {
        match (mail, self.refused()) {
            (Mail::Stop(stopped), _) => return Some(stopped),
            (Mail::Probe(back), _) => {
                // A server that stops does not wait for it.
                let _back = back.send(());
            }
            (Mail::Ask(_, reply), Some(refused)) => {
                // Whoever asked may have given up waiting.
                let _asked = reply.send(Err(refused));
            }
            (Mail::Tell(_), Some(_)) => {}
            (Mail::Ask(command, reply), None) => {
                let request = self.parts.outputs.expect_reply(reply);
                self.apply(command(request));
            }
            (Mail::Tell(command), None) => {
                self.parts.outputs.heard_from(&command);
                self.apply(command);
            }
        }
        None
    }

    /// Makes everything durable and releases it.
    async fn drain(&mut self) {
        self.submit();
        while !self.in_flight.is_empty() {
            let Some(committed) = self.committed.recv().await else { break };
            self.on_committed(committed);
            self.submit();
        }
        self.parts.outputs.flush();
        self.parts.outputs.refuse_all(&Refused::Stopping);
    }
}

/// Why a partition could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row cannot be understood.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The store refuses the whole batch of a row that does not fit, and others have steps in it.
fn fits(Write { key, value, .. }: &Write) -> bool {
    key.len() <= KEY_BYTES_MAX && value.as_ref().is_none_or(|value| value.len() <= VALUE_BYTES_MAX)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
