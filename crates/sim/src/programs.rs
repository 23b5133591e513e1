//! What the handlers of the model workload do: short lists of operations, drawn from a number.
//!
//! The input of an invocation names the number, so every attempt runs the same program.
//! - Invariant: a program only awaits results of lower levels, so no two invocations wait for each
//!   other; whatever else it awaits, somebody outside can answer.

use reveille_engine::record::Kind;

use crate::rng::Rng;
use crate::units::{LIMIT_KEYS, SCOPES};

/// One step of a handler.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Executes a side effect and awaits its result.
    Run(Closure),
    /// Begins a side effect; awaited later.
    RunLater,
    /// Sleeps so many milliseconds, now or in the background.
    Sleep(u64, bool),
    /// Calls, and awaits the result now or later.
    Call(Callee, bool),
    /// Calls without awaiting, with a delay in milliseconds.
    Send(Callee, u64),
    /// Makes an awakeable and tells the outside its id.
    Awakeable,
    /// Completes an awakeable of somebody; true rejects.
    CompleteOther(bool),
    /// Awaits a promise later.
    PromiseGet(u8),
    /// Reads a promise.
    PromisePeek(u8),
    /// Completes a promise; true rejects.
    PromiseComplete(u8, bool),
    /// Reads a state key.
    Get(u8),
    /// Writes a state key.
    Set(u8),
    /// Removes a state key.
    Clear(u8),
    /// Removes all state keys.
    ClearAll,
    /// Lists the state keys.
    Keys,
    /// Sends a named signal to somebody.
    SignalOther(u8),
    /// Cancels somebody.
    CancelOther,
    /// Awaits a named signal later.
    Signal(u8),
    /// Waits for the result of somebody, now or later.
    Attach(bool),
    /// Reads the result of somebody.
    Output,
    /// Awaits everything that was begun, combined.
    Await(Combine),
    /// Fails so many attempts before it goes on.
    Stumble(u32, Stumble),
}

/// What a side effect does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closure {
    /// Returns something unpredictable.
    Random,
    /// Ends with a terminal failure.
    Fail,
    /// Fails so many times before it returns.
    Flaky(u32),
    /// Tells the outside the id of the awakeable with this index.
    Announce(u32),
    /// Returns the id of an awakeable that somebody announced.
    PickAwakeable,
    /// Returns the id of an invocation below this level.
    PickInvocation(u8),
}

/// How an attempt fails on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stumble {
    /// An error that is retried as the policy says.
    Error,
    /// An error that names the next delay.
    Delay,
    /// An error that asks for a pause.
    Pause,
    /// An error that ends the invocation.
    Fail,
    /// The stream breaks.
    Break,
    /// The stream hangs until it is aborted.
    Hang,
    /// A command that is not allowed.
    Violate,
}

/// How pending things are awaited together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Until one is done.
    Race,
    /// Until all succeeded or one failed.
    All,
    /// Until one succeeded or all failed.
    Any,
    /// Until all are done.
    Settled,
    /// The first, and one of the others.
    Nested,
    /// The first with user code behind it, and the others.
    Mapped,
}

/// Whom a program calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Callee {
    /// Service name.
    pub service: &'static str,
    /// Handler name.
    pub handler: &'static str,
    /// Key; empty for plain services.
    pub key: String,
    /// Scope.
    pub scope: Option<&'static str>,
    /// Limit key; needs a scope.
    pub limit_key: Option<&'static str>,
    /// Idempotency key.
    pub idempotency_key: Option<String>,
    /// The input.
    pub input: String,
}

/// A whole program.
#[derive(Clone, Debug)]
pub struct Program {
    /// In order.
    pub ops: Vec<Op>,
    /// What it may wait for: only what is below.
    pub level: u8,
    /// True when a cancellation does not end it.
    pub swallows_cancel: bool,
    /// True when it ends with a terminal failure.
    pub fails: bool,
}

/// The highest level: plain handlers that call everything else.
pub const LEVEL_TOP: u8 = 2;

/// The input that names a program.
pub fn input(level: u8, number: u64) -> String {
    format!("{level}:{number}")
}

/// The program that an input names.
pub fn program(input: &str, kind: Kind) -> Program {
    let (level, number) = input.split_once(':').unwrap_or(("0", "0"));
    let level: u8 = level.parse().unwrap_or(0);
    let number = number.parse().unwrap_or(0);
    let mut rng = Rng::new(number);
    let mut draw = Draw { rng: &mut rng, level, kind, scoped: number >= SCOPED };
    let len = draw.rng.between(1, 6);
    let mut ops: Vec<Op> = (0..len).map(|_| draw.op()).collect();
    if rng.one_in(2) {
        ops.push(Op::Await(combine(&mut rng)));
    }
    Program { ops, level, swallows_cancel: rng.one_in(4), fails: rng.one_in(10) }
}

/// Service, handler, keyed, level of everything that can be invoked.
pub const TARGETS: &[(&str, &str, bool, u8)] = &[
    ("plain", "go", false, 0),
    ("killer", "go", false, 0),
    ("object", "write", true, 1),
    ("object", "read", true, 1),
    ("lazy", "write", true, 1),
    ("lazy", "read", true, 1),
    ("flow", "run", true, 1),
    ("flow", "ask", true, 1),
    ("plain", "go", false, 2),
];

/// Numbers of programs from here on call in scopes, too.
const SCOPED: u64 = 1 << 20;

/// Draws somebody to call at or below a level, now and then in a scope if there are any.
pub fn callee(rng: &mut Rng, level_max: u8, scoped: bool) -> Callee {
    let below: Vec<_> = TARGETS.iter().filter(|target| target.3 <= level_max).collect();
    let (service, handler, keyed, level) =
        **below.get(rng.index(below.len())).unwrap_or(&&TARGETS[0]);
    let key = if keyed { format!("k{}", rng.below(3)) } else { String::new() };
    let may_have_key = handler != "run";
    let idempotency_key = (may_have_key && rng.one_in(4)).then(|| format!("i{}", rng.below(4)));
    // The same idempotency key always comes with the same input, as clients do.
    let number = match (&idempotency_key, handler) {
        (Some(name), _) => u64::from(name.as_bytes()[1]) * 7 + u64::from(level),
        (None, _) => rng.below(SCOPED),
    };
    if !scoped {
        let (scope, limit_key) = (None, None);
        let input = input(level, number);
        return Callee { service, handler, key, scope, limit_key, idempotency_key, input };
    }
    let scope = (!rng.one_in(3)).then(|| rng.pick(SCOPES));
    let limit_key = rng.pick(LIMIT_KEYS);
    let limit_key = Some(limit_key).filter(|key| scope.is_some() && !key.is_empty());
    let input = input(level, number + SCOPED);
    Callee { service, handler, key, scope, limit_key, idempotency_key, input }
}

/// The kind of a handler of [`TARGETS`].
pub fn kind(service: &str, handler: &str) -> Kind {
    match (service, handler) {
        ("object" | "lazy", "write") => Kind::Exclusive,
        ("object" | "lazy", _) => Kind::SharedObject,
        ("flow", "run") => Kind::WorkflowRun,
        ("flow", _) => Kind::SharedWorkflow,
        _ => Kind::Plain,
    }
}

/// The name of a protocol version and mode.
pub fn mode(version: u32, bidirectional: bool) -> &'static str {
    match (version, bidirectional) {
        (5, true) => "v5 bidirectional",
        (5, false) => "v5 request/response",
        (6, true) => "v6 bidirectional",
        (6, false) => "v6 request/response",
        (_, true) => "v7 bidirectional",
        (_, false) => "v7 request/response",
    }
}

fn combine(rng: &mut Rng) -> Combine {
    rng.pick(&[
        Combine::Race,
        Combine::All,
        Combine::Any,
        Combine::Settled,
        Combine::Nested,
        Combine::Mapped,
    ])
}

struct Draw<'a> {
    rng: &'a mut Rng,
    level: u8,
    kind: Kind,
    scoped: bool,
}

impl Draw<'_> {
    fn op(&mut self) -> Op {
        let roll = self.rng.below(100);
        match roll {
            0..30 if self.kind.writes_state() => self.write(),
            0..20 if self.kind != Kind::Plain => self.read(),
            20..40 if self.kind.workflow() => self.promise(),
            0..16 if self.level > 0 => self.call(),
            16..22 if self.level == LEVEL_TOP => self.attach(),
            _ => self.plain(),
        }
    }

    fn write(&mut self) -> Op {
        let key = self.number(4);
        match self.rng.below(8) {
            0..4 => Op::Set(key),
            4 => Op::Clear(key),
            5 if self.rng.one_in(3) => Op::ClearAll,
            _ => self.read(),
        }
    }

    fn read(&mut self) -> Op {
        if self.rng.one_in(4) { Op::Keys } else { Op::Get(self.number(4)) }
    }

    fn promise(&mut self) -> Op {
        let name = self.number(2);
        match self.rng.below(4) {
            0 | 1 => Op::PromiseGet(name),
            2 => Op::PromisePeek(name),
            _ => Op::PromiseComplete(name, self.rng.one_in(3)),
        }
    }

    fn call(&mut self) -> Op {
        let callee = callee(self.rng, self.level - 1, self.scoped);
        match self.rng.below(4) {
            0 => Op::Send(callee, 0),
            1 => Op::Send(callee, self.rng.between(1, 800)),
            2 => Op::Call(callee, true),
            _ => Op::Call(callee, false),
        }
    }

    fn attach(&mut self) -> Op {
        match self.rng.below(3) {
            0 => Op::Output,
            other => Op::Attach(other == 1),
        }
    }

    fn plain(&mut self) -> Op {
        let sleep = self.rng.pick(&[0, 1, 10, 10, 200, 400, 1500]);
        match self.rng.below(24) {
            0..3 => Op::Run(self.closure()),
            3 | 4 => Op::RunLater,
            5 => Op::Sleep(sleep, true),
            6 | 7 => Op::Sleep(sleep, false),
            8..12 => Op::Awakeable,
            12 | 13 => Op::CompleteOther(self.rng.one_in(3)),
            14 => Op::SignalOther(self.number(2)),
            15 => Op::CancelOther,
            16 | 17 => Op::Signal(self.number(2)),
            18..22 => Op::Await(combine(self.rng)),
            _ => Op::Stumble(self.rng.pick(&[1, 1, 2, 4]), self.stumble()),
        }
    }

    fn closure(&mut self) -> Closure {
        match self.rng.below(6) {
            0 => Closure::Fail,
            1 => Closure::Flaky(self.rng.pick(&[1, 2])),
            _ => Closure::Random,
        }
    }

    fn stumble(&mut self) -> Stumble {
        self.rng.pick(&[
            Stumble::Error,
            Stumble::Error,
            Stumble::Delay,
            Stumble::Pause,
            Stumble::Fail,
            Stumble::Break,
            Stumble::Hang,
            Stumble::Violate,
        ])
    }

    fn number(&mut self, bound: u64) -> u8 {
        u8::try_from(self.rng.below(bound)).unwrap_or(0)
    }
}
