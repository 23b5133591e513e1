//! Reads of committed rows: over a snapshot of the store, on a thread that may block.
//!
//! - Owns: where such a read runs, and what is said when it fails.
//! - Invariant: no partition and no task waits for a read. What was acknowledged before it began is seen.

use std::sync::Arc;

use axum::http::StatusCode;
use reveille_engine::tx::EngineError;
use reveille_store::{Snapshot, Store, StoreError};

use super::problem::Problem;

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Row(#[from] EngineError),
}

/// Runs `read` over a snapshot of `store`.
pub(super) async fn over_snapshot<T: Send + 'static>(
    store: &Arc<dyn Store>,
    read: impl FnOnce(&dyn Snapshot) -> Result<T, Unreadable> + Send + 'static,
) -> Result<T, Problem> {
    let store = Arc::clone(store);
    let read = move || read(&*store.snapshot()?);
    let done = tokio::task::spawn_blocking(read).await;
    let reason = match done {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(%reason, "a read of the admin API failed");
    let message = "what is stored cannot be read, see the log of the server";
    Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, message))
}
