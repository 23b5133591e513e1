//! A step returns a result of what can be stored.

use reveille::{Context, HandlerResult};

struct Thing;

#[reveille::service]
impl Thing {
    async fn one(&self, ctx: &Context) -> HandlerResult<i32> {
        Ok(ctx.run("step", async || 1).await?)
    }
}

fn main() {}
