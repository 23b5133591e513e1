//! Promises belong to workflows.

use reveille::{HandlerResult, ObjectContext};

struct Thing;

#[reveille::object]
impl Thing {
    async fn wait(&self, ctx: &ObjectContext) -> HandlerResult<String> {
        Ok(ctx.promise::<String>("name").await?)
    }
}

fn main() {}
