//! The table of all settings. The file, the environment and `docs/configuration.md` follow from it.
//!
//! - Owns: names, default texts, and the setter that checks and stores a value.
//! - Invariant: applying every default text to any settings gives the default settings.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::bail;
use reveille_server::{access::Tokens, config::OnMaxAttempts};
use tracing_subscriber::EnvFilter;

use super::{
    value, {LogFormat, Settings},
};

/// One setting.
pub struct Key {
    /// Path in the file, with dots between levels.
    pub path: &'static str,
    /// Its default as a user would write it.
    pub default: &'static str,
    /// Checks a text and stores it. The error says what would be right, without naming the key.
    pub set: fn(&mut Settings, &str) -> anyhow::Result<()>,
}

impl Key {
    /// Returns the name of the environment variable.
    pub fn variable(&self) -> String {
        let path = self.path.replace('.', "__").replace('-', "_").to_ascii_uppercase();
        format!("{}{path}", super::environment::PREFIX)
    }

    /// Returns the text for an error. Tokens are secret, and may stand where their hashes should.
    pub fn shown<'t>(&self, text: &'t str) -> &'t str {
        const SECRET: [&str; 2] = ["tracing.headers", "ingress.kafka-clusters"];
        let secret = self.path.ends_with(".tokens") || SECRET.contains(&self.path);
        if secret { "(not shown)" } else { text }
    }
}

/// Finds a setting by its path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Every setting, in the order of `docs/configuration.md`.
pub const KEYS: &[Key] = &[
    Key {
        path: "base-dir",
        default: "./reveille-data",
        set: |settings, text| {
            if text.is_empty() {
                bail!("expected a directory");
            }
            settings.data_dir = PathBuf::from(text);
            Ok(())
        },
    },
    Key {
        path: "default-num-partitions",
        default: "auto",
        set: |settings, text| {
            let max = u64::from(reveille_store::PARTITIONS_MAX);
            settings.partitions_new = match text {
                "auto" => None,
                number => Some(value::number(number, 1, max)? as u16),
            };
            Ok(())
        },
    },
    Key {
        path: "ingress.bind-address",
        default: "127.0.0.1:8080",
        set: |settings, text| store(&mut settings.server.ingress_address, address(text)),
    },
    Key {
        path: "ingress.request-size-limit",
        default: "32MiB",
        set: |settings, text| store(&mut settings.server.request_size_limit, value::size(text)),
    },
    Key {
        path: "ingress.concurrent-requests-limit",
        default: "10000",
        set: |settings, text| {
            let max = u64::from(u32::MAX);
            let number = value::number(text, 1, max)?;
            settings.server.concurrent_requests_max = usize::try_from(number)?;
            Ok(())
        },
    },
    Key {
        path: "ingress.streams-per-connection",
        default: "256",
        set: |settings, text| {
            let number = value::number(text, 1, u64::from(u32::MAX) / 2)?;
            settings.server.streams_per_connection = u32::try_from(number)?;
            Ok(())
        },
    },
    Key {
        path: "ingress.tokens",
        default: "none",
        set: |settings, text| store(&mut settings.server.security.ingress.tokens, tokens(text)),
    },
    Key {
        path: "ingress.waits-without-token",
        default: "false",
        set: |settings, text| {
            store(&mut settings.server.security.waits_without_token, value::flag(text))
        },
    },
    Key {
        path: "ingress.kafka-clusters",
        default: "none",
        set: |settings, text| {
            store(&mut settings.server.kafka_clusters, value::kafka_clusters(text))
        },
    },
    Key {
        path: "ingress.tls.cert-file",
        default: "none",
        set: |settings, text| store(&mut settings.server.security.ingress.cert_file, file(text)),
    },
    Key {
        path: "ingress.tls.key-file",
        default: "none",
        set: |settings, text| store(&mut settings.server.security.ingress.key_file, file(text)),
    },
    Key {
        path: "admin.bind-address",
        default: "127.0.0.1:9070",
        set: |settings, text| store(&mut settings.server.admin_address, address(text)),
    },
    Key {
        path: "admin.tokens",
        default: "none",
        set: |settings, text| store(&mut settings.server.security.admin.tokens, tokens(text)),
    },
    Key {
        path: "admin.tls.cert-file",
        default: "none",
        set: |settings, text| store(&mut settings.server.security.admin.cert_file, file(text)),
    },
    Key {
        path: "admin.tls.key-file",
        default: "none",
        set: |settings, text| store(&mut settings.server.security.admin.key_file, file(text)),
    },
    Key {
        path: "request-identity-private-key-pem-file",
        default: "none",
        set: |settings, text| store(&mut settings.server.security.identity_key_file, file(text)),
    },
    Key {
        path: "http-client.ca-file",
        default: "none",
        set: |settings, text| store(&mut settings.server.security.ca_file, file(text)),
    },
    Key {
        path: "admin.query.timeout",
        default: "30s",
        set: |settings, text| {
            store(&mut settings.server.query_timeout_ms, value::duration_ms(text))
        },
    },
    Key {
        path: "admin.query.answer-size-limit",
        default: "64MiB",
        set: |settings, text| {
            store(&mut settings.server.query_answer_size_limit, value::size(text))
        },
    },
    Key {
        path: "admin.query.memory-limit",
        default: "128MiB",
        set: |settings, text| store(&mut settings.server.query_memory_limit, value::size(text)),
    },
    Key {
        path: "worker.invoker.inactivity-timeout",
        default: "1m",
        set: |settings, text| {
            store(&mut settings.server.defaults.inactivity_timeout_ms, value::duration_ms(text))
        },
    },
    Key {
        path: "worker.invoker.abort-timeout",
        default: "10m",
        set: |settings, text| {
            store(&mut settings.server.defaults.abort_timeout_ms, value::duration_ms(text))
        },
    },
    Key {
        path: "worker.invoker.concurrent-invocations-limit",
        default: "10000",
        set: |settings, text| {
            let limit = value::number(text, 1, 1_000_000)?;
            settings.server.concurrent_attempts_max = limit as usize;
            Ok(())
        },
    },
    Key {
        path: "worker.invoker.message-size-limit",
        default: "32MiB",
        set: |settings, text| store(&mut settings.server.message_size_limit, value::size(text)),
    },
    Key {
        path: "worker.protocol-version-max",
        default: "7",
        set: |settings, text| {
            settings.server.protocol_version_max = value::number(text, 5, 7)? as u32;
            Ok(())
        },
    },
    Key {
        path: "worker.cleanup-interval",
        default: "1h",
        set: |_, text| value::duration_ms(text).map(drop),
    },
    Key {
        path: "default-retry-policy.initial-interval",
        default: "500ms",
        set: |settings, text| {
            let retry = &mut settings.server.defaults.retry;
            store(&mut retry.initial_interval_ms, value::duration_ms(text))
        },
    },
    Key {
        path: "default-retry-policy.exponentiation-factor",
        default: "2.0",
        set: |settings, text| store(&mut settings.server.defaults.retry.factor, factor(text)),
    },
    Key {
        path: "default-retry-policy.max-interval",
        default: "1m",
        set: |settings, text| {
            let retry = &mut settings.server.defaults.retry;
            store(&mut retry.max_interval_ms, value::duration_ms(text))
        },
    },
    Key {
        path: "default-retry-policy.max-attempts",
        default: "70",
        set: |settings, text| {
            settings.server.defaults.retry.max_attempts = match text {
                "unlimited" => None,
                number => Some(value::number(number, 1, u64::from(u32::MAX))?),
            };
            Ok(())
        },
    },
    Key {
        path: "default-retry-policy.on-max-attempts",
        default: "pause",
        set: |settings, text| {
            settings.server.defaults.retry.on_max_attempts =
                match text.to_ascii_lowercase().as_str() {
                    "pause" => OnMaxAttempts::Pause,
                    "kill" => OnMaxAttempts::Kill,
                    _ => bail!("expected pause or kill"),
                };
            Ok(())
        },
    },
    Key {
        path: "default-idempotency-retention",
        default: "1d",
        set: |settings, text| {
            store(&mut settings.server.defaults.idempotency_retention_ms, value::duration_ms(text))
        },
    },
    Key {
        path: "default-workflow-completion-retention",
        default: "1d",
        set: |settings, text| {
            store(&mut settings.server.defaults.workflow_retention_ms, value::duration_ms(text))
        },
    },
    Key {
        path: "default-journal-retention",
        default: "1d",
        set: |settings, text| {
            store(&mut settings.server.defaults.journal_retention_ms, value::duration_ms(text))
        },
    },
    Key {
        path: "tracing.endpoint",
        default: "none",
        set: |settings, text| {
            settings.server.tracing.endpoint = match text {
                "none" => None,
                "" => bail!("expected an address such as http://localhost:4318, or none"),
                endpoint => Some(endpoint.to_owned()),
            };
            Ok(())
        },
    },
    Key {
        path: "tracing.headers",
        default: "none",
        set: |settings, text| store(&mut settings.server.tracing.headers, value::headers(text)),
    },
    Key {
        path: "tracing.sampling-ratio",
        default: "1",
        set: |settings, text| store(&mut settings.server.tracing.sampling_ratio, ratio(text)),
    },
    Key {
        path: "tracing.service-name",
        default: "reveille",
        set: |settings, text| {
            if text.is_empty() {
                bail!("expected a name");
            }
            settings.server.tracing.service_name = text.to_owned();
            Ok(())
        },
    },
    Key {
        path: "log-filter",
        default: "info",
        set: |settings, text| {
            if let Err(error) = EnvFilter::try_new(text) {
                bail!("expected a log filter such as info or warn,reveille_server=debug: {error}");
            }
            settings.log_filter = text.to_owned();
            Ok(())
        },
    },
    Key {
        path: "log-format",
        default: "text",
        set: |settings, text| {
            settings.log_format = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => bail!("expected text or json"),
            };
            Ok(())
        },
    },
];

fn store<T>(place: &mut T, value: anyhow::Result<T>) -> anyhow::Result<()> {
    *place = value?;
    Ok(())
}

fn tokens(text: &str) -> anyhow::Result<Tokens> {
    Ok(Tokens::parse(text)?)
}

/// Reads the path of a file; a file whose name is `none` is `./none`.
fn file(text: &str) -> anyhow::Result<Option<PathBuf>> {
    match text {
        "none" => Ok(None),
        "" => bail!("expected a file, or none"),
        path => Ok(Some(PathBuf::from(path))),
    }
}

fn address(text: &str) -> anyhow::Result<SocketAddr> {
    // `localhost` stands in many configurations; any other name would need a resolver.
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    match numeric.parse() {
        Ok(address) => Ok(address),
        Err(_) => bail!("expected an address and a port such as 127.0.0.1:8080 or [::]:8080"),
    }
}

fn ratio(text: &str) -> anyhow::Result<f64> {
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => bail!("expected a number from 0 to 1 such as 0.1"),
    }
}

fn factor(text: &str) -> anyhow::Result<f64> {
    match text.parse::<f64>() {
        Ok(factor) if (1.0..=1000.0).contains(&factor) => Ok(factor),
        _ => bail!("expected a number from 1 to 1000 such as 2.0"),
    }
}
