//! Crashes wherever there can be any.
//!
//! - Owns: [`crash_everywhere`].
//! - Invariant: a scenario comes to the same end whether and wherever it is interrupted.

use std::fmt::Debug;

use super::TestServer;
use crate::Endpoint;

/// Runs a scenario without a crash, and then once for each moment at which everything can be killed; returns
/// what it came to.
///
/// The killed attempt loses what it did since its last step was stored, so that a step may be executed
/// twice. The number of runs is that of the moments, some for each await.
///
/// ```
/// # use reveille::{Context, Endpoint, HandlerResult, test::crash_everywhere};
/// struct Sum;
///
/// #[reveille::service]
/// impl Sum {
///     async fn up(&self, ctx: &Context, to: u64) -> HandlerResult<u64> {
///         let mut sum = 0;
///         for number in 1..=to {
///             sum += ctx.run("add", async || Ok(number)).await?;
///         }
///         Ok(sum)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let endpoint = || Endpoint::builder().bind(Sum).build().unwrap();
/// let sum = crash_everywhere(endpoint, async |server| {
///     SumClient::new(server).up(4).call().await.unwrap()
/// });
/// assert_eq!(sum.await, 10);
/// # }
/// ```
///
/// # Panics
///
/// When a run comes to something else, with the number of its crash.
pub async fn crash_everywhere<T: PartialEq + Debug>(
    endpoint: impl Fn() -> Endpoint,
    scenario: impl AsyncFn(&TestServer) -> T,
) -> T {
    let server = TestServer::new(endpoint());
    let expected = scenario(&server).await;
    let steps = server.world().steps();
    for crash in 1..=steps {
        let server = TestServer::seeded(endpoint(), crash as u64);
        server.crash_before(crash);
        let result = scenario(&server).await;
        assert_eq!(
            result, expected,
            "crash {crash} of {steps} changes the result; to see it alone, take \
             `TestServer::seeded(endpoint, {crash})` and `crash_before({crash})`"
        );
    }
    expected
}
