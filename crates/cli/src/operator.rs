//! What the commands share that talk to a running server.
//!
//! - Owns: the connection flags and the [`Session`] of one command, the terminal, tables, times, the SQL
//!   text of all commands ([`queries`]), selectors, and work on many invocations ([`bulk`]).
//! - Does not own: what a command says ([`crate::commands`]), HTTP ([`crate::client`]).
//! - Invariant: on standard output is the result and nothing else; questions, notes and progress go to
//!   standard error. With `--json` the result is one JSON document.
//! - Start at [`run`], then [`session::Session`].

pub mod bulk;
pub mod moment;
pub mod payload;
pub mod queries;
pub mod rows;
pub mod selector;
pub mod session;
pub mod table;
pub mod terminal;
pub mod timeline;

#[cfg(test)]
pub mod tests;

use std::{error::Error, fmt};

use anyhow::Context as _;

pub use session::{Connection, Session};
pub use terminal::Terminal;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Exit code 0.
    Done,
    /// It found nothing, or not everything could be done: exit code 1. The user has been told.
    Nothing,
}

/// The command line is wrong although it could be parsed: exit code 2.
#[derive(Clone, Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// Opens a session and carries out a command in it.
pub fn run(
    connection: &Connection,
    terminal: Terminal,
    command: impl AsyncFnOnce(&mut Session) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let mut session = Session::open(connection, terminal)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(command(&mut session))
}
