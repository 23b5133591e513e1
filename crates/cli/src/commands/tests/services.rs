//! `reveille services`.

use expect_test::expect;

use crate::operator::tests::run;

const ONE: &str = r#"{"name":"Account","ty":"VirtualObject","revision":2,"deployment_id":"dp_1abc","documentation":"Money of people.","public":false,
"idempotency_retention":"1d","journal_retention":"1d","inactivity_timeout":"1m","abort_timeout":"10m","enable_lazy_state":false,
"retry_policy":{"initial_interval":"500ms","exponentiation_factor":2.0,"max_attempts":70,"max_interval":"1m","on_max_attempts":"Pause"},
"handlers":[{"name":"deposit","ty":"Exclusive","documentation":"Puts money in.","public":true,"input_description":"JSON number","output_description":"none"},
{"name":"read","ty":"Shared","public":true,"input_description":"none","output_description":"application/json"}]}"#;

const MISSING: &str = r#"{"message":"The requested service 'x' does not exist"}"#;

#[test]
fn list_and_describe() {
    let list = format!("{{\"services\":[{ONE}]}}");
    run("services list").on("GET /services", 200, &list).check(expect![[r#"
        > GET /services
        NAME     TYPE                     REVISION  DEPLOYMENT  HANDLERS
        Account  VirtualObject (private)  2         dp_1abc     deposit, read
        exit 0
    "#]]);
    run("services describe Account").on("GET /services/Account", 200, ONE).check(expect![[r#"
        > GET /services/Account
        Name                   Account
        Type                   VirtualObject
        Revision               2
        Deployment             dp_1abc
        About                  Money of people.
        Public                 no
        Idempotency retention  1d
        Journal retention      1d
        Inactivity timeout     1m
        Abort timeout          10m
        Lazy state             no
        Retries                500ms, then times 2.0 up to 1m, 70 attempts, then pause

        HANDLER  TYPE       INPUT        OUTPUT            ABOUT
        deposit  Exclusive  JSON number  none              Puts money in.
        read     Shared     none         application/json
        exit 0
    "#]]);
    run("services describe x").on("GET /services/x", 404, MISSING).check(expect![[r#"
        > GET /services/x
        ! reveille: The requested service 'x' does not exist; `reveille services list` shows what is registered
        exit 1
    "#]]);
    run("services openapi Account")
        .on("GET /services/Account/openapi", 200, r#"{"openapi":"3.1.0"}"#)
        .check(expect![[r#"
            > GET /services/Account/openapi
            {
              "openapi": "3.1.0"
            }
            exit 0
        "#]]);
}

#[test]
fn config() {
    run("services config view Account --json").on("GET /services/Account", 200, ONE).check(
        expect![[r#"
            > GET /services/Account
            {
              "abort_timeout": "10m",
              "enable_lazy_state": false,
              "idempotency_retention": "1d",
              "inactivity_timeout": "1m",
              "journal_retention": "1d",
              "public": false,
              "retry_policy": {
                "exponentiation_factor": 2.0,
                "initial_interval": "500ms",
                "max_attempts": 70,
                "max_interval": "1m",
                "on_max_attempts": "Pause"
              }
            }
            exit 0
        "#]],
    );
    run("services config set Account --public true --journal-retention '90 min'")
        .on("PATCH /services/Account", 200, ONE)
        .check(expect![[r#"
            > PATCH /services/Account {"journal_retention":"1h 30m","public":true}
            Public                 no
            Idempotency retention  1d
            Journal retention      1d
            Inactivity timeout     1m
            Abort timeout          10m
            Lazy state             no
            Retries                500ms, then times 2.0 up to 1m, 70 attempts, then pause
            ! Changed. The next registration of the service may reset this.
            exit 0
        "#]]);
    run("services config set Account --abort-timeout 10").check(expect![[r#"
        ! reveille: --abort-timeout 10: expected a unit such as ms, s, m, h or d at byte 2
        exit 2
    "#]]);
    run("services config set Account").check(expect![[r#"
        ! reveille: nothing to change: `--help` shows what can be set
        exit 2
    "#]]);
}

#[test]
fn status() {
    let activity = r#"{"rows":[
{"target_service_name":"Account","target_handler_name":"deposit","status":"pending","invocations":12,"oldest":"2026-11-22T07:00:00.000Z"},
{"target_service_name":"Account","target_handler_name":"deposit","status":"running","invocations":1,"oldest":"2026-11-22T07:59:59.500Z"}]}"#;
    let blocked = r#"{"rows":[{"service_name":"Account","service_key":"anna","waiting":12,"oldest":"2026-11-22T07:00:00.000Z"}]}"#;
    let holders =
        r#"{"rows":[{"service_name":"Account","service_key":"anna","invocation_id":"inv_1a"}]}"#;
    run("services status Account")
        .on("GET /services/Account", 200, ONE)
        .on("POST /query SELECT target_service_name", 200, activity)
        .on("POST /query SELECT service_name, service_key, COUNT", 200, blocked)
        .on("POST /query SELECT service_name, service_key, invocation_id", 200, holders)
        .check(expect![[r#"
            > GET /services/Account
            > POST /query SELECT target_service_name, target_handler_name, status, COUNT(1) AS invocations, MIN(created_at) AS oldest FROM sys_invocation WHERE status != 'completed' AND target_service_name = 'Account' GROUP BY target_service_name, target_handler_name, status ORDER BY target_service_name, target_handler_name, status
            > POST /query SELECT service_name, service_key, COUNT(1) AS waiting, MIN(created_at) AS oldest FROM sys_inbox WHERE service_name = 'Account' GROUP BY service_name, service_key ORDER BY waiting DESC, service_name, service_key LIMIT 10
            > POST /query SELECT service_name, service_key, invocation_id FROM sys_keyed_service_status WHERE (service_name = 'Account' AND service_key = 'anna')
            SERVICE  HANDLER  STATUS   INVOCATIONS  OLDEST
            Account  deposit  pending  12           1h ago
            Account  deposit  running  1            just now

            Keys that most invocations queue for:
            SERVICE  KEY   WAITING  OLDEST  HELD BY
            Account  anna  12       1h ago  inv_1a
            exit 0
        "#]]);
    run("services status")
        .on("POST /query", 200, r#"{"rows":[]}"#)
        .on("POST /query", 200, r#"{"rows":[]}"#)
        .check(expect![[r#"
            > POST /query SELECT target_service_name, target_handler_name, status, COUNT(1) AS invocations, MIN(created_at) AS oldest FROM sys_invocation WHERE status != 'completed' GROUP BY target_service_name, target_handler_name, status ORDER BY target_service_name, target_handler_name, status
            > POST /query SELECT service_name, service_key, COUNT(1) AS waiting, MIN(created_at) AS oldest FROM sys_inbox GROUP BY service_name, service_key ORDER BY waiting DESC, service_name, service_key LIMIT 10
            ! Nothing to do.
            exit 0
        "#]]);
    run("services status x").on("GET /services/x", 404, MISSING).check(expect![[r#"
        > GET /services/x
        ! reveille: The requested service 'x' does not exist; `reveille services list` shows what is registered
        exit 1
    "#]]);
}
