//! What the command line takes, and the document that lists it.

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use crate::{commands::Cli, config::COMMAND_VARIABLES};

#[test]
fn the_definition_holds() {
    Cli::command().debug_assert();
}

#[test]
fn command_lines() {
    // Without an error they are carried out, which is not of interest here.
    for (line, expected) in [
        ("serve", None),
        ("deployments list --json", None),
        ("deployments ls --quiet", None),
        ("dp register http://x --header a=b --header c=d --metadata e=f --force --yes", None),
        ("deployments register", Some(ErrorKind::MissingRequiredArgument)),
        ("deployments update dp_1 --use-http1 false", None),
        ("deployments list --json --quiet", Some(ErrorKind::ArgumentConflict)),
        ("services config set S --journal-retention 1d", None),
        ("services config", Some(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)),
        ("--json services list", Some(ErrorKind::UnknownArgument)),
        ("services --json list", None),
        ("invocations list --status running,backing-off --all", None),
        ("invocations list --status nonsense", Some(ErrorKind::InvalidValue)),
        ("invocations list --limit 0", Some(ErrorKind::ValueValidation)),
        ("invocations cancel a b c --yes", None),
        ("invocations cancel", Some(ErrorKind::MissingRequiredArgument)),
        ("invocations restart-as-new x --from 3 --deployment latest", None),
        ("waits", None),
        ("waits --kind timer --json", None),
        ("waits list --older-than 10m", None),
        ("waits --kind timer list", Some(ErrorKind::ArgumentConflict)),
        ("waits --kind nonsense", Some(ErrorKind::InvalidValue)),
        ("waits resolve sign_1x --value 1", None),
        ("waits resolve inv_1x 17 --value 1 --text x", Some(ErrorKind::ArgumentConflict)),
        ("waits resolve a b c", Some(ErrorKind::TooManyValues)),
        ("waits resolve", Some(ErrorKind::MissingRequiredArgument)),
        ("waits reject sign_1x", Some(ErrorKind::MissingRequiredArgument)),
        ("state get O k", None),
        ("state set O k n --value 1 --json", None),
        ("state clear O k --yes", None),
        ("rules set a/* --concurrency 0", Some(ErrorKind::ValueValidation)),
        ("rules set a/* --concurrency 1 --unlimited", Some(ErrorKind::ArgumentConflict)),
        ("sql --csv --json x", Some(ErrorKind::ArgumentConflict)),
        ("status", None),
        ("completion bash", None),
        ("completion basic", Some(ErrorKind::InvalidValue)),
        ("help", Some(ErrorKind::InvalidSubcommand)),
    ] {
        let words = std::iter::once("reveille").chain(line.split_whitespace());
        let found = Cli::try_parse_from(words).err().map(|error| error.kind());
        assert_eq!(found, expected, "reveille {line}");
    }
}

/// `docs/cli.md` has an example of every command, and names no other.
#[test]
fn the_document_names_every_command() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let document = std::fs::read_to_string(path).expect("docs/cli.md");
    let mut known = Vec::new();
    collect(&Cli::command(), "reveille", &mut known);
    let headings: Vec<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("### `").or_else(|| line.strip_prefix("## `")))
        .filter_map(|line| line.split('`').next())
        .collect();
    for command in &known {
        assert!(headings.contains(&&**command), "docs/cli.md has no section `{command}`");
        let example = document.lines().any(|line| {
            let line = line.trim_start_matches("$ ");
            line == command || line.starts_with(&format!("{command} "))
        });
        assert!(example, "docs/cli.md has no example of `{command}`");
    }
    for heading in headings {
        assert!(known.iter().any(|command| command == heading), "there is no command `{heading}`");
    }
}

/// The server refuses variables that it does not know; those of the commands it has to know.
#[test]
fn variables_are_known_to_the_settings() {
    let mut found = Vec::new();
    variables(&Cli::command(), &mut found);
    found.sort_unstable();
    found.dedup();
    let mut known = COMMAND_VARIABLES.map(str::to_owned);
    known.sort_unstable();
    assert_eq!(found, known);
}

fn variables(command: &clap::Command, found: &mut Vec<String>) {
    let names = command.get_arguments().filter_map(clap::Arg::get_env);
    found.extend(names.map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|subcommand| variables(subcommand, found));
}

/// Collects the commands that do something, by their full names.
fn collect(command: &clap::Command, name: &str, known: &mut Vec<String>) {
    let mut subcommands = command.get_subcommands().peekable();
    if subcommands.peek().is_none() || !command.is_subcommand_required_set() {
        known.push(name.to_owned());
    }
    for subcommand in subcommands {
        collect(subcommand, &format!("{name} {}", subcommand.get_name()), known);
    }
}
