//! A handler may go on in another thread.

use reveille::{Context, HandlerResult};

struct Thing;

use std::{rc::Rc, time::Duration};

#[reveille::service]
impl Thing {
    async fn one(&self, ctx: &Context) -> HandlerResult<()> {
        let count = Rc::new(1);
        ctx.sleep(Duration::from_secs(1)).await?;
        drop(count);
        Ok(())
    }
}

fn main() {}
