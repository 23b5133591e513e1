//! Durable steps, failures and retries.

use std::{collections::HashMap, time::Duration};

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::notes::{ran, times_ran};

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
}

pub struct Steps;

#[restate_sdk::service(name = "steps")]
impl Steps {
    /// `count` steps, each of which needs the result of the one before.
    #[handler]
    async fn walk(&self, ctx: Context<'_>, body: Json<Walk>) -> HandlerResult<u64> {
        let Walk { key, count } = body.into_inner();
        let mut sum = 0;
        for step in 1..=count {
            let key = key.clone();
            let go = || async move {
                ran(&key, &format!("step {step}"));
                Ok(sum + step)
            };
            sum = ctx.run(go).name(format!("step {step}")).await?;
        }
        Ok(sum)
    }

    /// A step that fails some times before it works: only the step is retried to success.
    #[handler(name = "flakyStep")]
    async fn flaky_step(&self, ctx: Context<'_>, body: Json<Flaky>) -> HandlerResult<String> {
        let flaky = body.into_inner();
        note!(ctx, &flaky.key, "before")?;
        let policy = RunRetryPolicy::new()
            .initial_delay(Duration::from_millis(10))
            .max_delay(Duration::from_millis(20));
        let step = ctx.run(|| async move {
            ran(&flaky.key, "flaky");
            attempt(&flaky, "flaky")
        });
        Ok(step.name("flaky").retry_policy(policy).await?)
    }

    /// A step that gives up: its last error becomes terminal.
    #[handler(name = "hopelessStep")]
    async fn hopeless_step(&self, ctx: Context<'_>, key: String) -> HandlerResult<()> {
        let policy = RunRetryPolicy::new().initial_delay(Duration::from_millis(10)).max_attempts(3);
        let step = ctx.run(|| async move {
            ran(&key, "hopeless");
            Err::<(), _>("still broken".into())
        });
        Ok(step.name("hopeless").retry_policy(policy).await?)
    }

    /// A step that fails for good at once.
    #[handler(name = "refusedStep")]
    async fn refused_step(&self, ctx: Context<'_>, key: String) -> HandlerResult<()> {
        let step = ctx.run(|| async move {
            ran(&key, "refused");
            Err::<(), _>(TerminalError::new_with_code(451, "never").into())
        });
        Ok(step.name("refused").await?)
    }

    /// A handler that fails some times: the server runs it again and replays what is journaled.
    #[handler(name = "flakyHandler")]
    async fn flaky_handler(&self, ctx: Context<'_>, body: Json<Flaky>) -> HandlerResult<String> {
        let flaky = body.into_inner();
        note!(ctx, &flaky.key, "before")?;
        ran(&flaky.key, "attempt");
        attempt(&flaky, "attempt")
    }

    /// A terminal error is an outcome: nobody retries it.
    #[handler]
    async fn refuse(&self, _ctx: Context<'_>, failure: Json<Failure>) -> HandlerResult<()> {
        let Failure { message, code } = failure.into_inner();
        Err(TerminalError::new_with_code(code, message).into())
    }

    /// Gives back what the caller sent.
    #[handler]
    async fn headers(&self, ctx: Context<'_>) -> HandlerResult<Json<HashMap<String, String>>> {
        let headers = ctx.headers().iter();
        Ok(Json(headers.map(|(name, value)| (name.to_string(), value.clone())).collect()))
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
        ran(&self.0, "attempt over");
    }
}

pub struct Patient;

#[restate_sdk::service(name = "patient", inactivity_timeout = "200ms", abort_timeout = "30s")]
impl Patient {
    /// Waits that end the attempt soon; an answer replays the handler.
    #[handler]
    async fn wait(&self, mut ctx: Context<'_>, key: String) -> HandlerResult<Json<Value>> {
        ran(&key, "attempt");
        let _over = Over(key.clone());
        let before = note!(ctx, &key, "before")?;
        let (wait, answer) = ctx.awakeable::<String>();
        announce!(ctx, &key, wait)?;
        let review = answer.await?;
        let after = note!(ctx, &key, "after")?;
        let same = ctx.rand_uuid() == ctx.rand_uuid();
        Ok(Json(json!([before, review, after, same])))
    }
}

pub struct Stubborn;

#[restate_sdk::service(
    name = "stubborn",
    invocation_retry_policy(
        max_attempts = 2,
        initial_interval = "10ms",
        on_max_attempts = "pause"
    )
)]
impl Stubborn {
    /// Fails twice and is then left alone until an operator resumes it.
    #[handler]
    async fn listen(&self, ctx: Context<'_>, key: String) -> HandlerResult<String> {
        ran(&key, "attempt");
        if times_ran(&key, "attempt") <= 2 {
            return Err("not yet".into());
        }
        Ok(ctx.signal::<String>("news").await?)
    }
}
