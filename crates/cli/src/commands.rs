//! The subcommands: one file each in `commands/`, so that the folder equals `reveille --help`.
//!
//! - Owns: argument parsing, dispatch, exit codes (0 done, 1 failed or nothing found, 2 wrong usage).
//! - Does not own: what commands share (settings: [`crate::config`], the server: [`crate::node`], talking to a
//!   server that runs: [`crate::operator`]).
//! - To add a command: a file with `Arguments` and `run`, a variant of [`Command`], a line in [`carry_out`].

mod completion;
mod demo;
mod deployments;
mod identity;
mod invocations;
mod kafka_clusters;
mod rules;
mod serve;
mod services;
mod sql;
mod state;
mod subscriptions;
mod token;
mod waits;
mod whoami;

#[cfg(test)]
mod tests;

use std::{io, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::operator::{Exit, Terminal, Usage};

/// Durable execution on one binary: programs that wait for the outside survive every crash.
#[derive(Parser)]
#[command(name = "reveille", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server with its embedded store
    Serve(serve::Arguments),
    /// Runs the server with a handler that waits for you, to see what a durable wait is
    Demo(demo::Arguments),
    /// What handlers wait for, and answering it
    Waits(waits::Arguments),
    /// What runs and what has run: list, describe, cancel, kill, pause, resume, purge, restart
    #[command(visible_alias = "inv")]
    Invocations(invocations::Arguments),
    /// What can be called: list, describe, status, settings
    #[command(visible_alias = "svc")]
    Services(services::Arguments),
    /// Endpoints that serve handlers: list, describe, register, update, remove
    #[command(visible_alias = "dp")]
    Deployments(deployments::Arguments),
    /// The state of a key: get, set, edit, clear
    State(state::Arguments),
    /// Concurrency rules of scopes and limit keys
    Rules(rules::Arguments),
    /// Topics of Kafka whose records become invocations: list, describe, create, delete
    #[command(visible_alias = "sub")]
    Subscriptions(subscriptions::Arguments),
    /// Brokers that subscriptions read from: list, describe, create, update, delete
    KafkaClusters(kafka_clusters::Arguments),
    /// A query of your own over what the server knows
    Sql(sql::Arguments),
    /// Which server answers, and what it has to do
    #[command(visible_alias = "status")]
    Whoami(whoami::Arguments),
    /// Makes a token for ingress or admin API, and the hash of it that the settings hold
    Token(token::Arguments),
    /// The key that signs requests to deployments: make one, show its public key
    Identity(identity::Arguments),
    /// A script that completes commands and flags in your shell
    Completion(completion::Arguments),
}

/// Parses the command line and carries it out. Errors are written for the user, on one line each.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    exit_code(carry_out(&cli, Terminal::of_process()), &mut io::stderr())
}

/// Carries out a command line on a terminal of the caller's.
#[cfg(test)]
pub fn run_as(
    arguments: impl IntoIterator<Item = String>,
    terminal: Terminal,
) -> anyhow::Result<Exit> {
    carry_out(&Cli::try_parse_from(arguments)?, terminal)
}

fn carry_out(cli: &Cli, terminal: Terminal) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Serve(arguments) => serve::run(arguments).map(|()| Exit::Done),
        Command::Demo(arguments) => demo::run(arguments).map(|()| Exit::Done),
        Command::Waits(arguments) => waits::run(arguments, terminal),
        Command::Invocations(arguments) => invocations::run(arguments, terminal),
        Command::Services(arguments) => services::run(arguments, terminal),
        Command::Deployments(arguments) => deployments::run(arguments, terminal),
        Command::State(arguments) => state::run(arguments, terminal),
        Command::Rules(arguments) => rules::run(arguments, terminal),
        Command::Subscriptions(arguments) => subscriptions::run(arguments, terminal),
        Command::KafkaClusters(arguments) => kafka_clusters::run(arguments, terminal),
        Command::Sql(arguments) => sql::run(arguments, terminal),
        Command::Whoami(arguments) => whoami::run(arguments, terminal),
        Command::Token(arguments) => token::run(arguments).map(|()| Exit::Done),
        Command::Identity(arguments) => identity::run(arguments).map(|()| Exit::Done),
        Command::Completion(arguments) => completion::run(arguments, Cli::command(), terminal),
    }
}

/// The exit code of a command, having told why it failed.
fn exit_code(ended: anyhow::Result<Exit>, err: &mut dyn io::Write) -> ExitCode {
    let error = match ended {
        Ok(Exit::Done) => return ExitCode::SUCCESS,
        Ok(Exit::Nothing) => return ExitCode::FAILURE,
        Err(error) => error,
    };
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    if io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // Whoever reads the result has seen enough, as `head` does.
        return ExitCode::SUCCESS;
    }
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(err, "reveille: {error:#}");
    if error.chain().any(|cause| cause.is::<Usage>()) {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
