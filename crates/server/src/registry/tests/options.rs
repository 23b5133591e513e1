//! Precedence of options, field by field.

use reveille_engine::schema::{HandlerKind, OnMaxAttempts};

use crate::{
    config::OptionDefaults,
    registry::{
        options::resolve,
        record::{OnMaxAttemptsRecord, OptionsRecord, RetryRecord},
    },
};

const DAY_MS: u64 = 86_400_000;

/// Resolves and prints the fields that differ from the defaults.
fn check(kind: HandlerKind, handler: OptionsRecord, service: OptionsRecord, expected: &str) {
    let resolved = resolve(kind, &handler, &service, &OptionDefaults::default());
    let default = resolve(
        HandlerKind::Plain,
        &OptionsRecord::default(),
        &OptionsRecord::default(),
        &OptionDefaults::default(),
    );
    let (resolved, default) = (format!("{resolved:#?}"), format!("{default:#?}"));
    let differing: Vec<&str> = resolved
        .lines()
        .zip(default.lines())
        .filter(|(resolved, default)| resolved != default)
        .map(|(resolved, _)| resolved.trim().trim_end_matches(','))
        .collect();
    assert_eq!(differing.join("; "), expected);
}

fn none() -> OptionsRecord {
    OptionsRecord::default()
}

#[test]
fn defaults_stand_where_nothing_is_declared() {
    let options = resolve(HandlerKind::Plain, &none(), &none(), &OptionDefaults::default());
    assert_eq!(options.inactivity_timeout_ms, 60_000);
    assert_eq!(options.abort_timeout_ms, 600_000);
    assert_eq!(options.journal_retention_ms, DAY_MS);
    assert_eq!(options.idempotency_retention_ms, DAY_MS);
    assert_eq!(options.workflow_retention_ms, DAY_MS);
    assert_eq!(options.retry.max_attempts, Some(70));
    assert!(options.public && !options.lazy_state);
    check(HandlerKind::Exclusive, none(), none(), "");
}

#[test]
fn a_handler_wins_over_its_service_field_by_field() {
    let service = OptionsRecord {
        inactivity_timeout_ms: Some(1),
        abort_timeout_ms: Some(2),
        lazy_state: Some(true),
        ..none()
    };
    let handler = OptionsRecord { inactivity_timeout_ms: Some(3), ..none() };
    let expected = "inactivity_timeout_ms: 3; abort_timeout_ms: 2; lazy_state: true";
    check(HandlerKind::Plain, handler.clone(), service.clone(), expected);
    let handler = OptionsRecord { lazy_state: Some(false), ..handler };
    check(HandlerKind::Plain, handler, service, "inactivity_timeout_ms: 3; abort_timeout_ms: 2");
}

#[test]
fn a_journal_is_kept_no_longer_than_its_result() {
    let short = OptionsRecord { idempotency_retention_ms: Some(5), ..none() };
    let journal = OptionsRecord { journal_retention_ms: Some(9), ..none() };
    let expected = "journal_retention_ms: 5; idempotency_retention_ms: 5";
    check(HandlerKind::Plain, none(), short.clone(), expected);
    check(HandlerKind::Shared, journal.clone(), short.clone(), expected);
    let expected = "journal_retention_ms: 9; idempotency_retention_ms: 5";
    check(HandlerKind::Workflow, journal.clone(), short, expected);
    let short = OptionsRecord { workflow_retention_ms: Some(7), ..none() };
    let expected = "journal_retention_ms: 7; workflow_retention_ms: 7";
    check(HandlerKind::Workflow, journal.clone(), short.clone(), expected);
    let expected = "journal_retention_ms: 9; workflow_retention_ms: 7";
    check(HandlerKind::Shared, journal, short, expected);
}

#[test]
fn a_private_service_has_private_handlers() {
    let private = OptionsRecord { private: Some(true), ..none() };
    let public = OptionsRecord { private: Some(false), ..none() };
    check(HandlerKind::Plain, none(), private.clone(), "public: false");
    check(HandlerKind::Plain, private.clone(), public.clone(), "public: false");
    check(HandlerKind::Plain, public, private, "public: false");
}

#[test]
fn retries_resolve_field_by_field_and_within_bounds() {
    let of = |retry| OptionsRecord { retry, ..none() };
    let service = of(RetryRecord {
        initial_interval_ms: Some(10),
        max_attempts: Some(4),
        on_max_attempts: Some(OnMaxAttemptsRecord::Kill),
        ..RetryRecord::default()
    });
    let handler = of(RetryRecord { max_attempts: Some(0), ..RetryRecord::default() });
    let resolved =
        resolve(HandlerKind::Plain, &handler, &service, &OptionDefaults::default()).retry;
    assert_eq!(resolved.initial_interval_ms, 10);
    assert_eq!(resolved.max_interval_ms, 60_000);
    assert_eq!(resolved.max_attempts, Some(1), "the first attempt counts");
    assert_eq!(resolved.on_max_attempts, OnMaxAttempts::Kill);
    for (declared, expected) in [(0.5, 1.0), (1.0, 1.0), (3.0, 3.0), (f64::NAN, 2.0)] {
        let handler = of(RetryRecord { factor: Some(declared), ..RetryRecord::default() });
        let resolved = resolve(HandlerKind::Plain, &handler, &none(), &OptionDefaults::default());
        assert!((resolved.retry.factor - expected).abs() < f64::EPSILON, "{declared}");
    }
}
