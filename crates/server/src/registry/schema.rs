//! Builds the engine's view of everything registered.
//!
//! - Owns: the way from stored records to a [`Schema`].
//! - Does not own: what options win ([`super::options`]), which revision does ([`super::record`]).
//! - Invariant: every service points to a deployment of the same schema; every deployment that is
//!   stored is in it, so that invocations pinned to an old one continue.

use std::{collections::BTreeMap, sync::Arc};

use reveille_engine::rules::Rules;
use reveille_engine::schema::{
    DeploymentSchema, HandlerOptions, HandlerSchema, InputRule, OutputRule, Schema, ServiceSchema,
};
use reveille_protocol::id::DeploymentId;

use super::{
    RegistryConfig, options,
    record::{
        self, DeploymentRecord, HandlerRecord, InputRecord, OutputRecord, Records, ServiceRecord,
    },
};
use crate::config::OptionDefaults;

/// Content type of inputs of which the manifest says nothing.
pub(super) const INPUT_DEFAULT: &str = "*/*";
/// Content type of outputs of which the manifest says nothing.
pub(super) const OUTPUT_DEFAULT: &str = "application/json";

/// Builds the schema.
pub(super) fn build(records: &Records, config: &RegistryConfig, rules: Arc<Rules>) -> Schema {
    let latest = record::latest(records);
    let services = latest.iter().map(|(name, (id, service))| {
        let options = service.options();
        let handlers = service.handlers.iter().map(|(handler_name, handler)| {
            let schema = build_handler(handler_name, handler, &options, &config.defaults);
            (handler_name.clone(), schema)
        });
        let schema = ServiceSchema {
            name: (*name).to_owned(),
            kind: service.kind,
            deployment: *id,
            revision: service.revision,
            handlers: handlers.collect(),
        };
        ((*name).to_owned(), schema)
    });
    let deployments = records.iter().map(|(id, record)| {
        let former = former(record, &latest, &config.defaults);
        let schema = build_deployment(*id, record, config.protocol_version_max);
        (*id, DeploymentSchema { former, ..schema })
    });
    Schema { services: services.collect(), deployments: deployments.collect(), rules }
}

fn build_handler(
    name: &str,
    handler: &HandlerRecord,
    service: &record::OptionsRecord,
    defaults: &OptionDefaults,
) -> HandlerSchema {
    HandlerSchema {
        name: name.to_owned(),
        kind: handler.kind,
        options: options::resolve(handler.kind, &handler.options, service, defaults),
        input: input_rule(handler.input.as_ref()),
        output: output_rule(handler.output.as_ref()),
    }
}

/// What a deployment has that the latest revisions lack: started work may need it.
fn former(
    record: &DeploymentRecord,
    latest: &BTreeMap<&str, (DeploymentId, &ServiceRecord)>,
    defaults: &OptionDefaults,
) -> BTreeMap<String, BTreeMap<String, HandlerOptions>> {
    let services = record.services.iter().map(|(name, service)| {
        let is_former = |handler: &str| {
            let newest = latest.get(name.as_str());
            newest.is_none_or(|(_, newest)| !newest.handlers.contains_key(handler))
        };
        let former = service.handlers.iter().filter(|(handler, _)| is_former(handler));
        let former = former.map(|(name, handler)| {
            let options =
                options::resolve(handler.kind, &handler.options, &service.options(), defaults);
            (name.clone(), options)
        });
        (name.clone(), former.collect::<BTreeMap<_, _>>())
    });
    services.filter(|(_, handlers)| !handlers.is_empty()).collect()
}

/// What the ingress accepts. A declared input without a content type means no input, unless it is
/// required at the same time.
pub(super) fn input_rule(input: Option<&InputRecord>) -> InputRule {
    let anything = || Some(INPUT_DEFAULT.to_owned());
    match input {
        None => InputRule { content_type: anything(), required: false },
        Some(input) => InputRule {
            content_type: match &input.content_type {
                None if input.required => anything(),
                declared => declared.clone(),
            },
            required: input.required,
        },
    }
}

/// What the ingress answers with.
pub(super) fn output_rule(output: Option<&OutputRecord>) -> OutputRule {
    match output {
        None => OutputRule {
            content_type: Some(OUTPUT_DEFAULT.to_owned()),
            set_content_type_if_empty: false,
        },
        Some(output) => OutputRule {
            content_type: output.content_type.clone(),
            set_content_type_if_empty: output.set_content_type_if_empty,
        },
    }
}

fn build_deployment(
    id: DeploymentId,
    record: &DeploymentRecord,
    protocol_version_max: u32,
) -> DeploymentSchema {
    let protocol_version = record.protocol_version_max.min(protocol_version_max);
    if protocol_version < record.protocol_version_min {
        // The setting was lowered after the registration. What runs there must go on.
        tracing::warn!(
            deployment = %id,
            version = record.protocol_version_min,
            setting = protocol_version_max,
            "a deployment needs a higher protocol version than the setting allows; it is used",
        );
    }
    DeploymentSchema {
        id,
        uri: record.uri.clone(),
        bidirectional: record.bidirectional,
        http1: record.http1,
        protocol_version: protocol_version.max(record.protocol_version_min),
        headers: record.headers.clone(),
        services: record.services.keys().cloned().collect(),
        former: BTreeMap::new(),
    }
}
