//! `reveille invocations`.

use expect_test::expect;

use crate::operator::tests::run;

const ROWS: &str = r#"{"rows":[
{"id":"inv_1aPtmmLAvNWU5bBJ","target":"Account/anna/deposit","status":"backing-off","created_at":"2026-11-22T07:57:00.000Z",
 "modified_at":"2026-11-22T07:59:00.000Z","next_retry_at":"2026-11-22T08:00:05.000Z","retry_count":3,
 "last_failure":"[500 Internal] no funds\nError: no funds\n    at deposit"},
{"id":"inv_1bPtmmLAvNWU5bBJ","target":"approval/ask","status":"suspended","created_at":"2026-11-21T08:00:00.000Z",
 "modified_at":"2026-11-21T08:00:01.000Z"},
{"id":"inv_1cPtmmLAvNWU5bBJ","target":"Greeter/greet","status":"completed","completion_result":"failure",
 "completion_failure":"[409] killed","created_at":"2026-11-20T08:00:00.000Z"},
{"id":"inv_1dPtmmLAvNWU5bBJ","target":"Greeter/greet","status":"scheduled","scheduled_start_at":"2026-11-22T10:00:00.000Z",
 "created_at":"2026-11-20T08:00:00.000Z"}]}"#;

const NOTHING: &str = r#"{"rows":[]}"#;

/// Two rows of a selector.
const SELECTED: &str = r#"{"rows":[
{"id":"inv_1a","target":"Account/anna/deposit","status":"running","created_at":"2026-11-22T07:57:00.000Z"},
{"id":"inv_1b","target":"Account/anna/read","status":"suspended","created_at":"2026-11-22T07:58:00.000Z"}]}"#;

#[test]
fn list() {
    run("invocations list").on("POST /query", 200, ROWS).check(expect![[r#"
        > POST /query SELECT id, target, status, created_at, modified_at, scheduled_start_at, next_retry_at, retry_count, last_failure, completion_result, completion_failure, pinned_deployment_id FROM sys_invocation WHERE status != 'completed' ORDER BY created_at DESC, id LIMIT 101
        ID                    TARGET                STATUS       CREATED  DETAILS
        inv_1aPtmmLAvNWU5bBJ  Account/anna/deposit  backing-off  3m ago   attempt 3, retry in 5s: [500 Internal] no funds
        inv_1bPtmmLAvNWU5bBJ  approval/ask          suspended    1d ago   since 23h ago
        inv_1cPtmmLAvNWU5bBJ  Greeter/greet         failed       2d ago   [409] killed
        inv_1dPtmmLAvNWU5bBJ  Greeter/greet         scheduled    2d ago   starts in 2h
        exit 0
    "#]]);
    run("invocations list --service Greeter --service 'a b' --handler h --key k --status running,paused --deployment dp_1 --since 1h --limit 3 --quiet")
        .on("POST /query", 200, ROWS)
        .check(expect![[r#"
            > POST /query SELECT id, target, status, created_at, modified_at, scheduled_start_at, next_retry_at, retry_count, last_failure, completion_result, completion_failure, pinned_deployment_id FROM sys_invocation WHERE target_service_name IN ('Greeter', 'a b') AND status IN ('running', 'paused') AND target_handler_name = 'h' AND target_service_key = 'k' AND (pinned_deployment_id = 'dp_1' OR last_attempt_deployment_id = 'dp_1') AND created_at >= '2026-11-22T07:00:00.000Z' ORDER BY created_at DESC, id LIMIT 4
            inv_1aPtmmLAvNWU5bBJ
            inv_1bPtmmLAvNWU5bBJ
            inv_1cPtmmLAvNWU5bBJ
            ! … and more: these are the newest 3, see --limit.
            exit 0
        "#]]);
    run("invocations list --all --json").on("POST /query", 200, NOTHING).check(expect![[r#"
        > POST /query SELECT id, target, status, created_at, modified_at, scheduled_start_at, next_retry_at, retry_count, last_failure, completion_result, completion_failure, pinned_deployment_id FROM sys_invocation WHERE true ORDER BY created_at DESC, id LIMIT 101
        []
        exit 1
    "#]]);
    run("invocations list").on("POST /query", 200, NOTHING).check(expect![[r#"
        > POST /query SELECT id, target, status, created_at, modified_at, scheduled_start_at, next_retry_at, retry_count, last_failure, completion_result, completion_failure, pinned_deployment_id FROM sys_invocation WHERE status != 'completed' ORDER BY created_at DESC, id LIMIT 101
        ! No such invocations; --all shows completed ones as well.
        exit 1
    "#]]);
    run("invocations list").on("POST /query", 200, ROWS).width(80).colour().check(expect![[r#"
        > POST /query SELECT id, target, status, created_at, modified_at, scheduled_start_at, next_retry_at, retry_count, last_failure, completion_result, completion_failure, pinned_deployment_id FROM sys_invocation WHERE status != 'completed' ORDER BY created_at DESC, id LIMIT 101
        ID                    TARGET             STATUS       CREATED  DETAILS
        inv_1aPtmmLAvNWU5bBJ  Account/anna/depo  [31mbacking-off[0m  3m ago   attempt 3, retry
                              sit                                      in 5s: [500
                                                                       Internal] no
                                                                       funds
        inv_1bPtmmLAvNWU5bBJ  approval/ask       [33msuspended[0m    1d ago   since 23h ago
        inv_1cPtmmLAvNWU5bBJ  Greeter/greet      [31mfailed[0m       2d ago   [409] killed
        inv_1dPtmmLAvNWU5bBJ  Greeter/greet      [33mscheduled[0m    2d ago   starts in 2h
        exit 0
    "#]]);
    run("invocations list --since yesterday").check(expect![[r#"
        ! reveille: 'yesterday' is no age such as 10m or 2d, and no time such as 2026-01-31T12:00:00Z
        exit 2
    "#]]);
}

#[test]
fn cancel_by_id_asks_nothing() {
    run("invocations cancel inv_1a").on("PATCH /invocations/inv_1a/cancel", 202, "").check(
        expect![[r#"
            > PATCH /invocations/inv_1a/cancel
            Cancelled 1 invocation.
            exit 0
        "#]],
    );
}

#[test]
fn cancel_by_target_shows_what_and_asks() {
    run("invocations cancel Account/anna")
        .on("POST /query", 200, SELECTED)
        .on("PATCH /invocations/inv_1a/cancel", 202, "")
        .on("PATCH /invocations/inv_1b/cancel", 200, "")
        .typing("y\n")
        .check(expect![[r#"
            > POST /query SELECT id, target, status, created_at FROM sys_invocation WHERE target_service_name = 'Account' AND ((target_handler_name = 'anna' AND target_service_key IS NULL) OR target_service_key = 'anna') AND status IN ('scheduled', 'pending', 'ready', 'running', 'backing-off', 'suspended', 'paused') ORDER BY created_at, id LIMIT 501
            > PATCH /invocations/inv_1a/cancel
            > PATCH /invocations/inv_1b/cancel
            Cancelled 2 invocations.
            ! ID      TARGET                STATUS     CREATED
            ! inv_1a  Account/anna/deposit  running    3m ago
            ! inv_1b  Account/anna/read     suspended  2m ago
            ! Cancel 2 invocations? [y/N] 
            exit 0
        "#]]);
    run("invocations cancel Account/anna")
        .on("POST /query", 200, SELECTED)
        .typing("\n")
        .check(expect![[r#"
            > POST /query SELECT id, target, status, created_at FROM sys_invocation WHERE target_service_name = 'Account' AND ((target_handler_name = 'anna' AND target_service_key IS NULL) OR target_service_key = 'anna') AND status IN ('scheduled', 'pending', 'ready', 'running', 'backing-off', 'suspended', 'paused') ORDER BY created_at, id LIMIT 501
            ! ID      TARGET                STATUS     CREATED
            ! inv_1a  Account/anna/deposit  running    3m ago
            ! inv_1b  Account/anna/read     suspended  2m ago
            ! Cancel 2 invocations? [y/N] Nothing was changed.
            exit 1
        "#]]);
    run("invocations cancel Account/anna").on("POST /query", 200, SELECTED).check(expect![[r#"
        > POST /query SELECT id, target, status, created_at FROM sys_invocation WHERE target_service_name = 'Account' AND ((target_handler_name = 'anna' AND target_service_key IS NULL) OR target_service_key = 'anna') AND status IN ('scheduled', 'pending', 'ready', 'running', 'backing-off', 'suspended', 'paused') ORDER BY created_at, id LIMIT 501
        ! ID      TARGET                STATUS     CREATED
        ! inv_1a  Account/anna/deposit  running    3m ago
        ! inv_1b  Account/anna/read     suspended  2m ago
        ! reveille: Cancel 2 invocations? There is nobody to ask here: say --yes if that is meant
        exit 2
    "#]]);
}

#[test]
fn failures_are_told_and_counted() {
    run("invocations kill inv_1a inv_1b inv_1c --yes --json")
        .on("PATCH /invocations/inv_1a/kill", 200, "")
        .on(
            "PATCH /invocations/inv_1b/kill",
            404,
            r#"{"message":"The requested invocation 'inv_1b' does not exist","restate_code":null}"#,
        )
        .on(
            "PATCH /invocations/inv_1c/kill",
            409,
            r#"{"message":"The invocation 'inv_1c' was already completed.","restate_code":null}"#,
        )
        .check(expect![[r#"
            > PATCH /invocations/inv_1a/kill
            > PATCH /invocations/inv_1b/kill
            > PATCH /invocations/inv_1c/kill
            {
              "done": [
                {
                  "id": "inv_1a"
                }
              ],
              "failed": [
                {
                  "error": "The requested invocation 'inv_1b' does not exist; `reveille invocations list --all` lists what there is",
                  "id": "inv_1b"
                },
                {
                  "error": "The invocation 'inv_1c' was already completed.",
                  "id": "inv_1c"
                }
              ]
            }
            ! Could not kill 2 invocations:
            !   inv_1b  The requested invocation 'inv_1b' does not exist; `reveille invocations list --all` lists what there is
            !   inv_1c  The invocation 'inv_1c' was already completed.
            exit 1
        "#]]);
    run("invocations purge Greeter").on("POST /query", 200, NOTHING).check(expect![[r#"
        > POST /query SELECT id, target, status, created_at FROM sys_invocation WHERE target_service_name = 'Greeter' AND status IN ('completed') ORDER BY created_at, id LIMIT 501
        ! No such invocation is completed: see `reveille invocations list --all`.
        exit 1
    "#]]);
    run("invocations purge /").check(expect![[r#"
        ! reveille: '/' selects nothing: expected an id (inv_1…), Service, Service/handler, Object/key or Object/key/handler
        exit 2
    "#]]);
}

#[test]
fn verbs_have_their_routes() {
    run("invocations pause inv_1a").on("PATCH /invocations/inv_1a/pause", 202, "").check(expect![
        [r#"
            > PATCH /invocations/inv_1a/pause
            Paused 1 invocation.
            exit 0
        "#]
    ]);
    run("invocations resume inv_1a --deployment latest")
        .on("PATCH /invocations/inv_1a/resume?deployment=latest", 200, "")
        .check(expect![[r#"
            > PATCH /invocations/inv_1a/resume?deployment=latest
            Resumed 1 invocation.
            exit 0
        "#]]);
    run("invocations purge inv_1a --journal-only")
        .on("PATCH /invocations/inv_1a/purge-journal", 200, "")
        .check(expect![[r#"
            > PATCH /invocations/inv_1a/purge-journal
            Purged the journals of 1 invocation.
            exit 0
        "#]]);
    let restarted = r#"{"new_invocation_id":"inv_1new"}"#;
    for flags in ["", " --quiet", " --json"] {
        let expected = match flags {
            "" => expect![[r#"
                > PATCH /invocations/inv_1a/restart-as-new?from=2&deployment=keep
                inv_1a runs again as inv_1new
                Restarted 1 invocation.
                exit 0
            "#]],
            " --quiet" => expect![[r#"
                > PATCH /invocations/inv_1a/restart-as-new?from=2&deployment=keep
                inv_1new
                exit 0
            "#]],
            _ => expect![[r#"
                > PATCH /invocations/inv_1a/restart-as-new?from=2&deployment=keep
                {
                  "done": [
                    {
                      "id": "inv_1a",
                      "new_invocation_id": "inv_1new"
                    }
                  ],
                  "failed": []
                }
                exit 0
            "#]],
        };
        run(&format!("invocations restart-as-new inv_1a --from 2 --deployment keep{flags}"))
            .on("PATCH /invocations/inv_1a/restart-as-new?from=2&deployment=keep", 200, restarted)
            .check(expected);
    }
}

#[test]
fn many_requests_all_arrive() {
    let ids: Vec<String> = (0..40).map(|at| format!("inv_1n{at}")).collect();
    let mut script = run(&format!("invocations cancel {} --yes --json", ids.join(" ")));
    for id in &ids {
        script = script.on(&format!("PATCH /invocations/{id}/cancel"), 202, "");
    }
    // The stub fails the test when one is missing or comes twice; the order is that of the arguments.
    let expected: Vec<String> = ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}")).collect();
    let (text, code) = script.output();
    let document: serde_json::Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(document["done"].to_string(), format!("[{}]", expected.join(",")));
    assert_eq!(code, 0);
}

const INVOCATION: &str = r#"{"rows":[{"id":"inv_1aPtmmLAvNWU5bBJ","target":"Account/anna/deposit","status":"backing-off",
"target_service_name":"Account","created_at":"2026-11-22T07:57:00.000Z","running_at":"2026-11-22T07:57:00.100Z",
"modified_at":"2026-11-22T07:59:00.000Z","next_retry_at":"2026-11-22T08:00:05.000Z","retry_count":3,"journal_size":9,
"invoked_by":"service","invoked_by_target":"Front/buy","invoked_by_id":"inv_1parent","pinned_deployment_id":"dp_1abc",
"pinned_service_protocol_version":7,"last_failure":"[500 Internal] no funds\nError: no funds",
"last_failure_related_command_index":4,"last_failure_related_command_name":"charge","last_failure_related_command_type":"Run"}]}"#;

const WAITS: &str = r#"{"rows":[{"kind":"awakeable","index":17,"since":"2026-11-22T07:58:00.000Z"},
{"kind":"signal","name":"go","since":"2026-11-22T07:59:00.000Z"}]}"#;

const JOURNAL: &str = r#"{"rows":[
{"index":0,"entry_type":"Command: Input","name":"","entry_lite_json":"{\"Command\":{\"Input\":{}}}","appended_at":"2026-11-22T07:57:00.000Z"},
{"index":1,"entry_type":"Command: Run","name":"charge","entry_lite_json":"{\"Command\":{\"Run\":{\"completion_id\":1,\"name\":\"charge\"}}}","appended_at":"2026-11-22T07:57:00.010Z"},
{"index":2,"entry_type":"Notification: Run","entry_lite_json":"{\"Notification\":{\"ty\":{\"Completion\":\"Run\"},\"id\":{\"CompletionId\":1},\"result\":\"Success\"}}","appended_at":"2026-11-22T07:57:01.510Z"},
{"index":3,"entry_type":"Command: Call","name":"","entry_lite_json":"{\"Command\":{\"Call\":{\"invocation_id\":\"inv_1child\",\"invocation_target\":{\"VirtualObject\":{\"name\":\"Ledger\",\"key\":\"7\",\"handler\":\"add\"}},\"invocation_id_completion_id\":2,\"result_completion_id\":3}}}","appended_at":"2026-11-22T07:57:02.000Z"},
{"index":4,"entry_type":"Notification: CallInvocationId","entry_lite_json":"{\"Notification\":{\"ty\":{\"Completion\":\"CallInvocationId\"},\"id\":{\"CompletionId\":2},\"result\":\"InvocationId\"}}","appended_at":"2026-11-22T07:57:02.000Z"},
{"index":5,"entry_type":"Notification: Call","entry_lite_json":"{\"Notification\":{\"ty\":{\"Completion\":\"Call\"},\"id\":{\"CompletionId\":3},\"result\":\"Failure\"}}","appended_at":"2026-11-22T07:57:04.000Z"},
{"index":6,"entry_type":"Command: Sleep","name":"nap","entry_lite_json":"{\"Command\":{\"Sleep\":{\"wake_up_time\":1795341600000,\"completion_id\":4,\"name\":\"nap\"}}}","appended_at":"2026-11-22T07:57:05.000Z"},
{"index":7,"entry_type":"Command: CompleteAwakeable","name":"","entry_lite_json":"{\"Command\":{\"CompleteAwakeable\":{\"id\":\"sign_1abcdefghijklmnopqrstuvwxyz\",\"result\":\"Success\"}}}","appended_at":"2026-11-22T07:57:06.000Z"},
{"index":8,"entry_type":"Notification: Signal","entry_lite_json":"{\"Notification\":{\"ty\":\"Signal\",\"id\":{\"SignalIndex\":17},\"result\":\"Success\"}}","appended_at":"2026-11-22T07:57:07.000Z"}]}"#;

const EVENTS: &str = r#"{"rows":[{"after_journal_entry_index":6,"appended_at":"2026-11-22T07:57:05.500Z","event_type":"TransientError",
"event_json":"{\"ty\":\"TransientError\",\"error_message\":\"no funds\\nat x\"}"},
{"after_journal_entry_index":8,"appended_at":"2026-11-22T07:58:00.000Z","event_type":"Paused","event_json":"{\"ty\":\"Paused\"}"}]}"#;

#[test]
fn describe() {
    let recorded = |line: &str| {
        run(line)
            .on("POST /query SELECT * FROM sys_invocation", 200, INVOCATION)
            .on("POST /query SELECT kind", 200, WAITS)
            .on("POST /query SELECT \"index\", entry_type", 200, JOURNAL)
            .on("POST /query SELECT after", 200, EVENTS)
    };
    recorded("invocations describe inv_1aPtmmLAvNWU5bBJ").check(expect![[r#"
        > POST /query SELECT * FROM sys_invocation WHERE id = 'inv_1aPtmmLAvNWU5bBJ'
        > POST /query SELECT kind, "index", name, since FROM sys_wait WHERE invocation_id = 'inv_1aPtmmLAvNWU5bBJ' ORDER BY since LIMIT 100
        > POST /query SELECT "index", entry_type, name, entry_lite_json, appended_at FROM sys_journal WHERE id = 'inv_1aPtmmLAvNWU5bBJ' ORDER BY "index" LIMIT 1000
        > POST /query SELECT after_journal_entry_index, appended_at, event_type, event_json FROM sys_journal_events WHERE id = 'inv_1aPtmmLAvNWU5bBJ' ORDER BY appended_at LIMIT 100
        Id            inv_1aPtmmLAvNWU5bBJ
        Target        Account/anna/deposit
        Status        backing-off
        Created       2026-11-22T07:57:00.000Z (3m ago)
        Started       2026-11-22T07:57:00.100Z (2m ago)
        Changed       2026-11-22T07:59:00.000Z (1m ago)
        Invoked by    Front/buy inv_1parent
        Deployment    dp_1abc protocol v7
        Attempts      3
        Next attempt  2026-11-22T08:00:05.000Z (in 5s)
        Last failure  [500 Internal] no funds
                      Error: no funds
        Failed at     command 4, Run "charge"

        Waits for:
        KIND       INDEX  NAME  SINCE
        awakeable  17           2m ago
        signal            go    1m ago

        Journal, 9 entries:
        #  AT     ENTRY                             RESULT
        0  +0ms   input
        1  +10ms  run "charge"                      succeeded after 1s
        3  +2s    call Ledger/7/add inv_1child      failed after 2s
        6  +5s    sleep until in 2h "nap"           pending
           +5s    attempt: no funds                 failed
        7  +6s    complete awakeable sign_1abcdef…  succeeded
        8  +7s    answer to awakeable 17            succeeded
           +1m    paused                            paused
        exit 0
    "#]]);
    let (text, _) = recorded("invocations describe inv_1aPtmmLAvNWU5bBJ --json").output();
    let document: serde_json::Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(document["invocation"]["status"], "backing-off");
    assert_eq!(document["journal"][6]["entry"]["Command"]["Sleep"]["completion_id"], 4);
    assert_eq!(document["events"][1]["event"]["ty"], "Paused");
    assert!(!text.contains("qrstuvwxyz"), "the secret of an awakeable: {text}");
    run("invocations describe inv_1x").on("POST /query", 200, NOTHING).check(expect![[r#"
        > POST /query SELECT * FROM sys_invocation WHERE id = 'inv_1x'
        ! reveille: there is no invocation 'inv_1x'; `reveille invocations list --all` lists them
        exit 1
    "#]]);
}
