//! Handlers that call, send, schedule, attach to and cancel other handlers.

use std::time::Duration;

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    account::AccountClient,
    approval::ApprovalClient,
    outcome::{failure, outcome},
    steps::{Failure, StepsClient},
};

#[derive(Serialize, Deserialize)]
pub struct Amount {
    key: String,
    amount: i64,
    #[serde(default)]
    millis: u64,
}

pub struct Caller;

#[restate_sdk::service(name = "caller")]
impl Caller {
    #[handler]
    async fn add(&self, ctx: Context<'_>, body: Json<Amount>) -> HandlerResult<i64> {
        let Amount { key, amount, .. } = body.into_inner();
        Ok(ctx.object_client::<AccountClient>(key).add(amount).call().await?)
    }

    #[handler(name = "addLater")]
    async fn add_later(&self, ctx: Context<'_>, body: Json<Amount>) -> HandlerResult<String> {
        let Amount { key, amount, millis } = body.into_inner();
        let request = ctx.object_client::<AccountClient>(key).add(amount);
        let sent = request.send_after(Duration::from_millis(millis)).await?;
        Ok(sent.invocation_id().to_owned())
    }

    /// Both sends carry one idempotency key: the account is credited once.
    #[handler(name = "addOnce")]
    async fn add_once(&self, ctx: Context<'_>, body: Json<Amount>) -> HandlerResult<bool> {
        let Amount { key, amount, .. } = body.into_inner();
        let send = || {
            let request = ctx.object_client::<AccountClient>(key.clone()).add(amount);
            request.idempotency_key(format!("once-{key}")).send()
        };
        let (first, second) = (send(), send());
        Ok(first.await?.invocation_id() == second.await?.invocation_id())
    }

    /// Both calls carry one idempotency key: the second gets the result of the first.
    #[handler(name = "callOnce")]
    async fn call_once(
        &self,
        ctx: Context<'_>,
        body: Json<Amount>,
    ) -> HandlerResult<Json<Vec<i64>>> {
        let Amount { key, amount, .. } = body.into_inner();
        let mut results = Vec::new();
        for _ in 0..2 {
            let request = ctx.object_client::<AccountClient>(key.clone()).add(amount);
            results.push(request.idempotency_key(format!("call-{key}")).call().await?);
        }
        Ok(Json(results))
    }

    #[handler(name = "startApproval")]
    async fn start_approval(&self, ctx: Context<'_>, name: String) -> HandlerResult<String> {
        let sent = ctx.service_client::<ApprovalClient>().ask(name).send().await?;
        Ok(sent.invocation_id().to_owned())
    }

    #[handler]
    async fn attach(&self, ctx: Context<'_>, invocation: String) -> HandlerResult<Json<Value>> {
        Ok(ctx.invocation_handle(invocation).attach::<Json<Value>>().await?)
    }

    /// Starts an approval, loses patience, and cancels it.
    #[handler(name = "cancelApproval")]
    async fn cancel_approval(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Value>> {
        let sent = ctx.service_client::<ApprovalClient>().ask(name).send().await?;
        sent.cancel();
        Ok(Json(outcome(sent.attach::<Json<Value>>().await)))
    }

    /// Awaits a child; when cancelled itself, the child is cancelled with it.
    #[handler]
    async fn delegate(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Value>> {
        Ok(ctx.service_client::<ApprovalClient>().ask(name).call().await?)
    }

    /// Undoes its first step when what follows is cancelled or rejected.
    #[handler]
    async fn reserve(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Value>> {
        note!(ctx, &name, "reserve")?;
        match ctx.service_client::<ApprovalClient>().ask(name.clone()).call().await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                note!(ctx, &name, "release")?;
                Err(error.into())
            }
        }
    }

    /// The terminal error of a callee arrives as it was returned.
    #[handler]
    async fn refused(&self, ctx: Context<'_>, body: Json<Failure>) -> HandlerResult<Json<Value>> {
        let refused = ctx.service_client::<StepsClient>().refuse(body).call().await;
        Ok(Json(refused.map_or_else(|error| failure(&error), |()| Value::Null)))
    }
}

#[derive(Serialize, Deserialize)]
pub struct Request {
    name: String,
    key: String,
}

pub struct Payout;

#[restate_sdk::service(name = "payout")]
impl Payout {
    /// Books one amount per approved payout: the balance tells how many were completed, exactly.
    #[handler]
    async fn request(&self, ctx: Context<'_>, body: Json<Request>) -> HandlerResult<String> {
        let Request { name, key } = body.into_inner();
        let (wait, answer) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        let review = answer.await?;
        ctx.object_client::<AccountClient>(key).add(1).call().await?;
        Ok(format!("{name}: {review}"))
    }
}
