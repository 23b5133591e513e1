//! The engine: the one rule book of what happens to an invocation.
//!
//! [`apply`] takes a command and what is stored, and answers with what to store and what to do once
//! that is durable. It is pure: no I/O, clock, randomness, threads or hash order, so the same
//! commands over the same rows give the same step, in the server and in the simulator.
//!
//! An invocation moves between these states ([`record::Status`]):
//!
//! | from | on | to | rule |
//! |---|---|---|---|
//! | - | `Invoke`, later start | Scheduled | [`invoke`] |
//! | - | restart of a completed one as new | Queued, Running | [`restart`] |
//! | - | `TakeRecord` of a record not taken before | as `Invoke` | [`subscription`] |
//! | -, Scheduled | `Invoke`, start time; key locked | Queued | [`invoke`] |
//! | -, Scheduled, Queued | key free or no lock needed | Running | [`invoke`], [`attempt`] |
//! | where Running begins | a level of the scope or limit key is full | Limited | [`units`] |
//! | Limited | its turn, and it fits | Running, next attempt | [`units`] |
//! | Running | `Suspension` frame, nothing new | Suspended | [`suspend`] |
//! | Running | `Suspension` frame, something new | Running, next attempt | [`suspend`] |
//! | Running | pause, then `Suspension` frame, failed attempt or restart | Paused | [`operator`] |
//! | Suspended | awaited notification | Running, next attempt | [`journal`] |
//! | Running | failed attempt | BackingOff, Paused or Completed | [`retry`] |
//! | BackingOff | retry time, resume | Running, next attempt | [`attempt`] |
//! | BackingOff, Limited after an attempt | pause | Paused | [`operator`] |
//! | Paused | resume, cancel | Running, next attempt | [`operator`] |
//! | Running | `End` frame | Completed | [`complete`] |
//! | any but Completed | kill | Completed | [`operator`] |
//! | Scheduled, Queued, Limited before any attempt | cancel | forgotten | [`operator`] |
//! | Completed | retention over, purge | forgotten | [`retention`] |
//!
//! - Owns: status, journals and their events, timers, locks, units, promises, state, waits, the
//!   records taken from topics and the outbox.
//! - Does not own: durability (crate `store`), connections and time (crate `server`).
//! - Invariant: an effect leaves the process only after its step is committed.

pub mod attempt;
pub mod await_tree;
pub mod check;
pub mod command;
pub mod complete;
pub mod effect;
pub mod event;
pub mod frames;
pub mod identity;
pub mod invoke;
pub mod journal;
pub mod keys;
pub mod level;
pub mod lock;
pub mod mask;
pub mod memory;
pub mod message;
pub mod operator;
pub mod outbox;
pub mod record;
pub mod restart;
pub mod retention;
pub mod retry;
pub mod rules;
pub mod schema;
pub mod state_edit;
pub mod subscription;
pub mod suspend;
pub mod syscall;
pub mod timer;
pub mod trace;
pub mod tx;
pub mod units;
pub mod wait;

#[cfg(test)]
mod tests;

use bytes::Bytes;

use command::Command;
use effect::Effect;
use tx::{Context, EngineError, Tx, View};

/// A row that a step writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Its key.
    pub key: Bytes,
    /// Its value; `None` deletes it.
    pub value: Option<Bytes>,
    /// True when the partition certainly has no such row so far. A store may forget such a row without a
    /// trace when it is deleted soon, so this must never be wrong.
    pub fresh: bool,
}

/// What a command leads to.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Rows to write, each key once. Commit all or none.
    pub writes: Vec<Write>,
    /// What to do, in order, once the writes are durable.
    pub effects: Vec<Effect>,
}

/// Applies one command: reads through `view`, decides, and returns the step.
///
/// An error means that the stored data cannot be trusted or read: nothing was decided, and the
/// partition must stop. Whatever a caller or a deployment did wrong is answered within the step.
pub fn apply(
    view: &dyn View,
    context: &Context<'_>,
    command: Command,
) -> Result<Step, EngineError> {
    let mut tx = Tx::new(view, context);
    let tx_ref = &mut tx;
    match command {
        Command::Invoke { request, invoke, wait } => {
            invoke::on_invoke(tx_ref, request, *invoke, wait)?;
        }
        Command::TakeRecord { request, invoke, at } => {
            subscription::on_record(tx_ref, request, *invoke, &at)?;
        }
        Command::ForgetSubscription { request, subscription } => {
            subscription::on_forget(tx_ref, request, subscription)?;
        }
        Command::Attach { request, id } => complete::on_attach(tx_ref, request, id)?,
        Command::Output { request, id } => complete::on_output(tx_ref, request, id)?,
        Command::CompleteWait { request, wait, completion, idempotency_key } => {
            wait::on_complete(tx_ref, request, wait, completion, idempotency_key)?;
        }
        Command::DescribeWait { request, wait } => wait::on_describe(tx_ref, request, wait)?,
        Command::ReplaceWait { request, id, name, completion } => {
            wait::on_replace(tx_ref, request, id, name, completion)?;
        }
        Command::Cancel { request, id } => operator::on_cancel(tx_ref, request, id)?,
        Command::Kill { request, id } => operator::on_kill(tx_ref, request, id)?,
        Command::Pause { request, id } => operator::on_pause(tx_ref, request, id)?,
        Command::Resume { request, id, deployment } => {
            operator::on_resume(tx_ref, request, id, deployment)?;
        }
        Command::RestartAsNew { request, id, from, deployment, random } => {
            restart::on_restart_as_new(
                tx_ref,
                request,
                id,
                restart::Restart { from, deployment, random },
            )?;
        }
        Command::ReplaceState { request, edit } => state_edit::on_replace(tx_ref, request, *edit)?,
        Command::Purge { request, id } => retention::on_purge(tx_ref, request, id)?,
        Command::PurgeJournal { request, id } => {
            retention::on_purge_journal(tx_ref, request, id)?;
        }
        Command::Frames { id, attempt, frames } => frames::on_frames(tx_ref, id, attempt, frames)?,
        Command::AttemptFailed { id, attempt, failure } => {
            retry::on_attempt_failed(tx_ref, id, attempt, failure)?;
        }
        Command::AttemptIdle { id, attempt, expired } => {
            suspend::on_idle(tx_ref, id, attempt, expired)?;
        }
        Command::AttemptAdmitted { id, attempt } => attempt::on_admitted(tx_ref, id, attempt)?,
        Command::TimerDue { key } => timer::on_due(tx_ref, key)?,
        Command::RetryDue { id, attempt } => retry::on_due(tx_ref, id, attempt)?,
        Command::Deliver { from, seq, message } => outbox::on_deliver(tx_ref, from, seq, message)?,
        Command::Delivered { to, seq } => outbox::on_delivered(tx_ref, to, seq),
        Command::Recover { id } => attempt::on_recover(tx_ref, id)?,
        Command::Admit { from } => units::on_admit(tx_ref, &from)?,
    }
    let mut admitted = 0;
    loop {
        while let Some(message) = tx.next_local() {
            outbox::dispatch(&mut tx, message)?;
        }
        if !units::admit_released(&mut tx, &mut admitted)? {
            return Ok(tx.finish());
        }
    }
}
