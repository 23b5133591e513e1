//! What is registered in the simulated world.
//!
//! Six deployments, one for each protocol version and mode; each service goes to one of them.

use std::collections::BTreeMap;

use reveille_engine::schema::{
    DeploymentSchema, HandlerKind, HandlerOptions, HandlerSchema, InputRule, OnMaxAttempts,
    OutputRule, RetryPolicy, Schema, ServiceKind, ServiceSchema,
};
use reveille_protocol::id::DeploymentId;

use crate::rng::Rng;

/// Name, kind, and handlers with their kinds.
type Service = (&'static str, ServiceKind, &'static [(&'static str, HandlerKind)]);

/// Names of all services, sorted: every deployment has them.
const SERVICES: [&str; 5] = ["flow", "killer", "lazy", "object", "plain"];

/// Number of deployments.
const DEPLOYMENTS: u64 = 6;

/// Longest retention of anything, in milliseconds.
pub const RETENTION_MS_MAX: u64 = 600_000;

/// Draws what is registered.
pub fn draw(rng: &mut Rng) -> Schema {
    let mut schema = Schema::default();
    for number in 0..DEPLOYMENTS {
        let id = DeploymentId(u128::from(number) + 1);
        let deployment = DeploymentSchema {
            id,
            uri: format!("http://deployment-{number}/"),
            bidirectional: number % 2 == 0,
            http1: false,
            protocol_version: u32::try_from(5 + number / 2).unwrap_or(7),
            headers: Vec::new(),
            services: SERVICES.iter().map(|name| (*name).to_owned()).collect(),
            former: BTreeMap::new(),
        };
        schema.deployments.insert(id, deployment);
    }
    let services: [Service; 5] = [
        ("plain", ServiceKind::Service, &[("go", HandlerKind::Plain)]),
        ("killer", ServiceKind::Service, &[("go", HandlerKind::Plain)]),
        (
            "object",
            ServiceKind::VirtualObject,
            &[("write", HandlerKind::Exclusive), ("read", HandlerKind::Shared)],
        ),
        (
            "lazy",
            ServiceKind::VirtualObject,
            &[("write", HandlerKind::Exclusive), ("read", HandlerKind::Shared)],
        ),
        (
            "flow",
            ServiceKind::Workflow,
            &[("run", HandlerKind::Workflow), ("ask", HandlerKind::Shared)],
        ),
    ];
    for (name, kind, handlers) in services {
        let handlers = handlers.iter().map(|(handler, kind)| {
            let options = options(rng, name);
            (
                handler.to_string(),
                HandlerSchema {
                    name: (*handler).to_owned(),
                    kind: *kind,
                    options,
                    input: InputRule { content_type: None, required: false },
                    output: OutputRule { content_type: None, set_content_type_if_empty: false },
                },
            )
        });
        let handlers = handlers.collect();
        let service = ServiceSchema {
            name: name.to_owned(),
            kind,
            deployment: deployment(rng),
            revision: 1,
            handlers,
        };
        schema.services.insert(name.to_owned(), service);
    }
    schema
}

/// Registers a new revision of one service on another deployment.
pub fn redeploy(schema: &mut Schema, rng: &mut Rng) {
    let names: Vec<String> = schema.services.keys().cloned().collect();
    let Some(service) = rng.pick_any(&names).and_then(|name| schema.services.get_mut(&name)) else {
        return;
    };
    service.deployment = deployment(rng);
    service.revision += 1;
}

/// Draws one of the deployments.
pub fn deployment(rng: &mut Rng) -> DeploymentId {
    DeploymentId(u128::from(rng.below(DEPLOYMENTS)) + 1)
}

fn options(rng: &mut Rng, service: &str) -> HandlerOptions {
    let (max_attempts, on_max_attempts) = match service {
        "killer" => (Some(3), OnMaxAttempts::Kill),
        "object" => (Some(4), OnMaxAttempts::Pause),
        _ => (None, OnMaxAttempts::Pause),
    };
    let long = RETENTION_MS_MAX;
    HandlerOptions {
        inactivity_timeout_ms: 600,
        abort_timeout_ms: 500,
        journal_retention_ms: rng.pick(&[0, 300, long]),
        idempotency_retention_ms: rng.pick(&[700, long, long]),
        workflow_retention_ms: rng.pick(&[500, long, long]),
        lazy_state: service == "lazy",
        public: true,
        retry: RetryPolicy {
            initial_interval_ms: 20,
            factor: 2.0,
            max_interval_ms: 400,
            max_attempts,
            on_max_attempts,
        },
    }
}
