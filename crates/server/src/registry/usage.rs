//! Which invocations need a deployment.
//!
//! Reads a snapshot of the store, so that no partition stands still for it. Costs one read of every
//! invocation record; it is asked for when an operator removes a deployment, and by nobody else.
//!
//! Between this look and the removal an invocation can be sent there only by an operator who names the
//! deployment, because no service has its latest revision there. Nothing is lost even then: its attempts
//! fail with a text that says so, until somebody resumes it elsewhere.

use bytes::Bytes;
use reveille_engine::{
    keys::{self, tag},
    record::{InvocationRecord, Status, decode},
};
use reveille_protocol::id::DeploymentId;
use reveille_store::{PartitionId, Snapshot};

use super::RegistryError;

const ROWS_PER_SCAN: usize = 256;

/// How many invocations are found before the search ends: enough to say that there are many.
const FOUND_MAX: usize = 1_000;

/// Fails if invocations that have not completed are pinned to a deployment, or have an attempt there.
pub(super) fn check_unused(snapshot: &dyn Snapshot, id: DeploymentId) -> Result<(), RegistryError> {
    let mut count = 0;
    for partition in (0..snapshot.partition_count()).map(PartitionId) {
        let (mut start, end) = keys::table(tag::INVOCATION);
        loop {
            let rows = snapshot.scan(partition, &start, &end, ROWS_PER_SCAN)?;
            for (key, value) in &rows {
                count += usize::from(needs(key, value, id)?);
            }
            match rows.last() {
                Some((key, _)) if rows.len() == ROWS_PER_SCAN && count < FOUND_MAX => {
                    start = [&key[..], &[0]].concat().into();
                }
                _ => break,
            }
        }
    }
    match count {
        0 => Ok(()),
        count => Err(RegistryError::InUse { id, count, more: count >= FOUND_MAX }),
    }
}

fn needs(key: &[u8], value: &Bytes, id: DeploymentId) -> Result<bool, RegistryError> {
    let record: InvocationRecord = decode(key, value)
        .map_err(|error| RegistryError::Invocation { detail: error.to_string() })?;
    let id = id.0.to_be_bytes();
    let attempted = matches!(record.status(), Status::Running | Status::BackingOff)
        && record.attempt_deployment[..] == id;
    Ok(record.status() != Status::Completed && (record.pinned_deployment[..] == id || attempted))
}
