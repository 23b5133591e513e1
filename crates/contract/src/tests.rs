//! The format of scripts, and patterns.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::json;

use crate::{
    fixture::Fixture,
    parse,
    pattern::{fits, json_fits},
    run::{Target, run},
    scripts,
};

#[test]
fn every_script_parses_and_every_step_has_an_answer() {
    let mut titles = std::collections::BTreeSet::new();
    for script in scripts().expect("scripts that parse") {
        assert!(!script.cases.is_empty(), "{}.txt has no case", script.name);
        for case in &script.cases {
            let title = format!("{} {}", case.section, case.name);
            assert!(!case.steps.is_empty(), "{}.txt: {title} does nothing", script.name);
            for step in &case.steps {
                assert_ne!(step.answer.status, 0, "{}.txt, line {}", script.name, step.line);
                let why = step.peer.as_ref().map(|(_, why)| why.as_str());
                assert_ne!(why, Some(""), "{}.txt, line {}: no reason", script.name, step.line);
            }
            assert!(titles.insert(title.clone()), "{}.txt: {title} is there twice", script.name);
        }
    }
}

/// Sections whose every row is to be shown, with the number of tables or lists in doubt left out.
const SECTIONS: &[&str] = &[
    "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "4",
    "5", "6", "7.1", "7.2", "7.3", "8.2", "8.3", "8.4", "8.5", "12.1", "12.3", "12.4", "13.1",
    "13.2", "13.3", "13.4", "13.6", "14.1", "14.2", "14.3", "15", "17.1", "17.2", "17.3", "17.4",
    "20.1", "20.2", "20.3", "20.4", "20.5", "20.6", "20.7", "22",
];

#[test]
fn no_section_is_left_out() {
    let scripts = scripts().expect("scripts that parse");
    let cases: Vec<&str> =
        scripts.iter().flat_map(|script| &script.cases).map(|case| case.section.as_str()).collect();
    let missing: Vec<&&str> = SECTIONS.iter().filter(|section| !cases.contains(section)).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
    let unknown: Vec<&&str> = cases.iter().filter(|case| !SECTIONS.contains(case)).collect();
    assert!(unknown.is_empty(), "no such section: {unknown:?}");
}

#[test]
fn mistakes_name_their_line() {
    let rows = [
        ("> GET /x", "line 1", "before the first case"),
        ("case 1 a\n> GET", "line 2", "METHOD /path"),
        ("case 1 a\n> GET /x\n< 200\n  nonsense", "line 4", "no such check"),
        ("case 1 a\n> GET /x\n< many", "line 3", "invalid digit"),
        ("case 1 a\n  empty", "line 2", "without a request"),
        ("case 1 a\nGET /x", "line 2", "a line starts with"),
        ("case 1 a\n> GET /x\n< 200\n  json /a = {", "line 4", "a JSON value"),
    ];
    for (text, line, reason) in rows {
        let error = format!("{:#}", parse("test", text).expect_err(text));
        assert!(error.contains(line) && error.contains(reason), "{text:?}: {error}");
    }
}

#[test]
fn patterns() {
    let rows = [
        ("", "", true),
        ("", "x", false),
        ("abc", "abc", true),
        ("abc", "abcd", false),
        ("a…", "abcd", true),
        ("a…d", "abcd", true),
        ("a…d", "abce", false),
        ("…b…d…", "abcde", true),
        ("…d…b…", "abcde", false),
        ("ab…bc", "abc", false),
        ("…", "", true),
    ];
    for (pattern, text, expected) in rows {
        assert_eq!(fits(pattern, text), expected, "{pattern:?} {text:?}");
    }
    let rows = [
        (json!({"a": "x…"}), json!({"a": "xyz"}), true),
        (json!({"a": "x…"}), json!({"a": "xyz", "b": 1}), false),
        (json!({"a": "…", "b": 1}), json!({"a": "xyz"}), false),
        (json!(["…", 1]), json!(["x", 1]), true),
        (json!(["…"]), json!([]), false),
        (json!("1"), json!(1), false),
    ];
    for (pattern, value, expected) in rows {
        assert_eq!(json_fits(&pattern, &value), expected, "{pattern} {value}");
    }
}

#[tokio::test]
async fn runner_tells_right_answers_from_wrong_ones() {
    let fixture = Fixture::start().await.expect("free ports");
    let target = |peer| Target {
        ingress: fixture.address,
        admin: SocketAddr::from(([127, 0, 0, 1], 9)),
        fixture: fixture.address,
        variables: BTreeMap::from([("word".to_owned(), "spoken".to_owned())]),
        peer,
    };
    let script = |answer: &str| {
        let text = format!(
            "case 1 play\n> PUT /played/{{fresh}}\n  content-type: text/x\n  x-status: 203\n  | {{word}}\n< 200\n\
             > GET /played/{{fresh}}/discover\n{answer}"
        );
        vec![parse("test", &text).expect("a script")]
    };
    let rows = [
        ("< 203", false, None),
        ("< 203\n  | spoken\n  content-type: text/x", false, None),
        ("< 203\n  | {word}", false, None),
        ("< 204", false, Some("status 203, not 204")),
        ("< 203\n  content-type: text/y", false, Some("content-type: text/x, not text/y")),
        ("< 203\n  !content-type", false, Some("there is a header content-type")),
        ("< 203\n  | other", false, Some("the body is not")),
        ("< 203\n  ingress x", false, Some("no header x-restate-error-source")),
        ("< 203\n  json /a = 1", false, Some("no JSON")),
        ("< 203\n  let a = header nosuch", false, Some("no header nosuch")),
        ("< 500\n< peer 203\n  why because", true, None),
        ("< 203\n< peer 500\n  why because", false, None),
        ("< 203\n< peer 500\n  why because", true, Some("status 203, not 500")),
    ];
    for (answer, peer, expected) in rows {
        let report = run(&script(answer), &target(peer), "").await;
        let failures = report.failures();
        match expected {
            None => assert!(failures.is_empty(), "{answer:?}: {failures:?}"),
            Some(part) => assert!(failures[0].contains(part), "{answer:?}: {failures:?}"),
        }
    }
}
