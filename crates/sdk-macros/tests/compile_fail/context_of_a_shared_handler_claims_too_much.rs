//! A shared handler does not get the context of an exclusive one.

use reveille::{HandlerResult, ObjectContext};

struct Thing;

#[reveille::object]
impl Thing {
    #[shared]
    async fn set(&self, ctx: &ObjectContext) -> HandlerResult<()> {
        ctx.set("name", "value");
        Ok(())
    }
}

fn main() {}
