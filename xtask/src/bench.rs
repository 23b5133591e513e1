//! `cargo xtask bench`: what servers do with a low-cost endpoint and a low-cost load.
//!
//! - Owns: the order of events. With two servers they take turns (A B A B), each time over an empty
//!   directory, so that whatever else the machine does meets both.
//! - Does not own: arguments ([`options`]), the server process ([`crate::process`]) and its stand
//!   ([`stand`]), the service under test ([`service`]), the load ([`load`]), what is measured
//!   ([`table`]; [`park`], [`queue`], [`timers`], [`idle`], [`growth`], [`overload`], [`tail`]), the cost of the disk alone ([`floor`]), what is shown ([`figures`], [`report`], [`plot`]).
//! - Invariant: endpoint and load generator stay the same for every server that is measured, so
//!   ratios between servers mean something; absolute figures depend on the machine.

mod connection;
mod crowd;
mod fields;
mod figures;
mod flood;
mod floor;
mod flushes;
mod growth;
mod idle;
mod load;
mod options;
mod overload;
mod park;
mod plot;
mod posts;
mod probe;
mod queue;
mod report;
mod scenario;
mod service;
mod stand;
mod statistics;
mod table;
mod tail;
mod tally;
mod tenths;
mod timers;
mod wire;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};

use self::{
    figures::{Row, combine},
    options::{Destination, Options},
    report::Report,
    scenario::Trial,
    service::Service,
    stand::Turn,
};
use crate::{process, workspace};

/// Measures what the arguments ask for and reports.
pub fn run(arguments: &[String]) -> Result<()> {
    if let Some((name, rest)) = arguments.split_first()
        && name == "embedded"
    {
        // Its engine is part of the program that is measured.
        let features = ["--features", "embedded", "--bench", "embedded", "--"];
        let mut command = workspace::cargo(&["bench", "-p", "reveille"]);
        command.args(features).args(rest);
        return workspace::run(command);
    }
    let options = Options::parse(arguments)?;
    if cfg!(debug_assertions) {
        // Endpoint and load generator must cost little, or they are what gets measured.
        let mut command = workspace::cargo(&["run", "--release", "-p", "xtask", "--", "bench"]);
        command.args(arguments);
        return workspace::run(command);
    }
    let first = options.server.clone().map_or_else(process::own_command, Ok)?;
    let commands: Vec<String> =
        [Some(first), options.against.clone()].into_iter().flatten().collect();
    let floor = floor::fdatasync_p50(process::data_directory()?.path())?;
    let service = service::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runs = runtime.block_on(take_turns(&options, &service, &commands))?;
    let names = options.names.clone();
    let report = Report { floor, names, rounds: options.rounds, rows: combine(&runs) };
    publish(&options, &report)
}

/// Measures every server in every round; the first index of the result is the server.
async fn take_turns(
    options: &Options,
    service: &Service,
    commands: &[String],
) -> Result<Vec<Vec<Row>>> {
    let mut runs = vec![Vec::new(); commands.len()];
    for round in 1..=options.rounds {
        for ((command, name), rows) in commands.iter().zip(&options.names).zip(&mut runs) {
            if options.json != Some(Destination::Output) {
                println!("round {round} of {}: {name}", options.rounds);
            }
            let turn = Turn { options, service, command };
            rows.extend(take_turn(turn).await.with_context(|| name.clone())?);
        }
    }
    Ok(runs)
}

/// Measures one server in one round.
async fn take_turn(turn: Turn<'_>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    if !turn.options.scenarios.is_empty() {
        rows.extend(table::measure(turn).await?);
    }
    for trial in &turn.options.trials {
        let measured = match trial {
            Trial::Park => park::measure(turn).await,
            Trial::Queue => queue::measure(turn).await,
            Trial::Timers => timers::measure(turn).await,
            Trial::Idle => idle::measure(turn).await,
            Trial::Growth => growth::measure(turn).await,
            Trial::Overload => overload::measure(turn).await,
            Trial::Tail => tail::measure(turn).await,
        };
        rows.extend(measured.context(trial.name())?);
    }
    Ok(rows)
}

fn publish(options: &Options, report: &Report) -> Result<()> {
    if let Some(path) = &options.plot {
        write(path, &plot::svg(report))?;
    }
    match &options.json {
        Some(Destination::Output) => println!("{}", report.json()),
        Some(Destination::File(path)) => {
            write(path, &format!("{:#}\n", report.json()))?;
            print!("{}", report.text());
        }
        None => print!("{}", report.text()),
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
