//! Deliberate mistakes: each switches off one durability wait or one fence.
//!
//! They exist so that the checkers can prove that they would notice. Those that concern the store
//! are switches of the memory store, the others are read by the driver model.

use bytes::Bytes;
use reveille_engine::Write;
use reveille_engine::command::StateEdit;
use reveille_engine::effect::Effect;
use reveille_engine::keys::{self, Instance, tag};
use reveille_engine::tx::{View, ViewError};
use reveille_server::partition::timers::Timers;

/// One mistake. [`Mutant::None`] is the correct program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// No mistake.
    None,
    /// Effects are released with the step, not with its durable batch.
    EffectsAtOnce,
    /// Effects of a step that only reads do not wait for the uncommitted rows that it read.
    ReadsAtOnce,
    /// Effects are released when the batch before theirs is durable.
    OneBatchEarly,
    /// Replies do not wait.
    ReplyAtOnce,
    /// Attempts start before their start is durable.
    StartAtOnce,
    /// Notifications and run acknowledgements do not wait.
    ForwardAtOnce,
    /// Results do not wait.
    CompletedAtOnce,
    /// Messages to other partitions do not wait.
    SendAtOnce,
    /// The receipt of a message is confirmed before it is durable.
    AcknowledgeAtOnce,
    /// Uncommitted rows are forgotten when they are submitted.
    OverlayForgotten,
    /// The store lets in commits of superseded owners.
    NoFence,
    /// The store acknowledges what a crash takes back.
    DurableLie,
    /// Frames of superseded attempts are fed as if they came from the live one.
    StaleFrames,
    /// Recovery does not read the in-flight marks.
    InFlightForgotten,
    /// Recovery does not read the outbox.
    OutboxForgotten,
    /// Recovery does not read the timer table.
    TimersForgotten,
    /// A repeated delivery is taken for a new message.
    NoDedup,
    /// An outbox message is not sent again when the receiver lost it without a restart of the sender.
    NoResend,
    /// A superseded owner takes a fenced commit for a durable one.
    FencedIsDurable,
    /// A commit that met a full disk counts as durable.
    FullIsDurable,
    /// After a full disk the rows that were refused stay in the view.
    RefusedRowsKept,
    /// Outcomes of batches behind the one that met the full disk stop the partition.
    LateOutcomeStops,
    /// Frames of a former life of the same id are taken for those of the present one, whose attempt
    /// numbers begin at 1 again.
    FormerLifeHeard,
    /// A restart keeps the input alone, whatever was asked for.
    RestartFromInput,
    /// A state edit is confirmed and not written down.
    EditForgotten,
    /// A state edit does not wait for the handler that may write.
    EditUnderHandler,
    /// After a take-over the timers are read only when something else happens.
    NoFirstTurn,
    /// Partitions do not hear of new rules.
    RulesUnheard,
    /// Those for whom a step had no room left are not looked for again.
    AdmissionsForgotten,
    /// Limits are not looked at.
    LimitsIgnored,
    /// The offset of a record is not in the batch of its invocation.
    OffsetForgotten,
    /// A row that is written again is said to be new.
    FalselyFresh,
}

impl Mutant {
    /// Every mistake.
    pub const ALL: &[Mutant] = &[
        Mutant::EffectsAtOnce,
        Mutant::ReadsAtOnce,
        Mutant::OneBatchEarly,
        Mutant::ReplyAtOnce,
        Mutant::StartAtOnce,
        Mutant::ForwardAtOnce,
        Mutant::CompletedAtOnce,
        Mutant::SendAtOnce,
        Mutant::AcknowledgeAtOnce,
        Mutant::OverlayForgotten,
        Mutant::NoFence,
        Mutant::DurableLie,
        Mutant::StaleFrames,
        Mutant::InFlightForgotten,
        Mutant::OutboxForgotten,
        Mutant::TimersForgotten,
        Mutant::NoDedup,
        Mutant::NoResend,
        Mutant::FencedIsDurable,
        Mutant::FullIsDurable,
        Mutant::RefusedRowsKept,
        Mutant::LateOutcomeStops,
        Mutant::FormerLifeHeard,
        Mutant::RestartFromInput,
        Mutant::EditForgotten,
        Mutant::EditUnderHandler,
        Mutant::NoFirstTurn,
        Mutant::RulesUnheard,
        Mutant::AdmissionsForgotten,
        Mutant::LimitsIgnored,
        Mutant::OffsetForgotten,
        Mutant::FalselyFresh,
    ];
}

/// A timer window that takes the table for read.
pub fn forgetful() -> Timers {
    struct Empty;
    impl View for Empty {
        fn get(&self, _: &[u8]) -> Result<Option<Bytes>, ViewError> {
            Ok(None)
        }
        fn scan(&self, _: &[u8], _: &[u8], _: usize) -> Result<Vec<(Bytes, Bytes)>, ViewError> {
            Ok(Vec::new())
        }
    }
    let mut timers = Timers::default();
    // The view is empty, so this cannot fail and leaves the horizon at the end.
    let _filled = timers.refill(&Empty);
    timers
}

/// Rows of a step.
type Writes = Vec<Write>;

/// What becomes of the rows of a step under a mistake; `edit` is the state edit that it carries out.
pub fn mislay(mut writes: Writes, edit: Option<&StateEdit>, mutant: Mutant) -> Writes {
    match mutant {
        Mutant::OffsetForgotten => {
            writes.retain(|write| write.key.first() != Some(&tag::OFFSET));
        }
        Mutant::FalselyFresh => {
            writes.iter_mut().for_each(|write| write.fresh = write.value.is_some());
        }
        _ => {}
    }
    let Some(edit) = edit else { return writes };
    let waits = writes.iter().any(|write| write.key.first() == Some(&tag::STATE_EDIT));
    match mutant {
        Mutant::EditForgotten => Vec::new(),
        Mutant::EditUnderHandler if waits => {
            let instance = Instance { scope: None, service: &edit.service, key: &edit.key };
            let rows = edit.entries.iter();
            let state = |(name, value): (&Bytes, &Bytes)| Write {
                key: keys::state(instance, name),
                value: Some(value.clone()),
                fresh: false,
            };
            rows.map(state).collect()
        }
        _ => writes,
    }
}

/// True when a mistake lets an effect go before its batch is durable.
pub fn hurries(effect: &Effect, writes: usize, mutant: Mutant) -> bool {
    match mutant {
        Mutant::EffectsAtOnce => true,
        Mutant::ReadsAtOnce => writes == 0,
        Mutant::ReplyAtOnce => matches!(effect, Effect::Reply(..)),
        Mutant::StartAtOnce => matches!(effect, Effect::StartAttempt(_)),
        Mutant::ForwardAtOnce => matches!(effect, Effect::Forward(..)),
        Mutant::CompletedAtOnce => matches!(effect, Effect::Completed { .. }),
        Mutant::SendAtOnce => matches!(effect, Effect::Send(..)),
        Mutant::AcknowledgeAtOnce => matches!(effect, Effect::Acknowledge(..)),
        _ => false,
    }
}
