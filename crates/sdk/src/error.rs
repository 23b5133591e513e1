//! Errors of handlers: those that are an outcome, and those that are tried again.
//!
//! - Owns: [`TerminalError`] and [`HandlerError`].
//! - Does not own: how often and when something is tried again (the retry policies).
//! - Invariant: an error ends an invocation only if somebody said so by making it terminal.

use std::{error::Error as StdError, fmt, time::Duration};

use reveille_protocol::message::{Failure, FailureMetadata};

use crate::vm::AttemptError;

/// Any error, as handlers may use it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The default code of a failure.
const CODE_INTERNAL: u16 = 500;
const CODE_TIMEOUT: u16 = 408;
const CODE_CANCELLED: u16 = 409;

/// What a handler returns, or a step.
pub type HandlerResult<T> = Result<T, HandlerError>;

/// Represents a failure that is an outcome: it is stored, shown to callers and never tried again.
///
/// Every await of a durable operation yields one: the failure of a callee, the rejection of an
/// awakeable, [a timeout](Self::is_timeout), [the cancellation](Self::is_cancelled) of the invocation.
///
/// ```
/// # use reveille::TerminalError;
/// let error = TerminalError::new("out of tea").code(422).metadata("stock", "0");
/// assert_eq!(error.to_string(), "out of tea (422)");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TerminalError {
    code: u16,
    message: String,
    metadata: Vec<(String, String)>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Plain,
    Timeout,
    Cancelled,
}

impl TerminalError {
    /// Makes a failure with code 500.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            code: CODE_INTERNAL,
            message: message.into(),
            metadata: Vec::new(),
            kind: Kind::Plain,
        }
    }

    /// Sets the code, which callers over HTTP see as the status (400 to 599; anything else as 500).
    pub fn code(mut self, code: u16) -> Self {
        self.code = code;
        self
    }

    /// Adds a pair for programs that handle the failure.
    ///
    /// Needs version 6 of the service protocol; with an older server the attempt fails.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }

    /// Returns the code.
    pub fn status(&self) -> u16 {
        self.code
    }

    /// Returns the message, without the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the pairs, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Tells whether this is the end of a `timeout` of this handler (code 408).
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// Tells whether this handler was cancelled (code 409).
    ///
    /// What was awaited goes on: it can be awaited again, for instance to undo it.
    pub fn is_cancelled(&self) -> bool {
        self.kind == Kind::Cancelled
    }

    pub(crate) fn timeout(duration: Duration) -> Self {
        let message = format!("timed out after {duration:?}");
        Self { kind: Kind::Timeout, ..Self::new(message).code(CODE_TIMEOUT) }
    }

    pub(crate) fn cancelled() -> Self {
        Self { kind: Kind::Cancelled, ..Self::new("Cancelled").code(CODE_CANCELLED) }
    }

    pub(crate) fn from_failure(failure: Failure) -> Self {
        let metadata = failure.metadata.into_iter().map(|pair| (pair.key, pair.value)).collect();
        let code = u16::try_from(failure.code).unwrap_or(CODE_INTERNAL);
        Self { code, message: failure.message, metadata, kind: Kind::Plain }
    }

    pub(crate) fn into_failure(self) -> Failure {
        let pair = |(key, value)| FailureMetadata { key, value };
        let metadata = self.metadata.into_iter().map(pair).collect();
        Failure { code: self.code.into(), message: self.message, metadata }
    }
}

impl fmt::Display for TerminalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl StdError for TerminalError {}

/// Represents why a handler, or a step, did not succeed.
///
/// Any error becomes one with `?`. It is then tried again: a handler by the policy of the server, a step
/// by its own. Only a [`TerminalError`], itself or as a source of the error, is an outcome.
///
/// ```
/// # use reveille::{HandlerError, TerminalError};
/// fn pay(amount: &str) -> Result<u32, HandlerError> {
///     let amount: u32 = amount.parse()?; // Tried again, which would not help here.
///     if amount == 0 {
///         return Err(TerminalError::new("nothing to pay").code(400).into());
///     }
///     Ok(amount)
/// }
/// assert!(!pay("x").unwrap_err().is_terminal());
/// assert!(pay("0").unwrap_err().is_terminal());
/// ```
pub struct HandlerError(Inner);

enum Inner {
    Terminal(TerminalError),
    Retryable { error: BoxError, delay: Option<Duration> },
}

impl HandlerError {
    /// Makes an error that is tried again after `delay`, whatever the policy says.
    pub fn retry_after(error: impl Into<BoxError>, delay: Duration) -> Self {
        match Self::from(error).0 {
            Inner::Retryable { error, .. } => Self(Inner::Retryable { error, delay: Some(delay) }),
            terminal => Self(terminal),
        }
    }

    /// Tells whether it is an outcome.
    pub fn is_terminal(&self) -> bool {
        matches!(self.0, Inner::Terminal(_))
    }

    /// The outcome, or what is reported of an error that is tried again.
    pub(crate) fn split(self) -> Result<TerminalError, AttemptError> {
        match self.0 {
            Inner::Terminal(error) => Ok(error),
            Inner::Retryable { error, delay } => {
                let mut failed = AttemptError::new(CODE_INTERNAL.into(), error.to_string());
                let sources = std::iter::successors(error.source(), |&source| source.source());
                let lines: Vec<_> = sources.map(|source| format!("caused by: {source}")).collect();
                failed.details = lines.join("\n");
                failed.retry_delay = delay;
                Err(failed)
            }
        }
    }
}

impl<E: Into<BoxError>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let error = error.into();
        let chain =
            std::iter::successors(Some(&*error as &(dyn StdError + 'static)), |&e| e.source());
        let terminal = chain.filter_map(|error| error.downcast_ref::<TerminalError>()).next();
        Self(match terminal.cloned() {
            Some(terminal) => Inner::Terminal(terminal),
            None => Inner::Retryable { error, delay: None },
        })
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Terminal(error) => fmt::Display::fmt(error, f),
            Inner::Retryable { error, .. } => fmt::Display::fmt(error, f),
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Terminal(error) => fmt::Debug::fmt(error, f),
            Inner::Retryable { error, .. } => fmt::Debug::fmt(error, f),
        }
    }
}
