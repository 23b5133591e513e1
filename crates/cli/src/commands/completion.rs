//! `reveille completion`: a script that completes commands and flags in a shell.

use clap_complete::{Generator as _, Shell};

use crate::operator::{Exit, Terminal};

/// Arguments of `completion`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script for `command`.
pub fn run(
    arguments: &Arguments,
    mut command: clap::Command,
    mut terminal: Terminal,
) -> anyhow::Result<Exit> {
    command.set_bin_name("reveille");
    command.build();
    let mut script = Vec::new();
    arguments.shell.try_generate(&command, &mut script)?;
    terminal.bytes(&script)?;
    Ok(Exit::Done)
}
