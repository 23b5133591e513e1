//! The rules of tidy against small texts: each table row is an input and what must be found.

use std::collections::BTreeSet;

use super::{
    dependencies::check_arrows,
    documents::{named_paths, traced_items},
    ratchet::{Size, compare, parse, tightened},
    source::{blank_comments_and_strings, check, check_paths, functions, oversized},
};

fn problems_of(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    check_paths(path, text, &mut problems);
    check(path, text, &blank_comments_and_strings(text), &mut problems);
    problems
}

#[test]
fn source_rules() {
    let developer_path = format!("//! Header\n// see {}x", concat!("/wo", "rk/"));
    let inner_paths =
        format!("//! H\n// crates{}x and $HOME{}x", concat!("/wo", "rk/"), concat!("/ro", "ot/"));
    let rows: [(&str, &str, &[&str]); 12] = [
        ("a.rs", "//! Header\nfn a() {}", &[]),
        ("a.rs", "fn a() {}", &["a.rs:1: a module opens"]),
        ("a.rs", "//! H\nfn a() { todo!() }", &["a.rs:2: `todo!(`"]),
        ("a.rs", "//! H\nfn a() { \"todo!()\"; /* dbg!( */ } // dbg!(", &[]),
        ("a.rs", "//! H\nfn a() { r#\"a \" todo!()\"#; dbg!(1) }", &["a.rs:2: `dbg!(`"]),
        ("a.rs", "//! H\n#[ignore = \"slow\"]", &["a.rs:2: `#[ignore`"]),
        ("src/a.rs", "//! H\nthread::sleep(x)", &[]),
        ("src/tests.rs", "//! H\nstd::thread::sleep(x)", &["src/tests.rs:2: `thread::sleep`"]),
        ("src/tests.rs", "//! H\n  // Pacing: load.\n  std::thread::sleep(x)", &[]),
        ("c/tests/a.rs", "//! H\ntokio::time::sleep(x)", &["c/tests/a.rs:2: `time::sleep`"]),
        ("a.rs", &inner_paths, &[]),
        ("a.rs", &developer_path, &["a.rs:2: names"]),
    ];
    for (path, text, expected) in rows {
        let found = problems_of(path, text);
        assert_eq!(found.len(), expected.len(), "{text:?} gave {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{text:?} gave {found:?}, not {expected:?}");
        }
    }
}

#[test]
fn function_lengths() {
    let rows: [(&str, &[(&str, usize)]); 7] = [
        ("fn a() {}", &[("a", 1)]),
        ("pub async fn a(b: [u8; 4])\nwhere\n    T: X,\n{\n}\n", &[("a", 5)]),
        ("trait T {\n fn a();\n fn b() {\n }\n}", &[("b", 2)]),
        ("fn a() {\n fn b() {\n }\n}", &[("a", 4), ("b", 2)]),
        ("let f: fn (u8) = g; struct S { f: fn(u8) }", &[]),
        ("fn a<'a>(x: &'a str) {\n '{';\n \"}\";\n b'\\'';\n // }\n}", &[("a", 6)]),
        ("fn a() {\n r\"}\";\n /* } /* } */ } */\n}", &[("a", 4)]),
    ];
    for (text, expected) in rows {
        let expected: Vec<_> = expected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        assert_eq!(functions(&blank_comments_and_strings(text)), expected, "{text:?}");
    }
}

#[test]
fn sizes_above_the_limits() {
    let long_function = format!("//! H\nfn long() {{\n{}}}\n", "    a();\n".repeat(69));
    let rows = [
        ("//! H\n".repeat(400), None, 0),
        ("//! H\n".repeat(401), Some(("a.rs", 401, 400)), 0),
        ("//! H\n".repeat(501), None, 1),
        (long_function, Some(("a.rs::long", 71, 70)), 0),
    ];
    for (text, expected, problem_count) in rows {
        let mut problems = Vec::new();
        let code = blank_comments_and_strings(&text);
        let sizes = oversized("a.rs", &text, &code, &mut problems);
        let expected = expected.map(|(what, lines, limit)| size(what, lines, limit));
        assert_eq!(sizes, Vec::from_iter(expected));
        assert_eq!(problems.len(), problem_count, "{problems:?}");
    }
}

#[test]
fn ratchet_only_shrinks() {
    let rows = [
        ("", "a.rs 450", "a.rs: 450 lines, at most 400; split it", ""),
        ("a.rs 450", "a.rs 450", "", "a.rs 450"),
        ("a.rs 450", "a.rs 460", "a.rs: grew to 460 lines, the ratchet allows 450", "a.rs 450"),
        ("a.rs 450", "a.rs 420", "a.rs: below its ratchet of 450; run tidy --tighten", "a.rs 420"),
        ("a.rs 450", "", "a.rs: below its ratchet of 450; run tidy --tighten", ""),
    ];
    for (allowed, found, problem, lowered) in rows {
        let allowed = parse(allowed).expect("a ratchet file");
        let found = parse(found).expect("a ratchet file");
        let sizes: Vec<_> = found.iter().map(|(what, lines)| size(what, *lines, 400)).collect();
        let mut problems = Vec::new();
        compare(&allowed, &sizes, &mut problems);
        assert_eq!(problems.join("; "), problem);
        assert_eq!(tightened(&allowed, &sizes), parse(lowered).expect("a ratchet file"));
    }
    assert!(parse("a.rs many").is_err());
}

#[test]
fn documents() {
    let text = "See `crates/cli/src/main.rs:12`, `crates/x/*.rs`, `docs/adr/<name>.md`, `cargo`.\n\
                ```\n`crates/in/a/block`\n```\n## Life of an invocation\n`engine::apply()` makes \
                `Effect::Reply`\n## Next\n`a::b`";
    let paths = ["crates/cli/src/main.rs", "crates/x", "docs/adr"];
    assert_eq!(named_paths(text), BTreeSet::from(paths.map(str::to_owned)));
    assert_eq!(traced_items(text), BTreeSet::from(["apply", "Reply"].map(str::to_owned)));
}

#[test]
fn arrows() {
    let rows = [
        (r#"{"name":"reveille-engine","dependencies":[{"name":"reveille-protocol"}]}"#, 0),
        (r#"{"name":"reveille-engine","dependencies":[{"name":"reveille-store"}]}"#, 1),
        (r#"{"name":"reveille-store","dependencies":[{"name":"reveille-sim","kind":"dev"}]}"#, 0),
        (r#"{"name":"reveille-new","dependencies":[]}"#, 1),
    ];
    for (package, problem_count) in rows {
        let mut problems = Vec::new();
        check_arrows(&serde_json::from_str(package).expect("JSON"), &mut problems);
        assert_eq!(problems.len(), problem_count, "{package}: {problems:?}");
    }
}

fn size(what: &str, lines: usize, limit: usize) -> Size {
    Size { what: what.to_owned(), lines, limit }
}
