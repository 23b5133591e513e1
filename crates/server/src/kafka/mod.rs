//! Topics of Kafka whose records become invocations, each exactly once.
//!
//! ```text
//! registry ─▶ supervisor ─▶ consumer, one per subscription ─▶ lane, one per partition of its topic
//!                                                               │ TakeRecord
//!                                                               ▼
//!                                      partition of ours: invocation and offset in one step
//! ```
//!
//! - Owns: clients, the order in which records are sent, what becomes of a record that does not fit.
//! - Does not own: what is set up ([`crate::registry::kafka`]), which records were taken (engine).
//! - Invariant: the records of a partition of a topic are sent in the order of their offsets, and an
//!   offset is given back to the consumer group only when everything up to it is durable here. A
//!   record that cannot be taken holds up its partition and is shown; it is never passed over unless
//!   an option says so.
//! - Start at [`supervisor`], then [`lane`].

#[cfg(feature = "kafka")]
mod client;
#[cfg(feature = "kafka")]
mod consumer;
#[cfg(feature = "kafka")]
mod lane;
#[cfg(feature = "kafka")]
mod record;
#[cfg(feature = "kafka")]
mod start;
mod status;
#[cfg(feature = "kafka")]
pub(crate) mod supervisor;

pub use self::status::{Problem, Statuses};

use crate::registry::kafka::{KafkaError, Properties};

/// Refuses what this program was not built for.
pub fn check_built() -> Result<(), KafkaError> {
    if cfg!(feature = "kafka") { Ok(()) } else { Err(KafkaError::NotBuilt) }
}

/// Refuses properties that no client can be made of; later ones win. The error says why.
pub fn check_client(properties: &[&Properties]) -> Result<(), KafkaError> {
    #[cfg(feature = "kafka")]
    return client::check(properties).map_err(KafkaError::Property);
    #[cfg(not(feature = "kafka"))]
    {
        let _unused = properties;
        check_built()
    }
}
