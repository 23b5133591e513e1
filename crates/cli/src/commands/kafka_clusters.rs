//! `reveille kafka-clusters`: the brokers that subscriptions read from.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::client::segment;
use crate::operator::{
    self, Connection, Exit, Session, Terminal, moment,
    table::{Table, shown},
};

/// Arguments of `kafka-clusters`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists clusters
    #[command(visible_alias = "ls")]
    List,
    /// Shows one with its properties and subscriptions; secrets are masked
    Describe {
        /// Its name
        name: String,
    },
    /// Makes brokers known under a name
    Create(Named),
    /// Replaces all properties of a cluster; a secret sent as *** stays as it is
    Update(Named),
    /// Removes a cluster
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name
        name: String,
        /// Also if subscriptions read from it; they wait then
        #[arg(long)]
        force: bool,
    },
}

#[derive(clap::Args)]
struct Named {
    /// Its name
    name: String,
    /// Properties of its clients, such as bootstrap.servers=localhost:9092
    #[arg(required = true, value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
}

/// Reads `name=value`.
pub fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Carries the command out.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| match &arguments.command {
        Command::List => list(session).await,
        Command::Describe { name } => describe(session, name).await,
        Command::Create(Named { name, properties }) => {
            let body = json!({"name": name, "properties": map(properties)});
            put(session, (Method::POST, "/kafka-clusters".to_owned()), &body, "Created").await
        }
        Command::Update(Named { name, properties }) => {
            let body = json!({"properties": map(properties)});
            put(
                session,
                (Method::PATCH, format!("/kafka-clusters/{}", segment(name))),
                &body,
                "Changed",
            )
            .await
        }
        Command::Delete { name, force } => {
            let query = if *force { "?force=true" } else { "" };
            let path = format!("/kafka-clusters/{}{query}", segment(name));
            session.client.send(Method::DELETE, &path, &[], Bytes::new()).await?.success()?;
            session.done(&json!(name), std::slice::from_ref(name), &format!("Removed {name}."))
        }
    })
}

fn map(properties: &[(String, String)]) -> BTreeMap<&str, &str> {
    properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

async fn list(session: &mut Session) -> anyhow::Result<Exit> {
    let mut answer: Value = session.get("/kafka-clusters").await?;
    let all: Vec<Value> = serde_json::from_value(answer["clusters"].take())?;
    let names: Vec<String> = all.iter().map(|one| shown(&one["name"])).collect();
    let nothing = "No Kafka clusters. `reveille kafka-clusters create NAME \
                   bootstrap.servers=HOST:9092` makes one known.";
    session.list(&all, &names, nothing, |now| {
        let mut table = Table::new(&["NAME", "BROKERS", "CREATED"]);
        for one in &all {
            let properties = &one["properties"];
            let brokers = match &properties["bootstrap.servers"] {
                Value::Null => &properties["metadata.broker.list"],
                brokers => brokers,
            };
            let created = moment::ago(now, &one["created_at"]);
            table.row([(&one["name"]).into(), brokers.into(), created.into()]);
        }
        table
    })
}

async fn describe(session: &mut Session, name: &str) -> anyhow::Result<Exit> {
    let path = format!("/kafka-clusters/{}?include_subscriptions=true", segment(name));
    let one: Value = session.get(&path).await?;
    let mut text = shown(&one["name"]);
    for (name, value) in one["properties"].as_object().into_iter().flatten() {
        text += &format!("\n  {name} = {}", shown(value));
    }
    for subscription in one["subscriptions"].as_array().into_iter().flatten() {
        let (id, source) = (shown(&subscription["id"]), shown(&subscription["source"]));
        text += &format!("\n{id}: {source} to {}", shown(&subscription["sink"]));
    }
    session.done(&one, &[shown(&one["name"])], &text)
}

async fn put(
    session: &mut Session,
    (method, path): (Method, String),
    body: &Value,
    done: &str,
) -> anyhow::Result<Exit> {
    let one: Value = session.send(method, &path, body).await?.json()?;
    let name = shown(&one["name"]);
    let text = format!("{done} {name}.");
    session.done(&one, &[name], &text)
}
