//! The endpoint in the place of the TypeScript SDK: given the server's half of a recorded
//! conversation, a handler that does the same must answer the other half byte for byte.
//!
//! Hints on what is awaited are left out: the SDK repeats them at will. The transcripts are the
//! fixtures of crate `protocol`.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;

use super::Machine;
use crate::{Attempt, Stop};

type Handler = fn(&mut Attempt) -> Result<Bytes, Stop>;

/// Transcripts whose name starts so, and a handler that does what theirs did.
const HANDLERS: [(&str, Handler); 10] = [
    ("call-simple.", greet),
    ("run.", run),
    ("awakeable.", awakeable),
    ("promise-get.", promise_get),
    ("promise-resolve-peek.", promise_resolve_peek),
    ("object-state-", object_state),
    ("x-cancel-call", cancel_call),
    ("x-awakeable-resolve-reject.", resolve_reject),
    ("x-output-stored-no-end.", greet),
    ("x-cancel-then-cleanup-suspends.", catch_cancel),
];

#[test]
fn transcripts() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/frames");
    let mut replayed = [0; HANDLERS.len()];
    for entry in fs::read_dir(directory).expect("the fixtures of crate protocol") {
        let path = entry.expect("a readable directory").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a text name");
        for (count, (prefix, handler)) in replayed.iter_mut().zip(HANDLERS) {
            if name.starts_with(prefix) {
                let text = fs::read_to_string(&path).expect("a readable transcript");
                *count += check(name, &text, handler);
            }
        }
    }
    assert!(replayed.iter().all(|count| *count > 0), "no attempts of some rows: {replayed:?}");
}

/// Replays every attempt of a transcript and returns how many there were.
fn check(name: &str, transcript: &str, handler: Handler) -> usize {
    let version = (5..=7).find(|version| name.contains(&format!(".v{version}.")));
    let version = version.expect("the name tells the version");
    let attempts = transcript.split("--- attempt ").skip(1);
    attempts
        .map(|attempt| {
            let (expected, written) = replay(version, attempt, handler);
            let number = attempt.split(':').next().unwrap_or_default();
            assert_eq!(expected, written, "{name}, attempt {number}");
        })
        .count()
}

/// Returns what the SDK wrote and what we write, both as hex, frame by frame.
fn replay(version: u32, attempt: &str, handler: Handler) -> (Vec<String>, Vec<String>) {
    // The first execution of a sleeping handler writes a time, which no two runs share.
    const TYPES_LEFT_OUT: [&str; 2] = ["0006", "040c"];
    let mut machine = Machine::new(version, Arc::new(handler));
    let (mut expected, mut written) = (Vec::new(), Vec::new());
    let mut from_server = false;
    let mut is_closed = false;
    for line in attempt.lines() {
        if let Some(hex) = line.trim().strip_prefix("hex: ") {
            let hex: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
            if from_server {
                machine.push(unhex(&hex));
            } else {
                machine.advance();
                expected.push(hex);
            }
        } else if line.starts_with("S->SDK") || line.starts_with("SDK->S") {
            from_server = line.starts_with("S->SDK");
        } else if line.contains("closes the request") && !is_closed {
            is_closed = true;
            machine.close_input();
        }
        written.extend(super::output(&mut machine).iter().map(hex_of));
    }
    let kept = |hex: &String| !TYPES_LEFT_OUT.iter().any(|ty| hex.starts_with(ty));
    expected.retain(kept);
    written.retain(kept);
    (expected, written)
}

fn unhex(hex: &str) -> Bytes {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("two digits")).collect()
}

fn hex_of(frame: &reveille_protocol::frame::Frame) -> String {
    let mut bytes = bytes::BytesMut::new();
    frame.encode(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unquoted(json: &Bytes) -> String {
    String::from_utf8_lossy(json).trim_matches('"').to_owned()
}

fn greet(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    Ok(format!("\"Hello {}\"", unquoted(&attempt.input())).into())
}

fn run(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let step = attempt.run("side", || "42".into());
    attempt.wait(step)?;
    Ok("43".into())
}

fn awakeable(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let (id, answered) = attempt.awakeable();
    let published = attempt.run("publish", || format!("\"{id}\"").into());
    attempt.wait(published)?;
    attempt.wait(answered)
}

fn promise_get(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let promise = attempt.promise("p1");
    let value = attempt.wait(promise)?;
    Ok(format!("\"{}:{}\"", unquoted(&attempt.input()), unquoted(&value)).into())
}

fn promise_resolve_peek(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let input = attempt.input();
    let resolved = attempt.resolve_promise("p1", input);
    attempt.wait(resolved)?;
    let peeked = attempt.peek_promise("p1");
    attempt.wait(peeked)
}

fn object_state(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let number = |value: Option<Bytes>| -> i64 {
        value.map_or(0, |value| String::from_utf8_lossy(&value).parse().expect("a number"))
    };
    let before = number(attempt.get_state("count")?);
    let sum = before + number(Some(attempt.input()));
    attempt.set_state("count", sum.to_string().into());
    let after = number(attempt.get_state("count")?);
    let none = attempt.get_state("none")?.map_or("null".to_owned(), |_| "?".to_owned());
    let key = attempt.key();
    Ok(format!(r#"{{"c":{before},"after":{after},"none":{none},"key":"{key}"}}"#).into())
}

fn cancel_call(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let called = attempt.call("Greeter", "", "greet", "\"Bob\"".into());
    attempt.wait(called)
}

fn resolve_reject(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let id = unquoted(&attempt.input());
    attempt.complete_awakeable(&id, "\"yo\"".into());
    let failure = crate::Failure { code: 500, message: "bad".into(), metadata: Vec::new() };
    attempt.reject_awakeable(&id, failure);
    Ok(Bytes::new())
}

fn catch_cancel(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let timer = attempt.sleep(Duration::from_secs(60));
    let cancelled = match attempt.wait(timer) {
        Err(stop @ Stop::Terminal(_)) => stop,
        other => return other,
    };
    let step = attempt.run("cleanup", || "1".into());
    attempt.wait(step)?;
    Err(cancelled)
}
