//! Tests of handlers: the real engine in memory, with a clock that is set, and crashes wherever there can be
//! any.
//!
//! ```
//! use std::time::Duration;
//!
//! use reveille::{Context, Durable, Endpoint, HandlerResult, test::TestServer};
//!
//! struct Approval;
//!
//! #[reveille::service]
//! impl Approval {
//!     async fn ask(&self, ctx: &Context, what: String) -> HandlerResult<String> {
//!         let (_, answer) = ctx.awakeable::<String>();
//!         match answer.timeout(Duration::from_secs(30 * 24 * 3600)).await {
//!             Err(error) if error.is_timeout() => Ok(format!("nobody cares about {what}")),
//!             answer => Ok(answer?),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = TestServer::new(Endpoint::builder().bind(Approval).build().unwrap());
//! let invocation = ApprovalClient::new(&server).ask("tea".into()).send().await;
//!
//! // It waits, and a person answers.
//! let wait = server.awakeables().await.remove(0);
//! server.resolve(&wait, "good tea").await;
//! assert_eq!(invocation.result().await.unwrap(), "good tea");
//!
//! // Nobody answers: a month passes at once.
//! let result = ApprovalClient::new(&server).ask("milk".into()).call().await;
//! assert_eq!(result.unwrap(), "nobody cares about milk");
//! # }
//! ```
//!
//! - Owns: [`TestServer`], [`crash_everywhere`] and its seeds, typed requests to them.
//! - Does not own: the rules, which are those of the engine; attempts, which are run as in an endpoint.
//! - Invariant: what happens is a function of the endpoint, the seed and the calls made here, as far as
//!   steps are. Time passes only when nothing else can happen.
//!
//! Everything here panics when a test cannot go on, and says why: it is for tests alone.

mod attempt;
mod request;
mod schema;
mod simulation;
mod world;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use self::world::{Turn, World};
pub use self::{
    request::{TestInvocation, TestRequest},
    simulation::{Crashes, crash_everywhere},
};
use crate::{Endpoint, TerminalError, payload::Encode, vm::millis};

/// A server in memory that serves one endpoint.
///
/// Its methods are to be awaited within a tokio runtime; handlers run on the task that awaits them.
pub struct TestServer {
    world: Mutex<World>,
}

/// Something that a suspended invocation waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wait {
    /// `awakeable`, `signal`, `promise`, `timer` or `call`.
    pub kind: &'static str,
    /// The service of the invocation.
    pub service: String,
    /// The handler of the invocation.
    pub handler: String,
    /// The key of the invocation.
    pub key: Option<String>,
    /// The name of a signal or a promise, the id of an awakeable.
    pub name: Option<String>,
}

impl TestServer {
    /// Makes a server at the first second of 2026.
    pub fn new(endpoint: Endpoint) -> Self {
        Self::seeded(endpoint, 0)
    }

    /// As [`Self::new`]; the seed decides in which order invocations go on that could do so at the same time.
    pub fn seeded(endpoint: Endpoint, seed: u64) -> Self {
        Self { world: Mutex::new(World::new(endpoint, seed)) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the server.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.world().now_ms())
    }

    /// Lets everything happen that happens without time passing: until every handler has ended or waits.
    ///
    /// # Panics
    ///
    /// When an attempt fails in a way that repeating it does not change.
    pub async fn settle(&self) {
        std::future::poll_fn(|cx| {
            let mut world = self.world();
            match world.turn(cx) {
                Turn::Idle => Poll::Ready(()),
                Turn::Moved => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                // A step waits for something real, which wakes this task.
                Turn::Busy => Poll::Pending,
            }
        })
        .await;
    }

    /// Lets time pass, and everything happen that is due by then.
    pub async fn advance(&self, duration: Duration) {
        self.settle().await;
        let end = self.world().now_ms().saturating_add(millis(duration));
        while self.world().next_due().is_some_and(|due| due <= end) {
            self.pass().await;
        }
        self.world().set_time(end);
        self.settle().await;
    }

    /// Lets time pass until the next thing is due; `false` when there is none.
    async fn pass(&self) -> bool {
        self.settle().await;
        let due = self.world().next_due();
        if let Some(due) = due {
            self.world().set_time(due);
            self.settle().await;
        }
        due.is_some()
    }

    /// Loses all attempts, as when server and services are killed, and takes up the work again.
    pub fn crash(&self) {
        self.world().crash();
    }

    /// Crashes just before the step of this number, counted from 1: the writes of handlers that are stored
    /// together.
    pub fn crash_before(&self, step: usize) {
        self.world().crash_at(step);
    }

    /// What invocations wait for, oldest first.
    pub async fn waits(&self) -> Vec<Wait> {
        self.settle().await;
        self.world().waits()
    }

    /// The ids of the awakeables that are waited for, oldest first.
    pub async fn awakeables(&self) -> Vec<String> {
        let awakeables = self.waits().await.into_iter().filter(|wait| wait.kind == "awakeable");
        awakeables.filter_map(|wait| wait.name).collect()
    }

    /// Answers an awakeable.
    ///
    /// # Panics
    ///
    /// When it is no awakeable of this server, or the value cannot be written.
    pub async fn resolve<T: Encode + ?Sized>(&self, awakeable: &str, value: &T) {
        let content = value.encode().unwrap_or_else(|error| panic!("the answer: {error}"));
        self.world().complete(awakeable, Ok(content));
        self.settle().await;
    }

    /// Answers an awakeable with a failure.
    ///
    /// # Panics
    ///
    /// When it is no awakeable of this server.
    pub async fn reject(&self, awakeable: &str, error: TerminalError) {
        self.world().complete(awakeable, Err(error.into_failure()));
        self.settle().await;
    }
}
