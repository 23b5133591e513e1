//! Partitions: each is one thread that feeds commands to the engine and batches to the store.
//!
//! Start at [`driver`]. [`spawn`] runs one of them.

mod availability;
mod batch;
mod census;
pub mod clock;
pub mod committer;
pub mod driver;
pub mod effects;
pub mod handle;
mod known;
mod live;
mod observe;
pub mod overlay;
mod places;
mod pressure;
mod recover;
mod schedule;
#[cfg(test)]
mod tests;
pub mod timers;
mod unconfirmed;

use std::thread;

use tokio::sync::mpsc;

pub use driver::{Driver, DriverParts, OpenError};
pub use handle::{Partitions, Refused};

/// Runs one partition on a thread of its own.
pub fn spawn(driver: Driver, partition: u16) -> std::io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let alarm = Alarm { partition, failed: driver.failed() };
    thread::Builder::new().name(format!("partition-{partition}")).spawn(move || {
        let _alarm = alarm;
        runtime.block_on(driver.run());
    })
}

/// Tells the server when the thread that holds it panics: only a restart can help then.
struct Alarm {
    partition: u16,
    failed: mpsc::UnboundedSender<String>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            let why = format!("the thread of partition {} ended with a panic", self.partition);
            // Nobody listens once the server is stopping.
            let _listening = self.failed.send(why);
        }
    }
}
