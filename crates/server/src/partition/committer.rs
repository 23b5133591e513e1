//! Making batches durable: one flush for everything that waits.
//!
//! A thread flushes. While one flush runs, partitions go on and queue further batches; the next flush
//! takes all of them. Batches grow under load by themselves. A partition that has little to do
//! meanwhile flushes on its own thread instead, if nobody else does: that saves two changes of threads,
//! which take about as long as a fast disk.
//! - Owns: the order of batches within a flush.
//! - Invariant: batches of a partition are committed in the order in which they were submitted, and an
//!   outcome is reported only after the store has answered for that batch.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use reveille_store::{Batch, Commit, Epoch, PartitionId, Store, StoreError};
use tokio::sync::mpsc;
use tracing::warn;

use crate::limits;
use crate::metrics::CommitMetrics;
use crate::metrics::seldom::Seldom;

/// A batch on its way to the disk.
pub struct Submission {
    /// The partition that it belongs to.
    pub partition: PartitionId,
    /// The epoch of the partition's lease.
    pub epoch: Epoch,
    /// Its sequence number.
    pub seq: u64,
    /// What to write.
    pub batch: Arc<Batch>,
    /// Who is told.
    pub done: mpsc::UnboundedSender<Committed>,
}

/// The outcome of a batch.
pub struct Committed {
    /// The epoch that it was submitted with.
    pub epoch: Epoch,
    /// Its sequence number.
    pub seq: u64,
    /// Durable, or why not.
    pub result: Result<(), StoreError>,
}

/// The partitions' end of the committer. The thread ends when all of them are dropped.
#[derive(Clone)]
pub struct Committer {
    submissions: mpsc::UnboundedSender<Submission>,
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    metrics: Arc<CommitMetrics>,
    slow: Seldom,
    /// Submissions without an outcome so far.
    pending: AtomicUsize,
}

/// Submissions taken into one flush. Each partition has a bounded number in flight, so the queue is
/// bounded as well.
const SUBMISSIONS_PER_FLUSH: usize = 1024;

impl Committer {
    /// Starts the thread.
    pub fn start(
        store: Arc<dyn Store>,
        metrics: Arc<CommitMetrics>,
    ) -> std::io::Result<(Committer, thread::JoinHandle<()>)> {
        let (submissions, mut receiver) = mpsc::unbounded_channel();
        let (slow, pending) = (Seldom::default(), AtomicUsize::new(0));
        let shared = Arc::new(Shared { store, metrics, slow, pending });
        let committer = Committer { submissions, shared: Arc::clone(&shared) };
        let thread = thread::Builder::new().name("committer".to_owned()).spawn(move || {
            let mut waiting = Vec::new();
            while receiver.blocking_recv_many(&mut waiting, SUBMISSIONS_PER_FLUSH) > 0 {
                shared.commit(&mut waiting);
            }
        })?;
        Ok((committer, thread))
    }

    /// Submits a batch. With `here`, it is committed before this returns, unless others are on their
    /// way. Returns false when the committer has stopped.
    pub fn submit(&self, submission: Submission, here: bool) -> bool {
        let pending = &self.shared.pending;
        let claim = || pending.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if here && claim() {
            self.shared.commit(&mut vec![submission]);
            return true;
        }
        pending.fetch_add(1, Ordering::AcqRel);
        self.submissions.send(submission).is_ok()
    }
}

impl Shared {
    /// Commits what waits, and tells those who do.
    fn commit(&self, waiting: &mut Vec<Submission>) {
        let commits: Vec<Commit<'_>> = waiting
            .iter()
            .map(|submission| Commit {
                partition: submission.partition,
                epoch: submission.epoch,
                seq: submission.seq,
                batch: &submission.batch,
            })
            .collect();
        // After a panic nobody knows what is on disk; the partitions must hear so, not wait for ever.
        let begun = Instant::now();
        let results = panic::catch_unwind(AssertUnwindSafe(|| self.store.commit(&commits)));
        let results = results.unwrap_or_else(|_| vec![Err(StoreError::Poisoned); commits.len()]);
        let ended = Instant::now();
        let took = ended.duration_since(begun);
        self.metrics.duration.record_duration(took);
        if took >= limits::SLOW_COMMIT
            && let Some(more) = self.slow.allow(ended)
        {
            let (took_ms, batches) = (took.as_millis(), waiting.len());
            warn!(took_ms, batches, more, "the disk took long to make a commit durable");
        }
        let count = waiting.len();
        for (submission, result) in waiting.drain(..).zip(results) {
            let committed = Committed { epoch: submission.epoch, seq: submission.seq, result };
            // A partition that has stopped does not listen any more; its batch is durable anyway.
            let _listening = submission.done.send(committed);
        }
        // After the outcomes: whoever commits at once tells its own behind those.
        self.pending.fetch_sub(count, Ordering::AcqRel);
    }
}
