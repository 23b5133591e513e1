//! The queries that the peer's command line sends, in its words.

use serde_json::json;

use super::{
    fixture::{arrow, id},
    query, world,
};

#[test]
fn aggregates_of_services_status() {
    let world = world(21);
    let text = "SELECT target_service_name, target_handler_name, 'pending' as status, \
        COUNT(1) as num_invocations, MIN(created_at) as oldest_at, \
        FIRST_VALUE(id ORDER BY created_at ASC) as oldest_invocation \
        FROM sys_invocation_status WHERE status == 'inboxed' AND target_service_name IN ('Mail') \
        GROUP BY target_service_name, target_handler_name";
    let expected = json!([{
        "target_service_name": "Mail", "target_handler_name": "send", "status": "pending",
        "num_invocations": 3, "oldest_at": "2026-11-22T07:20:00.006Z",
        "oldest_invocation": id(6).to_string(),
    }]);
    assert_eq!(query(&world, text).expect("rows"), expected);

    let text = "SELECT service_name, service_key, COUNT(1) as num_pending FROM sys_inbox \
        WHERE service_name IN ('Count') GROUP BY service_name, service_key \
        ORDER BY COUNT(1) DESC";
    let expected = json!([{"service_name": "Count", "service_key": "k1", "num_pending": 1}]);
    assert_eq!(query(&world, text).expect("rows"), expected);

    let text = "SELECT target_service_name as service_name, target_service_key as service_key, \
        status as invocation_status, first_value(id) as invocation_holding_lock, \
        first_value(created_at) as invocation_created_at, 0 as num_pending, \
        sum(retry_count) as num_retries FROM sys_invocation WHERE status != 'pending' AND \
        target_service_name IN ('Count') GROUP BY target_service_name, target_service_key, status";
    assert_eq!(query(&world, text).expect("rows"), json!([]));
}

#[test]
fn list_and_describe() {
    let world = world(9);
    let count = arrow(
        &world,
        "SELECT COUNT(1) FROM (SELECT * FROM sys_invocation inv LIMIT 50000 ) \
         WHERE inv.target_service_name IN ('Mail') AND status != 'completed'",
    );
    assert_eq!(count[0].num_rows(), 1);

    let text = "SELECT id FROM sys_invocation inv WHERE status != 'completed' \
        ORDER BY inv.created_at DESC, inv.id LIMIT 2";
    let expected = json!([{"id": id(8).to_string()}, {"id": id(6).to_string()}]);
    assert_eq!(query(&world, text).expect("rows"), expected);

    let text = "WITH invocations as (SELECT inv.id, idempotency_key, inv.created_at, \
        inv.pinned_deployment_id FROM sys_invocation inv WHERE inv.target_service_name IN ('Mail') \
        AND status != 'completed' ORDER BY inv.created_at DESC, inv.id LIMIT 2) \
        SELECT inv.*, dp.id IS NOT NULL as pinned_deployment_exists FROM sys_deployment dp \
        RIGHT JOIN invocations inv ON dp.id = inv.pinned_deployment_id \
        ORDER BY inv.created_at DESC, inv.id";
    let rows = query(&world, text).expect("rows");
    let ids = [&rows[0]["id"], &rows[1]["id"]].map(|id| id.as_str().unwrap_or_default().to_owned());
    assert_eq!(ids, [id(8).to_string(), id(6).to_string()], "{rows}");

    let text = format!(
        "SELECT inv.id, inv.target, inv.target_service_ty, inv.status, inv.created_at, \
         inv.modified_at as state_modified_at, inv.retry_count as num_retries, \
         inv.last_failure as last_failure_message, \
         inv.last_failure_related_entry_type as last_failure_entry_ty, \
         dp.id IS NOT NULL as pinned_deployment_exists, inv.trace_id FROM sys_invocation inv \
         LEFT JOIN sys_deployment dp ON dp.id = inv.pinned_deployment_id \
         WHERE inv.id in ('{}') ORDER BY inv.created_at DESC, inv.id",
        id(2)
    );
    let rows = query(&world, &text).expect("rows");
    assert_eq!(rows[0]["pinned_deployment_exists"], json!(false), "{rows}");
    assert_eq!(rows[0]["last_failure_entry_ty"], "Run");

    let text = "WITH invocations as (SELECT\n inv.id, idempotency_key, inv.status,\n \
        inv.modified_at as state_modified_at, inv.pinned_deployment_id, inv.created_at\n FROM sys_invocation inv\n \n \
        ORDER BY inv.created_at DESC, inv.id\n LIMIT 1)\n\n SELECT\n inv.*,\n \
        dp.id IS NOT NULL as pinned_deployment_exists\n FROM sys_deployment dp\n \
        RIGHT JOIN invocations inv ON dp.id = inv.pinned_deployment_id\n \
        ORDER BY inv.created_at DESC, inv.id";
    let rows = query(&world, text).expect("rows");
    assert_eq!(rows[0]["pinned_deployment_exists"], json!(false), "{rows}");
    assert_eq!(rows[0]["state_modified_at"], "2026-11-22T07:36:39.000Z");

    let text = format!(
        "SELECT sj.index, sj.entry_type, sj.completed, sj.invoked_id, sj.name, sj.version, \
         sj.entry_json, sj.appended_at FROM sys_journal sj WHERE sj.id = '{}' \
         ORDER BY index DESC LIMIT 100",
        id(2)
    );
    let rows = query(&world, &text).expect("rows");
    assert_eq!(rows[0]["index"], 1, "{rows}");

    let text = "select key, value from state where service_name='Count' and service_key='k1' ;";
    assert_eq!(query(&world, text).expect("rows")[0], json!({"key": "n", "value": "3432"}));
    let text = "SELECT id, target FROM sys_invocation_status WHERE target LIKE 'Mail/send' AND \
        status IN ('paused','invoked','suspended') LIMIT 500";
    assert_eq!(query(&world, text).expect("rows").as_array().map(Vec::len), Some(5));
}
