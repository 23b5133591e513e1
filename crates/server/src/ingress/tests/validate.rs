//! The input validation table and content types.

use http::HeaderValue;
use reveille_engine::schema::InputRule;

use super::super::validate::{is_json, validate};

#[test]
fn input() {
    // Declared content type (`!` is required), content type and length of the body, error.
    let table = r#"
        none | - 0 ->
        none | application/json 0 -> Expected body and content-type to be empty, but wasn't with content-type 'Some("application/json")'
        none | - 1 -> Expected body and content-type to be empty, but wasn't with content-type 'None'
        application/json | - 0 ->
        application/json | application/json 0 ->
        application/json | application/json 5 ->
        application/json | - 5 -> Empty content-type
        application/json | text/plain 5 -> Content-type 'text/plain' does not match 'application/json'
        application/json | text/plain 0 -> Content-type 'text/plain' does not match 'application/json'
        application/json | application/jsonx 5 -> Content-type 'application/jsonx' does not match 'application/json'
        application/json | json 5 -> Content-type 'json' does not match 'application/json'
        application/json! | - 0 -> Empty content-type
        application/json! | - 5 -> Empty content-type
        application/json! | application/json 0 ->
        application/json! | application/json; charset=utf-8 5 ->
        application/json! | Application/JSON;charset=utf-8 5 ->
        image/* | image/png 5 ->
        image/* | text/plain 5 -> Content-type 'text/plain' does not match 'image/*'
        */* | text/plain 5 ->
        */* | - 5 -> Empty content-type
        */* | - 0 ->
        "#;
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (case, expected) = line.split_once("->").unwrap();
        let (declared, sent) = case.trim().split_once(" | ").unwrap();
        let (content_type, len) = sent.rsplit_once(' ').unwrap();
        let declared_type = declared.trim_end_matches('!');
        let rule = InputRule {
            content_type: (declared != "none").then(|| declared_type.to_owned()),
            required: declared.ends_with('!'),
        };
        let header = (content_type != "-").then(|| HeaderValue::from_str(content_type).unwrap());
        let found = validate(&rule, header.as_ref(), len.parse().unwrap());
        let found = found.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(found, expected.trim(), "{case}");
    }
}

#[test]
fn json() {
    let table = [
        ("application/json", true),
        ("APPLICATION/JSON ; charset=utf-8", true),
        ("application/problem+json", true),
        ("application/vnd.a+b+json;v=1", true),
        ("text/json", false),
        ("application/jsonp", false),
        ("application/json+xml", false),
        ("json", false),
        ("", false),
    ];
    for (content_type, expected) in table {
        assert_eq!(
            is_json(Some(&HeaderValue::from_static(content_type))),
            expected,
            "{content_type}"
        );
    }
    assert!(!is_json(None));
}
