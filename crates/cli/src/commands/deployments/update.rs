//! `reveille deployments update`: another address or other headers for the same deployment.

use http::Method;
use serde_json::{Map, Value, json};

use super::{HINT, diff, pairs};
use crate::{
    client::segment,
    operator::{Exit, Session, Usage, session::hint_missing, table::shown},
};

/// Arguments of `deployments update`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Id of the deployment (dp_…)
    #[arg(value_name = "ID")]
    id: String,
    /// Its new address
    #[arg(long, value_name = "URL")]
    uri: Option<String>,
    /// Call it with HTTP/1.1 instead of HTTP/2
    #[arg(long, value_name = "BOOL")]
    use_http1: Option<bool>,
    /// Header to send with every request; these replace all that it has
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// Take over what it serves now, even if it differs from what is registered
    #[arg(long)]
    overwrite: bool,
    /// Show what would change and stop
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Changes the deployment after a preview.
pub async fn run(arguments: &Arguments, session: &mut Session) -> anyhow::Result<Exit> {
    let mut request = Map::new();
    request.extend(arguments.uri.as_ref().map(|uri| ("uri".to_owned(), json!(uri))));
    request.extend(arguments.use_http1.map(|is| ("use_http_11".to_owned(), json!(is))));
    if !arguments.headers.is_empty() {
        let headers = pairs("--header", &arguments.headers)?;
        request.insert("additional_headers".to_owned(), json!(headers));
    }
    if request.is_empty() && !arguments.overwrite {
        let text = "nothing to change: say --uri, --use-http1, --header or --overwrite";
        return Err(Usage(text.to_owned()).into());
    }
    request.insert("overwrite".to_owned(), json!(arguments.overwrite));
    request.insert("dry_run".to_owned(), json!(true));

    let path = format!("/deployments/{}", segment(&arguments.id));
    let before: Value = hint_missing(session.get(&path).await, HINT)?;
    let body = Value::Object(request.clone());
    let answer = session.send(Method::PATCH, &path, &body).await?;
    let after: Value = hint_missing(answer.json(), HINT)?;
    let services = |document: &Value| document["services"].as_array().cloned().unwrap_or_default();
    let lines = diff::lines(&services(&before), &services(&after), Some(&arguments.id));
    session.terminal.note(&format!("{} would be:", arguments.id));
    session.terminal.note(&format!("  address {}", super::address(&after)));
    for line in &lines {
        session.terminal.note(&format!("  {line}"));
    }
    if arguments.dry_run {
        let text = "Nothing was changed: this was a dry run.";
        return session.done(&json!({"dry_run": true, "changes": lines}), &[], text);
    }
    if !session.terminal.confirm("Change it?", arguments.yes)? {
        return Ok(Exit::Nothing);
    }
    request.insert("dry_run".to_owned(), json!(false));
    let answer = session.send(Method::PATCH, &path, &Value::Object(request)).await?;
    let changed: Value = answer.json()?;
    let id = shown(&changed["id"]);
    session.done(&changed, std::slice::from_ref(&id), &format!("Changed {id}."))
}
