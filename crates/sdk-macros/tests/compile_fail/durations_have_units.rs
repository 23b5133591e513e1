//! A duration has a unit, and is checked at compile time.

use reveille::{Context, HandlerResult};

struct Thing;

#[reveille::service(inactivity_timeout = "30", retry(initial_delay = "soon", then = "give up", max = 3))]
impl Thing {
    #[handler(abort_timeout = "1 fortnight")]
    async fn one(&self, _ctx: &Context) -> HandlerResult<()> {
        Ok(())
    }
}

fn main() {}
