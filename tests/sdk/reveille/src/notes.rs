//! Files in which tests find what the handlers did: announced reviews, and steps that really ran.

use std::{env, fs, io::Write};

use reveille::{Context, HandlerResult};
use serde_json::{Value, json};

/// Announces an awakeable in a durable step: tells tests which one `name` waits for.
pub async fn announce(ctx: &Context, name: &str, wait: &str) -> HandlerResult<()> {
    let announce = || append("REVIEW_LOG", &json!({"name": name, "id": wait}));
    Ok(ctx.run_sync("ask", announce).await?)
}

/// Records that a step of a key ran, in a durable step of that name; its result is the name.
pub async fn note(ctx: &Context, key: &str, step: &str) -> HandlerResult<String> {
    let note = || ran(key, step).map(|()| step.to_owned());
    Ok(ctx.run_sync(step, note).await?)
}

/// Records that the code behind `step` really ran, so that a second execution would show.
pub fn ran(key: &str, step: &str) -> HandlerResult<()> {
    append("RUN_LOG", &json!({"key": key, "step": step}))
}

/// How often `step` of `key` was recorded, or 0 without a `RUN_LOG`.
pub fn times_ran(key: &str, step: &str) -> usize {
    let text = env::var("RUN_LOG").ok().and_then(|path| fs::read_to_string(path).ok());
    let wanted = json!({"key": key, "step": step});
    let text = text.unwrap_or_default();
    text.lines()
        .filter(|line| serde_json::from_str::<Value>(line).ok() == Some(wanted.clone()))
        .count()
}

fn append(variable: &str, entry: &Value) -> HandlerResult<()> {
    let Ok(path) = env::var(variable) else { return Ok(()) };
    let mut file = fs::File::options().create(true).append(true).open(path)?;
    Ok(file.write_all(format!("{entry}\n").as_bytes())?)
}
