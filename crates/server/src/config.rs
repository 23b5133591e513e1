//! Every setting of the server with its default.
//!
//! Key names are those of the peer's configuration where it has the same setting, so that moving
//! over means changing the prefix of environment variables. Durations are milliseconds here; the
//! command line and the file take text such as `10s`.
//! - Does not own: where values come from (crate `cli`: defaults, file, environment, flags).

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use reveille_engine::schema::{OnMaxAttempts, RetryPolicy};

use crate::access::Tokens;
use crate::registry::kafka::Properties;

/// Settings of one server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where callers connect.
    pub ingress_address: SocketAddr,
    /// Where operators connect.
    pub admin_address: SocketAddr,
    /// Largest request body at the ingress, in bytes.
    pub request_size_limit: usize,
    /// Calls and sends that may be on their way at the same time; further ones are refused.
    pub concurrent_requests_max: usize,
    /// Requests that may be open at the same time on one HTTP/2 connection to the ingress.
    pub streams_per_connection: u32,
    /// Highest service protocol version that is negotiated, 5 to 7.
    pub protocol_version_max: u32,
    /// Attempts that may be open at the same time over all partitions.
    pub concurrent_attempts_max: usize,
    /// Largest message accepted from a deployment, in bytes.
    pub message_size_limit: usize,
    /// Longest time of a query, in milliseconds.
    pub query_timeout_ms: u64,
    /// Largest answer to a query, in bytes.
    pub query_answer_size_limit: usize,
    /// Memory that all queries may take together, in bytes.
    pub query_memory_limit: usize,
    /// Options of handlers that neither the handler nor its service sets.
    pub defaults: OptionDefaults,
    /// Who is let in, whom the server trusts and how others recognise it.
    pub security: SecurityConfig,
    /// Export of traces.
    pub tracing: TracingConfig,
    /// Kafka clusters beside those that operators create.
    pub kafka_clusters: Vec<KafkaClusterConfig>,
}

/// A Kafka cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaClusterConfig {
    /// Its name in sources of subscriptions.
    pub name: String,
    /// What clients of it are set to.
    pub properties: Properties,
}

/// Export of traces. The default: none.
#[derive(Clone, PartialEq)]
pub struct TracingConfig {
    /// Address of an OTLP collector over HTTP, without `/v1/traces`.
    pub endpoint: Option<String>,
    /// Headers for the collector.
    pub headers: Vec<(String, String)>,
    /// Which part of the traces that begin here is recorded, 0 to 1.
    pub sampling_ratio: f64,
    /// What this server is called in them.
    pub service_name: String,
}

impl Default for TracingConfig {
    fn default() -> TracingConfig {
        TracingConfig {
            endpoint: None,
            headers: Vec::new(),
            sampling_ratio: 1.0,
            service_name: "reveille".to_owned(),
        }
    }
}

impl fmt::Debug for TracingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of headers are credentials.
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("TracingConfig")
            .field("endpoint", &self.endpoint)
            .field("headers", &names)
            .field("sampling_ratio", &self.sampling_ratio)
            .field("service_name", &self.service_name)
            .finish()
    }
}

/// Who is let in, whom the server trusts and how others recognise it. The default: everyone who can
/// reach the listeners, the authorities of the system, and not at all.
#[derive(Clone, Debug, Default)]
pub struct SecurityConfig {
    /// PEM file with authorities that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the key that signs requests to deployments.
    pub identity_key_file: Option<PathBuf>,
    /// The ingress.
    pub ingress: ListenerSecurity,
    /// True to let whoever knows the id of a wait complete it at the ingress without a token.
    pub waits_without_token: bool,
    /// The admin API.
    pub admin: ListenerSecurity,
}

/// Tokens and certificate of one listener.
#[derive(Clone, Debug, Default)]
pub struct ListenerSecurity {
    /// The tokens that are let in; none lets everyone in.
    pub tokens: Tokens,
    /// PEM file with the certificate chain; needs a key.
    pub cert_file: Option<PathBuf>,
    /// PEM file with the key; needs a certificate.
    pub key_file: Option<PathBuf>,
}

/// Options of handlers that neither the handler nor its service sets.
#[derive(Clone, Debug)]
pub struct OptionDefaults {
    /// See [`reveille_engine::schema::HandlerOptions`].
    pub inactivity_timeout_ms: u64,
    /// See [`reveille_engine::schema::HandlerOptions`].
    pub abort_timeout_ms: u64,
    /// See [`reveille_engine::schema::HandlerOptions`].
    pub journal_retention_ms: u64,
    /// See [`reveille_engine::schema::HandlerOptions`].
    pub idempotency_retention_ms: u64,
    /// See [`reveille_engine::schema::HandlerOptions`].
    pub workflow_retention_ms: u64,
    /// Retries of failed attempts.
    pub retry: RetryPolicy,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Default for OptionDefaults {
    fn default() -> OptionDefaults {
        OptionDefaults {
            inactivity_timeout_ms: 60_000,
            abort_timeout_ms: 600_000,
            journal_retention_ms: DAY_MS,
            idempotency_retention_ms: DAY_MS,
            workflow_retention_ms: DAY_MS,
            retry: RetryPolicy {
                initial_interval_ms: 500,
                factor: 2.0,
                max_interval_ms: 60_000,
                max_attempts: Some(70),
                on_max_attempts: OnMaxAttempts::Pause,
            },
        }
    }
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            ingress_address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_address: SocketAddr::from(([127, 0, 0, 1], 9070)),
            request_size_limit: crate::limits::REQUEST_BYTES_DEFAULT,
            concurrent_requests_max: crate::limits::CONCURRENT_REQUESTS_DEFAULT,
            streams_per_connection: crate::limits::LISTENER_STREAMS_DEFAULT,
            protocol_version_max: 7,
            concurrent_attempts_max: crate::limits::CONCURRENT_ATTEMPTS_DEFAULT,
            message_size_limit: crate::limits::MESSAGE_BYTES_DEFAULT,
            query_timeout_ms: crate::limits::QUERY_TIMEOUT_MS_DEFAULT,
            query_answer_size_limit: crate::limits::QUERY_ANSWER_BYTES_DEFAULT,
            query_memory_limit: crate::limits::QUERY_MEMORY_BYTES_DEFAULT,
            defaults: OptionDefaults::default(),
            security: SecurityConfig::default(),
            tracing: TracingConfig::default(),
            kafka_clusters: Vec::new(),
        }
    }
}
