//! The examples, simulated: months pass at once, and everything is killed at every moment.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures_util::future::{Either, select};
use reveille::{
    Context, Durable, Endpoint, HandlerResult, ObjectContext, RetryPolicy, Service, TerminalError,
    all,
    test::{TestServer, crash_everywhere},
};

#[allow(dead_code)]
#[path = "../examples/approval.rs"]
mod approval;
#[allow(dead_code)]
#[path = "../examples/counter.rs"]
mod counter;
#[allow(dead_code)]
#[path = "../examples/fan_out.rs"]
mod fan_out;
#[allow(dead_code)]
#[path = "../examples/review_workflow.rs"]
mod review_workflow;
#[allow(dead_code)]
#[path = "../examples/saga.rs"]
mod saga;
#[allow(dead_code)]
#[path = "../examples/webhook.rs"]
mod webhook;

use approval::{Approval, ApprovalClient};
use counter::{Counter, CounterClient};
use fan_out::{Words, WordsClient};
use review_workflow::{Review, ReviewClient};
use saga::{Travel, TravelClient, Trip};
use webhook::{Credit, CreditClient, Score};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn serving<S: Service>(service: fn() -> S) -> impl Fn() -> Endpoint {
    move || Endpoint::builder().bind(service()).build().expect("a valid service")
}

#[tokio::test]
async fn approval_by_awakeable() {
    let result = crash_everywhere(serving(|| Approval), async |server| {
        let asked = ApprovalClient::new(server).ask("news".into()).send().await;
        server.advance(100 * DAY).await;
        assert!(asked.output().await.is_none());
        let waits = server.waits().await;
        assert_eq!((waits.len(), waits[0].service.as_str()), (1, "Approval"));
        server.resolve(&server.awakeables().await[0], "yes").await;
        asked.result().await
    });
    assert_eq!(result.await, Ok("news: yes".to_owned()));
}

#[tokio::test]
async fn approval_that_is_refused_or_cancelled() {
    let server = TestServer::new(serving(|| Approval)());
    let asked = ApprovalClient::new(&server).ask("news".into()).send().await;
    let refusal = TerminalError::new("no").code(403).metadata("by", "Ann");
    server.reject(&server.awakeables().await[0], refusal.clone()).await;
    assert_eq!(asked.result().await, Err(refusal));
    let asked = ApprovalClient::new(&server).ask("more news".into()).send().await;
    asked.cancel().await;
    let cancelled = asked.result().await.expect_err("a failure");
    assert_eq!((cancelled.status(), cancelled.message()), (409, "Cancelled"));
}

#[tokio::test]
async fn review_by_promise_or_awakeable() {
    for by_promise in [true, false] {
        let result = crash_everywhere(serving(|| Review), async |server| {
            let review = ReviewClient::new(server, "doc");
            let run = review.run("doc".into()).send().await;
            assert_eq!(review.status().call().await, Ok(Some("waiting".to_owned())));
            if by_promise {
                review.submit("fine".into()).call().await.expect("the first verdict");
                let second = review.submit("bad".into()).call().await.expect_err("too late");
                assert_eq!(second.status(), 409);
            } else {
                let id = review.awakeable().call().await.expect("an id").expect("an id");
                server.resolve(&id, "fine").await;
            }
            assert_eq!(review.status().call().await, Ok(Some("fine".to_owned())));
            run.result().await
        });
        assert_eq!(result.await, Ok("doc: fine".to_owned()));
    }
}

#[tokio::test]
async fn webhook_in_time_and_too_late() {
    let answered = Score { points: 90, is_checked: true };
    let guessed = Score { points: 20, is_checked: false };
    for (days, expected) in [(2, answered.clone()), (4, guessed)] {
        let result = crash_everywhere(serving(|| Credit), async |server| {
            let score = CreditClient::new(server).score("Ann".into()).send().await;
            let callback = server.awakeables().await.remove(0);
            server.advance(days * DAY).await;
            server.resolve(&callback, &answered).await;
            score.result().await
        });
        assert_eq!(result.await, Ok(expected));
    }
}

#[tokio::test]
async fn saga_is_done_or_undone() {
    let book = async |budget| {
        crash_everywhere(serving(|| Travel), async |server| {
            let trip = Trip { destination: "Rome".into(), budget };
            TravelClient::new(server).book(trip).call().await
        })
        .await
    };
    let tickets = ["Flight in Rome", "Hotel in Rome", "Car in Rome"];
    assert_eq!(book(1000).await, Ok(tickets.map(str::to_owned).to_vec()));
    let error = book(100).await.expect_err("too expensive");
    assert_eq!((error.status(), error.message()), (409, "the car is too expensive"));
}

#[tokio::test]
async fn counter_loses_nothing() {
    let result = crash_everywhere(serving(|| Counter), async |server| {
        let counter = CounterClient::new(server, "a");
        for amount in [1, 2, 3] {
            counter.add(amount).call().await.expect("a sum");
        }
        let other = CounterClient::new(server, "b").get().call().await;
        let sum = counter.get().call().await;
        counter.reset().call().await.expect("it is reset");
        (sum, other, counter.get().call().await)
    });
    assert_eq!(result.await, (Ok(6), Ok(0), Ok(0)));
}

#[tokio::test]
async fn fan_out_and_in() {
    let result = crash_everywhere(serving(|| Words), async |server| {
        let texts = ["one", "two three", "four five six"].map(str::to_owned).to_vec();
        WordsClient::new(server).count_all(texts).call().await
    });
    assert_eq!(result.await, Ok(6));
    let server = TestServer::new(serving(|| Words)());
    let error = WordsClient::new(&server).count_all(vec!["a".into(), String::new()]).call().await;
    assert_eq!(error.expect_err("a failure").status(), 400);
}

/// Counts executions of its step, which fails some times, and really waits.
struct Flaky(AtomicU32);

#[reveille::service]
impl Flaky {
    async fn run(&self, ctx: &Context) -> HandlerResult<u32> {
        let policy = RetryPolicy::new().initial_delay(DAY).delay_max(DAY);
        let step = ctx.run("flaky", async || {
            tokio::task::yield_now().await;
            match self.0.fetch_add(1, Ordering::SeqCst) {
                count @ 0..3 => Err(format!("failure {count}").into()),
                count => Ok(count),
            }
        });
        Ok(step.retry(policy).await?)
    }
}

#[tokio::test]
async fn retries_take_their_time_at_once() {
    let server = TestServer::new(serving(|| Flaky(AtomicU32::new(0)))());
    let began_at = server.now();
    assert_eq!(FlakyClient::new(&server).run().call().await, Ok(3));
    let took = server.now().duration_since(began_at).expect("time passes");
    assert_eq!(took, 3 * DAY);
}

/// Keeps a step that takes for ever, and waits for something else.
struct Keeper;

#[reveille::service]
impl Keeper {
    async fn run(&self, ctx: &Context) -> HandlerResult<u32> {
        let mut step = ctx.run("endless", std::future::pending::<HandlerResult<u32>>);
        let first = KeeperClient::new(ctx).one().call();
        let first = match select(&mut step, first).await {
            Either::Left((first, _)) | Either::Right((first, _)) => first?,
        };
        let (_, second) = ctx.awakeable::<u32>();
        let second = second.timeout(DAY).await?;
        drop(step);
        Ok(first + second)
    }

    async fn one(&self, _ctx: &Context) -> HandlerResult<u32> {
        Ok(1)
    }
}

/// A step holds up the server while it is awaited, and not when it is only kept.
#[tokio::test]
async fn kept_step_lets_the_server_settle() {
    let server = TestServer::new(serving(|| Keeper)());
    let invocation = KeeperClient::new(&server).run().send().await;
    let wait = server.awakeables().await.remove(0);
    server.resolve(&wait, &2).await;
    assert_eq!(invocation.result().await, Ok(3));
    // Nobody answers: the day passes although the step has not ended.
    let error = KeeperClient::new(&server).run().call().await.expect_err("a timeout");
    assert_eq!(error.to_string(), "timed out after 86400s (408)");
}

/// A handler that depends on what is not in the journal is found out.
struct Fickle(AtomicU32);

#[reveille::service]
impl Fickle {
    async fn run(&self, ctx: &Context) -> HandlerResult<u32> {
        let attempt = self.0.fetch_add(1, Ordering::SeqCst);
        ctx.run("step", async || Ok(())).await?;
        Ok(attempt)
    }
}

#[tokio::test]
#[should_panic(expected = "changes the result")]
async fn fickle_handlers_are_found_out() {
    let result = crash_everywhere(serving(|| Fickle(AtomicU32::new(0))), async |server| {
        FickleClient::new(server).run().call().await
    });
    let _ = result.await;
}

/// Remembers who came first.
struct First;

#[reveille::object]
impl First {
    async fn come(&self, ctx: &ObjectContext, who: u32) -> HandlerResult<()> {
        if ctx.get::<u32>("first").await?.is_none() {
            ctx.set("first", &who);
        }
        Ok(())
    }

    async fn first(&self, ctx: &ObjectContext) -> HandlerResult<Option<u32>> {
        Ok(ctx.get("first").await?)
    }
}

/// Takes so many steps, and comes.
struct Guest;

#[reveille::service]
impl Guest {
    async fn walk(&self, ctx: &Context, steps: u32) -> HandlerResult<()> {
        for _ in 0..steps {
            ctx.run("step", async || Ok(())).await?;
        }
        Ok(FirstClient::new(ctx, "door").come(steps).call().await?)
    }

    /// Lets one guest walk five steps and another one six.
    async fn party(&self, ctx: &Context) -> HandlerResult<Option<u32>> {
        let guests = GuestClient::new(ctx);
        all([5, 6].map(|steps| guests.walk(steps).call())).await?;
        Ok(FirstClient::new(ctx, "door").first().call().await?)
    }
}

fn party() -> Endpoint {
    Endpoint::builder().bind(First).bind(Guest).build().expect("valid services")
}

/// Not only neighbours change places: whoever has a longer way may be the first.
#[tokio::test]
async fn seeds_decide_who_is_faster() {
    let first_of = async |seed| {
        let server = TestServer::seeded(party(), seed);
        GuestClient::new(&server).party().call().await.expect("a party").expect("a guest")
    };
    let mut firsts = Vec::new();
    for seed in 0..20 {
        let first = first_of(seed).await;
        assert_eq!(first, first_of(seed).await, "seed {seed}");
        firsts.push(first);
    }
    assert!(firsts.contains(&5) && firsts.contains(&6), "{firsts:?}");
}

/// Runs that `crash_everywhere` makes of a handler with one step.
const RUNS_OF_A_SEED: u32 = 2;

#[tokio::test]
async fn crashes_are_everywhere_with_each_seed() {
    for seeds in [1, 3] {
        let runs = AtomicU32::new(0);
        let crashes = crash_everywhere(serving(|| Keeper), async |server| {
            runs.fetch_add(1, Ordering::SeqCst);
            KeeperClient::new(server).one().call().await
        });
        assert_eq!(crashes.seeds(seeds).await, Ok(1));
        assert_eq!(u64::from(runs.load(Ordering::SeqCst)), seeds * u64::from(RUNS_OF_A_SEED));
    }
}

#[tokio::test]
#[should_panic(expected = "crash 1 with seed 2 (alone: `TestServer::seeded(endpoint, 2)` and")]
async fn seed_and_crash_of_a_failure_are_told() {
    let runs = AtomicU32::new(0);
    let crashes = crash_everywhere(serving(|| Keeper), async |server| {
        let is_last = runs.fetch_add(1, Ordering::SeqCst) == 3 * RUNS_OF_A_SEED - 1;
        (KeeperClient::new(server).one().call().await, is_last)
    });
    let _ = crashes.seeds(3).await;
}

#[tokio::test]
#[should_panic(expected = "waits for what never comes")]
async fn what_never_comes_is_named() {
    let server = TestServer::new(serving(|| Approval)());
    let _ = ApprovalClient::new(&server).ask("news".into()).call().await;
}
