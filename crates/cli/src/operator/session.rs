//! One command against one server: connection flags, requests, and where the result goes.
//!
//! - Owns: flags that all such commands have, and how an answer becomes output.
//! - Does not own: connections ([`crate::client`]), layout ([`super::table`]).

use std::{path::PathBuf, time::Duration};

use http::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Exit, Terminal, rows::Rows, table::Table};
use crate::client::{Advice, Answer, Client, Refused};

/// Longest time for one request: a registration asks a deployment, a query may read everything.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

const ADMIN: Advice =
    Advice { url: "--admin-url or REVEILLE_ADMIN_URL", token: "--token or REVEILLE_ADMIN_TOKEN" };

const INGRESS: Advice = Advice {
    url: "--ingress-url or REVEILLE_INGRESS_URL",
    token: "--ingress-token or REVEILLE_INGRESS_TOKEN",
};

/// The flags that every command has that talks to a server.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Server and output")]
pub struct Connection {
    /// Address of the admin API
    #[arg(
        long,
        global = true,
        env = "REVEILLE_ADMIN_URL",
        value_name = "URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:9070"
    )]
    admin_url: String,
    /// Token for the admin API
    #[arg(
        long,
        global = true,
        env = "REVEILLE_ADMIN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// PEM file with authorities to trust besides those of the system
    #[arg(
        long,
        global = true,
        env = "REVEILLE_CA_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    ca_file: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long, global = true, conflicts_with = "quiet")]
    json: bool,
    /// Print ids or names only, one per line
    #[arg(long, short, global = true)]
    quiet: bool,
}

/// Where the ingress is, for the commands that need it.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Server and output")]
pub struct IngressConnection {
    /// Address of the ingress [default: as the server tells]
    #[arg(long, env = "REVEILLE_INGRESS_URL", value_name = "URL", hide_env_values = true)]
    ingress_url: Option<String>,
    /// Token for the ingress
    #[arg(long, env = "REVEILLE_INGRESS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    ingress_token: Option<String>,
}

/// What the result is printed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// Ids or names only.
    Ids,
}

/// One command against one server.
pub struct Session {
    /// The admin API.
    pub client: Client,
    /// The user.
    pub terminal: Terminal,
    /// What the result is printed as.
    pub format: Format,
    ca_file: Option<PathBuf>,
}

impl Session {
    /// Makes the client. Nothing is sent yet.
    pub fn open(connection: &Connection, terminal: Terminal) -> anyhow::Result<Session> {
        let ca_file = connection.ca_file.clone();
        let client = Client::new(&connection.admin_url, ADMIN)?
            .with_token(connection.token.clone())
            .with_authorities(ca_file.as_deref())?
            .with_timeout(REQUEST_TIMEOUT);
        let format = match (connection.json, connection.quiet) {
            (true, _) => Format::Json,
            (_, true) => Format::Ids,
            _ => Format::Text,
        };
        Ok(Session { client, terminal, format, ca_file })
    }

    /// Makes a client for the ingress, whose address the server tells unless the user does.
    pub async fn ingress(&self, connection: &IngressConnection) -> anyhow::Result<Client> {
        let told = match &connection.ingress_url {
            Some(url) => url.clone(),
            None => {
                let version: Value = self.get("/version").await?;
                version["ingress_endpoint"].as_str().unwrap_or("http://127.0.0.1:8080").to_owned()
            }
        };
        Ok(Client::new(&told, INGRESS)?
            .with_token(connection.ingress_token.clone())
            .with_authorities(self.ca_file.as_deref())?
            .with_timeout(REQUEST_TIMEOUT))
    }

    /// `GET`, parsed.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.client.get(path).await?.json()
    }

    /// Sends JSON.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let headers = [("content-type", "application/json")];
        self.client.send(method, path, &headers, body.to_string().into()).await
    }

    /// Runs a query. Its text comes from [`super::queries`], or is the user's own.
    pub async fn query(&self, sql: &str) -> anyhow::Result<Rows> {
        let headers = [("accept", "application/json")];
        self.client.post("/query", &headers, &json!({"query": sql})).await?.json()
    }

    /// Prints the result in the chosen format: a JSON document, ids, or a table. Nothing but a note
    /// when there are no ids.
    pub fn list(
        &mut self,
        document: &impl Serialize,
        ids: &[String],
        nothing: &str,
        table: impl FnOnce(u64) -> Table,
    ) -> anyhow::Result<Exit> {
        match self.format {
            Format::Json => self.terminal.json(document)?,
            Format::Ids => ids.iter().try_for_each(|id| self.terminal.line(id))?,
            Format::Text if ids.is_empty() => self.terminal.note(nothing),
            Format::Text => {
                let now = self.terminal.now_ms;
                self.terminal.table(table(now))?;
            }
        }
        Ok(if ids.is_empty() { Exit::Nothing } else { Exit::Done })
    }

    /// Prints what was done: a JSON document, ids, or a sentence.
    pub fn done(
        &mut self,
        document: &impl Serialize,
        ids: &[String],
        text: &str,
    ) -> anyhow::Result<Exit> {
        match self.format {
            Format::Json => self.terminal.json(document)?,
            Format::Ids => ids.iter().try_for_each(|id| self.terminal.line(id))?,
            Format::Text => self.terminal.line(text)?,
        }
        Ok(Exit::Done)
    }
}

/// Adds to a 404 of the server how to find what exists.
pub fn hint_missing<T>(result: anyhow::Result<T>, hint: &str) -> anyhow::Result<T> {
    hint_status(result, StatusCode::NOT_FOUND, hint)
}

/// Adds to an error of the server with this status what to do about it.
pub fn hint_status<T>(
    result: anyhow::Result<T>,
    status: StatusCode,
    hint: &str,
) -> anyhow::Result<T> {
    result.map_err(|error| match error.downcast::<Refused>() {
        Ok(refused) if refused.status == status => {
            let message = format!("{}; {hint}", refused.message.trim_end_matches('.'));
            Refused { message, ..refused }.into()
        }
        Ok(refused) => refused.into(),
        Err(error) => error,
    })
}
