//! Text to [`Script`]. The format is described in the header of the crate.

use anyhow::{Context, Result, bail};

use crate::script::{Case, Check, Expected, Listener, Request, Script, Source, Step};

/// Parses a script; an error names the line and what was expected there.
pub fn parse(name: &str, text: &str) -> Result<Script> {
    let mut script = Script { name: name.to_owned(), cases: Vec::new() };
    let mut block = Block::Nothing;
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let trimmed = line.trim_end();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let parsed = match trimmed.strip_prefix("  ") {
            Some(detail) => add_detail(&mut script, block, detail),
            None => start_block(&mut script, trimmed, number).map(|next| block = next),
        };
        parsed.with_context(|| format!("{name}.txt, line {number}: {trimmed:?}"))?;
    }
    Ok(script)
}

/// What an indented line belongs to.
#[derive(Clone, Copy)]
enum Block {
    Nothing,
    Request,
    Answer,
    Peer,
}

fn start_block(script: &mut Script, line: &str, number: usize) -> Result<Block> {
    let (mark, rest) = line.split_once(' ').context("a mark and something behind it")?;
    match mark {
        "case" => {
            let (section, name) = rest.split_once(' ').context("case SECTION NAME")?;
            let (section, name) = (section.to_owned(), name.to_owned());
            script.cases.push(Case { section, name, line: number, steps: Vec::new() });
            Ok(Block::Nothing)
        }
        ">" | "~" => {
            let case = script.cases.last_mut().context("a request before the first case")?;
            case.steps.push(Step {
                line: number,
                request: request(rest)?,
                poll: mark == "~",
                answer: Expected::default(),
                peer: None,
            });
            Ok(Block::Request)
        }
        "<" => {
            let step = last_step(script)?;
            match rest.strip_prefix("peer ") {
                Some(status) => {
                    let expected = Expected { status: status.parse()?, ..Expected::default() };
                    step.peer = Some((expected, String::new()));
                    Ok(Block::Peer)
                }
                None => {
                    step.answer.status = rest.parse()?;
                    Ok(Block::Answer)
                }
            }
        }
        _ => bail!("a line starts with `case`, `>`, `~`, `<` or two spaces"),
    }
}

fn request(text: &str) -> Result<Request> {
    let (listener, text) = match text.split_once(' ') {
        Some(("admin", rest)) => (Listener::Admin, rest),
        Some(("fixture", rest)) => (Listener::Fixture, rest),
        _ => (Listener::Ingress, text),
    };
    let (method, path) = text.split_once(' ').context("METHOD /path")?;
    Ok(Request {
        listener,
        method: method.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: String::new(),
    })
}

fn add_detail(script: &mut Script, block: Block, detail: &str) -> Result<()> {
    let step = last_step(script)?;
    match block {
        Block::Nothing => bail!("a detail of nothing"),
        Block::Request => {
            if let Some(body) = body_line(detail) {
                add_line(&mut step.request.body, body);
                return Ok(());
            }
            let (name, value) = detail.split_once(':').context("`header: value` or `| body`")?;
            step.request.headers.push((name.to_owned(), value.trim().to_owned()));
            Ok(())
        }
        Block::Answer => expect(&mut step.answer, detail),
        Block::Peer => {
            let (expected, why) = step.peer.as_mut().context("no answer of the peer")?;
            match detail.strip_prefix("why ") {
                Some(reason) => {
                    reason.clone_into(why);
                    Ok(())
                }
                None => expect(expected, detail),
            }
        }
    }
}

fn expect(expected: &mut Expected, detail: &str) -> Result<()> {
    if let Some(body) = body_line(detail) {
        if let Some(Check::Body(known)) = expected.checks.last_mut() {
            add_line(known, body);
        } else {
            expected.checks.push(Check::Body(body.to_owned()));
        }
        return Ok(());
    }
    if let Some(name) = detail.strip_prefix('!') {
        expected.checks.push(Check::NoHeader(name.to_owned()));
        return Ok(());
    }
    let (word, rest) = detail.split_once(' ').unwrap_or((detail, ""));
    let rest = rest.trim();
    let check = match word {
        "empty" => Check::Body(String::new()),
        "ingress" => Check::Ingress(rest.to_owned()),
        "invocation" => Check::Invocation(rest.to_owned()),
        "text" => Check::Text(rest.to_owned()),
        "admin" => {
            let (code, message) = rest.split_once(' ').context("admin CODE|- MESSAGE")?;
            Check::Admin((code != "-").then(|| code.to_owned()), message.to_owned())
        }
        "json" => json(rest)?,
        "let" => {
            expected.lets.push(variable(rest)?);
            return Ok(());
        }
        header if header.ends_with(':') => {
            Check::Header(header.trim_end_matches(':').to_owned(), rest.to_owned())
        }
        _ => bail!("no such check"),
    };
    expected.checks.push(check);
    Ok(())
}

fn json(text: &str) -> Result<Check> {
    if let Some(pointer) = text.strip_suffix(" absent") {
        return Ok(Check::NoJson(pointer.to_owned()));
    }
    let (pointer, value) = text.split_once(" = ").context("json /pointer = VALUE")?;
    let value = serde_json::from_str(value).context("a JSON value")?;
    Ok(Check::Json(pointer.to_owned(), value))
}

fn variable(text: &str) -> Result<(String, Source)> {
    let (name, source) = text.split_once(" = ").context("let NAME = SOURCE")?;
    let source = match source.split_once(' ').unwrap_or((source, "")) {
        ("json", pointer) => Source::Json(pointer.to_owned()),
        ("header", header) => Source::Header(header.to_owned()),
        ("body", "") => Source::Body,
        _ => bail!("let NAME = json /pointer, header NAME, or body"),
    };
    Ok((name.to_owned(), source))
}

/// The content of a body line: `| content`, or `|` alone for an empty one.
fn body_line(detail: &str) -> Option<&str> {
    let rest = detail.strip_prefix('|')?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

fn add_line(body: &mut String, line: &str) {
    if !body.is_empty() {
        body.push('\n');
    }
    body.push_str(line);
}

fn last_step(script: &mut Script) -> Result<&mut Step> {
    let case = script.cases.last_mut().context("nothing before the first case")?;
    case.steps.last_mut().context("an answer without a request")
}
