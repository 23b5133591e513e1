//! `reveille services config`: settings that can be changed without a new deployment.

use http::Method;
use reveille_server::text::duration;
use serde_json::{Map, Value, json};

use super::HINT;
use crate::{
    client::segment,
    operator::{
        Exit, Session, Usage,
        session::{Format, hint_missing},
        table::{Table, shown},
    },
};

/// Arguments of `services config`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Shows the settings
    View {
        /// Name of the service
        service: String,
    },
    /// Changes settings; those that are not named stay. Durations such as 30s, 1h 30m, 7d
    Set(SetArguments),
}

#[derive(clap::Args)]
struct SetArguments {
    /// Name of the service
    service: String,
    /// Whether the ingress lets calls to it in
    #[arg(long, value_name = "BOOL")]
    public: Option<bool>,
    /// How long results of calls with an idempotency key are kept
    #[arg(long, value_name = "DURATION")]
    idempotency_retention: Option<String>,
    /// How long a workflow run is kept after its end
    #[arg(long, value_name = "DURATION")]
    workflow_completion_retention: Option<String>,
    /// How long journals are kept after the end
    #[arg(long, value_name = "DURATION")]
    journal_retention: Option<String>,
    /// Silence after which a handler is asked to suspend
    #[arg(long, value_name = "DURATION")]
    inactivity_timeout: Option<String>,
    /// Time after that until the attempt is given up
    #[arg(long, value_name = "DURATION")]
    abort_timeout: Option<String>,
}

impl SetArguments {
    fn durations(&self) -> [(&'static str, &Option<String>); 5] {
        [
            ("idempotency_retention", &self.idempotency_retention),
            ("workflow_completion_retention", &self.workflow_completion_retention),
            ("journal_retention", &self.journal_retention),
            ("inactivity_timeout", &self.inactivity_timeout),
            ("abort_timeout", &self.abort_timeout),
        ]
    }

    /// The body of the request: only what was given.
    fn request(&self) -> Result<Value, Usage> {
        let mut request = Map::new();
        request.extend(self.public.map(|public| ("public".to_owned(), json!(public))));
        for (name, text) in self.durations() {
            let Some(text) = text else { continue };
            let flag = name.replace('_', "-");
            let span_ms = duration::parse(text)
                .map_err(|error| Usage(format!("--{flag} {text}: {error}")))?;
            request.insert(name.to_owned(), json!(duration::short(span_ms)));
        }
        match request.is_empty() {
            true => Err(Usage("nothing to change: `--help` shows what can be set".to_owned())),
            false => Ok(Value::Object(request)),
        }
    }
}

/// Shows or changes settings.
pub async fn run(arguments: &Arguments, session: &mut Session) -> anyhow::Result<Exit> {
    match &arguments.command {
        Command::View { service } => {
            let path = format!("/services/{}", segment(service));
            let found: Value = hint_missing(session.get(&path).await, HINT)?;
            show(session, &found)
        }
        Command::Set(arguments) => {
            let request = arguments.request()?;
            let path = format!("/services/{}", segment(&arguments.service));
            let answer = session.send(Method::PATCH, &path, &request).await?;
            let changed: Value = hint_missing(answer.json(), HINT)?;
            session.terminal.note("Changed. The next registration of the service may reset this.");
            show(session, &changed)
        }
    }
}

fn show(session: &mut Session, service: &Value) -> anyhow::Result<Exit> {
    match session.format {
        Format::Json => {
            let members = SETTINGS.iter().map(|(_, member)| *member);
            let shown = members.map(|member| (member.to_owned(), service[member].clone()));
            let settings: Map<_, _> = shown.filter(|(_, value)| !value.is_null()).collect();
            session.terminal.json(&settings)?;
        }
        Format::Ids => session.terminal.line(&shown(&service["name"]))?,
        Format::Text => {
            let mut table = Table::fields();
            fields(&mut table, service);
            session.terminal.table(table)?;
        }
    }
    Ok(Exit::Done)
}

const SETTINGS: [(&str, &str); 8] = [
    ("Public", "public"),
    ("Idempotency retention", "idempotency_retention"),
    ("Workflow retention", "workflow_completion_retention"),
    ("Journal retention", "journal_retention"),
    ("Inactivity timeout", "inactivity_timeout"),
    ("Abort timeout", "abort_timeout"),
    ("Lazy state", "enable_lazy_state"),
    ("Retries", "retry_policy"),
];

/// Adds the settings of a service to a table.
pub fn fields(table: &mut Table, service: &Value) {
    for (title, member) in SETTINGS {
        let value = &service[member];
        let text = match value {
            Value::Bool(true) => "yes".to_owned(),
            Value::Bool(false) => "no".to_owned(),
            Value::Object(policy) if member == "retry_policy" => retries(policy),
            other => shown(other),
        };
        table.field(title, text);
    }
}

/// `500ms, then times 2 up to 1m, 70 attempts, then pause`.
fn retries(policy: &Map<String, Value>) -> String {
    let text = |member: &str| shown(policy.get(member).unwrap_or(&Value::Null));
    let attempts = match text("max_attempts") {
        none if none.is_empty() => "without end".to_owned(),
        attempts => {
            format!("{attempts} attempts, then {}", text("on_max_attempts").to_lowercase())
        }
    };
    let (first, factor) = (text("initial_interval"), text("exponentiation_factor"));
    format!("{first}, then times {factor} up to {}, {attempts}", text("max_interval"))
}
