//! `reveille deployments`.

use expect_test::expect;

use crate::operator::tests::run;

const LIST: &str = r#"{"deployments":[
{"id":"dp_1abc","uri":"http://localhost:9080/","protocol_type":"BidiStream","http_version":"HTTP/2.0","created_at":"2026-11-22T07:35:38.837000000Z",
"min_protocol_version":5,"max_protocol_version":7,"sdk_version":"restate-sdk-typescript/1.17.2","services":[{"name":"Account","revision":1},{"name":"Greeter","revision":3}]}]}"#;

const ONE: &str = r#"{"id":"dp_1abc","uri":"http://localhost:9080/","protocol_type":"BidiStream","http_version":"HTTP/2.0",
"additional_headers":{"x-a":"***"},"metadata":{"git":"abc"},"created_at":"2026-11-22T07:35:38.837000000Z","min_protocol_version":5,
"max_protocol_version":7,"sdk_version":"restate-sdk-typescript/1.17.2","services":[
{"name":"Account","ty":"VirtualObject","revision":1,"deployment_id":"dp_1abc","handlers":[{"name":"deposit","ty":"Exclusive"},{"name":"read","ty":"Shared"}]}]}"#;

const SERVICES: &str = r#"{"services":[{"name":"Account","ty":"VirtualObject","revision":1,"deployment_id":"dp_1abc","handlers":[{"name":"deposit","ty":"Exclusive"}]}]}"#;

const OFFERED: &str = r#"{"id":"dp_1new","services":[
{"name":"Account","ty":"VirtualObject","revision":2,"deployment_id":"dp_1new","handlers":[{"name":"deposit","ty":"Exclusive"},{"name":"read","ty":"Shared"}]}],
"min_protocol_version":5,"max_protocol_version":7,"sdk_version":"restate-sdk-typescript/1.17.2"}"#;

const MISSING: &str =
    r#"{"message":"The requested deployment 'dp_1x' does not exist","restate_code":null}"#;

#[test]
fn list_and_describe() {
    run("deployments list").on("GET /deployments", 200, LIST).check(expect![[r#"
        > GET /deployments
        ID       ADDRESS                 PROTOCOL  SERVICES              REGISTERED
        dp_1abc  http://localhost:9080/  v5 to v7  Account@1, Greeter@3  24m ago
        exit 0
    "#]]);
    run("deployments list --quiet").on("GET /deployments", 200, LIST).check(expect![[r#"
        > GET /deployments
        dp_1abc
        exit 0
    "#]]);
    run("deployments list").on("GET /deployments", 200, r#"{"deployments":[]}"#).check(expect![[
        r#"
            > GET /deployments
            ! No deployments yet: register one with `reveille deployments register URL`.
            exit 1
        "#
    ]]);
    run("deployments describe dp_1abc").on("GET /deployments/dp_1abc", 200, ONE).check(expect![[
        r#"
            > GET /deployments/dp_1abc
            Id          dp_1abc
            Address     http://localhost:9080/
            Transport   BidiStream HTTP/2.0
            Protocol    v5 to v7
            SDK         restate-sdk-typescript/1.17.2
            Registered  2026-11-22T07:35:38.837Z (24m ago)
            Headers     x-a: ***
            Metadata    git: abc

            SERVICE  TYPE           REVISION  HANDLERS
            Account  VirtualObject  1         deposit, read
            exit 0
        "#
    ]]);
    run("deployments describe dp_1x")
        .on("GET /deployments/dp_1x", 404, MISSING)
        .check(expect![[r#"
            > GET /deployments/dp_1x
            ! reveille: The requested deployment 'dp_1x' does not exist; `reveille deployments list` shows what is registered
            exit 1
        "#]]);
}

#[test]
fn register_shows_what_changes_and_asks() {
    let preview = |line: &str| {
        run(line).on("POST /deployments", 201, OFFERED).on("GET /services", 200, SERVICES)
    };
    preview("deployments register localhost:9080 --header a=b --metadata git=abc --use-http1")
        .on("POST /deployments", 201, OFFERED)
        .typing("y\n")
        .check(expect![[r#"
            > POST /deployments {"additional_headers":{"a":"b"},"breaking":false,"dry_run":true,"force":false,"metadata":{"git":"abc"},"uri":"http://localhost:9080","use_http_11":true}
            > GET /services
            > POST /deployments {"additional_headers":{"a":"b"},"breaking":false,"dry_run":false,"force":false,"metadata":{"git":"abc"},"uri":"http://localhost:9080","use_http_11":true}
            Registered as dp_1new.
            ! A new deployment: restate-sdk-typescript/1.17.2, protocol v5 to v7.
            !   ~ Account: revision 1 becomes 2
            !     + read: Shared
            ! Register it? [y/N] 
            exit 0
        "#]]);
    preview("deployments register http://localhost:9080 --dry-run").check(expect![[r#"
        > POST /deployments {"additional_headers":{},"breaking":false,"dry_run":true,"force":false,"metadata":{},"uri":"http://localhost:9080","use_http_11":false}
        > GET /services
        Nothing was changed: this was a dry run.
        ! A new deployment: restate-sdk-typescript/1.17.2, protocol v5 to v7.
        !   ~ Account: revision 1 becomes 2
        !     + read: Shared
        exit 0
    "#]]);
    preview("deployments register http://localhost:9080").check(expect![[r#"
        > POST /deployments {"additional_headers":{},"breaking":false,"dry_run":true,"force":false,"metadata":{},"uri":"http://localhost:9080","use_http_11":false}
        > GET /services
        ! A new deployment: restate-sdk-typescript/1.17.2, protocol v5 to v7.
        !   ~ Account: revision 1 becomes 2
        !     + read: Shared
        ! reveille: Register it? There is nobody to ask here: say --yes if that is meant
        exit 2
    "#]]);
    preview("deployments register http://localhost:9080 --yes --quiet")
        .on("POST /deployments", 201, OFFERED)
        .check(expect![[r#"
            > POST /deployments {"additional_headers":{},"breaking":false,"dry_run":true,"force":false,"metadata":{},"uri":"http://localhost:9080","use_http_11":false}
            > GET /services
            > POST /deployments {"additional_headers":{},"breaking":false,"dry_run":false,"force":false,"metadata":{},"uri":"http://localhost:9080","use_http_11":false}
            dp_1new
            exit 0
        "#]]);
}

#[test]
fn register_of_what_is_known() {
    run("deployments register http://localhost:9080")
        .on("POST /deployments", 200, ONE)
        .check(expect![[r#"
            > POST /deployments {"additional_headers":{},"breaking":false,"dry_run":true,"force":false,"metadata":{},"uri":"http://localhost:9080","use_http_11":false}
            This address is registered already, as dp_1abc. If it serves something else now, say --force.
            exit 0
        "#]]);
    run("deployments register http://localhost:9080 --header nonsense").check(expect![[r#"
        ! reveille: --header 'nonsense' is not of the form name=value
        exit 2
    "#]]);
    run("deployments register http://localhost:9080")
        .on("POST /deployments", 409, r#"{"message":"service 'Account' would change its type."}"#)
        .check(expect![[r#"
            > POST /deployments {"additional_headers":{},"breaking":false,"dry_run":true,"force":false,"metadata":{},"uri":"http://localhost:9080","use_http_11":false}
            ! reveille: service 'Account' would change its type; if that is meant, say --breaking
            exit 1
        "#]]);
}

#[test]
fn register_a_function() {
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:orders:7";
    run(&format!(
        "deployments register {arn} --assume-role-arn arn:aws:iam::1:role/r --dry-run -q"
    ))
    .on("POST /deployments", 201, OFFERED)
    .on("GET /services", 200, SERVICES)
    .check(expect![[r#"
        > POST /deployments {"additional_headers":{},"arn":"arn:aws:lambda:eu-central-1:123456789012:function:orders:7","assume_role_arn":"arn:aws:iam::1:role/r","breaking":false,"dry_run":true,"force":false,"metadata":{}}
        > GET /services
        ! A new deployment: restate-sdk-typescript/1.17.2, protocol v5 to v7.
        !   ~ Account: revision 1 becomes 2
        !     + read: Shared
        exit 0
    "#]]);
    run(&format!("deployments register {arn} --use-http1")).check(expect![[r#"
        ! reveille: --use-http1 means nothing to a function
        exit 2
    "#]]);
    run("deployments register localhost:9080 --assume-role-arn x").check(expect![[r#"
        ! reveille: --assume-role-arn belongs to the ARN of a function, not to a URL
        exit 2
    "#]]);
}

#[test]
fn update() {
    let changed = ONE.replace("9080", "9081");
    run("deployments update dp_1abc --uri http://localhost:9081 --yes")
        .on("GET /deployments/dp_1abc", 200, ONE)
        .on("PATCH /deployments/dp_1abc", 200, &changed)
        .on("PATCH /deployments/dp_1abc", 200, &changed)
        .check(expect![[r#"
            > GET /deployments/dp_1abc
            > PATCH /deployments/dp_1abc {"dry_run":true,"overwrite":false,"uri":"http://localhost:9081"}
            > PATCH /deployments/dp_1abc {"dry_run":false,"overwrite":false,"uri":"http://localhost:9081"}
            Changed dp_1abc.
            ! dp_1abc would be:
            !   address http://localhost:9081/
            !   = Account: revision 1, the same handlers
            exit 0
        "#]]);
    run("deployments update dp_1abc").check(expect![[r#"
        ! reveille: nothing to change: say --uri, --use-http1, --header or --overwrite
        exit 2
    "#]]);
}

#[test]
fn remove() {
    let needed = r#"{"rows":[{"target_service_name":"Account","invocations":2}]}"#;
    run("deployments remove dp_1abc --yes")
        .on("GET /deployments/dp_1abc", 200, ONE)
        .on("GET /services", 200, SERVICES)
        .on("POST /query", 200, needed)
        .check(expect![[r#"
            > GET /deployments/dp_1abc
            > GET /services
            > POST /query SELECT target_service_name, COUNT(1) AS invocations FROM sys_invocation WHERE status != 'completed' AND pinned_deployment_id = 'dp_1abc' GROUP BY target_service_name ORDER BY target_service_name
            ! dp_1abc (http://localhost:9080/) is still needed:
            !   new invocations of Account go to it
            !   2 invocations of Account started on it
            ! reveille: dp_1abc was not removed; register a newer deployment of these services and wait until `reveille invocations list --deployment dp_1abc` is empty, or say --force
            exit 1
        "#]]);
    run("deployments remove dp_1abc --yes --force")
        .on("GET /deployments/dp_1abc", 200, ONE)
        .on("GET /services", 200, SERVICES)
        .on("POST /query", 200, needed)
        .on("DELETE /deployments/dp_1abc?force=true", 202, "")
        .check(expect![[r#"
            > GET /deployments/dp_1abc
            > GET /services
            > POST /query SELECT target_service_name, COUNT(1) AS invocations FROM sys_invocation WHERE status != 'completed' AND pinned_deployment_id = 'dp_1abc' GROUP BY target_service_name ORDER BY target_service_name
            > DELETE /deployments/dp_1abc?force=true
            Removed dp_1abc.
            ! dp_1abc (http://localhost:9080/) is still needed:
            !   new invocations of Account go to it
            !   2 invocations of Account started on it
            exit 0
        "#]]);
    run("deployments remove dp_1abc --yes")
        .on("GET /deployments/dp_1abc", 200, ONE)
        .on("GET /services", 200, r#"{"services":[]}"#)
        .on("POST /query", 200, r#"{"rows":[]}"#)
        .on("DELETE /deployments/dp_1abc", 202, "")
        .check(expect![[r#"
            > GET /deployments/dp_1abc
            > GET /services
            > POST /query SELECT target_service_name, COUNT(1) AS invocations FROM sys_invocation WHERE status != 'completed' AND pinned_deployment_id = 'dp_1abc' GROUP BY target_service_name ORDER BY target_service_name
            > DELETE /deployments/dp_1abc
            Removed dp_1abc.
            exit 0
        "#]]);
}
