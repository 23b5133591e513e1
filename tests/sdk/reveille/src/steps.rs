//! Durable steps, failures and retries.

use std::{collections::HashMap, time::Duration};

use reveille::{Context, HandlerResult, RetryPolicy, TerminalError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::notes::{announce, note, ran, times_ran};

#[derive(Serialize, Deserialize)]
pub struct Walk {
    key: String,
    count: u64,
}

#[derive(Serialize, Deserialize)]
pub struct Flaky {
    key: String,
    failures: usize,
}

#[derive(Serialize, Deserialize)]
pub struct Failure {
    message: String,
    code: u16,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

pub struct Steps;

#[reveille::service(name = "steps")]
impl Steps {
    /// `count` steps, each of which needs the result of the one before.
    async fn walk(&self, ctx: &Context, body: Walk) -> HandlerResult<u64> {
        let mut sum = 0;
        for step in 1..=body.count {
            let name = format!("step {step}");
            sum = ctx.run_sync(&name, || ran(&body.key, &name).map(|()| sum + step)).await?;
        }
        Ok(sum)
    }

    /// A step that fails some times before it works: only the step is retried to success.
    #[handler(name = "flakyStep")]
    async fn flaky_step(&self, ctx: &Context, flaky: Flaky) -> HandlerResult<String> {
        note(ctx, &flaky.key, "before").await?;
        let policy = RetryPolicy::new()
            .initial_delay(Duration::from_millis(10))
            .delay_max(Duration::from_millis(20));
        let step = ctx.run("flaky", async || {
            ran(&flaky.key, "flaky")?;
            attempt(&flaky, "flaky")
        });
        Ok(step.retry(policy).await?)
    }

    /// A step that gives up: its last error becomes terminal.
    #[handler(name = "hopelessStep")]
    async fn hopeless_step(&self, ctx: &Context, key: String) -> HandlerResult<()> {
        let policy = RetryPolicy::new().initial_delay(Duration::from_millis(10)).attempts_max(3);
        let step = ctx.run_sync("hopeless", || {
            ran(&key, "hopeless")?;
            Err("still broken".into())
        });
        Ok(step.retry(policy).await?)
    }

    /// A step that fails for good at once.
    #[handler(name = "refusedStep")]
    async fn refused_step(&self, ctx: &Context, key: String) -> HandlerResult<()> {
        let step = ctx.run_sync("refused", || {
            ran(&key, "refused")?;
            Err(TerminalError::new("never").code(451).into())
        });
        Ok(step.await?)
    }

    /// A handler that fails some times: the server runs it again and replays what is journaled.
    #[handler(name = "flakyHandler")]
    async fn flaky_handler(&self, ctx: &Context, flaky: Flaky) -> HandlerResult<String> {
        note(ctx, &flaky.key, "before").await?;
        ran(&flaky.key, "attempt")?;
        attempt(&flaky, "attempt")
    }

    /// A terminal error is an outcome: nobody retries it.
    async fn refuse(&self, _ctx: &Context, failure: Failure) -> HandlerResult<()> {
        let error = TerminalError::new(failure.message).code(failure.code);
        let pairs = failure.metadata.into_iter();
        Err(pairs.fold(error, |error, (key, value)| error.metadata(key, value)).into())
    }

    /// Gives back what the caller sent.
    async fn headers(&self, ctx: &Context) -> HandlerResult<HashMap<String, String>> {
        let headers = ctx.headers();
        Ok(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

fn attempt(flaky: &Flaky, step: &str) -> HandlerResult<String> {
    let attempts = times_ran(&flaky.key, step);
    if attempts <= flaky.failures {
        return Err(format!("attempt {attempts} failed").into());
    }
    Ok(format!("worked at attempt {attempts}"))
}

/// Writes down that an attempt is over, however it ends.
struct Over(String);

impl Drop for Over {
    fn drop(&mut self) {
        // Tests that look for it fail then.
        let _ = ran(&self.0, "attempt over");
    }
}

pub struct Patient;

#[reveille::service(name = "patient", inactivity_timeout = "200ms", abort_timeout = "30s")]
impl Patient {
    /// Waits that end the attempt soon; an answer replays the handler.
    async fn wait(&self, ctx: &Context, key: String) -> HandlerResult<Value> {
        ran(&key, "attempt")?;
        let _over = Over(key.clone());
        let before = note(ctx, &key, "before").await?;
        let (wait, answer) = ctx.awakeable::<String>();
        announce(ctx, &key, &wait).await?;
        let review = answer.await?;
        let after = note(ctx, &key, "after").await?;
        let same = ctx.uuid() == ctx.uuid();
        Ok(json!([before, review, after, same]))
    }
}

pub struct Stubborn;

#[reveille::service(
    name = "stubborn",
    retry(attempts_max = 2, initial_delay = "10ms", then = "pause")
)]
impl Stubborn {
    /// Fails twice and is then left alone until an operator resumes it.
    async fn listen(&self, ctx: &Context, key: String) -> HandlerResult<String> {
        ran(&key, "attempt")?;
        if times_ran(&key, "attempt") <= 2 {
            return Err("not yet".into());
        }
        Ok(ctx.signal("news").await?)
    }
}
