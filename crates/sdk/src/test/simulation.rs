//! Crashes wherever there can be any.
//!
//! - Owns: [`crash_everywhere`], and over which seeds ([`Crashes`]).
//! - Invariant: a scenario comes to the same end in whatever order things happen, and whether and wherever it is
//!   interrupted.

use std::{
    fmt::{self, Debug},
    pin::Pin,
    thread,
};

use super::TestServer;
use crate::Endpoint;

/// Runs a scenario without a crash, and then once for each moment at which everything can be killed; awaiting it
/// gives what it came to.
///
/// The killed attempt loses what it did since its last step was stored, so that a step may be executed
/// twice. The number of runs is that of the moments, some for each await, times that of the
/// [seeds](Crashes::seeds).
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
/// assert_eq!(sum.seeds(3).await, 10);
/// # }
/// ```
///
/// # Panics
///
/// Awaiting it panics when a run comes to something else, or panics itself. Seed and crash of that run are
/// printed, with how to see it alone.
pub fn crash_everywhere<'a, T: PartialEq + Debug + 'a>(
    endpoint: impl Fn() -> Endpoint + 'a,
    scenario: impl AsyncFn(&TestServer) -> T + 'a,
) -> Crashes<'a, T> {
    let run = move |seeds| -> Running<'a, T> {
        Box::pin(async move { crash_over(seeds, &endpoint, &scenario).await })
    };
    Crashes { seeds: 1, run: Box::new(run) }
}

/// The runs of a scenario; made by [`crash_everywhere`].
#[must_use = "nothing runs before it is awaited"]
pub struct Crashes<'a, T> {
    seeds: u64,
    run: Box<dyn FnOnce(u64) -> Running<'a, T> + 'a>,
}

type Running<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

impl<T> Crashes<'_, T> {
    /// Does all that with each of the first so many seeds, by default one; at least one.
    ///
    /// A seed decides in which order invocations go on that could do so at the same time. The scenario has to
    /// come to the same every time.
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds.max(1);
        self
    }
}

impl<'a, T> IntoFuture for Crashes<'a, T> {
    type Output = T;
    type IntoFuture = Pin<Box<dyn Future<Output = T> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        (self.run)(self.seeds)
    }
}

async fn crash_over<T: PartialEq + Debug>(
    seeds: u64,
    endpoint: &impl Fn() -> Endpoint,
    scenario: &impl AsyncFn(&TestServer) -> T,
) -> T {
    let once = async |run: Run| {
        let server = TestServer::seeded(endpoint(), run.seed);
        if let Some(crash) = run.crash {
            server.crash_before(crash);
        }
        let result = scenario(&server).await;
        let steps = server.world().steps();
        (result, steps, run)
    };
    let (expected, mut steps, _) = once(Run { seed: 0, crash: None }).await;
    for seed in 0..seeds {
        if seed > 0 {
            let (result, of_seed, run) = once(Run { seed, crash: None }).await;
            assert_eq!(result, expected, "{run} changes the result");
            steps = of_seed;
        }
        for crash in 1..=steps {
            let (result, _, run) = once(Run { seed, crash: Some(crash) }).await;
            assert_eq!(result, expected, "{run} changes the result");
        }
    }
    expected
}

/// One of the runs; says which it was when the scenario panics in it.
struct Run {
    seed: u64,
    crash: Option<usize>,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, crash } = self;
        match crash {
            None => write!(f, "seed {seed} (alone: `TestServer::seeded(endpoint, {seed})`)"),
            Some(crash) => write!(
                f,
                "crash {crash} with seed {seed} (alone: `TestServer::seeded(endpoint, {seed})` and \
                 `crash_before({crash})`)"
            ),
        }
    }
}

impl Drop for Run {
    #[expect(clippy::print_stderr, reason = "as the panic itself does, in a test")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("in the run of {self}");
        }
    }
}
