//! Random programs, killed at every moment: whatever a handler combines, it comes to the same end.
//!
//! A program is an input, interpreted by a handler with all means of the crate. Sleeps of one program differ, so that
//! no two things are due at the same time and a race has one winner, whatever the order of the rest.
//! `SEED=17` in the environment runs one program alone, and prints it; `SEEDS=1000` runs as many.

use std::{env, future::ready, pin::Pin, time::Duration};

use futures_util::{
    StreamExt as _,
    future::{Either, join_all, select},
    stream::FuturesUnordered,
};
use reveille::{
    BoxedDurable, Durable, Endpoint, HandlerResult, ObjectContext, all, all_settled, any, race,
    test::crash_everywhere,
};
use serde::{Deserialize, Serialize};

/// Programs that are run.
const SEEDS: u64 = 8;
/// The deepest nesting of programs.
const DEPTH_MAX: u32 = 3;

/// Something that a durable future of its own does.
#[derive(Clone, Serialize, Deserialize, Debug)]
enum Leaf {
    /// A step, which really waits for a moment.
    Step(u32),
    /// A sleep of so many seconds.
    Sleep(u32),
    /// A handler that runs a program.
    Call(u32, Vec<Op>),
    /// A sleep that takes too long, as told by a deadline.
    Late(u32, u32),
    /// A step that fails for good.
    Fail(u32),
}

/// A part of a program.
#[derive(Clone, Serialize, Deserialize, Debug)]
enum Op {
    /// One thing.
    Do(Leaf),
    /// All of them, told to the server.
    All(Vec<Leaf>),
    /// All of them, whatever they come to.
    Settled(Vec<Leaf>),
    /// The first of several sleeps.
    Race(Vec<u32>),
    /// The first that does not fail: steps that fail, and a sleep.
    Any(Vec<u32>, u32),
    /// Programs side by side.
    Join(Vec<Vec<Op>>),
    /// Programs side by side, as they end.
    Unordered(Vec<Vec<Op>>),
    /// Something that is begun, kept beside a program without being polled, and awaited after it.
    Kept(Leaf, Vec<Op>),
    /// State is written, and read again.
    State(u32),
    /// Randomness, which is the same every time.
    Random,
}

/// An old and simple generator.
struct Generator {
    state: u64,
    /// The last number that was given to something of the program.
    number: u32,
}

impl Generator {
    fn below(&mut self, end: u32) -> u32 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.state >> 33) % u64::from(end)) as u32
    }

    fn number(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    /// A length of time that nothing else of the program takes.
    fn seconds(&mut self) -> u32 {
        self.number() * 1000 + self.below(1000)
    }

    fn several<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..1 + self.below(3)).map(|_| make(self)).collect()
    }

    fn leaf(&mut self, depth: u32) -> Leaf {
        match self.below(if depth < DEPTH_MAX { 6 } else { 4 }) {
            0 | 1 => Leaf::Step(self.number()),
            2 => Leaf::Sleep(self.seconds()),
            3 => Leaf::Late(self.seconds() + 1_000_000, self.seconds()),
            _ => Leaf::Call(self.number(), self.program(depth + 1)),
        }
    }

    fn op(&mut self, depth: u32) -> Op {
        let leaves = |this: &mut Self| this.several(|this| this.leaf(depth));
        match self.below(if depth < DEPTH_MAX { 10 } else { 7 }) {
            0 | 1 => Op::Do(self.leaf(depth)),
            2 => Op::All(leaves(self)),
            3 => {
                let mut all = leaves(self);
                all.push(Leaf::Fail(self.number()));
                Op::Settled(all)
            }
            4 => Op::Race(self.several(Self::seconds)),
            5 => Op::Any(self.several(Self::number), self.seconds()),
            6 if self.below(2) == 0 => Op::Random,
            6 => Op::State(self.number()),
            7 => Op::Kept(self.leaf(depth), vec![self.op(depth + 1)]),
            8 => Op::Join(self.several(|this| this.program(depth + 1))),
            _ => Op::Unordered(self.several(|this| this.program(depth + 1))),
        }
    }

    fn program(&mut self, depth: u32) -> Vec<Op> {
        self.several(|this| this.op(depth))
    }
}

struct Machine;

#[reveille::object]
impl Machine {
    async fn run(&self, ctx: &ObjectContext, program: Vec<Op>) -> HandlerResult<String> {
        run(ctx, &program).await
    }
}

/// Starts something, and gives what it says.
fn start<'a>(ctx: &'a ObjectContext, leaf: &'a Leaf) -> BoxedDurable<'a, String> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    match leaf {
        Leaf::Step(number) => {
            let step = async move || {
                tokio::task::yield_now().await;
                Ok(format!("step {number}"))
            };
            ctx.run(format!("step {number}"), step).into_boxed()
        }
        Leaf::Sleep(time) => {
            ctx.sleep(seconds(*time)).map_value(move |()| format!("slept {time}")).into_boxed()
        }
        Leaf::Late(time, patience) => ctx
            .sleep(seconds(*time))
            .timeout(seconds(*patience))
            .map_value(|()| "?".into())
            .into_boxed(),
        Leaf::Call(number, program) => {
            let key = format!("{}/{number}", ctx.key());
            MachineClient::new(ctx, key).run(program.clone()).call().into_boxed()
        }
        Leaf::Fail(number) => {
            let error = reveille::TerminalError::new(format!("failure {number}"));
            ctx.run_sync("fail", || Err(error.into())).into_boxed()
        }
    }
}

fn text(result: Result<String, reveille::TerminalError>) -> String {
    match result {
        Ok(text) => text,
        // So that a cancellation, which nobody asked for, would show.
        Err(error) if error.is_timeout() => "too late".into(),
        Err(error) => error.to_string(),
    }
}

/// Runs a program, and says what its parts said.
fn run<'a>(
    ctx: &'a ObjectContext,
    program: &'a [Op],
) -> Pin<Box<dyn Future<Output = HandlerResult<String>> + Send + 'a>> {
    Box::pin(async move {
        let mut said = Vec::new();
        for op in program {
            said.push(match op {
                Op::Do(leaf) => text(start(ctx, leaf).await),
                Op::All(leaves) => {
                    let leaves = leaves.iter().map(|leaf| start(ctx, leaf));
                    all(leaves).await.map_or_else(|error| error.to_string(), |all| all.join(" "))
                }
                Op::Settled(leaves) => {
                    let all = all_settled(leaves.iter().map(|leaf| start(ctx, leaf))).await?;
                    all.into_iter().map(text).collect::<Vec<_>>().join(" ")
                }
                Op::Race(times) => {
                    let leaves: Vec<_> = times.iter().map(|time| Leaf::Sleep(*time)).collect();
                    race(leaves.iter().map(|leaf| start(ctx, leaf))).await?.1
                }
                Op::Any(failures, time) => {
                    let failures = failures.iter().map(|number| Leaf::Fail(*number));
                    let leaves: Vec<_> = failures.chain([Leaf::Sleep(*time)]).collect();
                    any(leaves.iter().map(|leaf| start(ctx, leaf))).await?.1
                }
                Op::Join(programs) => {
                    let all = join_all(programs.iter().map(|program| run(ctx, program))).await;
                    all.into_iter().collect::<HandlerResult<Vec<_>>>()?.join(" | ")
                }
                Op::Unordered(programs) => {
                    let mut running: FuturesUnordered<_> =
                        programs.iter().map(|program| run(ctx, program)).collect();
                    let mut all = Vec::new();
                    while let Some(result) = running.next().await {
                        all.push(result?);
                    }
                    // Steps of different parts end in any order.
                    all.sort();
                    all.join(" | ")
                }
                Op::Kept(leaf, program) => {
                    let mut kept = start(ctx, leaf);
                    // Nothing is known before it is waited for.
                    assert!(matches!(select(&mut kept, ready(())).await, Either::Right(_)));
                    let meanwhile = run(ctx, program).await?;
                    format!("{} after {meanwhile}", text(kept.await))
                }
                Op::State(number) => {
                    let name = format!("{number}");
                    ctx.set(&name, number);
                    format!("state {:?}", ctx.get::<u32>(&name).await?)
                }
                Op::Random => (ctx.rand().u64() > 0).to_string(),
            });
        }
        Ok(format!("({})", said.join(", ")))
    })
}

#[tokio::test]
async fn programs_come_to_the_same_end() {
    let endpoint = || Endpoint::builder().bind(Machine).build().expect("a valid service");
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (only, seeds) = (number("SEED"), number("SEEDS").unwrap_or(SEEDS));
    for seed in only.map_or(0..seeds, |seed| seed..seed + 1) {
        let program = Generator { state: seed, number: 0 }.program(0);
        if only.is_some() {
            println!("{program:#?}");
        }
        println!("SEED={seed}");
        let result = crash_everywhere(endpoint, async |server| {
            MachineClient::new(server, "root").run(program.clone()).call().await
        });
        let result = result.await.expect("a result");
        assert!(!result.contains("Cancelled") && !result.contains('?'), "{seed}: {result}");
    }
}
