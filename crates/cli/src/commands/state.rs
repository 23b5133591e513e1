//! `reveille state`: the state of a key of an object or workflow.
//!
//! - Owns: reading, changing names of it, an editor on all of it.
//! - Does not own: when an edit is applied (crate `engine`); the JSON form ([`crate::operator::payload`]).
//! - Invariant: a change is refused when the state has changed since it was read; values that were not
//!   changed keep their bytes.

mod edit;

use std::collections::BTreeMap;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    client::segment,
    operator::{
        self, Connection, Exit, Session, Terminal, Usage,
        payload::{self, ValueFlags},
        session::{Format, hint_missing, hint_status},
        table::Table,
    },
};

/// Arguments of `state`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

/// Which state.
#[derive(clap::Args)]
struct Place {
    /// Name of the object or workflow
    service: String,
    /// The key
    key: String,
    /// The scope of the key, if it has one
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Shows the state of a key, or the value of one name in it
    Get {
        #[command(flatten)]
        place: Place,
        /// One name; its value is printed as it is stored
        name: Option<String>,
    },
    /// Sets one name
    Set {
        #[command(flatten)]
        place: Place,
        /// The name
        name: String,
        #[command(flatten)]
        value: ValueFlags,
    },
    /// Opens all of it as JSON in $VISUAL or $EDITOR
    Edit {
        #[command(flatten)]
        place: Place,
    },
    /// Removes all of it, or some names
    Clear {
        #[command(flatten)]
        place: Place,
        /// Names; all of them when there is none
        names: Vec<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// The state as read.
struct State {
    version: String,
    entries: BTreeMap<String, Vec<u8>>,
}

/// Carries the command out.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| match &arguments.command {
        Command::Get { place, name } => get(session, place, name.as_deref()).await,
        Command::Set { place, name, value } => set(session, place, name, value).await,
        Command::Edit { place } => edit::run(session, place).await,
        Command::Clear { place, names, yes } => clear(session, place, names, *yes).await,
    })
}

async fn get(session: &mut Session, place: &Place, name: Option<&str>) -> anyhow::Result<Exit> {
    let state = State::read(session, place).await?;
    if let Some(name) = name {
        let Some(value) = state.entries.get(name) else {
            let known: Vec<_> = state.entries.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            anyhow::bail!("the state of {} has no '{name}', but {known}", place.shown());
        };
        match session.format {
            Format::Json => session.terminal.json(&payload::to_json(value))?,
            _ => {
                session.terminal.bytes(value)?;
                // The next prompt is to stand on a line of its own.
                if session.terminal.width.is_some() {
                    session.terminal.line("")?;
                }
            }
        }
        return Ok(Exit::Done);
    }
    let names: Vec<String> = state.entries.keys().cloned().collect();
    let nothing = format!("{} has no state.", place.shown());
    let shown = state.to_json();
    session.list(&shown, &names, &nothing, |_| {
        let mut table = Table::new(&["NAME", "BYTES", "Value"]);
        for (name, bytes) in &state.entries {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            table.row([(&**name).into(), size.into(), shown[name].to_string().into()]);
        }
        table
    })
}

async fn set(
    session: &mut Session,
    place: &Place,
    name: &str,
    value: &ValueFlags,
) -> anyhow::Result<Exit> {
    if value.is_absent() {
        return Err(Usage("say the value: --value JSON, --text TEXT or --file FILE".into()).into());
    }
    let (_, bytes) = value.read()?;
    let mut state = State::read(session, place).await?;
    state.entries.insert(name.to_owned(), bytes);
    state.write(session, place).await?;
    changed(session, place, &format!("Set '{name}' of {}", place.shown()))
}

async fn clear(
    session: &mut Session,
    place: &Place,
    names: &[String],
    yes: bool,
) -> anyhow::Result<Exit> {
    let mut state = State::read(session, place).await?;
    let is_chosen = |name: &String| names.is_empty() || names.contains(name);
    let chosen: Vec<String> =
        state.entries.keys().filter(|name| is_chosen(name)).cloned().collect();
    if chosen.is_empty() {
        session.terminal.note(&format!("{} has no such state.", place.shown()));
        return Ok(Exit::Nothing);
    }
    let question = format!("Remove {} from the state of {}?", chosen.join(", "), place.shown());
    if !session.terminal.confirm(&question, yes)? {
        return Ok(Exit::Nothing);
    }
    state.entries.retain(|name, _| !is_chosen(name));
    state.write(session, place).await?;
    changed(session, place, &format!("Removed {} of {}", chosen.join(", "), place.shown()))
}

/// Says what was done, and that a handler which holds the key goes first.
fn changed(session: &mut Session, place: &Place, text: &str) -> anyhow::Result<Exit> {
    let document = json!({"service": place.service, "key": place.key, "accepted": true});
    let text = format!("{text}; if a handler holds the key now, it takes effect after that.");
    session.done(&document, std::slice::from_ref(&place.key), &text)
}

impl Place {
    fn shown(&self) -> String {
        format!("{}/{}", self.service, self.key)
    }
}

impl State {
    async fn read(session: &Session, place: &Place) -> anyhow::Result<State> {
        #[derive(Deserialize)]
        struct Shown {
            version: String,
            state: BTreeMap<String, String>,
        }
        let mut path =
            format!("/services/{}/state?key={}", segment(&place.service), segment(&place.key));
        if let Some(scope) = &place.scope {
            path += &format!("&scope={}", segment(scope));
        }
        let hint = "`reveille services list` shows which services there are";
        let shown: Shown = hint_missing(session.get(&path).await, hint)?;
        let decode = |(name, value): (String, String)| {
            let bytes = STANDARD.decode(&value);
            bytes.map(|bytes| (name, bytes)).context("the answer has a value that is not base64")
        };
        let entries: anyhow::Result<_> = shown.state.into_iter().map(decode).collect();
        Ok(State { version: shown.version, entries: entries? })
    }

    /// Replaces the state, if it is still the one that was read.
    async fn write(&self, session: &Session, place: &Place) -> anyhow::Result<()> {
        let path = format!("/services/{}/state", segment(&place.service));
        let mut body = json!({
            "object_key": place.key,
            "new_state": self.entries,
            "version": self.version,
        });
        if let Some(scope) = &place.scope {
            body["scope"] = json!(scope);
        }
        let answer = session.send(Method::POST, &path, &body).await?.success();
        hint_status(answer, StatusCode::CONFLICT, "look at it again and repeat the change")?;
        Ok(())
    }

    fn to_json(&self) -> Map<String, Value> {
        let pairs = self.entries.iter();
        pairs.map(|(name, bytes)| (name.clone(), payload::to_json(bytes))).collect()
    }
}
