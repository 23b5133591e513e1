//! Flow control: how many of these run at the same time is up to the rules of the server.

use std::time::Duration;

use reveille::{Context, HandlerResult};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::notes::{announce, ran};

#[derive(Serialize, Deserialize)]
pub struct Job {
    name: String,
    board: String,
    millis: u64,
}

pub struct Desk;

#[reveille::service(name = "desk")]
impl Desk {
    /// Works for a while; begin and end are written down.
    async fn work(&self, ctx: &Context, job: Job) -> HandlerResult<String> {
        let Job { name, board, millis } = job;
        let work = async || {
            ran(&board, &format!("begin {name}"))?;
            // Pacing: this is the work.
            tokio::time::sleep(Duration::from_millis(millis)).await;
            ran(&board, &format!("end {name}"))
        };
        ctx.run("work", work).await?;
        Ok(name)
    }

    /// Waits for a person, which takes no place.
    async fn ask(&self, ctx: &Context, name: String) -> HandlerResult<String> {
        let (wait, answer) = ctx.awakeable::<String>();
        announce(ctx, &name, &wait).await?;
        Ok(answer.await?)
    }

    async fn whoami(&self, ctx: &Context) -> HandlerResult<String> {
        let (scope, limit_key) = (ctx.scope(), ctx.limit_key());
        Ok(format!("{}/{}", scope.unwrap_or("undefined"), limit_key.unwrap_or("undefined")))
    }

    /// Calls and sends within a scope. The scope is part of the identity: the keys are different ones.
    async fn delegate(&self, ctx: &Context, scope: String) -> HandlerResult<Value> {
        let desk = DeskClient::new(ctx);
        let called = desk.whoami().scope(&scope).limit_key("a/b").call().await?;
        let inside = desk.whoami().scope(&scope).idempotency_key("once").send().await?;
        let outside = desk.whoami().idempotency_key("once").send().await?;
        let apart = inside.id() != outside.id();
        let answer = inside.attach().await?;
        Ok(json!({"called": called, "apart": apart, "answer": answer}))
    }
}
