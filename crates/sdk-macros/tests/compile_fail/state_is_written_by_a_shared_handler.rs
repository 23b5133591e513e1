//! A shared handler runs beside others, so that it only reads state.

use reveille::{HandlerResult, SharedObjectContext};

struct Thing;

#[reveille::object]
impl Thing {
    #[shared]
    async fn set(&self, ctx: &SharedObjectContext) -> HandlerResult<()> {
        ctx.set("name", "value");
        Ok(())
    }
}

fn main() {}
