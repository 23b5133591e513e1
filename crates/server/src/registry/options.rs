//! Resolves the options of a handler: its own over those of its service over the defaults.
//!
//! - Owns: precedence, field by field, and the bounds between options.
//! - Does not own: what the options do (crate `engine`).

use reveille_engine::schema::{HandlerKind, HandlerOptions, RetryPolicy};

use super::record::{OptionsRecord, RetryRecord};
use crate::config::OptionDefaults;

/// Resolves the options of one handler.
///
/// The journal is kept at most as long as the result it explains. A private service has only
/// private handlers, whatever they say themselves.
pub(super) fn resolve(
    kind: HandlerKind,
    handler: &OptionsRecord,
    service: &OptionsRecord,
    defaults: &OptionDefaults,
) -> HandlerOptions {
    let pick = |field: fn(&OptionsRecord) -> Option<u64>, default: u64| {
        field(handler).or(field(service)).unwrap_or(default)
    };
    let idempotency_retention_ms =
        pick(|options| options.idempotency_retention_ms, defaults.idempotency_retention_ms);
    let workflow_retention_ms =
        pick(|options| options.workflow_retention_ms, defaults.workflow_retention_ms);
    let completion_retention_ms = match kind {
        HandlerKind::Workflow => workflow_retention_ms,
        HandlerKind::Plain | HandlerKind::Exclusive | HandlerKind::Shared => {
            idempotency_retention_ms
        }
    };
    let journal_retention_ms =
        pick(|options| options.journal_retention_ms, defaults.journal_retention_ms);
    HandlerOptions {
        inactivity_timeout_ms: pick(
            |options| options.inactivity_timeout_ms,
            defaults.inactivity_timeout_ms,
        ),
        abort_timeout_ms: pick(|options| options.abort_timeout_ms, defaults.abort_timeout_ms),
        journal_retention_ms: journal_retention_ms.min(completion_retention_ms),
        idempotency_retention_ms,
        workflow_retention_ms,
        lazy_state: handler.lazy_state.or(service.lazy_state).unwrap_or(false),
        public: !(handler.private == Some(true) || service.private == Some(true)),
        retry: resolve_retry(&handler.retry, &service.retry, &defaults.retry),
    }
}

fn resolve_retry(
    handler: &RetryRecord,
    service: &RetryRecord,
    defaults: &RetryPolicy,
) -> RetryPolicy {
    let factor = handler.factor.or(service.factor).unwrap_or(defaults.factor);
    let max_attempts = handler.max_attempts.or(service.max_attempts).or(defaults.max_attempts);
    RetryPolicy {
        initial_interval_ms: handler
            .initial_interval_ms
            .or(service.initial_interval_ms)
            .unwrap_or(defaults.initial_interval_ms),
        // A factor below one would make delays shrink to nothing.
        factor: if factor.is_finite() { factor.max(1.0) } else { defaults.factor },
        max_interval_ms: handler
            .max_interval_ms
            .or(service.max_interval_ms)
            .unwrap_or(defaults.max_interval_ms),
        // The first attempt counts, so there is always one.
        max_attempts: max_attempts.map(|attempts| attempts.max(1)),
        on_max_attempts: handler
            .on_max_attempts
            .or(service.on_max_attempts)
            .map_or(defaults.on_max_attempts, Into::into),
    }
}
