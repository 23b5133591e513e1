//! An input can be read from a request.

use reveille::{Context, HandlerResult};

struct Thing;

struct Secret;

#[reveille::service]
impl Thing {
    async fn one(&self, _ctx: &Context, _secret: Secret) -> HandlerResult<()> {
        Ok(())
    }
}

fn main() {}
