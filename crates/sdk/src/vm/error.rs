//! Why an attempt stops, and the codes that go over the wire for it.
//!
//! - Owns: [`AttemptError`] and the codes with a meaning of the protocol.
//! - Does not own: failures of an invocation, which its callers see; those are values.

use std::time::Duration;

use reveille_protocol::{
    frame::MessageType,
    message::{ErrorBehavior, ErrorMessage},
};

/// Any failure of handlers, and frames that cannot be read.
pub const INTERNAL: u32 = 500;
/// The code does not do what the journal recorded.
pub const JOURNAL_MISMATCH: u32 = 570;
/// The peer broke the protocol.
pub const PROTOCOL_VIOLATION: u32 = 571;
/// The negotiated version of the protocol has no means for what the code wants.
pub const UNSUPPORTED: u32 = 573;

/// The longest message, or details, that go over the wire.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Marks that the machine goes no further: it failed, suspended or ended. [`super::Vm::ended`] says which.
///
/// Whoever sees one returns it; the attempt is over and nothing else has to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped;

/// Names the command that an error is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelatedCommand {
    /// The index among commands; the input is 0.
    pub index: u32,
    /// The name of the entry; may be empty.
    pub name: String,
    /// The type of the command.
    pub ty: MessageType,
}

/// Why an attempt failed. The server runs another one, unless `behavior` says otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttemptError {
    /// [`INTERNAL`], [`JOURNAL_MISMATCH`], [`PROTOCOL_VIOLATION`], [`UNSUPPORTED`], or a code of the user.
    pub code: u32,
    /// What went wrong, and how to mend it.
    pub message: String,
    /// Details, such as the sources of an error; may be empty.
    pub details: String,
    /// The command that it is about.
    pub related: Option<RelatedCommand>,
    /// When to try again, in place of the policy of the server.
    pub retry_delay: Option<Duration>,
    /// What the server shall do (v7).
    pub behavior: ErrorBehavior,
}

impl AttemptError {
    /// Makes an error that is retried as the policy says.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: String::new(),
            related: None,
            retry_delay: None,
            behavior: ErrorBehavior::Retry,
        }
    }

    /// Adds the command that it is about.
    pub fn about(mut self, related: Option<RelatedCommand>) -> Self {
        self.related = related;
        self
    }

    pub(super) fn to_message(&self) -> ErrorMessage {
        let related = self.related.as_ref();
        ErrorMessage {
            code: self.code,
            message: cut(&self.message),
            stacktrace: cut(&self.details),
            related_command_index: related.map(|related| related.index),
            related_command_name: related.map(|related| related.name.clone()),
            related_command_type: related.map(|related| related.ty.0.into()),
            next_retry_delay: self.retry_delay.map(millis),
            behavior: self.behavior.into(),
        }
    }
}

/// A text that fits: errors of users may be of any length.
fn cut(text: &str) -> String {
    let end = (0..=text.len().min(TEXT_BYTES_MAX)).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or_default()].to_owned()
}

/// Whole milliseconds, as the wire wants them.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
