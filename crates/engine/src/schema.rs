//! What the engine knows of deployments: services, handlers and their resolved options.
//!
//! - Owns: the shape ([`Schema`]) and the lookups that routing rules need.
//! - Does not own: discovery, storage and merging of manifests (crate `server`).
//! - Invariant: every service points to a deployment that is in the same schema, and every option
//!   is already resolved (handler over service over server default): the engine never merges.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use reveille_protocol::id::DeploymentId;

use crate::rules::Rules;

/// An immutable view of everything registered. A new registration builds a new schema.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Latest revision of each service, by name.
    pub services: BTreeMap<String, ServiceSchema>,
    /// Every deployment that may still run attempts, by id.
    pub deployments: BTreeMap<DeploymentId, DeploymentSchema>,
    /// Limits of scopes and limit keys.
    pub rules: Arc<Rules>,
}

impl Schema {
    /// Finds a handler of the latest revision of a service.
    pub fn handler(
        &self,
        service: &str,
        handler: &str,
    ) -> Option<(&ServiceSchema, &HandlerSchema)> {
        let service = self.services.get(service)?;
        Some((service, service.handlers.get(handler)?))
    }

    /// Finds the options of a handler for work that may be pinned: those of the latest revision of its
    /// service, else those of the deployment it is pinned to, which may have what the latest lacks.
    pub fn options(
        &self,
        service: &str,
        handler: &str,
        pinned: Option<DeploymentId>,
    ) -> Option<&HandlerOptions> {
        if let Some((_, handler)) = self.handler(service, handler) {
            return Some(&handler.options);
        }
        self.deployments.get(&pinned?)?.former.get(service)?.get(handler)
    }
}

/// The latest revision of one service.
#[derive(Clone, Debug)]
pub struct ServiceSchema {
    /// Name as registered.
    pub name: String,
    /// Kind, which decides keys, locks and retention.
    pub kind: ServiceKind,
    /// Deployment that new invocations go to.
    pub deployment: DeploymentId,
    /// Revision, counting from 1.
    pub revision: u64,
    /// Handlers by name.
    pub handlers: BTreeMap<String, HandlerSchema>,
}

/// One handler with its resolved options.
#[derive(Clone, Debug)]
pub struct HandlerSchema {
    /// Name as registered.
    pub name: String,
    /// Kind, which decides locking and write access to state.
    pub kind: HandlerKind,
    /// Resolved options.
    pub options: HandlerOptions,
    /// What the ingress accepts as input.
    pub input: InputRule,
    /// What the ingress answers with.
    pub output: OutputRule,
}

/// Resolved options of one handler. Durations are milliseconds.
#[derive(Clone, Debug)]
pub struct HandlerOptions {
    /// Silence on a bidirectional stream after which the attempt is asked to suspend.
    pub inactivity_timeout_ms: u64,
    /// Further silence after which the stream is reset and the attempt fails.
    pub abort_timeout_ms: u64,
    /// How long the journal is kept after completion; never longer than the result.
    pub journal_retention_ms: u64,
    /// How long results of ingress and idempotent invocations are kept.
    pub idempotency_retention_ms: u64,
    /// How long a workflow run's result, state and promises are kept.
    pub workflow_retention_ms: u64,
    /// True when the state map is not sent with the start of an attempt.
    pub lazy_state: bool,
    /// False when the ingress must refuse it.
    pub public: bool,
    /// Retries of failed attempts.
    pub retry: RetryPolicy,
}

/// Retries of failed attempts: `min(initial * factor^(n-1), max)` with jitter.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Delay before the second attempt, in milliseconds.
    pub initial_interval_ms: u64,
    /// Growth per attempt, at least 1.
    pub factor: f64,
    /// Longest delay, in milliseconds.
    pub max_interval_ms: u64,
    /// Attempts including the first; `None` is without end.
    pub max_attempts: Option<u64>,
    /// What happens when the attempts are used up.
    pub on_max_attempts: OnMaxAttempts,
}

/// What happens when the attempts are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMaxAttempts {
    /// The invocation waits for an operator.
    Pause,
    /// The invocation ends with the last error.
    Kill,
}

/// Kind of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// No key, no state.
    Service,
    /// Keyed, with state and one exclusive invocation at a time per key.
    VirtualObject,
    /// Keyed, one run per key, promises.
    Workflow,
}

impl ServiceKind {
    /// True when every target of the service has a key.
    pub fn keyed(self) -> bool {
        !matches!(self, ServiceKind::Service)
    }
}

/// Kind of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandlerKind {
    /// Handler of a plain service.
    Plain,
    /// Exclusive handler of a virtual object: holds the lock of its key.
    Exclusive,
    /// Shared handler of an object or workflow: runs at once, reads state.
    Shared,
    /// The run handler of a workflow.
    Workflow,
}

/// Input validation of the ingress.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRule {
    /// Accepted content type, wildcards allowed; `None` means no body is expected.
    pub content_type: Option<String>,
    /// True when a content type must be present even for an empty body.
    pub required: bool,
}

/// Content type of ingress responses.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputRule {
    /// Declared content type, if any.
    pub content_type: Option<String>,
    /// True when it is sent with an empty body as well.
    pub set_content_type_if_empty: bool,
}

/// How a deployment is reached. The engine reads mode and versions only.
#[derive(Clone)]
pub struct DeploymentSchema {
    /// Identifier.
    pub id: DeploymentId,
    /// Base address, with a trailing slash.
    pub uri: String,
    /// True when the request stays open while the handler runs.
    pub bidirectional: bool,
    /// True when the deployment is called with HTTP/1.1.
    pub http1: bool,
    /// Version used for new invocations: the highest that both sides speak.
    pub protocol_version: u32,
    /// Headers added to every request.
    pub headers: Vec<(String, String)>,
    /// Names of its services, sorted.
    pub services: Vec<String>,
    /// Options of its handlers that the latest revision of their service lacks, by service and handler:
    /// what started here goes on here.
    pub former: BTreeMap<String, BTreeMap<String, HandlerOptions>>,
}

/// Without the values of headers, which may be secret.
impl fmt::Debug for DeploymentSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("DeploymentSchema")
            .field("id", &self.id)
            .field("uri", &self.uri)
            .field("bidirectional", &self.bidirectional)
            .field("http1", &self.http1)
            .field("protocol_version", &self.protocol_version)
            .field("headers", &headers)
            .finish()
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ServiceKind::Service => "Service",
            ServiceKind::VirtualObject => "VirtualObject",
            ServiceKind::Workflow => "Workflow",
        })
    }
}
