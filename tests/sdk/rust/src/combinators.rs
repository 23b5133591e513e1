//! Waiting for several things, or not for ever.

use std::{
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use restate_sdk::{context::DurableFuture, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::{AccountClient, Withdrawal};

type AnyFuture<'a> = Pin<Box<dyn DurableFuture<Output = Result<Value, TerminalError>> + Send + 'a>>;

#[derive(Serialize, Deserialize)]
pub struct Timed {
    name: String,
    millis: u64,
}

pub struct Combinators;

#[restate_sdk::service(name = "combinators")]
impl Combinators {
    #[handler(name = "withTimeout")]
    async fn with_timeout(&self, ctx: Context<'_>, body: Json<Timed>) -> HandlerResult<String> {
        let Timed { name, millis } = body.into_inner();
        let (wait, answer) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        restate_sdk::select! {
            review = answer => Ok(review?),
            _ = ctx.sleep(Duration::from_millis(millis)) => Ok("timed out".into()),
            on_cancel => Err(TerminalError::new_with_code(409, "Cancelled").into())
        }
    }

    #[handler(name = "firstOfTwo")]
    async fn first_of_two(&self, ctx: Context<'_>, name: String) -> HandlerResult<String> {
        let (left_id, left) = ctx.awakeable::<String>();
        let (right_id, right) = ctx.awakeable::<String>();
        announce!(ctx, format!("{name}/left"), left_id)?;
        announce!(ctx, format!("{name}/right"), right_id)?;
        restate_sdk::select! {
            review = left => Ok(review?),
            review = right => Ok(review?),
        }
    }

    /// Whichever comes first: a person, a clock, another handler.
    #[handler(name = "firstOfAll")]
    async fn first_of_all(&self, ctx: Context<'_>, body: Json<Timed>) -> HandlerResult<String> {
        let Timed { name, millis } = body.into_inner();
        let (wait, person) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        let clock = ctx.sleep(Duration::from_millis(millis));
        let withdrawal = Withdrawal { name: format!("{name}/call"), amount: 1 };
        let client = ctx.object_client::<AccountClient>(format!("combinators-{name}"));
        let call = client.withdraw(Json(withdrawal)).call();
        restate_sdk::select! {
            review = person => Ok(review?),
            _ = clock => Ok("the clock".into()),
            result = call => Ok(result?),
        }
    }

    #[handler(name = "allOfThem")]
    async fn all_of_them(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Vec<Value>>> {
        let (wait, person) = ctx.awakeable::<String>();
        announce!(ctx, &name, wait)?;
        let clock = ctx.sleep(Duration::from_millis(50));
        let client = ctx.object_client::<AccountClient>(format!("combinators-{name}"));
        let call = client.add(7).call();
        let all: [AnyFuture<'_>; 3] = [
            Box::pin(person.map_ok(Value::from)),
            Box::pin(clock.map_ok(|()| json!("slept"))),
            Box::pin(call.map_ok(Value::from)),
        ];
        Ok(Json(collect(all).await?.into_iter().collect::<Result<_, _>>()?))
    }

    /// The answer to `early` is there before anybody awaits it: `gate` opens first.
    #[handler(name = "answeredEarly")]
    async fn answered_early(
        &self,
        ctx: Context<'_>,
        name: String,
    ) -> HandlerResult<Json<[String; 2]>> {
        let (early_id, early) = ctx.awakeable::<String>();
        let (gate_id, gate) = ctx.awakeable::<String>();
        announce!(ctx, format!("{name}/early"), early_id)?;
        announce!(ctx, format!("{name}/gate"), gate_id)?;
        let opened = gate.await?;
        Ok(Json([opened, early.await?]))
    }

    #[handler]
    async fn settled(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Vec<Value>>> {
        let (left_id, left) = ctx.awakeable::<String>();
        let (right_id, right) = ctx.awakeable::<String>();
        announce!(ctx, format!("{name}/left"), left_id)?;
        announce!(ctx, format!("{name}/right"), right_id)?;
        let both: [AnyFuture<'_>; 2] =
            [Box::pin(left.map_ok(Value::from)), Box::pin(right.map_ok(Value::from))];
        let message = |error: TerminalError| json!(error.message());
        let both = collect(both).await?.into_iter();
        Ok(Json(both.map(|one| one.unwrap_or_else(message)).collect()))
    }

    #[handler]
    async fn sleep(&self, ctx: Context<'_>, millis: u64) -> HandlerResult<u64> {
        let before = now(&ctx).await?;
        ctx.sleep(Duration::from_millis(millis)).await?;
        Ok(now(&ctx).await? - before)
    }
}

/// Awaits all of them, in whatever order they end; fails only when cancelled.
async fn collect<const N: usize>(
    all: [AnyFuture<'_>; N],
) -> Result<Vec<Result<Value, TerminalError>>, TerminalError> {
    let mut ended = Vec::new();
    let mut futures: DurableFuturesUnordered<_> = all.into_iter().collect();
    while let Some(one) = futures.next().await? {
        ended.push(one);
    }
    ended.sort_by_key(|(index, _)| *index);
    Ok(ended.into_iter().map(|(_, result)| result).collect())
}

async fn now(ctx: &Context<'_>) -> Result<u64, TerminalError> {
    ctx.run(|| async {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(u64::try_from(now.as_millis())?)
    })
    .name("now")
    .await
}
