//! SIGTERM and SIGINT: the first asks for a graceful stop, the second ends the process at once.
//!
//! - Invariant: from [`Signals::listen`] on, no signal of the two ends the process by itself.

use std::future::Future;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The usual exit code of a process that was ended by an interrupt.
const EXIT_CODE_INTERRUPTED: i32 = 130;

/// Listens for both signals.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen. Must be called inside a tokio runtime.
    pub fn listen() -> anyhow::Result<Signals> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal. Cancelling it loses nothing.
    pub async fn first(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Runs a graceful stop; ends the process when another signal arrives before it is done.
    ///
    /// That is safe at any moment: what was acknowledged is durable already.
    pub async fn stop_or_exit(&mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.first() => std::process::exit(EXIT_CODE_INTERRUPTED),
        }
    }
}
