//! Why the registry refuses or fails.
//!
//! Invariant: after every error except those of the store nothing has changed.

use reveille_engine::schema::ServiceKind;
use reveille_protocol::{id::DeploymentId, manifest::HandlerType};
use reveille_store::StoreError;

use super::{discover::DiscoveryFailure, kafka::KafkaError};

/// Lowest service protocol version that is spoken.
pub(super) const PROTOCOL_VERSION_MIN: u32 = 5;

/// Why the registry refused or failed. The variant tells what to mend.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The deployment did not give a manifest. Mend it, then register again.
    #[error("{message}")]
    Discovery {
        /// Documentation code, if there is one.
        code: Option<&'static str>,
        /// What happened.
        message: String,
        /// True when the manifest was read and breaks a rule.
        invalid: bool,
    },
    /// A deployment within the process has a name that fits in no address. Choose another one.
    #[error(transparent)]
    LocalName(super::UriError),
    /// No common protocol version. Use another version of the SDK or of this server.
    #[error(
        "unsupported service protocol versions: [{min}, {max}]. Supported versions by this runtime \
         are [{PROTOCOL_VERSION_MIN}, {supported_max}]. Use an SDK that speaks one of these"
    )]
    ProtocolVersions {
        /// Lowest version of the deployment.
        min: u32,
        /// Highest version of the deployment.
        max: u32,
        /// Highest version of this server.
        supported_max: u32,
    },
    /// Such a service has no such handlers. Mend the deployment.
    #[error(
        "invalid combination of service type and handler type '({service}, Some({handler:?}))'"
    )]
    HandlerType {
        /// Type of the service.
        service: ServiceKind,
        /// Type of the handler.
        handler: HandlerType,
    },
    /// A service would change its type. Rename it, or register with `breaking`.
    #[error(
        "service '{name}' is registered as {was} and the deployment declares it as {declared}. \
         Register with \"breaking\": true if that is meant"
    )]
    ServiceType {
        /// The service.
        name: String,
        /// Its type in the latest revision.
        was: ServiceKind,
        /// Its type in the manifest.
        declared: ServiceKind,
    },
    /// No deployment has this id. Look at the list.
    #[error("not found in the schema registry: deployment with id '{0}'")]
    UnknownDeployment(DeploymentId),
    /// New work goes there. Register a newer revision elsewhere first, or remove it by force.
    #[error(
        "deployment '{id}' serves the latest revision of {services}: register a newer one elsewhere \
         first, or remove it with its services by ?force=true"
    )]
    Serving {
        /// The deployment.
        id: DeploymentId,
        /// Names of the services.
        services: String,
    },
    /// Invocations need it. Wait for them, move them, or remove it by force.
    #[error(
        "deployment '{id}' is needed by {count}{} invocations that have not completed: wait for them, \
         resume them elsewhere, or remove it anyway by ?force=true",
        if *more { " or more" } else { "" }
    )]
    InUse {
        /// The deployment.
        id: DeploymentId,
        /// How many were found.
        count: usize,
        /// True when the search ended there.
        more: bool,
    },
    /// Another deployment has the address. Choose another one, or remove that deployment.
    #[error("deployment '{other}' has the address {uri} already")]
    AddressTaken {
        /// The address.
        uri: String,
        /// Who has it.
        other: DeploymentId,
    },
    /// What has started there would be stranded. Mend the endpoint, or overwrite.
    #[error(
        "the endpoint cannot replace deployment '{id}': {what}, and invocations may need it; set \
         \"overwrite\": true if that is meant"
    )]
    Incomplete {
        /// The deployment.
        id: DeploymentId,
        /// What is missing.
        what: String,
    },
    /// No service has this name. Look at the list.
    #[error("not found in the schema registry: service with name '{0}'")]
    UnknownService(String),
    /// The option does not exist for such a service. Leave it out.
    #[error("{0}")]
    Unsupported(String),
    /// The bound on deployments is reached. Remove old ones.
    #[error(
        "there are {} deployments, the most this server keeps; remove old ones",
        crate::limits::DEPLOYMENTS_MAX
    )]
    TooManyDeployments,
    /// The rule is not as the request expects. Read it again.
    #[error(
        "the rule '{pattern}' has {}, but {} was expected; nothing was changed",
        version_text(*actual), version_text(*expected)
    )]
    RuleVersion {
        /// Pattern of the rule.
        pattern: String,
        /// Version that the request names; `None` is no such rule.
        expected: Option<u32>,
        /// Version that it has; `None` is no such rule.
        actual: Option<u32>,
    },
    /// Use a shorter description.
    #[error(
        "the description of rule '{pattern}' has {len} bytes, at most {} fit; nothing was changed",
        crate::limits::RULE_DESCRIPTION_BYTES
    )]
    RuleDescription {
        /// Pattern of the rule.
        pattern: String,
        /// Length of its description.
        len: usize,
    },
    /// The bound on rules is reached. Remove old ones, or use wildcards.
    #[error(
        "there can be {} rules at most; remove some, or use patterns with '*'; nothing was changed",
        crate::limits::RULES_MAX
    )]
    TooManyRules,
    /// The stored rules cannot be read. Do not serve without them; call a person.
    #[error("the record of the concurrency rules is damaged: {detail}")]
    RulesRecord {
        /// What is wrong.
        detail: String,
    },
    /// The record of an invocation cannot be read. Call a person.
    #[error("an invocation cannot be read: {detail}")]
    Invocation {
        /// Which key, and what is wrong.
        detail: String,
    },
    /// A stored record cannot be read. Do not serve from it; call a person.
    #[error("the record of deployment {id} is damaged: {detail}")]
    Record {
        /// The deployment, as far as its key can be read.
        id: String,
        /// What is wrong.
        detail: String,
    },
    /// Clusters and subscriptions; see its variants.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The store refused or failed; see its variants.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server is stopping. Retry against the next one.
    #[error("the server is stopping, retry in a moment")]
    Stopped,
}

impl RegistryError {
    /// Returns the documentation code that clients of the admin API know.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            RegistryError::Discovery { code, .. } => *code,
            RegistryError::ProtocolVersions { .. } => Some("META0012"),
            RegistryError::ServiceType { .. } => Some("META0006"),
            RegistryError::Kafka(error) => error.code(),
            _ => None,
        }
    }
}

fn version_text(version: Option<u32>) -> String {
    version.map_or_else(|| "no version".to_owned(), |v| format!("version {v}"))
}

impl From<DiscoveryFailure> for RegistryError {
    fn from(failure: DiscoveryFailure) -> RegistryError {
        let DiscoveryFailure { code, message, invalid } = failure;
        RegistryError::Discovery { code, message, invalid }
    }
}
