//! A client knows the types of its handlers.

use reveille::{Context, HandlerResult};

struct Thing;

#[reveille::service]
impl Thing {
    async fn one(&self, ctx: &Context, number: i64) -> HandlerResult<()> {
        ThingClient::new(ctx).one("text").call().await?;
        let _ = number;
        Ok(())
    }
}

fn main() {}
