//! `cargo xtask test` (and `ci`): every test there is, in the order that fails fastest.
//!
//! Owns the list of steps. What an end-to-end test needs besides the tools checked here (packages
//! of npm, a newer Node) it fetches itself; see `crates/cli/tests`.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{instructions, tidy, workspace};

/// How many simulator seeds a run must survive.
const SIMULATOR_SEEDS: &str = "2000";

/// Tools that must be there before the first step, and how to get them.
const TOOLS: [(&str, &[&str], &str); 7] = [
    ("git", &["--version"], "install git"),
    ("cargo", &["fmt", "--version"], "rustup component add rustfmt"),
    ("cargo", &["clippy", "--version"], "rustup component add clippy"),
    ("node", &["--version"], "install Node.js; the end-to-end tests run TypeScript services"),
    ("npm", &["--version"], "install npm; the end-to-end tests fetch the TypeScript SDK with it"),
    (
        "python3",
        &["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"],
        "install Python 3.10 or newer with its venv (on Debian, python3-venv); the end-to-end \
         tests run Python services",
    ),
    (
        VALGRIND,
        &["--version"],
        "install valgrind; the instructions of hot rules are counted with it",
    ),
];
const VALGRIND: &str = "valgrind";

/// The services with the Rust SDK: a package of its own, so that its dependencies are not ours.
const RUST_SERVICES: &str = "tests/sdk/rust/Cargo.toml";

/// What of the SDK is off by default.
const SDK_FEATURES: &str =
    "reveille/client,reveille/embedded,reveille/lambda,reveille/schemars,reveille/test";

/// The steps that are one call of cargo each; tidy and the instructions run between the lints and the
/// build.
const LINTS: [&[&str]; 3] = [
    &["fmt", "--all", "--check"],
    &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        SDK_FEATURES,
        "--",
        "-D",
        "warnings",
        "-D",
        "clippy::too_many_lines",
    ],
    // Links of module headers must lead somewhere; the lint that says so is in `Cargo.toml`.
    &[
        "doc",
        "--workspace",
        "--features",
        SDK_FEATURES,
        "--no-deps",
        "--document-private-items",
        "--quiet",
    ],
];
const TESTS: [&[&str]; 4] = [
    // The end-to-end tests start these binaries, so they must be there and fresh before they run.
    &["build", "-p", "reveille-cli", "-p", "reveille-programs"],
    &["test", "--workspace", "--features", SDK_FEATURES],
    // As programs that embed the server build it: without Kafka, and it says so.
    &["test", "-p", "reveille-server", "--lib", "admin"],
    &["run", "-p", "reveille-sim", "--", "--seeds", SIMULATOR_SEEDS],
];

/// Runs every step, prints what each took and stops at the first failure.
pub fn run(arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        bail!("test takes no arguments, not {arguments:?}");
    }
    check_tools()?;
    let mut times = Vec::new();
    for step in LINTS {
        timed(&mut times, step, || workspace::run(workspace::cargo(step)))?;
    }
    let target = workspace::target_directory()?.join("tmp/sdk-rust");
    let target = target.to_str().context("the target directory is not UTF-8")?;
    let place = ["--manifest-path", RUST_SERVICES];
    let place_and_target = [&place, ["--locked", "--target-dir", target].as_slice()].concat();
    for (command, place, rest) in [
        ("fmt", place.as_slice(), ["--check"].as_slice()),
        ("clippy", &place_and_target, &["--", "-D", "warnings"]),
        // Where the end-to-end tests look for it; when they built it, others would wait meanwhile.
        ("build", &place_and_target, &[]),
    ] {
        let step = [&[command], place, rest].concat();
        timed(&mut times, &step, || workspace::run(workspace::cargo(&step)))?;
    }
    timed(&mut times, &["xtask", "tidy"], || tidy::run(&[]))?;
    timed(&mut times, &["xtask", "instructions"], || instructions::run(&[]))?;
    for step in TESTS {
        timed(&mut times, step, || workspace::run(workspace::cargo(step)))?;
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    for (step, time) in &times {
        println!("{:>8.1} s  cargo {step}", time.as_secs_f64());
    }
    println!("{:>8.1} s  in total: everything passed", total.as_secs_f64());
    Ok(())
}

fn timed(
    times: &mut Vec<(String, Duration)>,
    step: &[&str],
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let step = step.join(" ");
    println!("==> cargo {step}");
    let start = Instant::now();
    work().with_context(|| format!("step `cargo {step}` failed"))?;
    let time = start.elapsed();
    println!("==> done in {:.1} s", time.as_secs_f64());
    times.push((step, time));
    Ok(())
}

fn check_tools() -> Result<()> {
    for (tool, arguments, remedy) in TOOLS {
        if tool == VALGRIND && !instructions::IS_COUNTED {
            continue;
        }
        let mut command = Command::new(tool);
        command.args(arguments);
        if workspace::output(command).is_err() {
            bail!("`{tool} {}` does not work: {remedy}", arguments.join(" "));
        }
    }
    Ok(())
}
