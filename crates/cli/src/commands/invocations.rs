//! `reveille invocations`: what runs, what it did, and steering it.

mod control;
mod describe;
mod list;

use crate::operator::{self, Connection, Exit, Terminal, bulk::Selection};

/// Arguments of `invocations`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists invocations, newest first; completed ones only when asked for
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Shows one invocation: its status, what it waits for, its last failure, its journal
    Describe {
        /// Id of the invocation (inv_…)
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Asks handlers to end: they see a cancellation at their next wait and may clean up
    Cancel(Selection),
    /// Ends invocations at once, without their handlers
    Kill(Selection),
    /// Stops running or failing invocations until they are resumed
    Pause(Selection),
    /// Lets paused or failing invocations go on now
    Resume(control::ResumeArguments),
    /// Forgets completed invocations: result, journal, idempotency key, state of a workflow run
    #[command(visible_alias = "rm")]
    Purge(control::PurgeArguments),
    /// Runs completed invocations again, as new ones
    RestartAsNew(control::RestartArguments),
}

/// Carries the command out.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| match &arguments.command {
        Command::List(arguments) => list::run(arguments, session).await,
        Command::Describe { id } => describe::run(id, session).await,
        Command::Cancel(selection) => control::run(session, selection, control::CANCEL, "").await,
        Command::Kill(selection) => control::run(session, selection, control::KILL, "").await,
        Command::Pause(selection) => control::run(session, selection, control::PAUSE, "").await,
        Command::Resume(arguments) => arguments.run(session).await,
        Command::Purge(arguments) => arguments.run(session).await,
        Command::RestartAsNew(arguments) => arguments.run(session).await,
    })
}
