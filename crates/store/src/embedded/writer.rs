//! The one place that writes: lets commits in, writes them, and decides what a failure means.
//!
//! ```text
//! admit each commit -> make room -> append to the log (one flush) -> rows into the memtable
//!   -> reads see them -> `acked`
//! ```
//!
//! - Owns: the heads as they are on disk, the end of the log, the memtable that takes rows.
//! - Does not own: reads, what happens to sealed memtables (`worker`).
//! - Invariant: heads and rows move on only when the write is durable. `Full` is answered only when
//!   nothing of the write is in the log.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use lsm_tree::Memtable;

use super::{
    EmbeddedOptions,
    acked::Acked,
    directory::Format,
    log::{self, AppendFailure, Encoder, Log, Segments},
    rows::{HEADS, INTERNAL, decode_head, encode_head, head_key},
    tables::{self, Tables},
    worker::Backlog,
};
use crate::{Commit, Head, Lease, PartitionId, StoreError};

/// Commits groups of batches, one at a time.
pub(super) struct Writer {
    partition_count: u16,
    write_buffer_bytes: u64,
    heads: BTreeMap<PartitionId, Head>,
    /// The heads that the group being built will set.
    heads_new: BTreeMap<PartitionId, Head>,
    encoder: Encoder,
    log: Log,
    memtable: Arc<Memtable>,
    tables: Arc<Tables>,
    backlog: Arc<Backlog>,
    acked: Acked,
    failed: bool,
}

impl Writer {
    /// Opens the log, replays what the tables do not have, and checks that nothing acknowledged is
    /// missing.
    pub(super) fn open(
        root: &Path,
        options: EmbeddedOptions,
        format: Format,
        (tables, backlog): (Arc<Tables>, Arc<Backlog>),
    ) -> Result<Writer, StoreError> {
        let create = !format.ready;
        let write_buffer_bytes = options.write_buffer_bytes;
        let (acked, acked_number) = Acked::open(root, create)?;
        let log = match create {
            true => Log::create(root, write_buffer_bytes)?,
            false => {
                let reached = (tables.persisted(), acked_number);
                let mut memtable = tables.active();
                log::recover(root, write_buffer_bytes, reached, |number, payload| {
                    tables::insert(&memtable, number, payload)?;
                    if memtable.size() >= write_buffer_bytes {
                        tables.seal().into_iter().for_each(|sealed| backlog.add(sealed));
                        memtable = tables.active();
                    }
                    Ok(())
                })?
            }
        };
        tables.visible.resume(log.last());
        Ok(Writer {
            partition_count: format.partition_count,
            write_buffer_bytes,
            heads: read_heads(&tables)?,
            heads_new: BTreeMap::new(),
            encoder: Encoder::default(),
            log,
            memtable: tables.active(),
            tables,
            backlog,
            acked,
            failed: false,
        })
    }

    /// The files of the log.
    pub(super) fn segments(&self) -> Arc<Segments> {
        self.log.segments()
    }

    pub(super) fn commit(&mut self, commits: &[Commit<'_>]) -> Vec<Result<(), StoreError>> {
        self.begin();
        let mut answers = Vec::with_capacity(commits.len());
        for commit in commits {
            answers.push(self.add(commit));
        }
        if !self.heads_new.is_empty()
            && let Err(error) = self.write()
        {
            return answers.into_iter().map(|answer| answer.and(Err(error.clone()))).collect();
        }
        answers
    }

    pub(super) fn acquire(&mut self, partition: PartitionId) -> Result<Lease, StoreError> {
        self.begin();
        let mut head = self.head(partition);
        let lease = head.take_over(partition);
        self.heads_new.insert(partition, head);
        self.write()?;
        Ok(lease)
    }

    /// Answers `Poisoned` from now on.
    pub(super) fn stop(&mut self) {
        self.failed = true;
        self.tables.close();
    }

    /// Stops because of an error, which whoever asks next would not hear of.
    fn fail(&mut self, error: &StoreError) -> StoreError {
        tracing::error!(%error, "the store stops: what of the last commit is on disk is not known");
        self.stop();
        StoreError::Poisoned
    }

    /// Makes the side file durable; nothing can be written afterwards.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        if self.failed || self.tables.is_closed() {
            return Err(StoreError::Poisoned);
        }
        self.stop();
        self.acked.sync()
    }

    /// Lets writes of the log fail so.
    #[cfg(test)]
    pub(super) fn set_fault(&mut self, fault: Option<std::io::ErrorKind>) {
        self.log.set_fault(fault);
    }

    fn begin(&mut self) {
        self.heads_new.clear();
        self.encoder.begin();
    }

    fn head(&self, partition: PartitionId) -> Head {
        let known = self.heads_new.get(&partition).or_else(|| self.heads.get(&partition));
        known.copied().unwrap_or_default()
    }

    /// Adds a commit to the group if it is let in.
    fn add(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        let Commit { partition, batch, .. } = *commit;
        partition.check(self.partition_count)?;
        let mut head = self.head(partition);
        head.admit(commit)?;
        self.heads_new.insert(partition, head);
        for (key, value) in &batch.writes {
            self.encoder.push(partition, key, value.as_deref());
        }
        Ok(())
    }

    /// Writes the group and returns when it is durable.
    fn write(&mut self) -> Result<(), StoreError> {
        // A thread that failed has closed the tables.
        if self.failed || self.tables.is_closed() {
            return Err(StoreError::Poisoned);
        }
        self.make_room().map_err(|error| match error {
            StoreError::Full | StoreError::Poisoned => error,
            error => self.fail(&error),
        })?;
        for (partition, head) in &self.heads_new {
            self.encoder.push(INTERNAL, &head_key(*partition), Some(&encode_head(*head)));
        }
        let number = self.tables.visible.open_commit();
        if let Err(failure) = self.log.append(&mut self.encoder, number) {
            self.tables.visible.close_commit();
            return Err(match failure {
                AppendFailure::Full => StoreError::Full,
                AppendFailure::Unknown(error) => self.fail(&error),
            });
        }
        if tables::insert(&self.memtable, number, self.encoder.payload()).is_err() {
            return Err(self.fail(&self.tables.damaged_row("a row of the last commit")));
        }
        self.tables.visible.close_commit();
        self.heads.append(&mut self.heads_new);
        if let Err(error) = self.acked.record(number) {
            // This write is durable, but without the side file the next one could be lost unseen.
            self.fail(&error);
        }
        Ok(())
    }

    /// Seals the memtable when it is full, and leaves the segment that goes with it.
    fn make_room(&mut self) -> Result<(), StoreError> {
        if self.memtable.size() >= self.write_buffer_bytes {
            self.backlog.admit(&self.tables)?;
            self.log.switch()?;
            let sealed = self.tables.seal();
            self.memtable = self.tables.active();
            sealed.into_iter().for_each(|sealed| self.backlog.add(sealed));
            self.backlog.want_segment();
        } else if self.log.is_hurried() {
            self.log.switch()?;
            self.backlog.want_segment();
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Nobody is left to tell; `close` tells. The file then lags as after a power failure.
        self.acked.sync().unwrap_or_default();
    }
}

/// Reads the heads of all partitions that ever had an owner.
fn read_heads(tables: &Tables) -> Result<BTreeMap<PartitionId, Head>, StoreError> {
    let rows = tables.scan(&tables.visible.pin(), INTERNAL, HEADS, usize::MAX)?;
    let head = |(key, value): (bytes::Bytes, bytes::Bytes)| {
        decode_head(&key, &value).ok_or_else(|| tables.damaged_row("the head of a partition"))
    };
    rows.into_iter().map(head).collect()
}
