//! A plain service has no key, so that it has no state.

use reveille::{Context, HandlerResult};

struct Thing;

#[reveille::service]
impl Thing {
    async fn get(&self, ctx: &Context) -> HandlerResult<Option<String>> {
        Ok(ctx.get("name").await?)
    }
}

fn main() {}
