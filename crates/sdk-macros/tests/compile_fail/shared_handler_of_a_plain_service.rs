//! Nothing is shared without a key.

use reveille::{Context, HandlerResult};

struct Thing;

#[reveille::service]
impl Thing {
    #[shared]
    async fn get(&self, _ctx: &Context) -> HandlerResult<()> {
        Ok(())
    }
}

fn main() {}
