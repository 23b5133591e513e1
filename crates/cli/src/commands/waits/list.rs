//! `reveille waits`: pages of the API put together, oldest wait first.

use serde_json::{Value, json};

use crate::{
    client::segment,
    operator::{
        Exit, Session, moment,
        table::{Table, shown},
    },
};

/// Waits that one request asks for.
const PAGE_WAITS: usize = 1000;

/// What a handler may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Awakeable,
    Signal,
    Promise,
    Timer,
    Call,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Awakeable => "awakeable",
            Kind::Signal => "signal",
            Kind::Promise => "promise",
            Kind::Timer => "timer",
            Kind::Call => "call",
        }
    }
}

/// Filters of `waits`.
#[derive(clap::Args)]
pub struct Filters {
    /// Of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Of this key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// That began at least so long ago, such as 10m
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    /// Most waits to list
    #[arg(long, value_name = "COUNT", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// Go on where an earlier list ended: its `next`
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
}

/// Prints what matches.
pub async fn run(arguments: &Filters, session: &mut Session) -> anyhow::Result<Exit> {
    let limit = usize::try_from(arguments.limit)?;
    let mut next = arguments.after.clone();
    let mut waits: Vec<Value> = Vec::new();
    loop {
        let path = path(arguments, next.as_deref(), (limit - waits.len()).min(PAGE_WAITS));
        let mut page: Value = session.get(&path).await?;
        waits.extend(page["waits"].as_array_mut().map(std::mem::take).unwrap_or_default());
        next = page["next"].as_str().map(str::to_owned);
        // A page may be short: the server looks at a bounded number of waits for each.
        if next.is_none() || waits.len() >= limit {
            break;
        }
    }
    let names: Vec<String> = waits.iter().map(|wait| name(wait).join(" ")).collect();
    let document = json!({"waits": waits, "next": next});
    let exit = session.list(&document, &names, "Nobody waits for anything like that.", |now| {
        let mut table = Table::new(&["KIND", "Target", "SINCE", "INVOCATION", "WAIT"]);
        for wait in &waits {
            let [invocation, wait_name] = name(wait);
            table.row([
                (&wait["kind"]).into(),
                (&wait["target"]).into(),
                moment::ago(now, &wait["since"]).into(),
                invocation.into(),
                wait_name.into(),
            ]);
        }
        table
    })?;
    if let Some(next) = next {
        session.terminal.note(&format!("… and more: see --limit, or go on with --after {next}"));
    }
    Ok(exit)
}

fn path(arguments: &Filters, after: Option<&str>, limit: usize) -> String {
    let kind = arguments.kind.map(Kind::name);
    let older_than = arguments.older_than.as_deref();
    let mut path = format!("/waits?limit={limit}");
    for (name, value) in [
        ("service", arguments.service.as_deref()),
        ("key", arguments.key.as_deref()),
        ("kind", kind),
        ("older_than", older_than),
        ("after", after),
    ] {
        if let Some(value) = value {
            path += &format!("&{name}={}", segment(value));
        }
    }
    path
}

/// How `waits resolve` names it: the invocation, and its index or its name there.
fn name(wait: &Value) -> [String; 2] {
    let member = if wait["name"].is_string() { "name" } else { "index" };
    [shown(&wait["invocation_id"]), shown(&wait[member])]
}
