//! `reveille services`: what can be called, how it is set, and what it is doing.

mod config;
mod describe;
mod list;
mod openapi;
mod status;

use crate::operator::{self, Connection, Exit, Terminal};

/// How to find the name of a service, for messages.
const HINT: &str = "`reveille services list` shows what is registered";

/// Arguments of `services`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists services with their latest revision
    #[command(visible_alias = "ls")]
    List,
    /// Shows one service with its handlers and settings
    Describe(ServiceArgument),
    /// Shows what services are doing: invocations per handler and status, blocked keys
    Status(status::Arguments),
    /// Shows or changes the settings of a service
    Config(config::Arguments),
    /// Prints the OpenAPI document for callers of a service
    Openapi(ServiceArgument),
}

/// One service.
#[derive(clap::Args)]
struct ServiceArgument {
    /// Name of the service
    service: String,
}

/// Carries the command out.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| match &arguments.command {
        Command::List => list::run(session).await,
        Command::Describe(arguments) => describe::run(&arguments.service, session).await,
        Command::Status(arguments) => status::run(arguments, session).await,
        Command::Config(arguments) => config::run(arguments, session).await,
        Command::Openapi(arguments) => openapi::run(&arguments.service, session).await,
    })
}
