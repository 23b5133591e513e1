//! The one place that writes: lets commits in, writes them, and decides what a failure means.
//!
//! ```text
//! admit each commit -> make room -> append to the log (one flush) -> rows into the buffer, where reads
//!   see them -> `acked`
//! ```
//!
//! - Owns: the heads as they are on disk, the end of the log, when a buffer is sealed.
//! - Does not own: reads, what happens to sealed buffers (`worker`).
//! - Invariant: heads and rows move on only when the write is durable. `Full` is answered only when
//!   nothing of the write is in the log.

use std::{collections::BTreeMap, iter, path::Path, sync::Arc};

use super::{
    EmbeddedOptions,
    acked::Acked,
    directory::Format,
    layers::Layers,
    log::{self, AppendFailure, Encoder, Log, Segments},
    rows::{HEADS, INTERNAL, decode_head, head_row},
    worker::Backlog,
};
use crate::{Commit, Head, Lease, PartitionId, StoreError, Write};

/// Commits groups of batches, one at a time.
pub(super) struct Writer {
    partition_count: u16,
    write_buffer_bytes: u64,
    heads: BTreeMap<PartitionId, Head>,
    /// The heads that the group being built will set.
    heads_new: BTreeMap<PartitionId, Head>,
    encoder: Encoder,
    log: Log,
    layers: Arc<Layers>,
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
        (layers, backlog): (Arc<Layers>, Arc<Backlog>),
    ) -> Result<Writer, StoreError> {
        let create = !format.ready;
        let write_buffer_bytes = options.write_buffer_bytes;
        let (acked, acked_number) = Acked::open(root, create)?;
        let log = match create {
            true => Log::create(root, write_buffer_bytes)?,
            false => {
                let reached = (layers.tables.persisted(), acked_number);
                log::recover(root, write_buffer_bytes, reached, |number, payload| {
                    layers.add_record(number, payload)?;
                    if layers.active_bytes() >= write_buffer_bytes {
                        backlog.add(layers.seal());
                    }
                    Ok(())
                })?
            }
        };
        layers.tables.visible.resume(log.last());
        Ok(Writer {
            partition_count: format.partition_count,
            write_buffer_bytes,
            heads: read_heads(&layers)?,
            heads_new: BTreeMap::new(),
            encoder: Encoder::default(),
            log,
            layers,
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
        let admitted = commits.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
        let rows = admitted.map(|(commit, _)| (commit.partition, &*commit.batch.writes));
        if !self.heads_new.is_empty()
            && let Err(error) = self.write(rows)
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
        self.write(iter::empty())?;
        Ok(lease)
    }

    /// Answers `Poisoned` from now on.
    pub(super) fn stop(&mut self) {
        self.failed = true;
        self.layers.tables.close();
    }

    /// Stops because of an error, which whoever asks next would not hear of.
    fn fail(&mut self, error: &StoreError) -> StoreError {
        tracing::error!(%error, "the store stops: what of the last commit is on disk is not known");
        self.stop();
        StoreError::Poisoned
    }

    /// Makes the side file durable; nothing can be written afterwards.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        if self.failed || self.layers.tables.is_closed() {
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
        for Write { key, value, .. } in &batch.writes {
            self.encoder.push(partition, key, value.as_deref());
        }
        Ok(())
    }

    /// Writes the group, whose rows these are, and returns when it is durable.
    fn write<'a>(
        &mut self,
        rows: impl Iterator<Item = (PartitionId, &'a [Write])>,
    ) -> Result<(), StoreError> {
        // A thread that failed has closed the tables.
        if self.failed || self.layers.tables.is_closed() {
            return Err(StoreError::Poisoned);
        }
        self.make_room().map_err(|error| match error {
            StoreError::Full | StoreError::Poisoned => error,
            error => self.fail(&error),
        })?;
        let heads = self.heads_new.iter().map(|(partition, head)| head_row(*partition, *head));
        let heads: Vec<Write> = heads.collect();
        for Write { key, value, .. } in &heads {
            self.encoder.push(INTERNAL, key, value.as_deref());
        }
        let number = self.layers.tables.visible.number();
        if let Err(failure) = self.log.append(&mut self.encoder, number) {
            return Err(match failure {
                AppendFailure::Full => StoreError::Full,
                AppendFailure::Unknown(error) => self.fail(&error),
            });
        }
        self.layers.add(number, rows, &heads);
        self.heads.append(&mut self.heads_new);
        if let Err(error) = self.acked.record(number) {
            // This write is durable, but without the side file the next one could be lost unseen.
            self.fail(&error);
        }
        Ok(())
    }

    /// Seals the buffer when it is full, or the log is while most of its rows did not last, and leaves the
    /// segment that goes with it.
    fn make_room(&mut self) -> Result<(), StoreError> {
        if self.layers.active_bytes() >= self.write_buffer_bytes || self.log.is_full() {
            self.backlog.admit(&self.layers.tables)?;
            self.log.switch()?;
            self.backlog.add(self.layers.seal());
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
fn read_heads(layers: &Layers) -> Result<BTreeMap<PartitionId, Head>, StoreError> {
    let rows = layers.scan(INTERNAL, HEADS, usize::MAX)?;
    let head = |(key, value): (bytes::Bytes, bytes::Bytes)| {
        decode_head(&key, &value)
            .ok_or_else(|| layers.tables.damaged_row("the head of a partition"))
    };
    rows.into_iter().map(head).collect()
}
