//! Work whose instructions are counted by `cargo xtask instructions`: the hot rules of the engine and
//! the wire format.
//!
//! Started with the name of a case it does the work of that case and prints how often; started
//! without one it prints the names. It counts nothing itself: callgrind collects while [`counted`]
//! runs, so everything outside of it is free.
//!
//! - Owns: the cases. Does not own: the figures they may take (`xtask/instructions.txt`).
//! - Invariant: a case does the same on every run and every machine: no clock, no randomness, no
//!   hash order, and it ends in a panic when the work is not what its name says.

mod handlers;
mod wire;
mod world;

use std::hint::black_box;

/// How often each case does its work. More than once, so that what an allocation costs now and then
/// (a page more, a free list merged) does not decide the figure.
const REPETITIONS: u64 = 100;

/// One operation each, so the figures are instructions per operation.
const CASES: [(&str, fn()); 7] = [
    ("invoke", handlers::invoke),
    ("output-and-end", handlers::end_of_calls),
    ("durable-step", handlers::durable_step),
    ("awakeable-suspension", handlers::awakeable_suspension),
    ("awakeable-answer", handlers::awakeable_answer),
    ("decode-exchange", wire::decode_exchange),
    ("encode-start", wire::encode_start),
];

fn main() {
    // `cargo bench` starts every benchmark with `--bench`.
    match std::env::args().nth(1).filter(|argument| argument != "--bench") {
        None => CASES.iter().for_each(|(name, _)| println!("{name}")),
        Some(wanted) => {
            let case = CASES.iter().find(|(name, _)| *name == wanted);
            let (_, work) = case.unwrap_or_else(|| panic!("no case is called {wanted:?}"));
            work();
            println!("{REPETITIONS}");
        }
    }
}

/// Does what is counted. Its result is dropped by the caller, which is not.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    // Keeps the call from becoming a jump, after which nobody would see this function return.
    black_box(work())
}
