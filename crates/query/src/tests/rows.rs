//! What the rows of each table show.

use serde_json::{Value, json};

use super::{
    fixture::{DEPLOYMENT, id},
    query, world,
};

#[test]
fn invocations() {
    let one = |columns: &str, number: u64| {
        format!("select {columns} from sys_invocation where id = '{}'", id(number))
    };
    let cases: Vec<(String, Value)> = vec![
        (
            one("id, target, status, completion_result, completion_failure, completed_at", 0),
            json!([{
                "id": id(0).to_string(),
                "target": "Mail/send",
                "status": "completed",
                "completion_result": "failure",
                "completion_failure": "[409] killed",
                "completed_at": "2026-11-22T07:36:39.990Z",
            }]),
        ),
        (
            one(
                "status, suspended_waiting_for_signals, suspended_waiting_for_completions, \
                 suspended_waiting_future_json, retry_count, trace_id",
                1,
            ),
            json!([{
                "status": "suspended", "trace_id": "0af7651916cd43dd8448eb211c80319c",
                "suspended_waiting_for_signals": [1, 17],
                "suspended_waiting_for_completions": [3],
                "suspended_waiting_future_json":
                    r#"{"Unknown":[{"Single":{"SignalIndex":1}},{"Single":{"SignalIndex":17}},{"Single":{"CompletionId":3}}]}"#,
            }]),
        ),
        (
            one(
                "status, retry_count, last_attempt_server, last_failure, last_failure_error_code, \
                 next_retry_at, last_failure_related_command_type, last_failure_related_entry_name",
                2,
            ),
            json!([{
                "status": "backing-off",
                "retry_count": 2,
                "last_attempt_server": "sdk/1.2",
                "last_failure": "[500 Internal] out of order\nat mail.ts:7",
                "last_failure_error_code": "RT0007",
                "next_retry_at": "2026-11-22T07:36:40.500Z",
                "last_failure_related_command_type": "Run",
                "last_failure_related_entry_name": "post",
            }]),
        ),
        (
            one("status, retry_count, last_start_at", 3),
            json!([{"status": "running", "retry_count": 1,
                    "last_start_at": "2026-11-22T07:36:39.750Z"}]),
        ),
        (
            one("status, running_at, scheduled_start_at", 4),
            json!([{"status": "scheduled", "scheduled_start_at": "2026-11-22T07:37:40.000Z"}]),
        ),
        (
            one("status, completion_retention, journal_retention", 6),
            json!([{
                "status": "pending", "completion_retention": "PT86400S",
                "journal_retention": "PT4.500S",
            }]),
        ),
        (
            format!("select status from sys_invocation_status where id = '{}'", id(6)),
            json!([{"status": "inboxed"}]),
        ),
    ];
    check(&cases);
}

#[test]
fn keys_and_what_belongs_to_them() {
    check(&[
        (
            format!("select status, last_failure from sys_invocation where id = '{}'", id(5)),
            json!([{"status": "paused"}]),
        ),
        (
            "select id from sys_invocation_state".to_owned(),
            json!([{"id": id(2).to_string()}, {"id": id(3).to_string()}]),
        ),
        (
            "select service_name, service_key, key, value, value_utf8, key_length, value_length \
             from state where scope is null order by key"
                .to_owned(),
            json!([
                {"service_name": "Count", "service_key": "k1", "key": "n", "value": "3432",
                 "value_utf8": "42", "key_length": 1, "value_length": 2},
                {"service_name": "Count", "service_key": "k1", "key": "raw", "value": "ff00",
                 "key_length": 3, "value_length": 2},
            ]),
        ),
        (
            "select service_name, service_key, id, sequence_number from sys_inbox".to_owned(),
            json!([{"service_name": "Count", "service_key": "k1", "id": id(6).to_string(),
                    "sequence_number": 5}]),
        ),
        (
            "select invocation_id from sys_keyed_service_status where service_key = 'k1'"
                .to_owned(),
            json!([{"invocation_id": id(3).to_string()}]),
        ),
        (
            "select lock_name, acquired_by from sys_locks".to_owned(),
            json!([{"lock_name": "Count/k1", "acquired_by": id(3).to_string()}]),
        ),
        (
            "select key, completed, completion_success_value_utf8 from sys_promise".to_owned(),
            json!([{"key": "kept", "completed": true, "completion_success_value_utf8": "yes"},
                   {"key": "open", "completed": false}]),
        ),
    ]);
}

#[test]
fn what_else_there_is() {
    check(&[
        (
            "select kind, invocation_id, \"index\", target, scope, since, attempt from sys_wait"
                .to_owned(),
            json!([{"kind": "awakeable", "invocation_id": id(1).to_string(), "index": 17,
                    "target": "Mail/send", "scope": "tenant",
                    "since": "2026-11-22T07:35:40.000Z", "attempt": 1}]),
        ),
        (
            "select event_type, after_journal_entry_index from sys_journal_events".to_owned(),
            json!([{"event_type": "TransientError", "after_journal_entry_index": 1}]),
        ),
        (
            "select id, ty, services, min_service_protocol_version from sys_deployment".to_owned(),
            json!([{"id": DEPLOYMENT.to_string(), "ty": "http", "services": ["Count", "Mail"],
                    "min_service_protocol_version": 5}]),
        ),
        (
            "select name, revision, public from sys_service".to_owned(),
            json!([{"name": "Mail", "revision": 3, "public": true}]),
        ),
        (
            "select scope, service_key, value_utf8 from state where service_name = 'Count' and \
             service_key = 'k1' and scope = 'tenant'"
                .to_owned(),
            json!([{"scope": "tenant", "service_key": "k1", "value_utf8": "7"}]),
        ),
        (
            "select pattern, concurrency, disabled, version from sys_rules order by pattern"
                .to_owned(),
            json!([{"pattern": "tenant", "concurrency": 3, "disabled": false, "version": 2}]),
        ),
        (
            "select scope, l1, level, usage, concurrency_limit, rule_pattern, available, \
             num_waiters from sys_user_limits"
                .to_owned(),
            json!([{"scope": "tenant", "level": "scope", "usage": 2, "concurrency_limit": 3,
                    "rule_pattern": "tenant", "available": 1, "num_waiters": 4}]),
        ),
    ]);
}

fn check(cases: &[(String, Value)]) {
    let world = world(7);
    for (text, expected) in cases {
        assert_eq!(query(&world, text).expect(text), *expected, "{text}");
    }
}

/// Whether a request is open is stored nowhere.
#[test]
fn an_attempt_without_a_request_is_ready() {
    let world = world(11);
    let text = format!(
        "select i.status, i.last_start_at, s.in_flight from sys_invocation i \
         join sys_invocation_state s on s.id = i.id where i.id in ('{}', '{}') order by i.status",
        id(3),
        id(10)
    );
    let expected = json!([
        {"status": "ready", "in_flight": false},
        {"status": "running", "last_start_at": "2026-11-22T07:36:39.750Z", "in_flight": true},
    ]);
    assert_eq!(query(&world, &text).expect("rows"), expected);
}

#[test]
fn the_routing_key_is_whole() {
    let world = world(2);
    let text = format!("select partition_key from sys_journal where id = '{}' limit 1", id(1));
    let expected = json!([{"partition_key": (1_u64 << 63) + 1}]);
    assert_eq!(query(&world, &text).expect("rows"), expected);
}

#[test]
fn what_is_past_its_retention_is_not_shown() {
    let mut world = world(1);
    let text = "select count(1) as n from sys_invocation";
    assert_eq!(query(&world, text).expect("rows"), json!([{"n": 1}]));
    world.now_ms += 86_400_000;
    assert_eq!(query(&world, text).expect("rows"), json!([{"n": 0}]));
}
