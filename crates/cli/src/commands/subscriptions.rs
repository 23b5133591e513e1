//! `reveille subscriptions`: topics whose records become invocations.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::client::segment;
use crate::operator::{
    self, Connection, Exit, Session, Terminal,
    table::{Table, shown},
};

/// Arguments of `subscriptions`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists subscriptions, and what holds them up
    #[command(visible_alias = "ls")]
    List,
    /// Shows one, with its options and problems
    Describe {
        /// Its id
        id: String,
    },
    /// Has the records of a topic become invocations of a handler
    Create {
        /// Where records come from: kafka://CLUSTER/TOPIC
        source: String,
        /// Where they go: service://SERVICE/HANDLER
        sink: String,
        /// An option such as auto.offset.reset=earliest; may be repeated
        #[arg(long = "option", value_name = "NAME=VALUE", value_parser = super::kafka_clusters::property)]
        options: Vec<(String, String)>,
    },
    /// Removes subscriptions; what was taken stays
    #[command(visible_alias = "rm")]
    Delete {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// Carries the command out.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| match &arguments.command {
        Command::List => list(session).await,
        Command::Describe { id } => describe(session, id).await,
        Command::Create { source, sink, options } => create(session, source, sink, options).await,
        Command::Delete { ids } => delete(session, ids).await,
    })
}

async fn list(session: &mut Session) -> anyhow::Result<Exit> {
    let mut answer: Value = session.get("/subscriptions").await?;
    let all: Vec<Value> = serde_json::from_value(answer["subscriptions"].take())?;
    let ids: Vec<String> = all.iter().map(|one| shown(&one["id"])).collect();
    let nothing = "No subscriptions. `reveille subscriptions create kafka://CLUSTER/TOPIC \
                   service://SERVICE/HANDLER` makes one.";
    session.list(&all, &ids, nothing, |_| {
        let mut table = Table::new(&["ID", "SOURCE", "SINK", "PROBLEMS"]);
        for one in &all {
            let problems = one["problems"].as_array().map_or(0, Vec::len);
            let problems = if problems == 0 { String::new() } else { problems.to_string() };
            table.row([
                (&one["id"]).into(),
                (&one["source"]).into(),
                (&one["sink"]).into(),
                problems.into(),
            ]);
        }
        table
    })
}

async fn describe(session: &mut Session, id: &str) -> anyhow::Result<Exit> {
    let one: Value = session.get(&format!("/subscriptions/{}", segment(id))).await?;
    let mut text = format!("{} to {}", shown(&one["source"]), shown(&one["sink"]));
    for (name, value) in one["options"].as_object().into_iter().flatten() {
        text += &format!("\n  {name} = {}", shown(value));
    }
    for problem in one["problems"].as_array().into_iter().flatten() {
        let place = match problem["partition"].as_u64() {
            Some(partition) => {
                format!("partition {partition} at offset {}", shown(&problem["offset"]))
            }
            None => "all of it".to_owned(),
        };
        let (since, message) = (shown(&problem["since"]), shown(&problem["message"]));
        text += &format!("\n{place} waits since {since}: {message}");
    }
    session.done(&one, &[shown(&one["id"])], &text)
}

async fn create(
    session: &mut Session,
    source: &str,
    sink: &str,
    options: &[(String, String)],
) -> anyhow::Result<Exit> {
    let options: BTreeMap<_, _> = options.iter().cloned().collect();
    let body = json!({"source": source, "sink": sink, "options": options});
    let one: Value = session.send(Method::POST, "/subscriptions", &body).await?.json()?;
    let id = shown(&one["id"]);
    let text = format!("Created {id}: {} to {}.", shown(&one["source"]), shown(&one["sink"]));
    session.done(&one, &[id], &text)
}

async fn delete(session: &mut Session, ids: &[String]) -> anyhow::Result<Exit> {
    for id in ids {
        let path = format!("/subscriptions/{}", segment(id));
        session.client.send(Method::DELETE, &path, &[], Bytes::new()).await?.success()?;
    }
    session.done(&json!(ids), ids, &format!("Removed {}.", ids.join(", ")))
}
