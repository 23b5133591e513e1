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
    /// Somebody waits for one of the effects.
    pub(super) urgent: bool,
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

/// False for effects that nobody waits for: a caller that is parked hears nothing before the invocation
/// has ended, and an attempt that has said all it had to say only holds its place. So a call that queues
/// behind the lock of its key, or a handler that is suspended, causes no flush of its own.
pub(super) fn is_urgent(effect: &Effect, places_wanted: bool) -> bool {
    match effect {
        Effect::Park(..) => false,
        Effect::EndAttempt(..) => places_wanted,
        _ => true,
    }
}
