//! Handlers that call, send, schedule, attach to and cancel other handlers.

use std::time::Duration;

use reveille::{Context, HandlerResult, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    account::AccountClient,
    approval::ApprovalClient,
    notes::{announce, note},
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

#[reveille::service(name = "caller")]
impl Caller {
    async fn add(&self, ctx: &Context, body: Amount) -> HandlerResult<i64> {
        Ok(AccountClient::new(ctx, body.key).add(body.amount).call().await?)
    }

    #[handler(name = "addLater")]
    async fn add_later(&self, ctx: &Context, body: Amount) -> HandlerResult<String> {
        let request = AccountClient::new(ctx, body.key).add(body.amount);
        let sent = request.send_after(Duration::from_millis(body.millis)).await?;
        Ok(sent.id().to_owned())
    }

    /// Both sends carry one idempotency key: the account is credited once.
    #[handler(name = "addOnce")]
    async fn add_once(&self, ctx: &Context, body: Amount) -> HandlerResult<bool> {
        let Amount { key, amount, .. } = body;
        let account = AccountClient::new(ctx, &*key);
        let send = || account.add(amount).idempotency_key(format!("once-{key}")).send();
        let (first, second) = (send(), send());
        Ok(first.await?.id() == second.await?.id())
    }

    /// Both calls carry one idempotency key: the second gets the result of the first.
    #[handler(name = "callOnce")]
    async fn call_once(&self, ctx: &Context, body: Amount) -> HandlerResult<Vec<i64>> {
        let Amount { key, amount, .. } = body;
        let account = AccountClient::new(ctx, &*key);
        let mut results = Vec::new();
        for _ in 0..2 {
            let request = account.add(amount).idempotency_key(format!("call-{key}"));
            results.push(request.call().await?);
        }
        Ok(results)
    }

    #[handler(name = "startApproval")]
    async fn start_approval(&self, ctx: &Context, name: String) -> HandlerResult<String> {
        let sent = ApprovalClient::new(ctx).ask(name).send().await?;
        Ok(sent.id().to_owned())
    }

    async fn attach(&self, ctx: &Context, invocation: String) -> HandlerResult<Value> {
        Ok(ctx.invocation(invocation).attach().await?)
    }

    /// Awaits the run of a review and a booking by this name, neither of which it began.
    #[handler(name = "attachByRequest")]
    async fn attach_by_request(&self, ctx: &Context, name: String) -> HandlerResult<[Value; 2]> {
        let run = ctx.workflow_run::<Value>("reviewWorkflow", &*name).attach();
        let account = Target::keyed("account", &*name, "add");
        let booked = ctx.idempotent_invocation::<Value>(account, name).attach();
        Ok([run.await?, booked.await?])
    }

    /// Starts an approval, loses patience, and cancels it.
    #[handler(name = "cancelApproval")]
    async fn cancel_approval(&self, ctx: &Context, name: String) -> HandlerResult<Value> {
        let sent = ApprovalClient::new(ctx).ask(name).send().await?;
        sent.cancel();
        Ok(outcome(sent.attach().await))
    }

    /// Awaits a child; when cancelled itself, the child is cancelled with it.
    async fn delegate(&self, ctx: &Context, name: String) -> HandlerResult<Value> {
        Ok(ApprovalClient::new(ctx).ask(name).call().await?)
    }

    /// Undoes its first step when what follows is cancelled or rejected.
    async fn reserve(&self, ctx: &Context, name: String) -> HandlerResult<Value> {
        note(ctx, &name, "reserve").await?;
        match ApprovalClient::new(ctx).ask(name.clone()).call().await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                note(ctx, &name, "release").await?;
                Err(error.into())
            }
        }
    }

    /// The terminal error of a callee arrives as it was returned.
    async fn refused(&self, ctx: &Context, body: Failure) -> HandlerResult<Value> {
        let refused = StepsClient::new(ctx).refuse(body).call().await;
        Ok(refused.map_or_else(|error| failure(&error), |()| Value::Null))
    }
}

#[derive(Serialize, Deserialize)]
pub struct Request {
    name: String,
    key: String,
}

pub struct Payout;

#[reveille::service(name = "payout")]
impl Payout {
    /// Books one amount per approved payout: the balance tells how many were completed, exactly.
    async fn request(&self, ctx: &Context, body: Request) -> HandlerResult<String> {
        let Request { name, key } = body;
        let (wait, answer) = ctx.awakeable::<String>();
        announce(ctx, &name, &wait).await?;
        let review = answer.await?;
        AccountClient::new(ctx, key).add(1).call().await?;
        Ok(format!("{name}: {review}"))
    }
}
