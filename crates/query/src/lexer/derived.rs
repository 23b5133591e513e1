//! Names of derived tables that have none.
//!
//! `SELECT inv.id FROM (SELECT * FROM sys_invocation inv LIMIT 9) WHERE inv.status = 'x'`: other dialects
//! let the name of the one table inside reach outside. SQLite does not, so the derived table gets it.
//!
//! - Invariant: one that has a name, or is made of several tables, stays as it is.

use std::ops::Range;

use super::Token;

/// Words that may follow a table without being its alias.
const BEHIND: [&str; 20] = [
    "where",
    "group",
    "order",
    "limit",
    "offset",
    "having",
    "window",
    "union",
    "except",
    "intersect",
    "on",
    "using",
    "join",
    "left",
    "right",
    "full",
    "inner",
    "cross",
    "natural",
    "outer",
];

/// Those of them that bring in another table.
const JOINS: [&str; 8] = ["join", "left", "right", "full", "inner", "cross", "natural", "outer"];

/// Gives every derived table without a name that of the table inside.
pub(super) fn name(tokens: Vec<Token>) -> Vec<Token> {
    let names: Vec<(usize, Token)> =
        (1..tokens.len()).filter_map(|open| name_of(&tokens, open)).collect();
    let mut out = Vec::with_capacity(tokens.len() + 2 * names.len());
    for (at, token) in tokens.into_iter().enumerate() {
        out.push(token);
        if let Some((_, name)) = names.iter().find(|(close, _)| *close == at) {
            out.extend([Token::Word("AS".to_owned()), name.clone()]);
        }
    }
    out
}

/// If a derived table without a name is opened here: where it is closed, and its name.
fn name_of(tokens: &[Token], open: usize) -> Option<(usize, Token)> {
    let begins = tokens[open].is("(") && tokens.get(open + 1)?.is("select");
    if !begins || !(tokens[open - 1].is("from") || tokens[open - 1].is("join")) {
        return None;
    }
    if open >= 2 && tokens[open - 2].is("distinct") {
        // `a IS DISTINCT FROM (SELECT …)` compares.
        return None;
    }
    let close = close_of(tokens, open)?;
    if alias(tokens.get(close + 1)).is_some() {
        return None;
    }
    let mut depth = 0_usize;
    let from = (open + 1..close).find(|at| {
        match tokens[*at].text() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && tokens[*at].is("from")
    })?;
    let table = tokens.get(from + 1).filter(|token| !token.is("("))?;
    let behind = |at: usize| tokens.get(at).filter(|_| at < close);
    let (name, next) = match behind(from + 2) {
        Some(word) if word.is("as") => (behind(from + 3)?, from + 4),
        word => match alias(word) {
            Some(alias) => (alias, from + 3),
            None => (table, from + 2),
        },
    };
    let another = |token: &Token| token.is(",") || JOINS.iter().any(|word| token.is(word));
    // Another query behind `UNION` has tables of its own, but the names are those of the first.
    if behind(next).is_some_and(another) || is_named_outside(tokens, open..close, name) {
        return None;
    }
    Some((close, name.clone()))
}

/// True when a table outside of the brackets has this name, or alias.
fn is_named_outside(tokens: &[Token], brackets: Range<usize>, name: &Token) -> bool {
    let outside = |at: &usize| !brackets.contains(at);
    (1..tokens.len()).filter(outside).any(|at| {
        let before = &tokens[at - 1];
        let is_table = ["from", "join", "as"].iter().any(|word| before.is(word));
        let is_alias = alias(Some(before)).is_some() && alias(Some(&tokens[at])).is_some();
        (is_table || is_alias) && tokens[at].is(name.text())
    })
}

fn close_of(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    (open..tokens.len()).find(|at| {
        match tokens[*at].text() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// The alias that a token is, behind a table; `as` is the announcement of one.
fn alias(token: Option<&Token>) -> Option<&Token> {
    token.filter(|token| match token {
        Token::Word(_) => !BEHIND.iter().any(|word| token.is(word)),
        Token::Whole(text) => text.starts_with(['"', '`']),
        Token::Mark(_) => false,
    })
}
