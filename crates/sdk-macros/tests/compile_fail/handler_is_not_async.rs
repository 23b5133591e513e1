//! All that is wrong with a block is told at once.

use reveille::{Context, HandlerResult};

struct Thing;

#[reveille::service(retention = "1 day")]
impl Thing {
    fn one(&self, _ctx: &Context) -> HandlerResult<()> {
        Ok(())
    }

    async fn two(_ctx: &Context) -> HandlerResult<()> {
        Ok(())
    }

    async fn three(&self, _ctx: Context) -> HandlerResult<()> {
        Ok(())
    }

    async fn four(&self, _ctx: &Context, _a: i32, _b: i32) -> HandlerResult<()> {
        Ok(())
    }

    async fn five(&self, _ctx: &Context, _a: &str) {}

    async fn six<T>(&self) -> HandlerResult<T> {
        panic!()
    }

    const SEVEN: u8 = 7;
}

fn main() {}
