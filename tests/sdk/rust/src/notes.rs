//! Files in which tests find what the handlers did: announced reviews, and steps that really ran.

use std::{env, fs, io::Write};

use serde_json::{Value, json};

/// Tells tests which awakeable `name` waits for.
pub fn request_review(name: &str, wait: &str) {
    append("REVIEW_LOG", &json!({"name": name, "id": wait}));
}

/// Records that the code behind `step` really ran, so that a second execution would show.
pub fn ran(key: &str, step: &str) {
    append("RUN_LOG", &json!({"key": key, "step": step}));
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

fn append(variable: &str, entry: &Value) {
    let Ok(path) = env::var(variable) else { return };
    let mut file = fs::File::options().create(true).append(true).open(path).expect("open a log");
    file.write_all(format!("{entry}\n").as_bytes()).expect("write a log");
}

/// Announces an awakeable in a durable step.
///
/// A macro, since a helper that is generic over the context fails to prove its futures `Send`.
macro_rules! announce {
    ($ctx:ident, $name:expr, $wait:ident) => {{
        let (name, wait) = (String::from(&*$name), $wait.clone());
        let step = $ctx.run(|| async move {
            crate::notes::request_review(&name, &wait);
            Ok(())
        });
        step.name("ask").await
    }};
}

/// Records that a step of a key ran, in a durable step of that name; its result is the name.
macro_rules! note {
    ($ctx:ident, $key:expr, $step:expr) => {{
        let (key, name) = (String::from(&*$key), String::from($step));
        let step = name.clone();
        let run = $ctx.run(|| async move {
            crate::notes::ran(&key, &step);
            Ok(step)
        });
        run.name(name).await
    }};
}
