//! `cargo xtask compare`: the scripts of the contract against the peer and against our server.
//!
//! Opt-in and by hand: the peer is a yardstick, never part of a build or a test. Prints every answer
//! that differs, whether on purpose (with its reason) or not, and fails when one differs that no case
//! allows for.

mod cli;
mod sdk;

use anyhow::{Context, Result, bail};
use reveille_contract::{Outcome, Report, Target, fixture::Fixture, run, scripts};

use crate::process::{self, Server};

struct Options {
    /// How to start the other server; `None` when its command line is run instead.
    peer: Option<String>,
    cli: Option<String>,
    server: Option<String>,
    filter: String,
    /// Whether handlers with our SDK are tried behind the other server, in place of the scripts.
    sdk: bool,
}

/// Runs the comparison.
pub fn run_command(arguments: &[String]) -> Result<()> {
    let options = parse(arguments)?;
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some(program) = &options.cli {
        return runtime.block_on(cli::run_commands(program, options.server.as_deref()));
    }
    let peer =
        options.peer.context("--peer 'COMMAND' is missing: how to start the other server")?;
    if options.sdk {
        return runtime.block_on(sdk::run_stories(&peer));
    }
    let theirs = runtime.block_on(report(Some(&peer), &options.filter, true))?;
    let ours = runtime.block_on(report(options.server.as_deref(), &options.filter, false))?;
    let surprises = print(&ours, &theirs);
    if surprises > 0 {
        bail!("{surprises} answers are not what the scripts say");
    }
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options> {
    let (mut peer, mut cli, mut server, mut filter) = (None, None, None, String::new());
    let mut sdk = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().cloned().with_context(|| format!("{argument} VALUE"));
        match argument.as_str() {
            "--peer" => peer = Some(value()?),
            "--cli" => cli = Some(value()?),
            "--server" => server = Some(value()?),
            "--case" => filter = value()?,
            "--sdk" => sdk = true,
            _ => bail!("compare has no argument {argument:?}"),
        }
    }
    Ok(Options { peer, cli, server, filter, sdk })
}

async fn report(command: Option<&str>, filter: &str, peer: bool) -> Result<Report> {
    let data = process::data_directory()?;
    let server = Server::start(command, data.path())?;
    let fixture = Fixture::start().await?;
    let target = Target::prepare(&fixture, server.ingress, server.admin, peer).await?;
    Ok(run(&scripts()?, &target, filter).await)
}

/// Prints what differs; returns the number of answers that nobody expected.
fn print(ours: &Report, theirs: &Report) -> usize {
    let (mut surprises, mut deliberate, mut same) = (0, 0, 0);
    for (our, their) in ours.outcomes.iter().zip(&theirs.outcomes) {
        surprises += print_surprise("ours", our) + print_surprise("peer", their);
        let answers = our.answers.iter().zip(&their.answers);
        let differing: Vec<_> = answers.filter(|(our, their)| our != their).collect();
        if differing.is_empty() {
            same += 1;
            continue;
        }
        deliberate += usize::from(!our.deliberate.is_empty());
        println!("{}", our.title);
        for reason in &our.deliberate {
            println!("  on purpose: {reason}");
        }
        for (our, their) in differing {
            println!("    ours {our}\n    peer {their}");
        }
    }
    println!(
        "{} cases: {same} answered alike, {deliberate} differ on purpose, {surprises} surprises",
        ours.outcomes.len()
    );
    surprises
}

fn print_surprise(who: &str, outcome: &Outcome) -> usize {
    let Some(difference) = &outcome.difference else { return 0 };
    println!("{}\n  {who}, line {}: {}", outcome.title, difference.line, difference.text);
    1
}
