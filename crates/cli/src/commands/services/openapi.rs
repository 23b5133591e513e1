//! `reveille services openapi`: always JSON, for other tools.

use serde_json::Value;

use super::HINT;
use crate::{
    client::segment,
    operator::{Exit, Session, session::hint_missing},
};

/// Prints the document.
pub async fn run(service: &str, session: &mut Session) -> anyhow::Result<Exit> {
    let path = format!("/services/{}/openapi", segment(service));
    let document: Value = hint_missing(session.get(&path).await, HINT)?;
    session.terminal.json(&document)?;
    Ok(Exit::Done)
}
