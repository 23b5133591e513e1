//! `cargo sim`: a seeded simulator of the engine over the memory store.
//!
//! ```text
//! cargo sim -- 17                    one seed, with its whole trace; the same every time
//! cargo sim -- --seeds 2000          many seeds, quietly; --from sets the first
//! cargo sim -- --mutants             shows that each missing wait or fence is noticed
//! ```
//!
//! Start at [`world`]; what is checked is named in [`trace::invariant`].

mod asleep;
mod claims;
mod clients;
mod coverage;
mod deployment;
mod driver;
mod edits;
mod faults;
mod finale;
mod life;
mod machine;
mod model;
mod mutant;
mod observer;
mod ops;
mod ops_state;
mod processes;
mod programs;
mod release;
mod rng;
mod runner;
mod schema;
mod sdk_out;
mod side_effects;
mod state_model;
#[cfg(test)]
mod tests;
mod topic;
mod trace;
mod turns;
mod units;
mod world;

use std::process::ExitCode;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| -> anyhow::Result<Option<u64>> {
        let Some(at) = arguments.iter().position(|argument| argument == name) else {
            return Ok(None);
        };
        let text = arguments.get(at + 1).with_context(|| format!("{name} needs a number"))?;
        Ok(Some(text.parse().with_context(|| format!("{name} needs a number, not {text}"))?))
    };
    let good = if let Some(count) = number("--seeds")? {
        runner::seeds(number("--from")?.unwrap_or(1), count)
    } else if arguments.iter().any(|argument| argument == "--mutants") {
        runner::mutants(number("--mutants").ok().flatten().unwrap_or(300))
    } else {
        match arguments.first().map(|text| text.parse()) {
            Some(Ok(seed)) => runner::trace(seed),
            _ => bail!("usage: cargo sim -- <seed> | --seeds N [--from K] | --mutants [N]"),
        }
    };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
