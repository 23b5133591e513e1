//! `reveille deployments register`: look first, then ask, then do it.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{diff, list::protocol, pairs};
use crate::operator::{
    Exit, Session, Usage,
    session::{Format, hint_status},
    table::shown,
};

/// Arguments of `deployments register`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Address at which the server reaches the deployment, such as http://localhost:9080, or the ARN of
    /// a Lambda function with its version
    #[arg(value_name = "URL OR ARN")]
    address: String,
    /// Role that the server takes on to call the function
    #[arg(long, value_name = "ARN")]
    assume_role_arn: Option<String>,
    /// Call it with HTTP/1.1 instead of HTTP/2
    #[arg(long)]
    use_http1: bool,
    /// Header to send with every request to it
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// What to remember with it, for people
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<String>,
    /// Discover it again when the address is known, and replace what it served
    #[arg(long)]
    force: bool,
    /// Let services change their type
    #[arg(long)]
    breaking: bool,
    /// Show what would change and stop
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Registers after a preview, unless nothing would change.
pub async fn run(arguments: &Arguments, session: &mut Session) -> anyhow::Result<Exit> {
    let mut request = json!({
        "additional_headers": pairs("--header", &arguments.headers)?,
        "metadata": pairs("--metadata", &arguments.metadata)?,
        "force": arguments.force,
        "breaking": arguments.breaking,
        "dry_run": true,
    });
    arguments.address(&mut request)?;
    let (is_new, offered) = post(session, &request).await?;
    if !is_new && !arguments.force {
        let id = shown(&offered["id"]);
        let text = format!(
            "This address is registered already, as {id}. If it serves something else now, say --force."
        );
        return session.done(&offered, &[id], &text);
    }
    let known: Value = session.get("/services").await?;
    let services = |document: &Value| document["services"].as_array().cloned().unwrap_or_default();
    let old = offered["id"].as_str().filter(|_| !is_new);
    let lines = diff::lines(&services(&known), &services(&offered), old);
    let is_quiet = session.format != Format::Text;
    if !is_quiet || !arguments.yes {
        show(session, &offered, is_new, &lines);
    }
    if arguments.dry_run {
        let text = "Nothing was changed: this was a dry run.";
        return session.done(&json!({"dry_run": true, "changes": lines}), &[], text);
    }
    if !session.terminal.confirm("Register it?", arguments.yes)? {
        return Ok(Exit::Nothing);
    }
    request["dry_run"] = json!(false);
    let (_, registered) = post(session, &request).await?;
    let id = shown(&registered["id"]);
    session.done(&registered, std::slice::from_ref(&id), &format!("Registered as {id}."))
}

/// Sends the registration. Returns whether the address is new, and what the server tells.
async fn post(session: &Session, request: &Value) -> anyhow::Result<(bool, Value)> {
    let answer = session.send(Method::POST, "/deployments", request).await?;
    let is_new = answer.status == StatusCode::CREATED;
    let told = answer.json();
    let breaking = "if that is meant, say --breaking";
    Ok((is_new, hint_status(told, StatusCode::CONFLICT, breaking)?))
}

fn show(session: &mut Session, offered: &Value, is_new: bool, lines: &[String]) {
    let sdk = offered["sdk_version"].as_str().unwrap_or("an SDK that does not tell its name");
    let kind = if is_new { "new" } else { "known, to be discovered again" };
    session.terminal.note(&format!("A {kind} deployment: {sdk}, protocol {}.", protocol(offered)));
    for line in lines {
        session.terminal.note(&format!("  {line}"));
    }
}

impl Arguments {
    /// Says where it is. A host and port alone are taken for a URL.
    fn address(&self, request: &mut Value) -> Result<(), Usage> {
        let is_function = self.address.starts_with("arn:");
        match (is_function, &self.assume_role_arn) {
            (true, _) if self.use_http1 => {
                return Err(Usage("--use-http1 means nothing to a function".to_owned()));
            }
            (true, role) => {
                request["arn"] = json!(self.address);
                request["assume_role_arn"] = json!(role);
            }
            (false, Some(_)) => {
                let text = "--assume-role-arn belongs to the ARN of a function, not to a URL";
                return Err(Usage(text.to_owned()));
            }
            (false, None) => {
                let full = self.address.contains("://");
                let scheme = if full { "" } else { "http://" };
                request["uri"] = json!(format!("{scheme}{}", self.address));
                request["use_http_11"] = json!(self.use_http1);
            }
        }
        Ok(())
    }
}
