//! Another system is asked, and answers by a webhook: in time, or there is a default.

use std::time::Duration;

use reveille::{Context, Durable, Endpoint, HandlerResult, RetryPolicy};
use serde::{Deserialize, Serialize};

/// How long the other system has.
const PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);

/// Serves on the port that the guide uses.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    Endpoint::builder().bind(Credit).build()?.listen("127.0.0.1:9080").await?;
    Ok(())
}

/// What the other system says.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub struct Score {
    /// From 0 to 100.
    pub points: u8,
    /// Whether somebody looked at it.
    pub is_checked: bool,
}

/// Scores customers.
pub struct Credit;

#[reveille::service]
impl Credit {
    /// Asks for the score of a customer. Without an answer in three days it is a careful guess.
    pub async fn score(&self, ctx: &Context, customer: String) -> HandlerResult<Score> {
        let (callback, score) = ctx.awakeable::<Score>();
        let policy = RetryPolicy::new().initial_delay(Duration::from_secs(1)).attempts_max(10);
        let request = async || request_score(&customer, &callback).await;
        ctx.run("request", request).retry(policy).await?;
        match score.timeout(PATIENCE).await {
            Err(error) if error.is_timeout() => Ok(Score { points: 20, is_checked: false }),
            score => Ok(score?),
        }
    }
}

/// Stands for a request over HTTP; the callback URL has the id of the awakeable in it.
async fn request_score(customer: &str, callback: &str) -> HandlerResult<()> {
    println!("score of {customer}, please, to /restate/awakeables/{callback}/resolve");
    Ok(())
}
