//! `reveille sql`.

use expect_test::expect;

use crate::operator::tests::run;

const ROWS: &str = r#"{"rows":[{"z":"a, \"b\"","n":1},{"z":"c","list":[1,2]}]}"#;

#[test]
fn formats() {
    run("sql 'SELECT 1'").on("POST /query SELECT 1", 200, ROWS).check(expect![[r#"
        > POST /query SELECT 1
        z       list   n
        a, "b"         1
        c       [1,2]
        exit 0
    "#]]);
    run("sql 'SELECT 1' --json").on("POST /query", 200, ROWS).check(expect![[r#"
        > POST /query SELECT 1
        [
          {
            "z": "a, \"b\"",
            "n": 1
          },
          {
            "z": "c",
            "list": [
              1,
              2
            ]
          }
        ]
        exit 0
    "#]]);
    run("sql 'SELECT 1' --csv").on("POST /query", 200, ROWS).check(expect![[r#"
        > POST /query SELECT 1
        z,list,n
        "a, ""b""",,1
        c,"[1,2]",
        exit 0
    "#]]);
    run("sql 'SELECT 1' --quiet").on("POST /query", 200, ROWS).check(expect![[r#"
        > POST /query SELECT 1
        a, "b"
        c
        exit 0
    "#]]);
    run("sql 'SELECT 1'").on("POST /query", 200, r#"{"rows":[]}"#).check(expect![[r#"
        > POST /query SELECT 1
        ! No rows.
        exit 0
    "#]]);
}

#[test]
fn the_query_may_come_from_standard_input() {
    run("sql").reading("SELECT\n2;\n").on("POST /query SELECT\n2;", 200, ROWS).check(expect![[
        r#"
        > POST /query SELECT
        2;

        z       list   n
        a, "b"         1
        c       [1,2]
        exit 0
    "#
    ]]);
    run("sql -").reading(" \n").check(expect![[r#"
        ! reveille: the query is empty: try "SELECT * FROM sys_invocation"
        exit 2
    "#]]);
}

#[test]
fn errors_are_those_of_the_server() {
    run("sql nonsense")
        .on("POST /query", 400, r#"{"message":"near \"nonsense\": syntax error"}"#)
        .check(expect![[r#"
            > POST /query nonsense
            ! reveille: near "nonsense": syntax error
            exit 1
        "#]]);
}
