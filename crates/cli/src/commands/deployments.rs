//! `reveille deployments`: what is registered, and registering it.

mod describe;
mod diff;
mod list;
mod register;
mod remove;
mod update;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::operator::{self, Connection, Exit, Terminal, Usage};

/// How to find the id of a deployment, for messages.
const HINT: &str = "`reveille deployments list` shows what is registered";

/// Arguments of `deployments`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists deployments, with what they serve
    #[command(visible_alias = "ls")]
    List,
    /// Shows one deployment with its services and handlers
    Describe(describe::Arguments),
    /// Asks an endpoint what it serves, shows what would change, and registers it
    #[command(visible_alias = "add")]
    Register(register::Arguments),
    /// Changes how a deployment is reached, keeping its id
    Update(update::Arguments),
    /// Removes a deployment that nothing needs any more
    #[command(visible_alias = "rm")]
    Remove(remove::Arguments),
}

/// Carries the command out.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| match &arguments.command {
        Command::List => list::run(session).await,
        Command::Describe(arguments) => describe::run(arguments, session).await,
        Command::Register(arguments) => register::run(arguments, session).await,
        Command::Update(arguments) => update::run(arguments, session).await,
        Command::Remove(arguments) => remove::run(arguments, session).await,
    })
}

/// Reads `name=value`, several times.
fn pairs(flag: &str, given: &[String]) -> Result<BTreeMap<String, String>, Usage> {
    let parse = |text: &String| {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), value.to_owned()))
    };
    given
        .iter()
        .map(|text| {
            parse(text)
                .ok_or_else(|| Usage(format!("{flag} '{text}' is not of the form name=value")))
        })
        .collect()
}

/// The address of a deployment, whatever kind it is.
fn address(deployment: &Value) -> &str {
    deployment["uri"].as_str().or_else(|| deployment["arn"].as_str()).unwrap_or_default()
}
