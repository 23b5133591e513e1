//! The one place that writes: lets commits in, writes them, and decides what a failure means.
//!
//! ```text
//! open   -- full disk -->                full    -- space again, engine reopened --> open
//! open   -- any other failed write -->   failed  (for good)
//! full   -- reopening fails -->          failed
//! ```
//!
//! - Owns: the heads as they are on disk, the commit number, the side file, the reserve.
//! - Does not own: reads; they go to the shared engine.
//! - Invariant: heads and number move on only when the write is durable. `Full` is answered only
//!   when the engine was reopened since and does not have the write.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    EmbeddedOptions,
    acked::Acked,
    directory::Format,
    engine::{Engine, Group, WriteFailure},
    journal_check, manifest_check,
    reserve::Reserve,
};
use crate::{Commit, Head, Lease, PartitionId, StoreError};

/// Commits groups of batches, one at a time.
#[derive(Debug)]
pub(super) struct Writer {
    directory: PathBuf,
    options: EmbeddedOptions,
    partition_count: u16,
    engine: Arc<RwLock<Option<Engine>>>,
    heads: BTreeMap<PartitionId, Head>,
    number: u64,
    acked: Acked,
    reserve: Reserve,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Full,
    Failed,
}

impl Writer {
    /// Opens the engine into `engine` and checks that it has everything acknowledged.
    pub(super) fn open(
        directory: &Path,
        options: EmbeddedOptions,
        format: Format,
        engine: Arc<RwLock<Option<Engine>>>,
    ) -> Result<Writer, StoreError> {
        let create = !format.ready;
        let (acked, acked_number) = Acked::open(directory, create)?;
        let mut reached = None;
        if !create {
            manifest_check::check(directory)?;
            reached = journal_check::check(directory, acked_number)?;
        }
        let opened = Engine::open(directory, options, create)?;
        let (heads, number) = (opened.heads()?, opened.commit_number()?);
        let needed = acked_number.max(reached.unwrap_or(0));
        if number < needed {
            return Err(journal_check::lost(&opened.path, "rows are missing", number, needed));
        }
        set(&engine, Some(opened));
        let probe_bytes = usize::try_from(options.write_buffer_bytes_new).unwrap_or(usize::MAX);
        let reserve = Reserve::new(directory, probe_bytes.saturating_mul(2));
        let state = match reserve.fill() {
            Ok(()) => State::Open,
            Err(StoreError::Full) if !create => State::Full,
            Err(error) => return Err(error),
        };
        Ok(Writer {
            directory: directory.to_owned(),
            options,
            partition_count: format.partition_count,
            engine,
            heads,
            number,
            acked,
            reserve,
            state,
        })
    }

    pub(super) fn commit(&mut self, commits: &[Commit<'_>]) -> Vec<Result<(), StoreError>> {
        let mut group = Group::default();
        let mut answers = Vec::with_capacity(commits.len());
        let mut let_in = false;
        for commit in commits {
            let answer = self.admit(&mut group, commit);
            let_in |= answer.is_ok();
            answers.push(answer);
        }
        if let_in && let Err(error) = self.write(group) {
            return answers.into_iter().map(|answer| answer.and(Err(error.clone()))).collect();
        }
        answers
    }

    pub(super) fn acquire(&mut self, partition: PartitionId) -> Result<Lease, StoreError> {
        let mut head = self.head(partition);
        let lease = head.take_over(partition);
        let mut group = Group::default();
        group.heads.insert(partition, head);
        self.write(group)?;
        Ok(lease)
    }

    /// Answers `Poisoned` from now on.
    pub(super) fn fail(&mut self) {
        self.state = State::Failed;
    }

    /// Makes the side file durable; nothing can be written afterwards.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        if self.state == State::Failed {
            return Err(StoreError::Poisoned);
        }
        self.state = State::Failed;
        self.acked.sync()
    }

    fn head(&self, partition: PartitionId) -> Head {
        self.heads.get(&partition).copied().unwrap_or_default()
    }

    fn admit(&self, group: &mut Group, commit: &Commit<'_>) -> Result<(), StoreError> {
        commit.partition.check(self.partition_count)?;
        let known = group.heads.get(&commit.partition).copied();
        let mut head = known.unwrap_or_else(|| self.head(commit.partition));
        head.admit(commit)?;
        group.heads.insert(commit.partition, head);
        group.add(commit.partition, commit.batch);
        Ok(())
    }

    fn write(&mut self, group: Group) -> Result<(), StoreError> {
        match self.state {
            State::Open => {}
            State::Full => self.resume()?,
            State::Failed => return Err(StoreError::Poisoned),
        }
        let heads = group.heads.clone();
        let number = self.number + 1;
        let outcome = {
            let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
            match engine.as_ref() {
                Some(engine) => engine.write(group, number),
                None => Err(WriteFailure::Unknown),
            }
        };
        if let Err(failure) = outcome {
            return Err(self.stop(failure));
        }
        self.heads.extend(heads);
        self.number = number;
        if self.acked.record(number).is_err() {
            // This write is durable, but without the side file the next one could be lost unseen.
            self.state = State::Failed;
        }
        Ok(())
    }

    /// Settles a failed write and returns the answer for it.
    fn stop(&mut self, failure: WriteFailure) -> StoreError {
        self.state = State::Failed;
        let full = match failure {
            WriteFailure::Full => true,
            WriteFailure::Stopped => matches!(self.reserve.probe(), Err(StoreError::Full)),
            WriteFailure::Unknown => false,
        };
        // A write that the reopened engine has may be in the page cache only, hence `Poisoned`.
        if full && self.reserve.release().is_ok() && self.reopen().is_ok_and(|same| same) {
            self.state = State::Full;
            return StoreError::Full;
        }
        set(&self.engine, None);
        StoreError::Poisoned
    }

    /// Goes on after the disk was full, or answers `Full` if it still is.
    fn resume(&mut self) -> Result<(), StoreError> {
        self.reserve.probe()?;
        self.reserve.fill()?;
        // Its threads may have stopped for lack of space.
        match self.reopen() {
            Ok(true) => {
                self.state = State::Open;
                Ok(())
            }
            Ok(false) | Err(_) => {
                self.state = State::Failed;
                set(&self.engine, None);
                Err(StoreError::Poisoned)
            }
        }
    }

    /// Reopens the engine; says whether it has exactly what was committed.
    fn reopen(&mut self) -> Result<bool, StoreError> {
        set(&self.engine, None);
        let engine = Engine::open(&self.directory, self.options, false)?;
        let same = engine.commit_number()? == self.number;
        set(&self.engine, Some(engine));
        Ok(same)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Nobody is left to tell; `close` tells. The file then lags as after a power failure.
        self.acked.sync().unwrap_or_default();
    }
}

/// Replaces the engine. Waits for reads that are under way; the old engine is closed before.
fn set(slot: &RwLock<Option<Engine>>, engine: Option<Engine>) {
    let mut slot = slot.write().unwrap_or_else(PoisonError::into_inner);
    drop(slot.take());
    *slot = engine;
}
