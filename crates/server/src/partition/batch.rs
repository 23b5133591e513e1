//! The batch that steps are added to, and those that wait for the disk.

use std::sync::Arc;
use std::time::Duration;

use reveille_engine::effect::Effect;
use reveille_store::Batch;
use tokio::time::Instant;

use super::observe::Tally;

/// How long writes that nobody waits for may stay uncommitted.
pub(super) const LAZY_BATCH_DELAY: Duration = Duration::from_millis(10);

/// The batch that steps are added to.
#[derive(Default)]
pub(super) struct OpenBatch {
    pub(super) batch: Batch,
    pub(super) bytes: usize,
    pub(super) effects: Vec<Effect>,
    pub(super) tally: Tally,
    /// When the first write was added: nobody may wait for it, but it must not stay for ever.
    pub(super) since: Option<Instant>,
}

/// A batch on its way to the disk.
pub(super) struct InFlight {
    pub(super) seq: u64,
    pub(super) batch: Arc<Batch>,
    pub(super) bytes: usize,
    pub(super) effects: Vec<Effect>,
    pub(super) tally: Tally,
}
