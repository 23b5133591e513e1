//! What the store says when it stops.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use super::*;
use crate::Batch;

/// Keeps every line of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The answer is `Poisoned`, before and after, so the cause is told where operators look.
#[test]
fn the_cause_of_a_failed_write_is_logged() {
    let root = tempfile::tempdir().expect("a directory");
    let store = EmbeddedStore::open(root.path(), EmbeddedOptions::default()).expect("it opens");
    let Lease { partition, epoch, last_seq } = store.acquire(PartitionId(0)).expect("a lease");
    let mut batch = Batch::default();
    batch.put(Bytes::from_static(b"key"), Bytes::from_static(b"value"));
    let commit = Commit { partition, epoch, seq: last_seq + 1, batch: &batch };
    store.writer().set_fault(Some(io::ErrorKind::PermissionDenied));

    let lines = Lines::default();
    let writer = lines.clone();
    let logging = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let answers = tracing::subscriber::with_default(logging, || store.commit(&[commit]));
    assert!(matches!(answers[..], [Err(StoreError::Poisoned)]), "{answers:?}");
    let text = lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = String::from_utf8(text).expect("text");
    for part in ["ERROR", "the store stops", "cannot write", "00000001.log", "permission denied"] {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}
