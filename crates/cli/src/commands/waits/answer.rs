//! `reveille waits resolve`, `reject` and `replace`.
//!
//! - Invariant: exit code 0 means that the wait is decided the way that was asked for, by this call or by the
//!   same one before.

use http::Method;
use serde_json::Value;

use crate::{
    client::{Answer, Refused, segment},
    operator::{
        Exit, Session, Usage, moment,
        payload::ValueFlags,
        session::{Format, IngressConnection},
    },
};

/// How to find a wait, for messages.
const HINT: &str = "`reveille waits` lists what is waited for";

/// Which wait.
#[derive(clap::Args)]
struct WaitArguments {
    /// Awakeable id (sign_1…), or invocation and index or name, as `reveille waits` lists them
    #[arg(required = true, num_args = 1..=2, value_names = ["ID", "INDEX OR NAME"])]
    wait: Vec<String>,
    /// Key by which a repeated answer is known as the same
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    ingress: IngressConnection,
}

/// Arguments of `waits resolve`.
#[derive(clap::Args)]
pub struct Resolve {
    #[command(flatten)]
    value: ValueFlags,
    #[command(flatten)]
    wait: WaitArguments,
}

/// Arguments of `waits reject`.
#[derive(clap::Args)]
pub struct Reject {
    /// Message of the failure
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    wait: WaitArguments,
}

/// Arguments of `waits replace`.
#[derive(clap::Args)]
pub struct Replace {
    /// Id of the invocation (inv_…)
    #[arg(value_name = "INVOCATION")]
    invocation: String,
    /// Index or name of the wait
    #[arg(value_name = "INDEX OR NAME")]
    wait: String,
    #[command(flatten)]
    value: ValueFlags,
}

impl Resolve {
    /// Answers with the value.
    pub async fn run(&self, session: &mut Session) -> anyhow::Result<Exit> {
        let (content_type, value) = self.value.read()?;
        let answer = self.wait.send(session, "resolve", content_type, value).await?;
        report(session, "resolve", answer)
    }
}

impl Reject {
    /// Answers with a failure.
    pub async fn run(&self, session: &mut Session) -> anyhow::Result<Exit> {
        let (content_type, reason) = ("text/plain; charset=utf-8", self.reason.clone());
        let body = reason.into_bytes();
        let answer = self.wait.send(session, "reject", Some(content_type), body).await?;
        report(session, "reject", answer)
    }
}

impl Replace {
    /// Replaces the value.
    pub async fn run(&self, session: &mut Session) -> anyhow::Result<Exit> {
        if self.value.is_absent() {
            return Err(Usage("say the new value: --value, --text or --file".to_owned()).into());
        }
        let (content_type, value) = self.value.read()?;
        let path = admin_path(&self.invocation, &self.wait, "replace");
        let headers: Vec<_> = content_type.map(|ty| ("content-type", ty)).into_iter().collect();
        let answer = session.client.send(Method::POST, &path, &headers, value.into()).await?;
        report(session, "replace", answer)
    }
}

impl WaitArguments {
    /// Sends an answer to the ingress when the id of an awakeable is known, else to the admin API.
    async fn send(
        &self,
        session: &Session,
        verb: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let mut headers: Vec<_> = content_type.map(|ty| ("content-type", ty)).into_iter().collect();
        headers.extend(self.idempotency_key.as_deref().map(|key| ("idempotency-key", key)));
        match &self.wait[..] {
            [id] if id.starts_with("sign_1") => {
                let client = session.ingress(&self.ingress).await?;
                let path = format!("/reveille/waits/{}/{verb}", segment(id));
                client.send(Method::POST, &path, &headers, body.into()).await
            }
            [invocation, wait] if invocation.starts_with("inv_") => {
                let path = admin_path(invocation, wait, verb);
                session.client.send(Method::POST, &path, &headers, body.into()).await
            }
            _ => {
                let text = "a wait is an awakeable id (sign_1…), or an invocation (inv_1…) with an \
                            index or name";
                Err(Usage(format!("{text}; {HINT}")).into())
            }
        }
    }
}

fn admin_path(invocation: &str, wait: &str, verb: &str) -> String {
    format!("/waits/{}/{}/{verb}", segment(invocation), segment(wait))
}

/// Says in words what the receipt says.
fn report(session: &mut Session, verb: &str, answer: Answer) -> anyhow::Result<Exit> {
    let receipt: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(outcome) = receipt["outcome"].as_str() else {
        let status = answer.status;
        return match answer.success() {
            Ok(_) => anyhow::bail!("the answer to the request is no receipt, but {status}"),
            Err(error) => Err(explained(error)),
        };
    };
    if session.format == Format::Json {
        session.terminal.json(&receipt)?;
    }
    let at = moment::both(session.terminal.now_ms, &receipt["at"]);
    let done = match verb {
        "resolve" => "Resolved",
        "reject" => "Rejected",
        _ => "Replaced",
    };
    let text = match outcome {
        "completed" => format!("{done}: the handler goes on with this answer."),
        "replayed" => format!("{done} before, by the same answer, at {at}: nothing changed."),
        "conflict" if verb == "replace" => {
            "An attempt has seen the answer already: it cannot be replaced any more.".to_owned()
        }
        "conflict" => {
            let by = receipt["verb"].as_str().unwrap_or("another answer");
            format!(
                "Decided already, by a different answer ({by}), at {at}: yours changed nothing."
            )
        }
        "gone" => "Nobody waits any more: the invocation has ended.".to_owned(),
        "pending" => "Nobody has answered this wait yet: there is nothing to replace.".to_owned(),
        "unknown" => format!("There is no such wait; {HINT}."),
        other => format!("The server answered '{other}'."),
    };
    let is_decided = matches!(outcome, "completed" | "replayed");
    match (session.format, is_decided) {
        (Format::Text, true) => session.terminal.line(&text)?,
        (_, true) => {}
        (_, false) => session.terminal.note(&text),
    }
    Ok(if is_decided { Exit::Done } else { Exit::Nothing })
}

/// Adds to an unknown invocation how to find the right one.
fn explained(error: anyhow::Error) -> anyhow::Error {
    let is_missing = |refused: &Refused| refused.status == http::StatusCode::NOT_FOUND;
    match error.downcast_ref::<Refused>().filter(|refused| is_missing(refused)) {
        Some(refused) => anyhow::anyhow!("{}; {HINT}", refused.message),
        None => error,
    }
}
