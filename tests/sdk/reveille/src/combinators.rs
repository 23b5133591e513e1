//! Waiting for several things, or not for ever.

use std::time::{Duration, UNIX_EPOCH};

use reveille::{Context, Durable, HandlerResult, all, all_settled, race};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    account::{AccountClient, Withdrawal},
    notes::announce,
};

#[derive(Serialize, Deserialize)]
pub struct Timed {
    name: String,
    millis: u64,
}

pub struct Combinators;

#[reveille::service(name = "combinators")]
impl Combinators {
    #[handler(name = "withTimeout")]
    async fn with_timeout(&self, ctx: &Context, body: Timed) -> HandlerResult<String> {
        let (wait, answer) = ctx.awakeable::<String>();
        announce(ctx, &body.name, &wait).await?;
        match answer.timeout(Duration::from_millis(body.millis)).await {
            Err(error) if error.is_timeout() => Ok("timed out".into()),
            review => Ok(review?),
        }
    }

    #[handler(name = "firstOfTwo")]
    async fn first_of_two(&self, ctx: &Context, name: String) -> HandlerResult<String> {
        let (left_id, left) = ctx.awakeable::<String>();
        let (right_id, right) = ctx.awakeable::<String>();
        announce(ctx, &format!("{name}/left"), &left_id).await?;
        announce(ctx, &format!("{name}/right"), &right_id).await?;
        let (_, review) = race([left, right]).await?;
        Ok(review)
    }

    /// Whichever comes first: a person, a clock, another handler.
    #[handler(name = "firstOfAll")]
    async fn first_of_all(&self, ctx: &Context, body: Timed) -> HandlerResult<String> {
        let Timed { name, millis } = body;
        let (wait, person) = ctx.awakeable::<String>();
        announce(ctx, &name, &wait).await?;
        let clock = ctx.sleep(Duration::from_millis(millis)).map_value(|()| "the clock".into());
        let withdrawal = Withdrawal { name: format!("{name}/call"), amount: 1 };
        let call = AccountClient::new(ctx, format!("combinators-{name}")).withdraw(withdrawal);
        let (_, first) =
            race([person.into_boxed(), clock.into_boxed(), call.call().into_boxed()]).await?;
        Ok(first)
    }

    #[handler(name = "allOfThem")]
    async fn all_of_them(&self, ctx: &Context, name: String) -> HandlerResult<Vec<Value>> {
        let (wait, person) = ctx.awakeable::<Value>();
        announce(ctx, &name, &wait).await?;
        let clock = ctx.sleep(Duration::from_millis(50)).map_value(|()| json!("slept"));
        let call = AccountClient::new(ctx, format!("combinators-{name}")).add(7).call();
        let call = call.map_value(Value::from);
        Ok(all([person.into_boxed(), clock.into_boxed(), call.into_boxed()]).await?)
    }

    /// The answer to `early` is there before anybody awaits it: `gate` opens first.
    #[handler(name = "answeredEarly")]
    async fn answered_early(&self, ctx: &Context, name: String) -> HandlerResult<[String; 2]> {
        let (early_id, early) = ctx.awakeable::<String>();
        let (gate_id, gate) = ctx.awakeable::<String>();
        announce(ctx, &format!("{name}/early"), &early_id).await?;
        announce(ctx, &format!("{name}/gate"), &gate_id).await?;
        let opened = gate.await?;
        Ok([opened, early.await?])
    }

    async fn settled(&self, ctx: &Context, name: String) -> HandlerResult<Vec<String>> {
        let (left_id, left) = ctx.awakeable::<String>();
        let (right_id, right) = ctx.awakeable::<String>();
        announce(ctx, &format!("{name}/left"), &left_id).await?;
        announce(ctx, &format!("{name}/right"), &right_id).await?;
        let both = all_settled([left, right]).await?.into_iter();
        Ok(both.map(|one| one.unwrap_or_else(|error| error.message().to_owned())).collect())
    }

    async fn sleep(&self, ctx: &Context, millis: u64) -> HandlerResult<u64> {
        let before = now_ms(ctx).await?;
        ctx.sleep(Duration::from_millis(millis)).await?;
        Ok(now_ms(ctx).await? - before)
    }
}

async fn now_ms(ctx: &Context) -> HandlerResult<u64> {
    let now = ctx.now().await?.duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(now.as_millis())?)
}
