//! The JSON shapes of a manifest. Durations are in milliseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::version::ServiceProtocolVersion;

/// Represents what a deployment says about itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// How invocation streams run; absent means that the HTTP version decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_mode: Option<ProtocolMode>,
    /// The lowest protocol version that the deployment speaks.
    pub min_protocol_version: u32,
    /// The highest protocol version that the deployment speaks.
    pub max_protocol_version: u32,
    /// The services; may be empty.
    pub services: Vec<Service>,
}

impl Manifest {
    /// Picks the highest protocol version that both sides speak.
    pub fn highest_common_version(&self) -> Option<ServiceProtocolVersion> {
        ServiceProtocolVersion::highest_common(self.min_protocol_version, self.max_protocol_version)
    }
}

/// Tells how invocation streams run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProtocolMode {
    /// Both sides send at any time.
    BidiStream,
    /// The server sends all it has, then the deployment answers.
    RequestResponse,
}

/// Represents one service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// The name: a letter (or `_` and an alphanumeric), then alphanumerics, `.`, `_`, `-`.
    pub name: String,
    /// The type.
    pub ty: ServiceType,
    /// The handlers; may be empty.
    pub handlers: Vec<Handler>,
    /// Defaults for the handlers.
    #[serde(flatten)]
    pub options: Options,
}

/// Represents the type of a service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceType {
    /// No key, no state.
    Service,
    /// State per key, one exclusive handler at a time.
    VirtualObject,
    /// One run per key.
    Workflow,
}

/// Represents one handler.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handler {
    /// The name: a letter (or `_` and an alphanumeric), then alphanumerics and `_`.
    pub name: String,
    /// The type as announced; see [`Handler::effective_type`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ty: Option<HandlerType>,
    /// What it accepts; absent means anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputPayload>,
    /// What it answers; absent means `application/json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputPayload>,
    /// These override the options of the service.
    #[serde(flatten)]
    pub options: Options,
}

impl Handler {
    /// Returns the type with the default of the service type; `None` in a plain service.
    pub fn effective_type(&self, service: ServiceType) -> Option<HandlerType> {
        self.ty.or(match service {
            ServiceType::Service => None,
            ServiceType::VirtualObject => Some(HandlerType::Exclusive),
            ServiceType::Workflow => Some(HandlerType::Workflow),
        })
    }
}

/// Represents the type of a handler.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HandlerType {
    /// Runs alone on its key.
    Exclusive,
    /// Runs beside others and only reads state.
    Shared,
    /// The run of a workflow.
    Workflow,
}

/// Represents what a handler accepts.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InputPayload {
    /// Whether a body with a content type must be present, even if empty; absent means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// The content type, with wildcards as in `accept`; absent means that no body is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Any JSON value, also `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<serde_json::Value>,
}

/// Represents what a handler answers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputPayload {
    /// The content type; absent means none on the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether an empty response bears the content type too; absent means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_content_type_if_empty: Option<bool>,
    /// Any JSON value, also `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<serde_json::Value>,
}

/// Represents the options that services and handlers share.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// Usually Markdown (v2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Free key-value pairs (v2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// How long a stream may stay silent before it is asked to suspend (v3).
    #[serde(rename = "inactivityTimeout", skip_serializing_if = "Option::is_none")]
    pub inactivity_timeout_ms: Option<u64>,
    /// How long it may go on after that (v3).
    #[serde(rename = "abortTimeout", skip_serializing_if = "Option::is_none")]
    pub abort_timeout_ms: Option<u64>,
    /// How long to keep the journal after completion (v3).
    #[serde(rename = "journalRetention", skip_serializing_if = "Option::is_none")]
    pub journal_retention_ms: Option<u64>,
    /// How long to keep the result of an idempotent call (v3).
    #[serde(rename = "idempotencyRetention", skip_serializing_if = "Option::is_none")]
    pub idempotency_retention_ms: Option<u64>,
    /// How long to keep the result of a workflow run (v3).
    #[serde(rename = "workflowCompletionRetention", skip_serializing_if = "Option::is_none")]
    pub workflow_completion_retention_ms: Option<u64>,
    /// Whether to leave out the eager state (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_lazy_state: Option<bool>,
    /// The only keys to send eagerly all the same (v5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eager_state_keys_whitelist: Option<Vec<String>>,
    /// Whether only other handlers may call it (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_private: Option<bool>,
    /// The first retry delay (v4).
    #[serde(rename = "retryPolicyInitialInterval", skip_serializing_if = "Option::is_none")]
    pub retry_policy_initial_interval_ms: Option<u64>,
    /// The longest retry delay (v4).
    #[serde(rename = "retryPolicyMaxInterval", skip_serializing_if = "Option::is_none")]
    pub retry_policy_max_interval_ms: Option<u64>,
    /// The number of attempts, the first one included (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_max_attempts: Option<u64>,
    /// What each delay is multiplied with for the next one (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_exponentiation_factor: Option<f64>,
    /// What happens after the last attempt (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_on_max_attempts: Option<RetryPolicyOnMaxAttempts>,
}

/// Tells what happens after the last attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetryPolicyOnMaxAttempts {
    /// The invocation waits for an operator.
    Pause,
    /// The invocation fails.
    Kill,
}
