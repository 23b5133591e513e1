//! What happened, one line per event.
//!
//! - Invariant: recording never changes what happens; lines are only built when somebody reads them.

/// Why a run failed: which invariant, and what was seen.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The invariant of the design, by number and name.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

/// The result of everything that checks.
pub type Checked<T = ()> = Result<T, Violation>;

/// Makes a violation.
pub fn violation<T>(invariant: &'static str, detail: impl Into<String>) -> Checked<T> {
    Err(Violation { invariant, detail: detail.into() })
}

/// The invariants that are checked, named as in the design.
pub mod invariant {
    #![allow(missing_docs, reason = "the texts are the documentation")]
    pub const DURABLE: &str = "1 acknowledged means durable";
    pub const RULES: &str = "2 one rule book";
    pub const REPLAY: &str = "3 replay is byte-exact";
    pub const NOT_LOST: &str = "4 an accepted event is never lost and always answered";
    pub const FIRST_WINS: &str = "5 first wins, everyone else is told";
    pub const SECRET: &str = "6 nothing public completes a wait";
    pub const ONE_ATTEMPT: &str = "7 one live attempt";
    pub const LOCK: &str = "one exclusive handler per key, in order";
    pub const LIMIT: &str = "no more run at a time than a limit says";
    pub const STATE: &str = "state is what the handlers wrote";
    pub const RECORDS: &str = "each record becomes one invocation, in order";
    pub const ROWS: &str = "rows agree with each other";
}

/// Collects lines.
#[derive(Debug, Default)]
pub struct Trace {
    /// True when lines are kept.
    pub on: bool,
    /// The lines so far.
    pub lines: Vec<String>,
}

impl Trace {
    /// Records one line.
    pub fn line(&mut self, now: u64, text: impl FnOnce() -> String) {
        if self.on {
            let line = format!("{:>9} {}", now, text());
            self.lines.push(line);
        }
    }
}
