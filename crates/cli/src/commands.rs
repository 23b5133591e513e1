//! The subcommands: one file each in `commands/`, so that the folder equals `reveille --help`.
//!
//! - Owns: argument parsing and dispatch.
//! - Does not own: what commands share (settings: [`crate::config`], the server: [`crate::node`]).
//! - To add a command: a file with `Arguments` and `run`, a variant of [`Command`], a line in [`run`].

mod demo;
mod identity;
mod serve;
mod token;

use clap::{Parser, Subcommand};

/// Durable execution on one binary: programs that wait for the outside survive every crash.
#[derive(Parser)]
#[command(name = "reveille", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server with its embedded store
    Serve(serve::Arguments),
    /// Runs the server with a handler that waits for you, to see what a durable wait is
    Demo(demo::Arguments),
    /// Makes a token for ingress or admin API, and the hash of it that the settings hold
    Token(token::Arguments),
    /// The key that signs requests to deployments: make one, show its public key
    Identity(identity::Arguments),
}

/// Parses the command line and carries it out. Errors are written for the user, on one line each.
pub fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Identity(arguments) => identity::run(&arguments),
    }
}
