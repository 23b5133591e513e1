//! What operators see of deployments, services and handlers; serializes to the JSON of the API.
//!
//! - Owns: the shapes, the text form of options, which header values are hidden.
//! - Does not own: the routes ([`crate::admin`]).
//! - Invariant: the value of a header that may hold a secret never gets here.

use std::collections::BTreeMap;

use reveille_engine::schema::{
    HandlerKind, HandlerOptions, InputRule, OnMaxAttempts, OutputRule, RetryPolicy, ServiceKind,
};
use reveille_protocol::id::DeploymentId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    TextMap, options,
    record::{
        DeploymentRecord, HandlerRecord, OnMaxAttemptsRecord, OptionsRecord, RetryRecord,
        ServiceRecord,
    },
    schema::{input_rule, output_rule},
};
use crate::config::OptionDefaults;
use crate::lambda::function::Function;
use crate::text::secret::{HIDDEN, may_be_secret};
use crate::text::{duration, time};

/// One deployment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeploymentWith{S}")]
pub struct DeploymentView<S = ServiceView> {
    /// Identifier.
    pub id: String,
    /// Base address in normal form; absent for a function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// ARN of a function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// ARN of the role that is taken on to invoke a function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assume_role_arn: Option<String>,
    /// `BidiStream` or `RequestResponse`.
    #[schemars(extend("enum" = ["BidiStream", "RequestResponse"]))]
    pub protocol_type: &'static str,
    /// `HTTP/2.0` or `HTTP/1.1`; absent for a function.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["HTTP/1.1", "HTTP/2.0"]))]
    pub http_version: Option<&'static str>,
    /// Headers added to every request; values that may be secrets are hidden.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub additional_headers: TextMap,
    /// Metadata as registered.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: TextMap,
    /// Time of the last discovery.
    pub created_at: String,
    /// Lowest protocol version of the deployment.
    pub min_protocol_version: u32,
    /// Highest protocol version of the deployment.
    pub max_protocol_version: u32,
    /// Name and version of its SDK, if it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdk_version: Option<String>,
    /// What it serves.
    pub services: Vec<S>,
}

/// Name and revision of a service.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServiceRevision {
    /// Name.
    pub name: String,
    /// Revision.
    pub revision: u64,
}

/// One revision of a service with its resolved options.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Service")]
pub struct ServiceView {
    /// Name.
    pub name: String,
    /// `Service`, `VirtualObject` or `Workflow`.
    #[schemars(extend("enum" = ["Service", "VirtualObject", "Workflow"]))]
    pub ty: String,
    /// Handlers in order of name.
    pub handlers: Vec<HandlerView>,
    /// The deployment that serves it.
    pub deployment_id: String,
    /// Revision.
    pub revision: u64,
    /// Documentation as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Metadata as declared.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: TextMap,
    /// False when the ingress refuses it.
    pub public: bool,
    /// How long results of calls with an idempotency key are kept.
    pub idempotency_retention: String,
    /// How long a workflow run is kept; workflows only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_completion_retention: Option<String>,
    /// How long journals are kept.
    pub journal_retention: String,
    /// Silence after which an attempt is asked to suspend.
    pub inactivity_timeout: String,
    /// Further silence after which the attempt is aborted and has failed.
    pub abort_timeout: String,
    /// True when attempts start without the state and fetch what they read.
    pub enable_lazy_state: bool,
    /// Retries, resolved.
    pub retry_policy: RetryPolicyView,
}

/// One handler with the options that it declares itself.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Handler")]
pub struct HandlerView {
    /// Name.
    pub name: String,
    /// `Exclusive`, `Shared` or `Workflow`; absent in plain services.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Exclusive", "Shared", "Workflow"]))]
    pub ty: Option<&'static str>,
    /// Documentation as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Metadata as declared.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: TextMap,
    /// Own setting, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_retention: Option<String>,
    /// Own setting, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_completion_retention: Option<String>,
    /// Own setting, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_retention: Option<String>,
    /// Own setting, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactivity_timeout: Option<String>,
    /// Own setting, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_timeout: Option<String>,
    /// Own setting, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_lazy_state: Option<bool>,
    /// False when the ingress refuses it.
    pub public: bool,
    /// What it takes: a content type, a JSON type, or `none`.
    pub input_description: String,
    /// What it answers, in the same words.
    pub output_description: String,
    /// Schema of the input as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_json_schema: Option<Value>,
    /// Schema of the output as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_json_schema: Option<Value>,
    /// Retries, as far as it declares them itself.
    pub retry_policy: RetryPolicyView,
}

/// Retries of failed attempts. Of a handler only what it declares itself is present.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "RetryPolicy")]
pub struct RetryPolicyView {
    /// Delay before the second attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_interval: Option<String>,
    /// Growth per attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponentiation_factor: Option<f64>,
    /// Attempts including the first; `null` for no limit, or in a handler for no setting of its own.
    pub max_attempts: Option<u64>,
    /// Longest delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<String>,
    /// `Pause` or `Kill`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Pause", "Kill"]))]
    pub on_max_attempts: Option<&'static str>,
}

/// Shows a deployment with everything it serves.
pub(super) fn deployment(
    id: DeploymentId,
    record: &DeploymentRecord,
    defaults: &OptionDefaults,
) -> DeploymentView {
    let services = record.services.iter().map(|(name, record)| service(name, id, record, defaults));
    frame(id, record, services.collect())
}

/// Shows a deployment with the revisions of what it serves.
pub(super) fn summary(
    id: DeploymentId,
    record: &DeploymentRecord,
) -> DeploymentView<ServiceRevision> {
    let services = record
        .services
        .iter()
        .map(|(name, record)| ServiceRevision { name: name.clone(), revision: record.revision });
    frame(id, record, services.collect())
}

fn frame<S>(id: DeploymentId, record: &DeploymentRecord, services: Vec<S>) -> DeploymentView<S> {
    let headers = record.headers.iter().map(|(name, value)| {
        let value = if may_be_secret(name) { HIDDEN } else { value };
        (name.clone(), value.to_owned())
    });
    let http_version = if record.http1 { "HTTP/1.1" } else { "HTTP/2.0" };
    let function = record.function();
    DeploymentView {
        id: id.to_string(),
        uri: function.is_none().then(|| record.uri.clone()),
        arn: function.as_ref().map(Function::arn),
        http_version: function.is_none().then_some(http_version),
        assume_role_arn: function.and_then(|function| function.role),
        protocol_type: if record.bidirectional { "BidiStream" } else { "RequestResponse" },
        additional_headers: headers.collect(),
        metadata: record.metadata.clone(),
        created_at: time::nanoseconds_utc(record.created_at_ms),
        min_protocol_version: record.protocol_version_min,
        max_protocol_version: record.protocol_version_max,
        sdk_version: record.sdk_version.clone(),
        services,
    }
}

/// Shows one revision of a service.
pub(super) fn service(
    name: &str,
    id: DeploymentId,
    record: &ServiceRecord,
    defaults: &OptionDefaults,
) -> ServiceView {
    // The options of the service stand for those of its main handler: the run of a workflow.
    let nothing = OptionsRecord::default();
    let run = record.handlers.values().find(|handler| handler.kind == HandlerKind::Workflow);
    let workflow = record.kind == ServiceKind::Workflow;
    let main_kind = if workflow { HandlerKind::Workflow } else { HandlerKind::Plain };
    let options = options::resolve(main_kind, &nothing, &record.options(), defaults);
    let workflow_retention_ms = run
        .and_then(|handler| handler.options.workflow_retention_ms)
        .unwrap_or(options.workflow_retention_ms);
    let HandlerOptions { public, lazy_state, .. } = options;
    let handlers = record.handlers.iter().map(|(name, record)| handler(name, record, public));
    ServiceView {
        name: name.to_owned(),
        ty: record.kind.to_string(),
        handlers: handlers.collect(),
        deployment_id: id.to_string(),
        revision: record.revision,
        documentation: record.documentation.clone(),
        metadata: record.metadata.clone(),
        public,
        idempotency_retention: duration::short(options.idempotency_retention_ms),
        workflow_completion_retention: workflow.then(|| duration::short(workflow_retention_ms)),
        journal_retention: duration::short(options.journal_retention_ms),
        inactivity_timeout: duration::short(options.inactivity_timeout_ms),
        abort_timeout: duration::short(options.abort_timeout_ms),
        enable_lazy_state: lazy_state,
        retry_policy: resolved_retry(&options.retry),
    }
}

fn handler(name: &str, record: &HandlerRecord, service_public: bool) -> HandlerView {
    let options = &record.options;
    let InputRule { content_type: input_type, .. } = input_rule(record.input.as_ref());
    let OutputRule { content_type: output_type, set_content_type_if_empty } =
        output_rule(record.output.as_ref());
    let input_schema = record.input.as_ref().and_then(|input| input.json_schema.clone());
    let output_schema = record.output.as_ref().and_then(|output| output.json_schema.clone());
    let output_description = describe(output_type.as_deref(), output_schema.as_ref());
    HandlerView {
        name: name.to_owned(),
        ty: match record.kind {
            HandlerKind::Plain => None,
            HandlerKind::Exclusive => Some("Exclusive"),
            HandlerKind::Shared => Some("Shared"),
            HandlerKind::Workflow => Some("Workflow"),
        },
        documentation: record.documentation.clone(),
        metadata: record.metadata.clone(),
        idempotency_retention: options.idempotency_retention_ms.map(duration::short),
        workflow_completion_retention: options.workflow_retention_ms.map(duration::short),
        journal_retention: options.journal_retention_ms.map(duration::short),
        inactivity_timeout: options.inactivity_timeout_ms.map(duration::short),
        abort_timeout: options.abort_timeout_ms.map(duration::short),
        enable_lazy_state: options.lazy_state,
        public: service_public && options.private != Some(true),
        input_description: describe(input_type.as_deref(), input_schema.as_ref()),
        output_description: if set_content_type_if_empty {
            format!("optional {output_description}")
        } else {
            output_description
        },
        input_json_schema: input_schema,
        output_json_schema: output_schema,
        retry_policy: own_retry(&options.retry),
    }
}

fn describe(content_type: Option<&str>, schema: Option<&Value>) -> String {
    let Some(content_type) = content_type else { return "none".to_owned() };
    match schema.and_then(|schema| schema.get("type")).and_then(Value::as_str) {
        Some(json_type) => format!("JSON {json_type}"),
        None => content_type.to_owned(),
    }
}

fn own_retry(retry: &RetryRecord) -> RetryPolicyView {
    RetryPolicyView {
        initial_interval: retry.initial_interval_ms.map(duration::short),
        exponentiation_factor: retry.factor,
        max_attempts: retry.max_attempts,
        max_interval: retry.max_interval_ms.map(duration::short),
        on_max_attempts: retry.on_max_attempts.map(OnMaxAttemptsRecord::into).map(then),
    }
}

fn resolved_retry(retry: &RetryPolicy) -> RetryPolicyView {
    RetryPolicyView {
        initial_interval: Some(duration::short(retry.initial_interval_ms)),
        exponentiation_factor: Some(retry.factor),
        max_attempts: retry.max_attempts,
        max_interval: Some(duration::short(retry.max_interval_ms)),
        on_max_attempts: Some(then(retry.on_max_attempts)),
    }
}

fn then(on_max_attempts: OnMaxAttempts) -> &'static str {
    match on_max_attempts {
        OnMaxAttempts::Pause => "Pause",
        OnMaxAttempts::Kill => "Kill",
    }
}
