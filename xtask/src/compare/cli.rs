//! `cargo xtask compare --cli COMMAND`: the peer's command line against our server.
//!
//! Opt-in and by hand, as the rest of the comparison. Each row of [`COMMANDS`] is run once, over objects,
//! waits and results that a script of the contract sets up; it must end well and print what stands behind
//! it. Commands that open an editor or a container have no row.

use std::{
    net::SocketAddr,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};
use reveille_contract::{Target, fixture::Fixture, parse, run};

use crate::process::{self, Server};

/// What there is when the commands run: state, a wait, a failing handler, a result, a retained call.
const SETUP: &str = r#"
case 0 setup
> POST /Count/k1/add
  content-type: text/plain
  | 2
< 200
> POST /restate/send/Wait/ask
  content-type: text/plain
  | cli
< 202
> POST /restate/send/Wait/later
< 202
> POST /Door/text
  content-type: text/plain
  | kept
  idempotency-key: cli
< 200
~ admin POST /query
  content-type: application/json
  accept: application/json
  | {"query":"select count(1) as n from sys_invocation where status in ('suspended', 'backing-off')"}
< 200
  json /rows/0/n = 2
> admin PUT /limits/rules
  content-type: application/json
  | [{"pattern":"cli/*","limits":{"concurrency":2}}]
< 200
"#;

/// Commands in order, and what each prints. `{wait}` is the invocation that waits, `{deployment}` where it
/// runs, `{service}` the address of that, `{query}` a query.
const COMMANDS: &[(&str, &[&str])] = &[
    ("whoami", &["is healthy"]),
    ("services list", &["Count", "Wait", "virtual object"]),
    ("services describe Count", &["add"]),
    ("services status", &["Count"]),
    ("services status Wait", &["Wait"]),
    ("services config view Door", &["1d", "hidden"]),
    ("services config patch Door --idempotency-retention 2d", &["2d", "apply these changes"]),
    ("deployments list", &["{deployment}"]),
    ("deployments describe {deployment}", &["Wait"]),
    ("deployments register {service} --yes", &["already"]),
    ("deployments register {service} --force --yes", &["1 -> 2"]),
    ("invocations list", &["Wait/ask", "suspended", "Wait/later", "backing-off"]),
    ("invocations list --all", &["Door/text"]),
    ("invocations list --service Wait", &["Wait/ask"]),
    ("invocations list --status suspended", &["Wait/ask"]),
    ("invocations describe {wait}", &["Wait/ask", "suspended", "Input"]),
    ("sql {query}", &["Wait/ask", "suspended"]),
    ("sql --json {query}", &["Wait/ask"]),
    ("kv get Count k1", &["count"]),
    ("state clear Count/k1", &["Enqueued"]),
    ("rules list", &["cli/*"]),
    ("vqueues list", &[]),
    ("subscriptions list", &[]),
    ("kafka-clusters list", &[]),
    ("invocations pause Wait/later", &["1"]),
    ("invocations resume Wait/later", &["1"]),
    ("invocations cancel {wait}", &["1"]),
    ("invocations kill Wait/later", &["1"]),
    ("invocations restart-as-new Door/text", &["1"]),
    ("invocations purge Door/text", &[]),
];

const QUERY: &str = "select id, target, status from sys_invocation where target = 'Wait/ask'";

/// Runs every command of the table against a server of ours.
pub async fn run_commands(program: &str, server: Option<&str>) -> Result<()> {
    let data = process::data_directory()?;
    let server = Server::start(server, data.path())?;
    let fixture = Fixture::start().await?;
    let target = Target::prepare(&fixture, server.ingress, server.admin, false).await?;
    let setup = run(&[parse("setup", SETUP)?], &target, "").await;
    if let Some(failure) = setup.failures().first() {
        bail!("the objects of the commands were not set up: {failure}");
    }
    let first = |output: &Output, prefix: &str| -> Result<String> {
        let text = printed(output);
        let word = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let found = word.into_iter().find(|word| word.starts_with(prefix));
        found.map(str::to_owned).with_context(|| format!("no {prefix}… in: {text}"))
    };
    let call = |arguments: &[&str]| command(program, server.admin, arguments);
    let wait = first(&call(&["sql", QUERY])?, "inv_")?;
    let deployment = first(&call(&["deployments", "list"])?, "dp_")?;
    let service = format!("http://{}/", fixture.service);
    let values = [
        ("{wait}", wait.as_str()),
        ("{deployment}", &deployment),
        ("{service}", &service),
        ("{query}", QUERY),
    ];
    let fill = |text: &str| {
        values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    };
    let mut failed = 0;
    for (line, expected) in COMMANDS {
        let arguments: Vec<String> = line.split(' ').map(fill).collect();
        let output = call(&arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        let text = printed(&output);
        let missing: Vec<String> =
            expected.iter().map(|part| fill(part)).filter(|part| !text.contains(part)).collect();
        if output.status.success() && missing.is_empty() {
            println!("ok    {line}");
            continue;
        }
        failed += 1;
        println!("WRONG {line}: {}, without {missing:?}\n{text}", output.status);
    }
    if failed > 0 {
        bail!("{failed} of {} commands did not do what they should", COMMANDS.len());
    }
    println!("{} commands work", COMMANDS.len());
    Ok(())
}

fn command(program: &str, admin: SocketAddr, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program);
    // Where it looks for the server; and nobody is there who could answer a question.
    command.env("RESTATE_ADMIN_URL", format!("http://{admin}")).env("CI", "1");
    command.args(arguments).stdin(Stdio::null());
    command.output().with_context(|| format!("cannot run {program}"))
}

fn printed(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}
