//! The one binary, `reveille`. Start at [`commands`]: one file per subcommand.

mod client;
mod commands;
mod config;
mod demo;
mod logging;
mod node;
mod operator;
mod signals;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::run()
}
