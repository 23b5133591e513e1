//! `reveille state`.

use expect_test::expect;

use crate::operator::tests::run;

/// `count` is the number 7, `raw` is no UTF-8, `note` is text.
const STATE: &str = r#"{"version":"sv1_abc","state":{"count":"Nw==","raw":"/wA=","note":"aGk="}}"#;

#[test]
fn get() {
    run("state get Account anna").on("GET /services/Account/state", 200, STATE).check(expect![[
        r#"
            > GET /services/Account/state?key=anna
            NAME   BYTES  VALUE
            count  1      7
            note   2      {"$text":"hi"}
            raw    2      {"$base64":"/wA="}
            exit 0
        "#
    ]]);
    run("state get Account 'a/b c' --scope s --json")
        .on("GET /services/Account/state", 200, STATE)
        .check(expect![[r#"
            > GET /services/Account/state?key=a%2Fb%20c&scope=s
            {
              "count": 7,
              "note": {
                "$text": "hi"
              },
              "raw": {
                "$base64": "/wA="
              }
            }
            exit 0
        "#]]);
    run("state get Account anna count").on("GET /services", 200, STATE).check(expect![[r#"
        > GET /services/Account/state?key=anna
        7
        exit 0
    "#]]);
    run("state get Account anna none").on("GET /services", 200, STATE).check(expect![[r#"
        > GET /services/Account/state?key=anna
        ! reveille: the state of Account/anna has no 'none', but count, note, raw
        exit 1
    "#]]);
    run("state get Account anna")
        .on("GET /services", 200, r#"{"version":"sv1_0","state":{}}"#)
        .check(expect![[r#"
            > GET /services/Account/state?key=anna
            ! Account/anna has no state.
            exit 1
        "#]]);
    run("state get Nobody anna")
        .on("GET /services", 404, r#"{"message":"The requested service 'Nobody' does not exist"}"#)
        .check(expect![[r#"
            > GET /services/Nobody/state?key=anna
            ! reveille: The requested service 'Nobody' does not exist; `reveille services list` shows which services there are
            exit 1
        "#]]);
}

#[test]
fn set_keeps_the_rest_and_sends_the_version() {
    run("state set Account anna count --value 8")
        .on("GET /services/Account/state?key=anna", 200, STATE)
        .on("POST /services/Account/state", 202, "")
        .check(expect![[r#"
            > GET /services/Account/state?key=anna
            > POST /services/Account/state {"new_state":{"count":[56],"note":[104,105],"raw":[255,0]},"object_key":"anna","version":"sv1_abc"}
            Set 'count' of Account/anna; if a handler holds the key now, it takes effect after that.
            exit 0
        "#]]);
    run("state set Account anna count --value 8")
        .on("GET /services/Account/state?key=anna", 200, STATE)
        .on("POST /services/Account/state", 409, r#"{"message":"The state has changed."}"#)
        .check(expect![[r#"
            > GET /services/Account/state?key=anna
            > POST /services/Account/state {"new_state":{"count":[56],"note":[104,105],"raw":[255,0]},"object_key":"anna","version":"sv1_abc"}
            ! reveille: The state has changed; look at it again and repeat the change
            exit 1
        "#]]);
    run("state set Account anna count").check(expect![[r#"
        ! reveille: say the value: --value JSON, --text TEXT or --file FILE
        exit 2
    "#]]);
}

#[test]
fn clear_asks() {
    run("state clear Account anna").on("GET /services", 200, STATE).check(expect![[r#"
        > GET /services/Account/state?key=anna
        ! reveille: Remove count, note, raw from the state of Account/anna? There is nobody to ask here: say --yes if that is meant
        exit 2
    "#]]);
    run("state clear Account anna --yes")
        .on("GET /services", 200, STATE)
        .on("POST /services", 202, "")
        .check(expect![[r#"
            > GET /services/Account/state?key=anna
            > POST /services/Account/state {"new_state":{},"object_key":"anna","version":"sv1_abc"}
            Removed count, note, raw of Account/anna; if a handler holds the key now, it takes effect after that.
            exit 0
        "#]]);
    run("state clear Account anna raw note")
        .on("GET /services", 200, STATE)
        .on("POST /services", 202, "")
        .typing("yes\n")
        .check(expect![[r#"
            > GET /services/Account/state?key=anna
            > POST /services/Account/state {"new_state":{"count":[55]},"object_key":"anna","version":"sv1_abc"}
            Removed note, raw of Account/anna; if a handler holds the key now, it takes effect after that.
            ! Remove note, raw from the state of Account/anna? [y/N] 
            exit 0
        "#]]);
    run("state clear Account anna none --yes").on("GET /services", 200, STATE).check(expect![[
        r#"
        > GET /services/Account/state?key=anna
        ! Account/anna has no such state.
        exit 1
    "#
    ]]);
}

#[test]
#[cfg(unix)]
fn edit_in_an_editor() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a directory");
    let editor = |script: &str| {
        let path = directory.path().join("editor.sh");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("an editor");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("a mode");
        // Through the shell: a script that was just written may still count as busy.
        format!("sh {}", path.display())
    };
    run("state edit Account anna")
        .on("GET /services", 200, STATE)
        .on("POST /services", 202, "")
        .editor(&editor("sed -i 's/7/9/' \"$1\""))
        .check(expect![[r#"
            > GET /services/Account/state?key=anna
            > POST /services/Account/state {"new_state":{"count":[57],"note":[104,105],"raw":[255,0]},"object_key":"anna","version":"sv1_abc"}
            Replaced the state of Account/anna; if a handler holds the key now, it takes effect after that.
            exit 0
        "#]]);
    run("state edit Account anna").on("GET /services", 200, STATE).editor(&editor("true")).check(
        expect![[r#"
            > GET /services/Account/state?key=anna
            ! Nothing was changed.
            exit 1
        "#]],
    );
    let failing = editor("exit 3");
    run("state edit Account anna").on("GET /services", 200, STATE).editor(&failing).check_with(
        |text| text.replace(&*failing, "EDITOR"),
        expect![[r#"
            > GET /services/Account/state?key=anna
            ! reveille: the editor 'EDITOR' ended with exit status: 3: nothing was changed
            exit 1
        "#]],
    );
    run("state edit Account anna").check(expect![[r#"
        ! reveille: no editor: set VISUAL or EDITOR, or use `reveille state set`
        exit 2
    "#]]);
}
