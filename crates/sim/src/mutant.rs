//! Deliberate mistakes: each switches off one durability wait or one fence.
//!
//! They exist so that the checkers can prove that they would notice. Those that concern the store
//! are switches of the memory store, the others are read by the driver model.

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
    ];
}
