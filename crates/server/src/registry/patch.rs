//! Changes that an operator makes to options of a service.
//!
//! A change counts over what the manifest of the revision says. The next revision keeps it only for
//! what its manifest leaves open: whoever writes an option into the code means it.
//! - Owns: the shape, how it is laid over the options of a manifest, what a new revision keeps.
//! - Does not own: options of handlers, which win over those of their service all the same.

use reveille_engine::schema::ServiceKind;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::record::{OptionsRecord, ServiceRecord};
use crate::text::duration;

/// What is to change of a service; what is absent or `null` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
pub struct ServicePatch {
    /// False when the ingress must refuse the service.
    #[serde(default)]
    pub public: Option<bool>,
    /// How long results of calls with an idempotency key are kept, such as `1d` or `PT24H`.
    #[serde(default, deserialize_with = "duration_ms")]
    #[schemars(with = "Option<String>")]
    pub idempotency_retention: Option<u64>,
    /// How long a workflow run is kept; workflows only.
    #[serde(default, deserialize_with = "duration_ms")]
    #[schemars(with = "Option<String>")]
    pub workflow_completion_retention: Option<u64>,
    /// How long journals are kept.
    #[serde(default, deserialize_with = "duration_ms")]
    #[schemars(with = "Option<String>")]
    pub journal_retention: Option<u64>,
    /// Silence after which an attempt is asked to suspend.
    #[serde(default, deserialize_with = "duration_ms")]
    #[schemars(with = "Option<String>")]
    pub inactivity_timeout: Option<u64>,
    /// Further silence after which the attempt is aborted and has failed.
    #[serde(default, deserialize_with = "duration_ms")]
    #[schemars(with = "Option<String>")]
    pub abort_timeout: Option<u64>,
}

/// What operators changed so far, as stored. Durations are milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PatchRecord {
    pub private: Option<bool>,
    pub idempotency_retention_ms: Option<u64>,
    pub workflow_retention_ms: Option<u64>,
    pub journal_retention_ms: Option<u64>,
    pub inactivity_timeout_ms: Option<u64>,
    pub abort_timeout_ms: Option<u64>,
}

impl PatchRecord {
    /// Adds a change.
    pub fn add(&mut self, patch: &ServicePatch) {
        let set = |field: &mut Option<u64>, value: Option<u64>| *field = value.or(*field);
        self.private = patch.public.map(|public| !public).or(self.private);
        set(&mut self.idempotency_retention_ms, patch.idempotency_retention);
        set(&mut self.workflow_retention_ms, patch.workflow_completion_retention);
        set(&mut self.journal_retention_ms, patch.journal_retention);
        set(&mut self.inactivity_timeout_ms, patch.inactivity_timeout);
        set(&mut self.abort_timeout_ms, patch.abort_timeout);
    }

    /// What stays for a revision with these options in its manifest.
    pub fn kept_for(&self, manifest: &OptionsRecord) -> PatchRecord {
        fn open<T>(value: Option<T>, declared: Option<T>) -> Option<T> {
            if declared.is_some() { None } else { value }
        }
        PatchRecord {
            private: open(self.private, manifest.private),
            idempotency_retention_ms: open(
                self.idempotency_retention_ms,
                manifest.idempotency_retention_ms,
            ),
            workflow_retention_ms: open(self.workflow_retention_ms, manifest.workflow_retention_ms),
            journal_retention_ms: open(self.journal_retention_ms, manifest.journal_retention_ms),
            inactivity_timeout_ms: open(self.inactivity_timeout_ms, manifest.inactivity_timeout_ms),
            abort_timeout_ms: open(self.abort_timeout_ms, manifest.abort_timeout_ms),
        }
    }
}

impl ServiceRecord {
    /// The options of the service that count: those of the manifest under what operators changed.
    pub fn options(&self) -> OptionsRecord {
        let (patch, manifest) = (&self.patch, &self.manifest_options);
        OptionsRecord {
            private: patch.private.or(manifest.private),
            idempotency_retention_ms: patch
                .idempotency_retention_ms
                .or(manifest.idempotency_retention_ms),
            workflow_retention_ms: patch.workflow_retention_ms.or(manifest.workflow_retention_ms),
            journal_retention_ms: patch.journal_retention_ms.or(manifest.journal_retention_ms),
            inactivity_timeout_ms: patch.inactivity_timeout_ms.or(manifest.inactivity_timeout_ms),
            abort_timeout_ms: patch.abort_timeout_ms.or(manifest.abort_timeout_ms),
            ..manifest.clone()
        }
    }
}

/// Tells why a change makes no sense for a kind of service.
pub(super) fn check(patch: &ServicePatch, kind: ServiceKind) -> Result<(), String> {
    if patch.workflow_completion_retention.is_some() && kind != ServiceKind::Workflow {
        return Err(format!("modifying retention time for service type {kind} is unsupported"));
    }
    Ok(())
}

/// Reads `10s`, `PT10S` and the like; null is no change.
fn duration_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| duration::parse(&text).map_err(D::Error::custom)).transpose()
}
