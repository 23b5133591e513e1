//! `reveille waits`: what handlers wait for, and answering it.

mod answer;
mod list;

use crate::operator::{self, Connection, Exit, Terminal};

/// Arguments of `waits`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    // Before the connection, whose heading would go on over the filters in the help.
    #[command(flatten)]
    list: list::Filters,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists waits, oldest first; the same as no subcommand
    #[command(visible_alias = "ls")]
    List(list::Filters),
    /// Answers a wait: the handler goes on with the value
    Resolve(answer::Resolve),
    /// Answers a wait with a failure: the handler goes on with an error
    Reject(answer::Reject),
    /// Mends the answer of a wait that no attempt has seen yet
    Replace(answer::Replace),
}

/// Carries the command out.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| match &arguments.command {
        None => list::run(&arguments.list, session).await,
        Some(Command::List(arguments)) => list::run(arguments, session).await,
        Some(Command::Resolve(arguments)) => arguments.run(session).await,
        Some(Command::Reject(arguments)) => arguments.run(session).await,
        Some(Command::Replace(arguments)) => arguments.run(session).await,
    })
}
