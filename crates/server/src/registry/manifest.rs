//! Turns a manifest into the record of a deployment.
//!
//! - Owns: the rules that need the server's side: protocol versions and stream mode.
//! - Does not own: the rules within a manifest (crate `protocol`), revisions ([`super::place`]).

use std::collections::BTreeMap;

use reveille_engine::schema::{HandlerKind, ServiceKind};
use reveille_protocol::manifest::{
    Handler, HandlerType, Manifest, Options, ProtocolMode, RetryPolicyOnMaxAttempts, Service,
    ServiceType,
};

use super::{
    RegisterDeployment, RegistryConfig, RegistryError,
    discover::Found,
    error::PROTOCOL_VERSION_MIN,
    patch::PatchRecord,
    record::{
        DeploymentRecord, HandlerRecord, InputRecord, OnMaxAttemptsRecord, OptionsRecord,
        OutputRecord, RetryRecord, ServiceRecord,
    },
};

/// Checks what a deployment says about itself and makes its record. Revisions are still zero.
pub(super) fn check(
    request: &RegisterDeployment,
    found: Found,
    config: &RegistryConfig,
    now_ms: u64,
) -> Result<DeploymentRecord, RegistryError> {
    let Found { manifest, server } = found;
    let (min, max) = (manifest.min_protocol_version, manifest.max_protocol_version);
    let supported_max = config.protocol_version_max;
    if max.min(supported_max) < min.max(PROTOCOL_VERSION_MIN) {
        return Err(RegistryError::ProtocolVersions { min, max, supported_max });
    }
    Ok(DeploymentRecord {
        uri: request.uri.to_string(),
        http1: request.use_http_11,
        bidirectional: bidirectional(&manifest, request.use_http_11),
        protocol_version_min: min,
        protocol_version_max: max,
        headers: request.additional_headers.clone(),
        metadata: request.metadata.clone(),
        created_at_ms: now_ms,
        sdk_version: server,
        services: services(manifest.services)?,
    })
}

/// HTTP/1.1 cannot carry both directions at a time, whatever the manifest says. Over HTTP/2 a
/// deployment that says nothing is taken to be able to.
fn bidirectional(manifest: &Manifest, http1: bool) -> bool {
    !http1 && manifest.protocol_mode != Some(ProtocolMode::RequestResponse)
}

fn services(services: Vec<Service>) -> Result<BTreeMap<String, ServiceRecord>, RegistryError> {
    let mut records = BTreeMap::new();
    for service in services {
        let kind = match service.ty {
            ServiceType::Service => ServiceKind::Service,
            ServiceType::VirtualObject => ServiceKind::VirtualObject,
            ServiceType::Workflow => ServiceKind::Workflow,
        };
        let mut handlers = BTreeMap::new();
        for handler in service.handlers {
            let (name, record) = handler_record(handler, kind)?;
            handlers.insert(name, record);
        }
        let record = ServiceRecord {
            kind,
            revision: 0,
            retired: false,
            manifest_options: options(&service.options),
            patch: PatchRecord::default(),
            documentation: service.options.documentation,
            metadata: service.options.metadata.unwrap_or_default(),
            handlers,
        };
        records.insert(service.name, record);
    }
    Ok(records)
}

fn handler_record(
    handler: Handler,
    service: ServiceKind,
) -> Result<(String, HandlerRecord), RegistryError> {
    let kind = match (service, handler.ty) {
        (ServiceKind::Service, None) => HandlerKind::Plain,
        (ServiceKind::VirtualObject, None | Some(HandlerType::Exclusive)) => HandlerKind::Exclusive,
        (ServiceKind::VirtualObject | ServiceKind::Workflow, Some(HandlerType::Shared)) => {
            HandlerKind::Shared
        }
        (ServiceKind::Workflow, None | Some(HandlerType::Workflow)) => HandlerKind::Workflow,
        (service, Some(handler)) => return Err(RegistryError::HandlerType { service, handler }),
    };
    let input = handler.input.map(|input| InputRecord {
        content_type: input.content_type,
        required: input.required.unwrap_or(false),
        json_schema: input.json_schema,
    });
    let output = handler.output.map(|output| OutputRecord {
        content_type: output.content_type,
        set_content_type_if_empty: output.set_content_type_if_empty.unwrap_or(false),
        json_schema: output.json_schema,
    });
    let record = HandlerRecord {
        kind,
        options: options(&handler.options),
        input,
        output,
        documentation: handler.options.documentation,
        metadata: handler.options.metadata.unwrap_or_default(),
    };
    Ok((handler.name, record))
}

fn options(options: &Options) -> OptionsRecord {
    OptionsRecord {
        inactivity_timeout_ms: options.inactivity_timeout_ms,
        abort_timeout_ms: options.abort_timeout_ms,
        journal_retention_ms: options.journal_retention_ms,
        idempotency_retention_ms: options.idempotency_retention_ms,
        workflow_retention_ms: options.workflow_completion_retention_ms,
        lazy_state: options.enable_lazy_state,
        private: options.ingress_private,
        retry: RetryRecord {
            initial_interval_ms: options.retry_policy_initial_interval_ms,
            max_interval_ms: options.retry_policy_max_interval_ms,
            factor: options.retry_policy_exponentiation_factor,
            max_attempts: options.retry_policy_max_attempts,
            on_max_attempts: options.retry_policy_on_max_attempts.map(|then| match then {
                RetryPolicyOnMaxAttempts::Pause => OnMaxAttemptsRecord::Pause,
                RetryPolicyOnMaxAttempts::Kill => OnMaxAttemptsRecord::Kill,
            }),
        },
    }
}
