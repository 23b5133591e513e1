//! Partitions: each is one thread that feeds commands to the engine and batches to the store.
//!
//! Start at [`driver`]. [`start`] opens and starts all of them.

mod availability;
pub mod clock;
pub mod committer;
pub mod driver;
pub mod effects;
pub mod handle;
pub mod overlay;
mod recover;
pub mod timers;

use std::thread;

pub use driver::{Driver, DriverParts, OpenError};
pub use handle::{Partitions, Refused};

/// Runs one partition on a thread of its own.
pub fn spawn(driver: Driver, partition: u16) -> std::io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    thread::Builder::new()
        .name(format!("partition-{partition}"))
        .spawn(move || runtime.block_on(driver.run()))
}
