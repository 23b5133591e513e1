//! The dialect: what users of such tables write, turned into what SQLite understands.
//!
//! | written | becomes |
//! |---|---|
//! | `==` | `=` |
//! | `a::type` | `CAST(a AS type)`, for a name, a literal or a bracketed expression |
//! | `a ILIKE b` | `a REGEXP b`, which is defined as that |
//! | `now() - INTERVAL 'x'` | `ago('x')`; with `+`, `hence('x')` |
//! | `information_schema.columns` | `information_schema_columns` |
//! | `index` | `"index"` |
//! | `18446744073709551615` | `-1`: columns of 64 bits without sign are held so |
//! | `first_value(…)`, `last_value(…)` | `first_of(…)`, `last_of(…)`: aggregates |
//! | `FROM (SELECT … FROM t a …)` | `FROM (SELECT … FROM t a …) AS a` |
//!
//! - Owns: tokens and rewriting, and which result columns are conditions.
//! - Invariant: literals, quoted names and comments stay as they are.

mod derived;

use std::collections::BTreeSet;

use crate::error::QueryError;

/// A query in the words of SQLite.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Translated {
    pub text: String,
    /// Result columns that are conditions, by name: SQLite knows no booleans.
    pub conditions: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A name or a keyword.
    Word(String),
    /// A literal, a quoted name, a number: stays as it is.
    Whole(String),
    /// Anything else, as long as it belongs together.
    Mark(String),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(text) | Token::Whole(text) | Token::Mark(text) => text,
        }
    }

    fn is(&self, text: &str) -> bool {
        !matches!(self, Token::Whole(_)) && self.text().eq_ignore_ascii_case(text)
    }
}

/// Translates one query. Several in one text are refused.
pub(crate) fn translate(text: &str) -> Result<Translated, QueryError> {
    let mut tokens = tokens(text)?;
    while tokens.last().is_some_and(|token| token.is(";")) {
        tokens.pop();
    }
    if tokens.iter().any(|token| token.is(";")) {
        let message = "only one query at a time: there is a `;` before the end".to_owned();
        return Err(QueryError::Invalid(message));
    }
    let conditions = conditions(&tokens);
    let rewritten = derived::name(rewrite(tokens));
    let text = rewritten.iter().map(Token::text).collect::<Vec<_>>().join(" ");
    Ok(Translated { text, conditions })
}

fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = &text[at..];
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'-' if rest.starts_with("--") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            b'/' if rest.starts_with("/*") => {
                let end = rest.find("*/").ok_or_else(|| unclosed("/*", at))?;
                at += end + 2;
                continue;
            }
            b'\'' | b'"' | b'`' => quoted(rest, *byte).ok_or_else(|| unclosed("quote", at))?,
            byte if byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80 => word(rest),
            byte if byte.is_ascii_digit() => number(rest),
            _ => mark(rest),
        };
        let token = text[at..at + length].to_owned();
        tokens.push(match byte {
            b'\'' | b'"' | b'`' | b'0'..=b'9' => Token::Whole(token),
            byte if byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80 => {
                Token::Word(token)
            }
            _ => Token::Mark(token),
        });
        at += length;
    }
    Ok(tokens)
}

fn unclosed(what: &str, at: usize) -> QueryError {
    QueryError::Invalid(format!("the {what} at byte {at} has no end"))
}

/// Length of a quoted text; a doubled quote is part of it.
fn quoted(rest: &str, quote: u8) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (byte, Some(next)) if *byte == quote && *next == quote => at += 2,
            (byte, _) if *byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn word(rest: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    rest.find(|c| !is_part(c)).unwrap_or(rest.len())
}

fn number(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len())
}

fn mark(rest: &str) -> usize {
    const LONG: [&str; 9] = ["::", "==", "!=", "<>", "<=", ">=", "||", "->>", "->"];
    let long = LONG.into_iter().find(|mark| rest.starts_with(mark));
    long.map_or_else(|| rest.chars().next().map_or(1, char::len_utf8), str::len)
}

fn rewrite(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = |offset: usize| tokens.get(at + offset);
        let follows = |offset: usize, text: &str| next(offset).is_some_and(|token| token.is(text));
        if let Some(wrapped) = wrapped(token) {
            out.push(Token::Whole(wrapped));
        } else if token.is("==") {
            out.push(Token::Mark("=".to_owned()));
        } else if token.is("index") {
            out.push(Token::Whole("\"index\"".to_owned()));
        } else if token.is("ilike") {
            out.push(Token::Word("REGEXP".to_owned()));
        } else if token.is("information_schema") && follows(1, ".") {
            let name = next(2).map_or("", Token::text).to_ascii_lowercase();
            out.push(Token::Word(format!("information_schema_{name}")));
            at += 2;
        } else if token.is("first_value") {
            out.push(Token::Word("first_of".to_owned()));
        } else if token.is("last_value") {
            out.push(Token::Word("last_of".to_owned()));
        } else if token.is("::") {
            let ty = cast_type(next(1).map_or("", Token::text));
            let start = operand_start(&out);
            let operand: Vec<Token> = out.drain(start..).collect();
            out.push(Token::Word("CAST".to_owned()));
            out.push(Token::Mark("(".to_owned()));
            out.extend(operand);
            out.push(Token::Word(format!("AS {ty}")));
            out.push(Token::Mark(")".to_owned()));
            at += 1;
        } else if let (true, Some(function)) = (follows(1, "interval"), shift(token, &out)) {
            let span = next(2).cloned();
            out.truncate(out.len() - 3);
            out.push(Token::Word(function.to_owned()));
            out.push(Token::Mark("(".to_owned()));
            out.extend(span);
            out.push(Token::Mark(")".to_owned()));
            at += 2;
        } else {
            out.push(token.clone());
        }
        at += 1;
    }
    out
}

/// A number of 64 bits without sign, as SQLite holds it: it would take it for a fraction.
fn wrapped(token: &Token) -> Option<String> {
    let Token::Whole(text) = token else { return None };
    let number: u64 = text.parse().ok()?;
    i64::try_from(number).is_err().then(|| number.cast_signed().to_string())
}

/// Names of types that SQLite would take for something else.
fn cast_type(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "int" | "integer" | "bigint" | "smallint" | "tinyint" | "int4" | "int8" | "boolean"
        | "bool" => "INTEGER",
        "float" | "double" | "real" | "float4" | "float8" | "numeric" | "decimal" => "REAL",
        "bytea" | "blob" | "binary" => "BLOB",
        _ => "TEXT",
    }
}

/// Words that may stand in front of a bracket without calling a function.
const KEYWORDS: [&str; 20] = [
    "select", "distinct", "where", "and", "or", "not", "in", "by", "on", "when", "then", "else",
    "case", "having", "like", "between", "limit", "as", "regexp", "values",
];

/// Where the operand of a cast begins: a bracketed expression with the name in front of it, a
/// qualified name, or a literal.
fn operand_start(out: &[Token]) -> usize {
    let Some(mut at) = out.len().checked_sub(1) else { return 0 };
    if out[at].is(")") {
        let mut depth = 0_usize;
        loop {
            if out[at].is(")") {
                depth += 1;
            } else if out[at].is("(") {
                depth -= 1;
            }
            if depth == 0 || at == 0 {
                break;
            }
            at -= 1;
        }
        let before = at.checked_sub(1).map(|before| &out[before]);
        let is_call = before.is_some_and(|before| {
            matches!(before, Token::Word(_)) && !KEYWORDS.iter().any(|word| before.is(word))
        });
        return if is_call { at - 1 } else { at };
    }
    while at >= 2 && out[at - 1].is(".") {
        at -= 2;
    }
    at
}

/// The function for `now() - INTERVAL` or `now() + INTERVAL`.
fn shift(token: &Token, out: &[Token]) -> Option<&'static str> {
    let tail = out.get(out.len().checked_sub(3)?..)?;
    let is_now = tail[0].is("now") && tail[1].is("(") && tail[2].is(")");
    match token.text() {
        "-" if is_now => Some("ago"),
        "+" if is_now => Some("hence"),
        _ => None,
    }
}

/// Finds the columns of the outermost `SELECT` that are conditions and have a name of their own.
fn conditions(tokens: &[Token]) -> BTreeSet<String> {
    const OPERATORS: [&str; 14] =
        ["=", "==", "!=", "<>", "<", ">", "<=", ">=", "is", "in", "like", "ilike", "and", "or"];
    let mut conditions = BTreeSet::new();
    let (mut depth, mut cases) = (0_usize, 0_usize);
    let mut is_condition = false;
    let mut last: Option<&Token> = None;
    let mut end_column = |is_condition: &mut bool, last: Option<&Token>| {
        if let (true, Some(name)) = (*is_condition, last) {
            conditions.insert(name.text().trim_matches('"').to_ascii_lowercase());
        }
        *is_condition = false;
    };
    // Those of a `WITH` stand in brackets.
    let mut brackets = 0_usize;
    let select = tokens.iter().position(|token| {
        match token.text() {
            "(" => brackets += 1,
            ")" => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        brackets == 0 && token.is("select")
    });
    for token in tokens.iter().skip(select.map_or(tokens.len(), |at| at + 1)) {
        match token.text() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => end_column(&mut is_condition, last),
            _ if token.is("case") => cases += 1,
            _ if token.is("end") => cases = cases.saturating_sub(1),
            _ if token.is("from") && depth == 0 => break,
            _ => {
                let is_operator = OPERATORS.iter().any(|operator| token.is(operator));
                is_condition |= is_operator && depth == 0 && cases == 0;
            }
        }
        last = Some(token);
    }
    end_column(&mut is_condition, last);
    conditions
}
