//! State edits: an operator replaces the whole state of a key.
//!
//! An edit never surprises a handler that may write. It is applied at once when there is none, else
//! it waits: in the queue behind the lock of an object key, or for the end of a workflow run.
//! - Owns: the edit table, the version of a state, when an edit is applied.
//! - Does not own: the lock ([`crate::lock`]), the writes of handlers ([`crate::syscall`]).
//! - Invariant: an edit that was accepted is applied exactly once, in its turn; or it is dropped with a
//!   word to the operator, when it names a version and the state is another one by then.

use bytes::Bytes;
use prost::Message;
use reveille_protocol::message::StateEntry;
use sha2::{Digest, Sha256};

use crate::command::{RequestId, StateEdit, StateVersion};
use crate::effect::{Effect, Reply};
use crate::identity;
use crate::keys::{self, Instance, tag};
use crate::record::{LockRecord, Status, encode};
use crate::schema::ServiceKind;
use crate::tx::{EngineError, Invocation, Tx};

/// Edits of one key that may wait at a time.
pub const STATE_EDITS_WAITING_MAX: u32 = 64;

/// A state edit that waits until no handler can be surprised by it.
#[derive(Clone, PartialEq, Message)]
pub struct StoredStateEdit {
    /// Every entry of the new state.
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<StateEntry>,
    /// The state that it is for; empty for whichever.
    #[prost(bytes = "bytes", tag = "2")]
    pub version: Bytes,
}

/// The version of a state: SHA-256 over all entries in the order of their keys, each as the length of
/// the key (u32, big-endian), the key, the length of the value (u32, big-endian), the value. The state
/// without entries has the hash of nothing.
pub fn version_of<'a>(entries: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> StateVersion {
    let mut hash = Sha256::new();
    for (key, value) in entries {
        for part in [key, value] {
            hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}

/// An operator replaces the state of a key.
pub fn on_replace(tx: &mut Tx<'_>, request: RequestId, edit: StateEdit) -> Result<(), EngineError> {
    let kind = tx.context.schema.services.get(&edit.service).map(|service| service.kind);
    let reply = match kind {
        None => Reply::Invalid(format!("The service '{}' is not registered", edit.service)),
        Some(kind @ ServiceKind::Service) => {
            Reply::Invalid(format!("Cannot modify state for service type {kind}"))
        }
        Some(ServiceKind::VirtualObject) => replace_object(tx, edit)?,
        Some(ServiceKind::Workflow) => replace_workflow(tx, edit)?,
    };
    tx.emit(Effect::Reply(request, reply));
    Ok(())
}

/// Applies the edits of an object key that wait in front of a position of its queue. The caller
/// writes the lock back.
pub fn apply_before(
    tx: &mut Tx<'_>,
    instance: Instance<'_>,
    lock: &mut LockRecord,
    position: u64,
) -> Result<(), EngineError> {
    let range = (keys::state_edit(instance, lock.head), keys::state_edit(instance, position));
    let applied = apply_range(tx, instance, &range)?;
    lock.edits = lock.edits.saturating_sub(applied);
    Ok(())
}

/// Applies the edits that waited for the end of a workflow run. The caller writes the record back.
pub fn apply_after_run(tx: &mut Tx<'_>, run: &mut Invocation) -> Result<(), EngineError> {
    if std::mem::take(&mut run.record.state_edits) > 0 {
        let range = keys::of_instance_range(tag::STATE_EDIT, run.instance());
        apply_range(tx, run.instance(), &range)?;
    }
    Ok(())
}

fn replace_object(tx: &mut Tx<'_>, edit: StateEdit) -> Result<Reply, EngineError> {
    let (scope, service, key) = (edit.scope.clone(), edit.service.clone(), edit.key.clone());
    let scope = scope.as_deref();
    let instance = Instance { scope, service: &service, key: &key };
    if let Some(refusal) = check_version(tx, instance, edit.version)? {
        return Ok(refusal);
    }
    let lock_key = keys::lock(instance);
    let Some(mut lock) = tx.read::<LockRecord>(&lock_key)? else {
        replace(tx, instance, stored(edit).entries)?;
        return Ok(Reply::Accept);
    };
    if lock.edits >= STATE_EDITS_WAITING_MAX {
        return Ok(too_many(instance));
    }
    tx.write(keys::state_edit(instance, lock.tail), encode(&stored(edit)));
    lock.tail += 1;
    lock.edits += 1;
    tx.write(lock_key, encode(&lock));
    Ok(Reply::Accept)
}

fn replace_workflow(tx: &mut Tx<'_>, edit: StateEdit) -> Result<Reply, EngineError> {
    let (scope, service, key) = (edit.scope.clone(), edit.service.clone(), edit.key.clone());
    let scope = scope.as_deref();
    let instance = Instance { scope, service: &service, key: &key };
    // Loading it forgets an expired run, and its state with it.
    let run = tx.load(identity::workflow_run_id(scope, &service, &key))?;
    if let Some(refusal) = check_version(tx, instance, edit.version)? {
        return Ok(refusal);
    }
    let begun = |run: &Invocation| {
        !matches!(run.status(), Status::Scheduled | Status::Queued | Status::Completed)
    };
    let Some(mut run) = run.filter(begun) else {
        replace(tx, instance, stored(edit).entries)?;
        return Ok(Reply::Accept);
    };
    if run.record.state_edits >= STATE_EDITS_WAITING_MAX {
        return Ok(too_many(instance));
    }
    let position = u64::from(run.record.state_edits);
    tx.write(keys::state_edit(instance, position), encode(&stored(edit)));
    run.record.state_edits += 1;
    tx.put(&run);
    Ok(Reply::Accept)
}

fn apply_range(
    tx: &mut Tx<'_>,
    instance: Instance<'_>,
    range: &(Bytes, Bytes),
) -> Result<u32, EngineError> {
    let rows = tx.scan(&range.0, &range.1, STATE_EDITS_WAITING_MAX as usize)?;
    let mut applied = 0;
    for (row, value) in rows {
        let edit: StoredStateEdit = crate::record::decode(&row, &value)?;
        tx.delete(row);
        applied += 1;
        if edit.version.is_empty() || edit.version == current(tx, instance)?.as_slice() {
            replace(tx, instance, edit.entries)?;
        } else {
            let (service, key) = (instance.service.to_owned(), instance.key.to_owned());
            tx.emit(Effect::StateEditDropped { service, key });
        }
    }
    Ok(applied)
}

fn replace(
    tx: &mut Tx<'_>,
    instance: Instance<'_>,
    entries: Vec<StateEntry>,
) -> Result<(), EngineError> {
    tx.delete_range(&keys::of_instance_range(tag::STATE, instance))?;
    for entry in entries {
        tx.write(keys::state(instance, &entry.key), entry.value);
    }
    Ok(())
}

fn check_version(
    tx: &Tx<'_>,
    instance: Instance<'_>,
    version: Option<StateVersion>,
) -> Result<Option<Reply>, EngineError> {
    let Some(version) = version else { return Ok(None) };
    if version == current(tx, instance)? {
        return Ok(None);
    }
    Ok(Some(Reply::Conflict(format!(
        "The state of '{}/{}' has changed since the given version was read. Read it again, or leave \
         the version out to replace it whatever it is.",
        instance.service, instance.key
    ))))
}

fn current(tx: &Tx<'_>, instance: Instance<'_>) -> Result<StateVersion, EngineError> {
    let (start, end) = keys::of_instance_range(tag::STATE, instance);
    let len = keys::instance_prefix_len(instance);
    let rows = tx.scan(&start, &end, usize::MAX)?;
    Ok(version_of(rows.iter().map(|(key, value)| (&key[len..], value.as_ref()))))
}

fn stored(edit: StateEdit) -> StoredStateEdit {
    let entries = edit.entries.into_iter().map(|(key, value)| StateEntry { key, value });
    let version = edit.version.map(|version| Bytes::copy_from_slice(&version));
    StoredStateEdit { entries: entries.collect(), version: version.unwrap_or_default() }
}

fn too_many(instance: Instance<'_>) -> Reply {
    Reply::Unavailable(format!(
        "{STATE_EDITS_WAITING_MAX} state edits of '{}/{}' wait already, retry when its handler has \
         ended",
        instance.service, instance.key
    ))
}
