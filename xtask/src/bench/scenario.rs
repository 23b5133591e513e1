//! What can be measured, by the names of the command line.
//!
//! The scenarios of the table ([`Scenario`]) differ in what one call does, and share the load of
//! [`super::load`]. Trials ([`Trial`]) have a module and a server of their own.

/// The service of all handlers that need no key.
pub const SERVICE: &str = "Bench";
/// The virtual object of the scenarios *counter* and *counter-hot*.
pub const OBJECT: &str = "BenchObject";
/// The workflow of the scenario *promise*.
pub const WORKFLOW: &str = "BenchWorkflow";

/// Durable steps in one call of the scenario *steps*.
pub const STEPS: usize = 10;
/// Calls that one call of the scenario *chain* makes, one after the other.
pub const CHAIN: usize = 5;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Answers at once.
    Greet,
    /// Takes [`STEPS`] durable steps, one after the other.
    Steps,
    /// Reads and writes the state of an object with many keys.
    Counter,
    /// The same with one key, so that every call waits for the one before.
    CounterHot,
    /// Calls *greet* [`CHAIN`] times.
    Chain,
    /// Waits for an awakeable; timed from sending the answer to the caller's response.
    Answer,
    /// Waits for a promise of its workflow; timed from sending the call that resolves it to the
    /// caller's response.
    Promise,
}

impl Scenario {
    pub const ALL: [Self; 7] = [
        Self::Greet,
        Self::Steps,
        Self::Counter,
        Self::CounterHot,
        Self::Chain,
        Self::Answer,
        Self::Promise,
    ];

    /// The name on the command line and in reports; those of [`SERVICE`] call their handlers so.
    pub fn name(self) -> &'static str {
        match self {
            Self::Greet => "greet",
            Self::Steps => "steps",
            Self::Counter => "counter",
            Self::CounterHot => "counter-hot",
            Self::Chain => "chain",
            Self::Answer => "answer",
            Self::Promise => "promise",
        }
    }

    /// Returns the scenario of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }
}

/// A measurement that is no load of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// [`super::park`]: parking many, a crash, answering all.
    Park,
    /// [`super::queue`]: many calls of one key, one after the other.
    Queue,
    /// [`super::timers`]: many that are due at the same moment.
    Timers,
    /// [`super::idle`]: a server that does nothing.
    Idle,
    /// [`super::growth`]: the cost of a call while more and more are kept.
    Growth,
    /// [`super::overload`]: twice the calls that can be answered.
    Overload,
    /// [`super::tail`]: calls at a moderate rate, beside other work.
    Tail,
}

impl Trial {
    pub const ALL: [Self; 7] = [
        Self::Park,
        Self::Queue,
        Self::Timers,
        Self::Idle,
        Self::Growth,
        Self::Overload,
        Self::Tail,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Park => "park",
            Self::Queue => "queue",
            Self::Timers => "timers",
            Self::Idle => "idle",
            Self::Growth => "growth",
            Self::Overload => "overload",
            Self::Tail => "tail",
        }
    }

    /// Returns the trial of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trial| trial.name() == name)
    }
}
