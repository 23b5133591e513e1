//! The documents must match the tree: every path they name exists, every function they trace too.
//!
//! An architecture map that names things long gone is worse than none, so it fails the build.

use std::collections::BTreeSet;

use super::TextFile;
use crate::workspace;

/// The documents that describe the tree.
const DOCUMENTS: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];
/// What a path of this repository starts with; anything else in backticks is no path.
const ROOTS: [&str; 6] = ["crates/", "xtask/", "docs/", "examples/", ".ci/", ".cargo/"];
/// The section whose functions are checked, and how many a newcomer can be asked to follow.
const TRACE_SECTION: &str = "Life of an invocation";
const TRACE_FUNCTIONS_MAX: usize = 8;

/// Checks all documents against the files of the repository.
pub fn check(files: &[TextFile], problems: &mut Vec<String>) {
    for name in DOCUMENTS {
        let Some(document) = files.iter().find(|file| file.path == name) else {
            problems.push(format!("{name} is missing"));
            continue;
        };
        for path in named_paths(&document.text) {
            if !workspace::root().join(&path).exists() {
                problems.push(format!("{name} names `{path}`, which does not exist"));
            }
        }
        if name == "ARCHITECTURE.md" {
            check_trace(name, &document.text, files, problems);
        }
    }
}

fn check_trace(name: &str, text: &str, files: &[TextFile], problems: &mut Vec<String>) {
    let items = traced_items(text);
    if items.is_empty() {
        problems.push(format!("{name}: section {TRACE_SECTION:?} traces no `path::function`"));
    }
    let mut functions = 0;
    for item in &items {
        let is_function = !item.starts_with(|c: char| c.is_uppercase());
        functions += usize::from(is_function);
        let needle = if is_function { format!("fn {item}") } else { item.clone() };
        let mut sources = files.iter().filter(|file| file.path.ends_with(".rs"));
        if !sources.any(|file| contains_word(&file.text, &needle)) {
            problems.push(format!("{name} traces `{item}`, but no source has `{needle}`"));
        }
    }
    if functions > TRACE_FUNCTIONS_MAX {
        problems
            .push(format!("{name} traces {functions} functions, at most {TRACE_FUNCTIONS_MAX}"));
    }
}

/// Returns the paths in backticks; one with a placeholder or pattern is cut before it.
pub fn named_paths(text: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for span in code_spans(text) {
        let path = span.split([' ', ':', '#', '(']).next().unwrap_or_default();
        if !ROOTS.iter().any(|root| path.starts_with(root)) {
            continue;
        }
        let fixed = match path.find(['*', '<', '{', '…']) {
            Some(at) => path[..at].rsplit_once('/').map_or("", |(directory, _)| directory),
            None => path.trim_end_matches("..."),
        };
        paths.insert(fixed.trim_end_matches('/').to_owned());
    }
    paths
}

/// Returns the last segments of every `path::item` in the section on the life of an invocation.
pub fn traced_items(text: &str) -> BTreeSet<String> {
    let Some(at) = text.find(TRACE_SECTION) else { return BTreeSet::new() };
    let section = text[at..].split("\n## ").next().unwrap_or_default();
    let items = code_spans(section).into_iter().filter_map(|span| {
        let (_, item) = span.rsplit_once("::")?;
        Some(item.split(['(', '<', '{', ' ']).next().unwrap_or_default().to_owned())
    });
    items.filter(|item| !item.is_empty()).collect()
}

/// Returns what stands in single backticks, outside of code blocks.
fn code_spans(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

fn contains_word(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
    })
}
