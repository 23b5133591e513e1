//! What the engine has to know of an endpoint, as if it had been registered.
//!
//! - Owns: defaults of options, which are those of a server or kinder.

use std::{collections::BTreeMap, sync::Arc};

use reveille_engine::schema::{
    DeploymentSchema, HandlerKind, HandlerOptions, HandlerSchema, InputRule, OnMaxAttempts,
    OutputRule, RetryPolicy, Schema, ServiceKind, ServiceSchema,
};
use reveille_protocol::{
    id::DeploymentId,
    manifest::{HandlerType, Options, RetryPolicyOnMaxAttempts, ServiceType},
    version::ServiceProtocolVersion,
};

use crate::definition::{Definition, Handler};

const DEPLOYMENT: DeploymentId = DeploymentId(1);
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Builds it.
pub fn schema(definitions: &[Definition]) -> Schema {
    let deployment = DeploymentSchema {
        id: DEPLOYMENT,
        uri: "http://test/".to_owned(),
        bidirectional: true,
        http1: false,
        protocol_version: ServiceProtocolVersion::MAX.number(),
        headers: Vec::new(),
        services: definitions.iter().map(|of| of.name().to_owned()).collect(),
        former: BTreeMap::new(),
    };
    Schema {
        services: definitions.iter().map(|of| (of.name().to_owned(), service(of))).collect(),
        deployments: BTreeMap::from([(DEPLOYMENT, deployment)]),
        rules: Arc::default(),
    }
}

fn service(definition: &Definition) -> ServiceSchema {
    let handlers = definition.handlers.iter();
    ServiceSchema {
        name: definition.name().to_owned(),
        kind: match definition.ty {
            ServiceType::Service => ServiceKind::Service,
            ServiceType::VirtualObject => ServiceKind::VirtualObject,
            ServiceType::Workflow => ServiceKind::Workflow,
        },
        deployment: DEPLOYMENT,
        revision: 1,
        handlers: handlers.map(|of| (of.name.clone(), handler(definition, of))).collect(),
    }
}

fn handler(definition: &Definition, handler: &Handler) -> HandlerSchema {
    let kind = match handler.ty {
        None => HandlerKind::Plain,
        Some(HandlerType::Exclusive) => HandlerKind::Exclusive,
        Some(HandlerType::Shared) => HandlerKind::Shared,
        Some(HandlerType::Workflow) => HandlerKind::Workflow,
    };
    HandlerSchema {
        name: handler.name.clone(),
        kind,
        options: options(&handler.options.0, &definition.options.0),
        input: InputRule { content_type: None, required: false },
        output: OutputRule { content_type: None, set_content_type_if_empty: false },
    }
}

/// Those of the handler, else those of the service, else defaults.
fn options(handler: &Options, service: &Options) -> HandlerOptions {
    macro_rules! set {
        ($name:ident, $default:expr) => {
            handler.$name.or(service.$name).unwrap_or($default)
        };
    }
    HandlerOptions {
        inactivity_timeout_ms: set!(inactivity_timeout_ms, 60_000),
        abort_timeout_ms: set!(abort_timeout_ms, 600_000),
        // Results are read after they are there, however much time has passed.
        journal_retention_ms: 1000 * 365 * DAY_MS,
        idempotency_retention_ms: 1000 * 365 * DAY_MS,
        workflow_retention_ms: 1000 * 365 * DAY_MS,
        lazy_state: set!(enable_lazy_state, false),
        public: !set!(ingress_private, false),
        retry: RetryPolicy {
            initial_interval_ms: set!(retry_policy_initial_interval_ms, 100),
            factor: set!(retry_policy_exponentiation_factor, 2.0),
            max_interval_ms: set!(retry_policy_max_interval_ms, 10_000),
            max_attempts: Some(set!(retry_policy_max_attempts, 70)),
            on_max_attempts: match set!(
                retry_policy_on_max_attempts,
                RetryPolicyOnMaxAttempts::Pause
            ) {
                RetryPolicyOnMaxAttempts::Pause => OnMaxAttempts::Pause,
                RetryPolicyOnMaxAttempts::Kill => OnMaxAttempts::Kill,
            },
        },
    }
}
