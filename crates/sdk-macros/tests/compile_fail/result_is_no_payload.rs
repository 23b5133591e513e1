//! A result can be written.

use reveille::{Context, HandlerResult};

struct Thing;

struct Secret;

#[reveille::service]
impl Thing {
    async fn one(&self, _ctx: &Context) -> HandlerResult<Secret> {
        Ok(Secret)
    }
}

fn main() {}
