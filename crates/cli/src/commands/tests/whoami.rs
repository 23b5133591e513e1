//! `reveille whoami`, and what every command says about a server that does not answer as hoped.

use expect_test::expect;

use crate::operator::tests::run;

#[test]
fn whoami() {
    let recorded = |line: &str| {
        run(line)
            .on("GET /version", 200, r#"{"version":"0.1.0","ingress_endpoint":"http://127.0.0.1:8080/"}"#)
            .on("GET /health", 200, "")
            .on("GET /deployments", 200, r#"{"deployments":[{},{}]}"#)
            .on("GET /services", 200, r#"{"services":[{}]}"#)
            .on("POST /query SELECT status", 200, r#"{"rows":[{"status":"completed","invocations":7},{"status":"suspended","invocations":2}]}"#)
            .on("POST /query SELECT kind", 200, r#"{"rows":[]}"#)
    };
    recorded("whoami").check(expect![[r#"
        > GET /version
        > GET /health
        > GET /deployments
        > GET /services
        > POST /query SELECT status, COUNT(1) AS invocations FROM sys_invocation GROUP BY status ORDER BY status
        > POST /query SELECT kind, COUNT(1) AS waits FROM sys_wait GROUP BY kind ORDER BY kind
        Admin API    SERVER
        Ingress      http://127.0.0.1:8080/
        Version      0.1.0
        Health       healthy
        Deployments  2
        Services     1
        Invocations  7 completed, 2 suspended
        Waits        none
        exit 0
    "#]]);
    recorded("status --json").check(expect![[r#"
        > GET /version
        > GET /health
        > GET /deployments
        > GET /services
        > POST /query SELECT status, COUNT(1) AS invocations FROM sys_invocation GROUP BY status ORDER BY status
        > POST /query SELECT kind, COUNT(1) AS waits FROM sys_wait GROUP BY kind ORDER BY kind
        {
          "admin_url": "SERVER",
          "deployments": 2,
          "healthy": true,
          "ingress_url": "http://127.0.0.1:8080/",
          "invocations": {
            "completed": 7,
            "suspended": 2
          },
          "services": 1,
          "version": "0.1.0",
          "waits": {}
        }
        exit 0
    "#]]);
}

#[test]
fn servers_that_do_not_help() {
    run("services list").on("GET /services", 401, "").check(expect![[r#"
        > GET /services
        ! reveille: SERVER does not take this token: check --token or REVEILLE_ADMIN_TOKEN
        exit 1
    "#]]);
    run("services list").on("GET /services", 200, "<html>").check(expect![[r#"
        > GET /services
        ! reveille: the answer is not the expected JSON: is this the admin address of a Reveille server?: expected value at line 1 column 1
        exit 1
    "#]]);
    run("services openapi S").on("GET /services", 404, "").check(expect![[r#"
        > GET /services/S/openapi
        ! reveille: the server does not know this request (404): is it of another version?
        exit 1
    "#]]);
    run("services list").on("GET /services", 503, r#"{"message":"the store is full"}"#).check(
        expect![[r#"
            > GET /services
            ! reveille: the store is full
            exit 1
        "#]],
    );
    let portable = |text: String| text.replace(" (os error 111)", "").replace(" (os error 61)", "");
    let nowhere = run("services list --admin-url http://127.0.0.1:1");
    nowhere.check_with(portable, expect![[r#"
        ! reveille: cannot reach the server at http://127.0.0.1:1: Connection refused; start it with `reveille serve`, or say where it is with --admin-url or REVEILLE_ADMIN_URL
        exit 1
    "#]]);
    run("services list --admin-url ftp://x").check(expect![[r#"
        ! reveille: the address 'ftp://x' is neither http nor https; expected one such as http://127.0.0.1:9070, given by --admin-url or REVEILLE_ADMIN_URL
        exit 2
    "#]]);
}

#[test]
fn completion_scripts() {
    for shell in ["bash", "zsh", "fish"] {
        let (script, code) = run(&format!("completion {shell}")).output();
        assert_eq!(code, 0);
        for word in ["restart-as-new", "admin-url", "older-than"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}
