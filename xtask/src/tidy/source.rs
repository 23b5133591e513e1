//! Rules about one source text: sizes, headers, forbidden macros and sleeps, developers' paths.
//!
//! The scanner knows comments, strings, characters and braces, not the grammar; that is enough for
//! code that rustfmt has laid out. Start with [`check`] and [`oversized`].

use super::{FILE_LINES_HARD_MAX, FILE_LINES_SOFT_MAX, FUNCTION_LINES_MAX, ratchet::Size};

/// Code that must not be committed, and why.
const FORBIDDEN: [(&str, &str); 4] = [
    ("todo!(", "finish it or leave it out"),
    ("unimplemented!(", "finish it or leave it out"),
    ("dbg!(", "use tracing"),
    ("#[ignore", "a test that never runs proves nothing"),
];

/// Ways to wait for time to pass, which make a test slow or flaky when they stand for an event.
const SLEEPS: [&str; 2] = ["thread::sleep", "time::sleep"];
/// A comment that starts so, on the line above, says why a sleep in a test waits for no event.
const PACING: &str = "// Pacing: ";

/// Checks the rules that have no exceptions.
pub fn check(path: &str, text: &str, code: &str, problems: &mut Vec<String>) {
    if !text.trim_start().starts_with("//!") {
        problems.push(format!("{path}:1: a module opens with a `//!` header saying what it is"));
    }
    let mut above = "";
    for (number, (code, text)) in (1..).zip(code.lines().zip(text.lines())) {
        let sleeps = SLEEPS.map(|word| (word, "wait for the event, or say `// Pacing: ` and why"));
        let is_refused = is_test_file(path) && !above.trim_start().starts_with(PACING);
        let words = FORBIDDEN.into_iter().chain(sleeps.into_iter().filter(|_| is_refused));
        for (word, reason) in words.filter(|(word, _)| code.contains(word)) {
            problems.push(format!("{path}:{number}: `{word}` is forbidden here: {reason}"));
        }
        above = text;
    }
}

/// Checks that no text names a directory of a developer's machine.
pub fn check_paths(path: &str, text: &str, problems: &mut Vec<String>) {
    // Split, so that this file does not violate its own rule.
    let directories = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    for (number, line) in (1..).zip(text.lines()) {
        for directory in directories {
            let hits = line.match_indices(directory);
            let absolute = |at: usize| !line[..at].ends_with(|c: char| is_path_character(c));
            if hits.map(|(at, _)| at).any(absolute) {
                problems.push(format!("{path}:{number}: names {directory}, a developer's path"));
            }
        }
    }
}

/// Returns what exceeds a soft limit; what exceeds the hard limit is a problem at once.
pub fn oversized(path: &str, text: &str, code: &str, problems: &mut Vec<String>) -> Vec<Size> {
    let mut sizes = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES_HARD_MAX {
        problems
            .push(format!("{path}: {lines} lines, and {FILE_LINES_HARD_MAX} is the hard limit"));
    } else if lines > FILE_LINES_SOFT_MAX {
        sizes.push(Size { what: path.to_owned(), lines, limit: FILE_LINES_SOFT_MAX });
    }
    for (name, lines) in functions(code) {
        if lines > FUNCTION_LINES_MAX {
            sizes.push(Size { what: format!("{path}::{name}"), lines, limit: FUNCTION_LINES_MAX });
        }
    }
    sizes
}

/// Returns every function with a body and its number of lines, signature and braces included.
pub fn functions(code: &str) -> Vec<(String, usize)> {
    let mut functions = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + 3..];
        let name: String =
            rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '#')).collect();
        let Some(length) = body_end(rest).filter(|_| !name.is_empty()) else { continue };
        functions.push((name, rest[..length].lines().count()));
    }
    functions
}

/// Returns the offset behind the closing brace of the body, or `None` for a declaration.
fn body_end(signature: &str) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, character) in signature.char_indices() {
        match character {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.checked_sub(1)?,
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.checked_sub(1)?;
                if braces == 0 && brackets == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Replaces comments and the insides of strings and characters by spaces; lines stay lines.
pub fn blank_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let in_word = previous.is_alphanumeric() || previous == '_';
        let (length, blank) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), true),
            '/' if rest.starts_with("/*") => (block_comment_length(rest), true),
            '"' => (quoted_length(rest, '"'), true),
            '\'' if is_character(rest) => (quoted_length(rest, '\''), true),
            'r' if !in_word || previous == 'b' => match raw_string_length(rest) {
                Some(length) => (length, true),
                None => (1, false),
            },
            _ => (first.len_utf8(), false),
        };
        let (token, tail) = rest.split_at(length);
        if blank {
            code.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            code.push_str(token);
        }
        previous = if blank { ' ' } else { first };
        rest = tail;
    }
    code
}

/// Length of a string or character literal that may hold escapes.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Tells a character literal from a lifetime: `'a'` and `'\n'` against `'a`.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

/// Length of `r"..."` or `r#"..."#`, or `None` when this is not a raw string.
fn raw_string_length(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let inside = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(1 + hashes + 1 + length)
}

/// Length of a block comment, which may hold others.
fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

fn is_path_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '.' | '_' | '-' | '}' | '>' | '*')
}
