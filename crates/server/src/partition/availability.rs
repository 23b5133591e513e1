//! Whether a partition takes commands, and how it gets back to taking them.
//!
//! | mode | left by |
//! |---|---|
//! | serving | a full disk, a corrupt row, a lost lease, a failed read or write |
//! | full | a take-over that succeeds, tried once a second |
//! | stopped | a restart of the process, after an operator has looked |
//!
//! - Invariant: leaving *serving* drops everything that is not durable, and everyone who waited for
//!   it is refused; a later take-over begins from what is committed, as a restart would.

use reveille_engine::tx::EngineError;
use reveille_store::StoreError;
use tokio::time::{Duration, Instant};
use tracing::error;

use super::batch::OpenBatch;
use super::census::Census;
use super::driver::{Driver, OpenError};
use super::handle::Refused;
use super::timers::Timers;

/// Whether the partition takes commands.
pub(super) enum Mode {
    Serving,
    /// The disk is full: commands are refused until a take-over succeeds.
    Full {
        retry_at: Instant,
    },
    /// Its data or its lease is lost: an operator is needed.
    Stopped(String),
}

/// How long a full partition waits before it tries again.
pub(super) const FULL_RETRY_DELAY: Duration = Duration::from_secs(1);

impl Driver {
    pub(super) fn refused(&self) -> Option<Refused> {
        match &self.mode {
            Mode::Serving => None,
            Mode::Full { .. } => Some(Refused::Full),
            Mode::Stopped(why) => Some(Refused::Stopped(self.parts.partition, why.clone())),
        }
    }

    /// Drops everything that is not durable, as a restart would.
    pub(super) fn reset(&mut self) {
        self.overlay.clear();
        self.timers = Timers::default();
        self.census = Census::default();
        self.open = OpenBatch::default();
        self.in_flight.clear();
    }

    pub(super) fn retry_when_full(&mut self) {
        let taken = self.parts.store.acquire(self.lease.partition);
        match taken {
            Ok(lease) => {
                self.lease = lease;
                self.mode = Mode::Serving;
                if let Err(error) = self.recover() {
                    self.stop_on(&error);
                }
            }
            Err(StoreError::Full) => {
                self.mode = Mode::Full { retry_at: Instant::now() + FULL_RETRY_DELAY };
            }
            Err(error) => self.stop_on(&error.into()),
        }
    }

    /// Stops because of an error, and asks for a restart of the process if that can help.
    pub(super) fn stop_on(&mut self, error: &OpenError) {
        match error {
            // Another owner goes on with it, or a person must look at the row.
            OpenError::Store(StoreError::Fenced { .. })
            | OpenError::Engine(EngineError::Corrupt { .. }) => self.stop(error.to_string()),
            OpenError::Store(_) | OpenError::Engine(EngineError::View(_)) => {
                self.fail(error.to_string());
            }
        }
    }

    /// Stops, and asks for a restart of the process.
    pub(super) fn fail(&mut self, why: String) {
        // Nobody listens once the server is stopping, which is what this asks for.
        let _listening = self.parts.failed.send(why.clone());
        self.stop(why);
    }

    fn stop(&mut self, why: String) {
        error!(partition = self.parts.partition, %why, "the partition stops");
        self.reset();
        self.parts.outputs.refuse_all(&Refused::Stopped(self.parts.partition, why.clone()));
        self.mode = Mode::Stopped(why);
    }
}
