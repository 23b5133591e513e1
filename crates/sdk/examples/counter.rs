//! An object: each key has its own state, and one writer at a time.

use reveille::{Endpoint, HandlerResult, ObjectContext, SharedObjectContext};

/// Serves on the port that the guide uses.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Endpoint::builder().bind(Counter).build()?.listen("127.0.0.1:9080").await?;
    Ok(())
}

/// Counts.
pub struct Counter;

#[reveille::object]
impl Counter {
    /// Adds, and returns the sum. Two of a key never run at the same time, so that nothing gets lost.
    pub async fn add(&self, ctx: &ObjectContext, amount: i64) -> HandlerResult<i64> {
        let sum = ctx.get::<i64>("sum").await?.unwrap_or(0) + amount;
        ctx.set("sum", &sum);
        Ok(sum)
    }

    /// Starts anew.
    pub async fn reset(&self, ctx: &ObjectContext) -> HandlerResult<()> {
        ctx.clear_all();
        Ok(())
    }

    /// Reads, beside whatever runs.
    #[shared]
    pub async fn get(&self, ctx: &SharedObjectContext) -> HandlerResult<i64> {
        Ok(ctx.get("sum").await?.unwrap_or(0))
    }
}
