//! The two threads behind the store: one writes sealed buffers to disk and keeps the log short, the
//! other one merges tables.
//!
//! ```text
//! flush:   oldest sealed buffer -> table -> its segments are retired -> a spare segment
//! compact: after each flush, until nothing is due
//! ```
//!
//! - Owns: the queue of sealed buffers, the threads, the bounds behind which commits wait.
//! - Does not own: how tables and segments are written (`tables`, `log`).
//! - Invariant: buffers become tables in the order in which they were sealed. Whoever waits is told
//!   when the disk is full or a thread has failed, so nobody waits for ever.
//!
//! A full disk stops a thread until somebody asks again ([`Backlog::admit`]) or some time has passed.
//! Any other failure is for good: commits and reads answer `Poisoned` from then on.

use std::{
    collections::VecDeque,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{buffer::Buffer, directory::failed, layers::Layers, log::Segments, tables::Tables};
use crate::StoreError;

/// The most sealed buffers before commits wait.
const SEALED_MAX: usize = 4;

/// The most runs that wait to be merged before commits wait.
const WAITING_RUNS_MAX: usize = 20;

/// How long a thread waits after the disk was full, unless somebody asks before. Merging writes much
/// before it finds out.
const FLUSH_RETRY_AFTER: Duration = Duration::from_secs(1);
const MERGE_RETRY_AFTER: Duration = Duration::from_secs(10);

/// What the threads have to do.
#[derive(Default)]
pub(super) struct Backlog {
    state: Mutex<State>,
    /// Anything in the state has changed.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Buffers that are not on disk, oldest first.
    sealed: VecDeque<Arc<Buffer>>,
    /// The spare segment was used up.
    segment_wanted: bool,
    /// Tables may have to be merged.
    merge_wanted: bool,
    /// The thread that flushes, or the one that merges, found the disk full.
    flush_full: bool,
    merge_full: bool,
    /// How often somebody asked to try again.
    requests: u64,
    failed: bool,
    closing: bool,
}

/// The running threads. They end when it is dropped, after what they are at.
pub(super) struct Workers {
    backlog: Arc<Backlog>,
    threads: Vec<JoinHandle<()>>,
}

impl Backlog {
    /// Adds a buffer that was just sealed.
    pub(super) fn add(&self, buffer: Arc<Buffer>) {
        self.state().sealed.push_back(buffer);
        self.changed.notify_all();
    }

    /// Asks for a spare segment.
    pub(super) fn want_segment(&self) {
        self.state().segment_wanted = true;
        self.changed.notify_all();
    }

    /// Waits until there is room for one more sealed buffer.
    ///
    /// Fails with `Full` instead of waiting for space, and with `Poisoned` if a thread has failed.
    pub(super) fn admit(&self, tables: &Tables) -> Result<(), StoreError> {
        let mut state = self.state();
        loop {
            if state.failed {
                return Err(StoreError::Poisoned);
            }
            let flush_behind = state.sealed.len() >= SEALED_MAX;
            let merge_behind = tables.waiting_runs() >= WAITING_RUNS_MAX;
            if !flush_behind && !merge_behind {
                return Ok(());
            }
            if (flush_behind && state.flush_full) || (merge_behind && state.merge_full) {
                state.requests += 1;
                self.changed.notify_all();
                return Err(StoreError::Full);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the state gives something to do; `None` if the store is being closed.
    fn wait<T>(&self, mut job: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.state();
        loop {
            if state.closing {
                return None;
            }
            if let Some(job) = job(&mut state) {
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until somebody asks to try again, or some time has passed.
    fn wait_for_space(&self, at_most: Duration) {
        let state = self.state();
        let before = state.requests;
        let waiting = |state: &mut State| state.requests == before && !state.closing;
        let waited = self.changed.wait_timeout_while(state, at_most, waiting);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

impl Workers {
    /// Starts the threads.
    pub(super) fn start(
        backlog: Arc<Backlog>,
        layers: &Arc<Layers>,
        segments: &Arc<Segments>,
    ) -> Result<Workers, StoreError> {
        // Dropped on failure, which ends the thread that was started.
        let mut workers = Workers { backlog, threads: Vec::with_capacity(2) };
        let (flushed, merged) = (Arc::clone(layers), Arc::clone(layers));
        let segments = Arc::clone(segments);
        workers.backlog.update(|state| {
            state.segment_wanted = segments.wants_spare();
            state.merge_wanted = true;
        });
        workers.spawn("store-flush", layers, move |backlog| flush(backlog, &flushed, &segments))?;
        workers.spawn("store-merge", layers, move |backlog| merge(backlog, &merged.tables))?;
        Ok(workers)
    }

    fn spawn(
        &mut self,
        name: &str,
        layers: &Arc<Layers>,
        run: impl FnOnce(&Backlog) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let (backlog, closed) = (Arc::clone(&self.backlog), Arc::clone(layers));
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            match panic::catch_unwind(AssertUnwindSafe(|| run(&backlog))) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    tracing::error!(%error, "the store stops: its tables cannot be written");
                }
                // Its cause was printed.
                Err(_panic) => {}
            }
            closed.tables.close();
            backlog.update(|state| state.failed = true);
        });
        let path = std::path::Path::new(name);
        self.threads.push(thread.map_err(failed("start the thread", path))?);
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.backlog.update(|state| state.closing = true);
        for thread in self.threads.drain(..) {
            // A panic was settled by the thread itself.
            let _ended = thread.join();
        }
    }
}

/// Writes buffers, retires segments and prepares spare ones until the store is closed.
fn flush(backlog: &Backlog, layers: &Layers, segments: &Segments) -> Result<(), StoreError> {
    loop {
        let job = backlog.wait(|state| {
            let buffer = state.sealed.front().map(Arc::clone);
            let wanted = std::mem::take(&mut state.segment_wanted) || buffer.is_some();
            wanted.then_some(buffer)
        });
        let Some(buffer) = job else { return Ok(()) };
        let outcome = match buffer {
            Some(buffer) => flush_one(backlog, layers, segments, &buffer),
            None => segments.prepare(),
        };
        let full = match outcome {
            Ok(()) => false,
            Err(StoreError::Full) => true,
            Err(error) => return Err(error),
        };
        backlog.update(|state| {
            state.flush_full = full && !state.sealed.is_empty();
            state.segment_wanted = segments.wants_spare();
        });
        if full {
            backlog.wait_for_space(FLUSH_RETRY_AFTER);
        }
    }
}

fn flush_one(
    backlog: &Backlog,
    layers: &Layers,
    segments: &Segments,
    buffer: &Buffer,
) -> Result<(), StoreError> {
    layers.flush(buffer)?;
    backlog.update(|state| {
        state.sealed.pop_front();
        state.merge_wanted = true;
    });
    // A segment is recycled if possible, so this comes before one is prepared.
    segments.retire(buffer.last())?;
    segments.prepare()?;
    layers.tables.release()
}

/// Merges tables until the store is closed.
fn merge(backlog: &Backlog, tables: &Tables) -> Result<(), StoreError> {
    while let Some(()) = backlog.wait(|state| std::mem::take(&mut state.merge_wanted).then_some(()))
    {
        let (full, again) = match tables.compact() {
            Ok(again) => {
                tables.release()?;
                (false, again)
            }
            Err(StoreError::Full) => (true, true),
            Err(error) => return Err(error),
        };
        backlog.update(|state| {
            state.merge_full = full;
            state.merge_wanted |= again;
        });
        if full {
            backlog.wait_for_space(MERGE_RETRY_AFTER);
        }
    }
    Ok(())
}
