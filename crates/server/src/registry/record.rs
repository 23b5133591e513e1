//! What is stored of a deployment.
//!
//! | key | value |
//! |---|---|
//! | `deployment/` ‖ id, 16 bytes big-endian | version byte ‖ JSON of [`DeploymentRecord`] |
//!
//! Options stay as the manifest declares them: defaults may change between two starts.
//! - Owns: the shape, its codec, and which revision of a service is the latest.
//! - Does not own: other rows of the meta partition.
//! - Invariant: a record that cannot be read stops the start; nothing is skipped.

use std::collections::BTreeMap;

use bytes::Bytes;
use reveille_engine::schema::{HandlerKind, OnMaxAttempts, ServiceKind};
use reveille_protocol::id::DeploymentId;
use reveille_store::{Batch, PartitionId, Store};
use serde::{Deserialize, Serialize};

use super::{RegistryError, TextMap, patch::PatchRecord, uri::DeploymentUri};
use crate::lambda::function::Function;

const PREFIX: &[u8] = b"deployment/";
/// The first key behind all keys with [`PREFIX`].
const PREFIX_END: &[u8] = b"deployment0";
const VERSION: u8 = 1;
const ROWS_PER_SCAN: usize = 256;

/// Every deployment by id.
pub(super) type Records = BTreeMap<DeploymentId, DeploymentRecord>;

/// One deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DeploymentRecord {
    pub uri: String,
    pub http1: bool,
    pub bidirectional: bool,
    pub protocol_version_min: u32,
    pub protocol_version_max: u32,
    pub headers: Vec<(String, String)>,
    pub metadata: TextMap,
    pub created_at_ms: u64,
    pub sdk_version: Option<String>,
    pub services: BTreeMap<String, ServiceRecord>,
}

impl DeploymentRecord {
    /// The function that it is, if it is one.
    pub fn function(&self) -> Option<Function> {
        DeploymentUri::stored(&self.uri).ok()?.as_function()
    }
}

/// One service of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ServiceRecord {
    #[serde(with = "ServiceKindText")]
    pub kind: ServiceKind,
    /// Counts the registrations of the name over all deployments, from 1.
    pub revision: u64,
    /// True when a later revision was removed with its deployment: the service is gone then, it
    /// does not fall back to this one.
    pub retired: bool,
    /// What the manifest declares; what counts is [`ServiceRecord::options`].
    #[serde(rename = "options")]
    pub manifest_options: OptionsRecord,
    /// What operators changed.
    #[serde(default)]
    pub patch: PatchRecord,
    pub documentation: Option<String>,
    pub metadata: TextMap,
    pub handlers: BTreeMap<String, HandlerRecord>,
}

/// One handler of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct HandlerRecord {
    #[serde(with = "HandlerKindText")]
    pub kind: HandlerKind,
    pub options: OptionsRecord,
    /// `None` when the manifest says nothing: anything goes.
    pub input: Option<InputRecord>,
    /// `None` when the manifest says nothing: JSON.
    pub output: Option<OutputRecord>,
    pub documentation: Option<String>,
    pub metadata: TextMap,
}

/// What a handler declares of its input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct InputRecord {
    pub content_type: Option<String>,
    pub required: bool,
    pub json_schema: Option<serde_json::Value>,
}

/// What a handler declares of its output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct OutputRecord {
    pub content_type: Option<String>,
    pub set_content_type_if_empty: bool,
    pub json_schema: Option<serde_json::Value>,
}

/// Options as declared. Durations are milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct OptionsRecord {
    pub inactivity_timeout_ms: Option<u64>,
    pub abort_timeout_ms: Option<u64>,
    pub journal_retention_ms: Option<u64>,
    pub idempotency_retention_ms: Option<u64>,
    pub workflow_retention_ms: Option<u64>,
    pub lazy_state: Option<bool>,
    pub private: Option<bool>,
    pub retry: RetryRecord,
}

/// Retry options as declared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RetryRecord {
    pub initial_interval_ms: Option<u64>,
    pub max_interval_ms: Option<u64>,
    pub factor: Option<f64>,
    pub max_attempts: Option<u64>,
    pub on_max_attempts: Option<OnMaxAttemptsRecord>,
}

/// What happens when the attempts are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OnMaxAttemptsRecord {
    Pause,
    Kill,
}

impl From<OnMaxAttemptsRecord> for OnMaxAttempts {
    fn from(record: OnMaxAttemptsRecord) -> OnMaxAttempts {
        match record {
            OnMaxAttemptsRecord::Pause => OnMaxAttempts::Pause,
            OnMaxAttemptsRecord::Kill => OnMaxAttempts::Kill,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ServiceKind")]
enum ServiceKindText {
    Service,
    VirtualObject,
    Workflow,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "HandlerKind")]
enum HandlerKindText {
    Plain,
    Exclusive,
    Shared,
    Workflow,
}

/// Reads every deployment.
pub(super) fn load(store: &dyn Store, partition: PartitionId) -> Result<Records, RegistryError> {
    let mut records = Records::new();
    let mut start = PREFIX.to_vec();
    loop {
        let rows = store.scan(partition, &start, PREFIX_END, ROWS_PER_SCAN)?;
        for (key, value) in &rows {
            let id = decode_key(key)?;
            records.insert(id, decode(id, value)?);
        }
        match rows.last() {
            Some((key, _)) if rows.len() == ROWS_PER_SCAN => {
                start = key.to_vec();
                start.push(0);
            }
            _ => return Ok(records),
        }
    }
}

/// Makes the batch that brings the changed deployments from memory to the store.
pub(super) fn batch(records: &Records, changed: &[DeploymentId]) -> Result<Batch, RegistryError> {
    let mut batch = Batch::default();
    for id in changed {
        let key = encode_key(*id);
        match records.get(id) {
            Some(record) => batch.put(key, encode(*id, record)?),
            None => batch.delete(key),
        }
    }
    Ok(batch)
}

/// Finds the latest revision of every service that is not retired.
pub(super) fn latest(records: &Records) -> BTreeMap<&str, (DeploymentId, &ServiceRecord)> {
    let mut latest = BTreeMap::<&str, (DeploymentId, &ServiceRecord)>::new();
    for (id, record) in records {
        for (name, service) in &record.services {
            let newest = latest.get(name.as_str()).map_or(0, |(_, known)| known.revision);
            if !service.retired && service.revision > newest {
                latest.insert(name, (*id, service));
            }
        }
    }
    latest
}

/// Finds the latest revision of one service, unless it is retired.
pub(super) fn latest_of<'a>(
    records: &'a Records,
    name: &str,
) -> Option<(DeploymentId, &'a ServiceRecord)> {
    let services = records
        .iter()
        .filter_map(|(id, record)| Some((*id, record.services.get(name)?)))
        .filter(|(_, service)| !service.retired);
    services.max_by_key(|(_, service)| service.revision)
}

fn encode_key(id: DeploymentId) -> Bytes {
    [PREFIX, &id.0.to_be_bytes()].concat().into()
}

fn decode_key(key: &[u8]) -> Result<DeploymentId, RegistryError> {
    let id = key.strip_prefix(PREFIX).and_then(|id| id.try_into().ok());
    id.map(|id| DeploymentId(u128::from_be_bytes(id))).ok_or_else(|| RegistryError::Record {
        id: String::from_utf8_lossy(key).into_owned(),
        detail: "its key has no id of 16 bytes".to_owned(),
    })
}

fn encode(id: DeploymentId, record: &DeploymentRecord) -> Result<Bytes, RegistryError> {
    let mut value = vec![VERSION];
    serde_json::to_writer(&mut value, record).map_err(|error| damaged(id, &error))?;
    // What cannot be read back would stop the next start: refuse it now.
    decode(id, &value)?;
    Ok(value.into())
}

fn decode(id: DeploymentId, value: &[u8]) -> Result<DeploymentRecord, RegistryError> {
    match value.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|error| damaged(id, &error)),
        Some((version, _)) => Err(RegistryError::Record {
            id: id.to_string(),
            detail: format!("it has format {version}, this program supports format {VERSION}"),
        }),
        None => Err(RegistryError::Record { id: id.to_string(), detail: "it is empty".to_owned() }),
    }
}

fn damaged(id: DeploymentId, error: &serde_json::Error) -> RegistryError {
    RegistryError::Record { id: id.to_string(), detail: error.to_string() }
}
