//! Flow control: how many of these run at the same time is up to the rules of the server.

use std::time::Duration;

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::notes::ran;

#[derive(Serialize, Deserialize)]
pub struct Job {
    name: String,
    board: String,
    millis: u64,
}

pub struct Desk;

#[restate_sdk::service(name = "desk")]
impl Desk {
    /// Works for a while; begin and end are written down.
    #[handler]
    async fn work(&self, ctx: Context<'_>, job: Json<Job>) -> HandlerResult<String> {
        let Job { name, board, millis } = job.into_inner();
        let done = name.clone();
        ctx.run(|| async move {
            ran(&board, &format!("begin {name}"));
            // Pacing: this is the work.
            tokio::time::sleep(Duration::from_millis(millis)).await;
            ran(&board, &format!("end {name}"));
            Ok(())
        })
        .name("work")
        .await?;
        Ok(done)
    }

    /// Waits for a person, which takes no place.
    #[handler]
    async fn ask(&self, ctx: Context<'_>, name: String) -> HandlerResult<String> {
        let (wait, answer) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        Ok(answer.await?)
    }

    #[handler]
    async fn whoami(&self, ctx: Context<'_>) -> HandlerResult<String> {
        let (scope, limit_key) = (ctx.scope(), ctx.limit_key());
        Ok(format!("{}/{}", scope.unwrap_or("undefined"), limit_key.unwrap_or("undefined")))
    }

    /// Calls and sends within a scope. The scope is part of the identity: the keys are different ones.
    #[handler]
    async fn delegate(&self, ctx: Context<'_>, scope: String) -> HandlerResult<Json<Value>> {
        let whoami = || ctx.service_client::<DeskClient>().whoami();
        let called = whoami().scope(&scope).limit_key("a/b").call().await?;
        let inside = whoami().scope(&scope).idempotency_key("once").send().await?;
        let outside = whoami().idempotency_key("once").send().await?;
        let apart = inside.invocation_id() != outside.invocation_id();
        let answer = inside.attach::<String>().await?;
        Ok(Json(json!({"called": called, "apart": apart, "answer": answer})))
    }
}
