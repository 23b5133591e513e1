//! The one binary, `reveille`. Start at [`commands`]: one file per subcommand.

mod commands;
mod config;
mod demo;
mod logging;
mod node;
mod signals;

use std::{io::Write as _, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "reveille: {error:#}");
            ExitCode::FAILURE
        }
    }
}
