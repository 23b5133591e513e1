//! `reveille rules`.

use expect_test::expect;

use crate::operator::tests::run;

const RULES: &str = r#"[{"pattern":"team/*","limits":{"concurrency":10},"description":"for the team","disabled":false,"version":3,"last_modified_millis_since_epoch":1795334100000},
{"pattern":"*","limits":{},"description":null,"disabled":true,"version":4,"last_modified_millis_since_epoch":1795330800000}]"#;

const ONE: &str = r#"[{"pattern":"team/*","limits":{"concurrency":20},"description":"for the team","disabled":false,"version":5,"last_modified_millis_since_epoch":1795334400000}]"#;

#[test]
fn list() {
    run("rules list").on("GET /limits/rules", 200, RULES).check(expect![[r#"
        > GET /limits/rules
        PATTERN  CONCURRENCY  STATE     CHANGED  DESCRIPTION
        team/*   10           enabled   5m ago   for the team
        *        unlimited    disabled  1h ago
        exit 0
    "#]]);
    run("rules list").on("GET /limits/rules", 200, "[]").check(expect![[r#"
        > GET /limits/rules
        ! No rules: nothing is limited. `reveille rules set PATTERN --concurrency 10` makes one.
        exit 1
    "#]]);
}

#[test]
fn set_changes_what_is_named_and_nothing_else() {
    run("rules set team/* --concurrency 20")
        .on("GET /limits/rules", 200, RULES)
        .on("PUT /limits/rules", 200, ONE)
        .check(expect![[r#"
            > GET /limits/rules
            > PUT /limits/rules [{"description":"for the team","disabled":false,"limits":{"concurrency":20},"pattern":"team/*","precondition":{"type":"matches","version":3}}]
            Rule 'team/*': concurrency 20.
            exit 0
        "#]]);
    run("rules set new/* --unlimited --description x")
        .on("GET /limits/rules", 200, RULES)
        .on("PUT /limits/rules", 200, ONE)
        .check(expect![[r#"
            > GET /limits/rules
            > PUT /limits/rules [{"description":"x","limits":{},"pattern":"new/*","precondition":{"type":"does_not_exist"}}]
            Rule 'team/*': concurrency 20.
            exit 0
        "#]]);
    run("rules set team/* --description y")
        .on("GET /limits/rules", 200, RULES)
        .on("PUT /limits/rules", 409, r#"{"message":"the rule has version 9."}"#)
        .check(expect![[r#"
            > GET /limits/rules
            > PUT /limits/rules [{"description":"y","disabled":false,"limits":{"concurrency":10},"pattern":"team/*","precondition":{"type":"matches","version":3}}]
            ! reveille: the rule has version 9; somebody changed it meanwhile: look at it and try again
            exit 1
        "#]]);
    run("rules set new/*").on("GET /limits/rules", 200, RULES).check(expect![[r#"
        > GET /limits/rules
        ! reveille: say the limit: --concurrency COUNT or --unlimited
        exit 2
    "#]]);
}

#[test]
fn switches_and_removal() {
    run("rules disable team/*")
        .on("GET /limits/rules", 200, RULES)
        .on("PUT /limits/rules", 200, &ONE.replace("\"disabled\":false", "\"disabled\":true"))
        .check(expect![[r#"
            > GET /limits/rules
            > PUT /limits/rules [{"description":"for the team","disabled":true,"limits":{"concurrency":10},"pattern":"team/*","precondition":{"type":"matches","version":3}}]
            Rule 'team/*': concurrency 20, disabled.
            exit 0
        "#]]);
    run("rules enable none").on("GET /limits/rules", 200, RULES).check(expect![[r#"
        > GET /limits/rules
        ! reveille: there is no rule 'none'; `reveille rules list` shows them
        exit 1
    "#]]);
    run("rules remove team/* none")
        .on("POST /limits/rules/bulk-delete", 200, r#"["team/*"]"#)
        .check(expect![[r#"
            > POST /limits/rules/bulk-delete [{"pattern":"team/*"},{"pattern":"none"}]
            Removed team/*.
            ! There is no rule 'none'; `reveille rules list` shows them.
            exit 1
        "#]]);
}
