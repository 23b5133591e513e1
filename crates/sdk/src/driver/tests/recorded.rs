//! Our SDK in the place of another one: given the server's half of a recorded conversation, a handler that
//! does the same must answer the other half byte for byte.
//!
//! Hints on what is awaited are left out, since SDKs repeat them at will, and first executions of sleeps,
//! which have a time. The transcripts are the fixtures of crate `protocol`.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use reveille_protocol::version::ServiceProtocolVersion;

use super::{Enter, Peer, handler};
use crate::{
    Context, Durable, HandlerError, ObjectContext, SharedWorkflowContext, Target, TerminalError,
    all, all_settled, any, race,
};

/// Transcripts whose name starts so, and a handler that does what theirs did.
const HANDLERS: &[(&str, Enter)] = &[
    (
        "awakeable.",
        handler!(|ctx| {
            let (id, answer) = ctx.awakeable::<String>();
            ctx.run("publish", async || Ok(id.clone())).await?;
            Ok(answer.await?)
        }),
    ),
    ("call-simple.", handler!(Context, |_ctx, name: String| Ok(format!("Hello {name}")))),
    ("call.", CALL),
    ("x-call-failure.", CALL),
    (
        "x-call-object.",
        handler!(|ctx| {
            let target = Target::keyed("Counter", "k1", "add");
            Ok(ctx.request::<i64>(target, &1).call().await?)
        }),
    ),
    (
        "x-call-scope.v7",
        handler!(|ctx| {
            let target = Target::service("Greeter", "greet");
            let request = ctx.request::<String>(target, "Bob").scope("tenant").limit_key("lk");
            Ok(request.call().await?)
        }),
    ),
    ("object-state-", OBJECT_STATE),
    (
        "promise-get.",
        handler!(SharedWorkflowContext, |ctx, input: String| {
            let value = ctx.promise::<String>("p1").await?;
            Ok(format!("{input}:{value}"))
        }),
    ),
    (
        "promise-resolve-peek.",
        handler!(SharedWorkflowContext, |ctx, input: String| {
            let promise = ctx.promise::<String>("p1");
            promise.resolve(&input).await?;
            Ok(promise.peek().await?)
        }),
    ),
    ("run.", RUN),
    ("x-run-no-completion-on-replay.", RUN),
    ("x-run-v7-full-notification", RUN),
    (
        "x-run-terminal.v7",
        handler!(|ctx| {
            let error = TerminalError::new("nope").code(418).metadata("a", "b");
            Ok(ctx.run("boom", async || Err::<(), _>(error.into())).await?)
        }),
    ),
    (
        "x-await-twice-inactivity.",
        handler!(|ctx| {
            ctx.sleep(Duration::from_millis(1)).await?;
            ctx.sleep(Duration::from_millis(1)).await?;
            Ok(1)
        }),
    ),
    (
        "x-awakeable-resolve-reject.",
        handler!(Context, |ctx, id: String| {
            ctx.resolve_awakeable(&id, "yo");
            ctx.reject_awakeable(&id, TerminalError::new("bad"));
            Ok(())
        }),
    ),
    (
        "x-cancel-call",
        handler!(|ctx| {
            let target = Target::service("Greeter", "greet");
            Ok(ctx.request::<String>(target, "Bob").call().await?)
        }),
    ),
    ("x-cancel-sleep.", CATCH_CANCEL),
    ("x-cancel-then-cleanup-suspends.", CATCH_CANCEL),
    (
        "x-combinator-all-race.",
        handler!(|ctx| {
            let sleep = ctx.sleep(Duration::from_secs(60)).map_value(|()| String::new());
            let (_, answer) = ctx.awakeable::<String>();
            let signal = ctx.signal::<String>("go");
            let first = race([answer, signal]).map_value(|(_, text)| text);
            Ok(all([sleep.into_boxed(), first.into_boxed()]).await?)
        }),
    ),
    (
        "x-combinator-any",
        handler!(|ctx| {
            let both = [ctx.awakeable::<String>().1, ctx.awakeable::<String>().1];
            Ok(any(both).await?.1)
        }),
    ),
    (
        "x-combinator-settled.",
        handler!(|ctx| {
            let both = [ctx.awakeable::<String>().1, ctx.awakeable::<String>().1];
            Ok(all_settled(both).await?.len())
        }),
    ),
    ("x-combinator-timeout.", TIMEOUT),
    ("x-race-order", TIMEOUT),
    (
        "x-concurrent-runs.v7.rr",
        handler!(|ctx| {
            let (a, b) = (ctx.run_sync("a", || Ok(1)), ctx.run_sync("b", || Ok(2)));
            Ok(all([a.into_boxed(), b.into_boxed()]).await?)
        }),
    ),
    ("x-empty-output.", handler!(|_ctx| Ok(()))),
    (
        "x-output-stored-no-end.",
        handler!(Context, |_ctx, name: String| Ok(format!("Hello {name}"))),
    ),
    (
        "x-rand.v7",
        handler!(|ctx| {
            let (u, r) = (ctx.uuid(), ctx.rand().f64());
            Ok(Rand { u: u.to_string(), r, d: 1 })
        }),
    ),
    ("x-signal-named.", SIGNAL),
    ("x-signal-twice.", SIGNAL),
    (
        "x-signal-send-cancel.",
        handler!(Context, |ctx, id: String| {
            let target = ctx.invocation::<()>(id);
            target.signal("go", "x");
            target.signal_failure("go", TerminalError::new("bad"));
            target.cancel();
            Ok(())
        }),
    ),
    (
        "x-attach.",
        handler!(Context, |ctx, id: String| Ok(ctx.invocation::<String>(id).attach().await?)),
    ),
    (
        "x-terminal-failure.v7",
        handler!(|_ctx| {
            let error = TerminalError::new("terminal!").code(409).metadata("why", "x");
            Err::<(), HandlerError>(error.into())
        }),
    ),
];

#[derive(serde::Serialize)]
struct Rand {
    u: String,
    r: f64,
    d: u32,
}

#[derive(serde::Serialize)]
struct Counted {
    c: i64,
    after: i64,
    none: Option<i64>,
    key: String,
}

const RUN: Enter = handler!(|ctx| {
    let number: i32 = ctx.run_sync("side", || Ok(42)).await?;
    Ok(number + 1)
});

const SIGNAL: Enter = handler!(|ctx| Ok(ctx.signal::<String>("go").await?));

const CALL: Enter = handler!(|ctx| {
    let request = ctx.request::<String>(Target::service("Greeter", "greet"), "Bob");
    Ok(request.header("x-a", "1").idempotency_key("ik1").call().await?)
});

const CATCH_CANCEL: Enter = handler!(|ctx| {
    match ctx.sleep(Duration::from_secs(60)).await {
        Err(error) if error.is_cancelled() => {
            ctx.run_sync("cleanup", || Ok(1)).await?;
            Err::<(), HandlerError>(error.into())
        }
        other => Ok(other?),
    }
});

const TIMEOUT: Enter = handler!(|ctx| {
    let (_, answer) = ctx.awakeable::<String>();
    match answer.timeout(Duration::from_secs(60)).await {
        Err(error) if error.is_timeout() => Ok("TimeoutError".to_owned()),
        answer => Ok(answer?),
    }
});

const OBJECT_STATE: Enter = handler!(ObjectContext, |ctx, add: i64| {
    let c = ctx.get::<i64>("count").await?.unwrap_or(0);
    ctx.set("count", &(c + add));
    let after = ctx.get::<i64>("count").await?.unwrap_or(0);
    let none = ctx.get::<i64>("none").await?;
    Ok(Counted { c, after, none, key: ctx.key().to_owned() })
});

#[tokio::test]
async fn transcripts() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/frames");
    let mut replayed = vec![0; HANDLERS.len()];
    let mut differences = Vec::new();
    for entry in fs::read_dir(directory).expect("the fixtures of crate protocol") {
        let path = entry.expect("a readable directory").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a text name");
        let text = fs::read_to_string(&path).expect("a readable transcript");
        for (count, (prefix, handler)) in replayed.iter_mut().zip(HANDLERS) {
            if name.starts_with(prefix) {
                *count += check(name, &text, *handler, &mut differences).await;
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    for (count, (prefix, _)) in replayed.iter().zip(HANDLERS) {
        assert!(*count > 0, "no attempt of {prefix}");
    }
    assert!(replayed.iter().sum::<usize>() >= 90, "{replayed:?}");
}

/// Replays every attempt of a transcript and returns how many there were.
async fn check(name: &str, text: &str, handler: Enter, differences: &mut Vec<String>) -> usize {
    let version = (5..=7).find(|version| name.contains(&format!("v{version}")));
    let version = version.and_then(ServiceProtocolVersion::new).expect("a version in the name");
    let attempts: Vec<_> = text.split("--- attempt ").skip(1).collect();
    for attempt in &attempts {
        let (expected, written) = replay(version, attempt, handler).await;
        if expected != written {
            let number = attempt.split(':').next().unwrap_or_default();
            differences.push(format!("{name} {number}\n  {expected:?}\n  {written:?}"));
        }
    }
    attempts.len()
}

/// Returns what the SDK wrote and what we write, both as hex, frame by frame.
async fn replay(
    version: ServiceProtocolVersion,
    attempt: &str,
    handler: Enter,
) -> (Vec<String>, Vec<String>) {
    const TYPES_LEFT_OUT: [&str; 2] = ["0006", "040c"];
    let mut peer = Peer::start(version, handler);
    let (mut expected, mut written) = (Vec::new(), Vec::new());
    let mut from_server = false;
    for line in attempt.lines() {
        if let Some(hex) = line.trim().strip_prefix("hex: ") {
            let hex: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
            if from_server {
                peer.send_bytes(unhex(&hex));
            } else {
                written.extend(peer.written().await);
                expected.push(hex);
            }
        } else if line.starts_with("S->SDK") || line.starts_with("SDK->S") {
            from_server = line.starts_with("S->SDK");
        } else if line.contains("closes the request") {
            written.extend(peer.written().await);
            peer.close();
        }
    }
    written.extend(peer.written().await);
    let kept = |hex: &String| !TYPES_LEFT_OUT.iter().any(|ty| hex.starts_with(ty));
    expected.retain(kept);
    let written = written.iter().map(hex_of).filter(kept).collect();
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
