//! `reveille waits`.

use expect_test::expect;

use crate::operator::tests::run;

const PAGE: &str = r#"{"waits":[
{"kind":"awakeable","invocation_id":"inv_1a","index":17,"target":"approval/ask","service":"approval","key":null,"handler":"ask","since":"2026-11-19T08:00:00.000Z","attempt":1},
{"kind":"signal","invocation_id":"inv_1b","index":0,"name":"go","target":"Account/anna/watch","service":"Account","key":"anna","handler":"watch","since":"2026-11-22T07:59:30.000Z","attempt":2}],
"next":null}"#;

#[test]
fn list() {
    run("waits").on("GET /waits", 200, PAGE).check(expect![[r#"
        > GET /waits?limit=100
        KIND       TARGET              SINCE    INVOCATION  WAIT
        awakeable  approval/ask        3d ago   inv_1a      17
        signal     Account/anna/watch  30s ago  inv_1b      go
        exit 0
    "#]]);
    run("waits list --quiet").on("GET /waits", 200, PAGE).check(expect![[r#"
        > GET /waits?limit=100
        inv_1a 17
        inv_1b go
        exit 0
    "#]]);
    run("waits --service 'a b' --key k&x --kind timer --older-than 10m")
        .on("GET /waits", 200, r#"{"waits":[],"next":null}"#)
        .check(expect![[r#"
            > GET /waits?limit=100&service=a%20b&key=k%26x&kind=timer&older_than=10m
            ! Nobody waits for anything like that.
            exit 1
        "#]]);
}

#[test]
fn pages_are_put_together() {
    let first = PAGE.replace("\"next\":null", "\"next\":\"p2\"");
    run("waits --limit 3 --quiet")
        .on("GET /waits?limit=3", 200, &first)
        .on("GET /waits?limit=1&after=p2", 200, &first.replace("p2", "p3"))
        .check(expect![[r#"
            > GET /waits?limit=3
            > GET /waits?limit=1&after=p2
            inv_1a 17
            inv_1b go
            inv_1a 17
            inv_1b go
            ! … and more: see --limit, or go on with --after p3
            exit 0
        "#]]);
}

const RECEIPT: &str = r#"{"outcome":"completed","invocation_id":"inv_1a","wait":"17","at":"2026-11-22T08:00:00.000Z"}"#;

#[test]
fn answers_by_invocation_go_to_the_admin_api() {
    run("waits resolve inv_1a 17 --value '{\"ok\": true}'")
        .on("POST /waits/inv_1a/17/resolve {\"ok\":true}", 200, RECEIPT)
        .check(expect![[r#"
            > POST /waits/inv_1a/17/resolve {"ok":true}
            Resolved: the handler goes on with this answer.
            exit 0
        "#]]);
    run("waits reject inv_1a 'a name' --reason 'not now' --json")
        .on("POST /waits/inv_1a/a%20name/reject not now", 200, RECEIPT)
        .check(expect![[r#"
            > POST /waits/inv_1a/a%20name/reject not now
            {
              "at": "2026-11-22T08:00:00.000Z",
              "invocation_id": "inv_1a",
              "outcome": "completed",
              "wait": "17"
            }
            exit 0
        "#]]);
    run("waits replace inv_1a 17 --text x")
        .on("POST /waits/inv_1a/17/replace x", 409, &RECEIPT.replace("completed", "conflict"))
        .check(expect![[r#"
            > POST /waits/inv_1a/17/replace x
            ! An attempt has seen the answer already: it cannot be replaced any more.
            exit 1
        "#]]);
}

#[test]
fn answers_by_awakeable_go_to_the_ingress() {
    run("waits resolve sign_1abc --value 1 --ingress-url SERVER")
        .on("POST /reveille/waits/sign_1abc/resolve 1", 200, RECEIPT)
        .check(expect![[r#"
            > POST /reveille/waits/sign_1abc/resolve 1
            Resolved: the handler goes on with this answer.
            exit 0
        "#]]);
    run("waits resolve sign_1abc --value 1")
        .on("GET /version", 200, r#"{"ingress_endpoint":"SERVER/"}"#)
        .on("POST /reveille/waits/sign_1abc/resolve 1", 200, RECEIPT)
        .check(expect![[r#"
            > GET /version
            > POST /reveille/waits/sign_1abc/resolve 1
            Resolved: the handler goes on with this answer.
            exit 0
        "#]]);
}

#[test]
fn receipts_in_words() {
    for (outcome, expected) in [
        (
            "replayed",
            expect![[r#"
            > POST /waits/inv_1a/17/resolve
            Resolved before, by the same answer, at 2026-11-22T07:30:00.000Z (30m ago): nothing changed.
            exit 0
        "#]],
        ),
        (
            "conflict",
            expect![[r#"
            > POST /waits/inv_1a/17/resolve
            ! Decided already, by a different answer (reject), at 2026-11-22T07:30:00.000Z (30m ago): yours changed nothing.
            exit 1
        "#]],
        ),
        (
            "gone",
            expect![[r#"
            > POST /waits/inv_1a/17/resolve
            ! Nobody waits any more: the invocation has ended.
            exit 1
        "#]],
        ),
        (
            "unknown",
            expect![[r#"
            > POST /waits/inv_1a/17/resolve
            ! There is no such wait; `reveille waits` lists what is waited for.
            exit 1
        "#]],
        ),
    ] {
        let receipt = RECEIPT
            .replace("\"completed\"", &format!("\"{outcome}\",\"verb\":\"reject\""))
            .replace("08:00", "07:30");
        let status = match outcome {
            "conflict" => 409,
            "gone" => 410,
            "unknown" => 404,
            _ => 200,
        };
        run("waits resolve inv_1a 17").on("POST /waits", status, &receipt).check(expected);
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_is_sent() {
    run("waits resolve inv_1a").check(expect![[r#"
        ! reveille: a wait is an awakeable id (sign_1…), or an invocation (inv_1…) with an index or name; `reveille waits` lists what is waited for
        exit 2
    "#]]);
    run("waits resolve nonsense 17").check(expect![[r#"
        ! reveille: a wait is an awakeable id (sign_1…), or an invocation (inv_1…) with an index or name; `reveille waits` lists what is waited for
        exit 2
    "#]]);
    run("waits resolve inv_1a 17 --value yes").check(expect![[r#"
        ! reveille: the value is not JSON: expected value at line 1 column 1; texts need quotes ('"yes"'), or use --text
        exit 2
    "#]]);
    run("waits replace inv_1a 17").check(expect![[r#"
        ! reveille: say the new value: --value, --text or --file
        exit 2
    "#]]);
    run("waits resolve inv_1a 17 --file /no/such/file").check(expect![[r#"
        ! reveille: cannot read /no/such/file: No such file or directory (os error 2)
        exit 1
    "#]]);
    run("waits resolve inv_1a 17")
        .on("POST /waits", 404, r#"{"message":"The requested invocation 'inv_1a' does not exist"}"#)
        .check(expect![[r#"
            > POST /waits/inv_1a/17/resolve
            ! reveille: The requested invocation 'inv_1a' does not exist; `reveille waits` lists what is waited for
            exit 1
        "#]]);
}
