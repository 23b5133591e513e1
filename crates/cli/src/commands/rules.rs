//! `reveille rules`: concurrency rules of scopes and limit keys.

use std::num::NonZeroU32;

use http::{Method, StatusCode};
use reveille_server::text::time;
use serde_json::{Value, json};

use crate::operator::{
    self, Connection, Exit, Session, Terminal, Usage, moment,
    session::hint_status,
    table::{Table, shown},
};

/// How to find rules, for messages.
const HINT: &str = "`reveille rules list` shows them";

/// Arguments of `rules`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists rules in the order of their patterns
    #[command(visible_alias = "ls")]
    List,
    /// Creates a rule, or changes what is named of one that exists
    Set(SetArguments),
    /// Lets a rule count again
    Enable {
        /// Pattern of the rule
        pattern: String,
    },
    /// Ignores a rule without forgetting it
    Disable {
        /// Pattern of the rule
        pattern: String,
    },
    /// Removes rules
    #[command(visible_alias = "rm")]
    Remove {
        /// Patterns of the rules
        #[arg(required = true)]
        patterns: Vec<String>,
    },
}

#[derive(clap::Args)]
struct SetArguments {
    /// Which scopes and limit keys, such as '*', 'team-a/*', 'team-a/tenant/user'
    pattern: String,
    /// Most invocations at the same time
    #[arg(long, value_name = "COUNT", conflicts_with = "unlimited")]
    concurrency: Option<NonZeroU32>,
    /// Without limit
    #[arg(long)]
    unlimited: bool,
    /// For people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Carries the command out.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| match &arguments.command {
        Command::List => list(session).await,
        Command::Set(arguments) => set(arguments, session).await,
        Command::Enable { pattern } => switch(session, pattern, false).await,
        Command::Disable { pattern } => switch(session, pattern, true).await,
        Command::Remove { patterns } => remove(session, patterns).await,
    })
}

async fn list(session: &mut Session) -> anyhow::Result<Exit> {
    let rules: Vec<Value> = session.get("/limits/rules").await?;
    let patterns: Vec<String> = rules.iter().map(|rule| shown(&rule["pattern"])).collect();
    let nothing =
        "No rules: nothing is limited. `reveille rules set PATTERN --concurrency 10` makes one.";
    session.list(&rules, &patterns, nothing, |now| {
        let mut table = Table::new(&["PATTERN", "CONCURRENCY", "STATE", "CHANGED", "Description"]);
        for rule in &rules {
            let changed = rule["last_modified_millis_since_epoch"].as_u64().unwrap_or_default();
            table.row([
                (&rule["pattern"]).into(),
                concurrency(rule).into(),
                if rule["disabled"] == true { "disabled" } else { "enabled" }.into(),
                moment::ago(now, &json!(time::milliseconds_utc(changed))).into(),
                (&rule["description"]).into(),
            ]);
        }
        table
    })
}

fn concurrency(rule: &Value) -> String {
    let limit = &rule["limits"]["concurrency"];
    if limit.is_null() { "unlimited".to_owned() } else { shown(limit) }
}

async fn set(arguments: &SetArguments, session: &mut Session) -> anyhow::Result<Exit> {
    let old = find(session, &arguments.pattern).await?;
    let is_empty = arguments.concurrency.is_none() && !arguments.unlimited;
    if is_empty && (old.is_none() || arguments.description.is_none()) {
        return Err(Usage("say the limit: --concurrency COUNT or --unlimited".to_owned()).into());
    }
    let mut rule = request(old.as_ref(), &arguments.pattern);
    if !is_empty {
        rule["limits"] = match arguments.concurrency {
            Some(most) => json!({"concurrency": most}),
            None => json!({}),
        };
    }
    if let Some(description) = &arguments.description {
        rule["description"] = json!(description);
    }
    put(session, rule).await
}

async fn switch(session: &mut Session, pattern: &str, disabled: bool) -> anyhow::Result<Exit> {
    let Some(old) = find(session, pattern).await? else {
        anyhow::bail!("there is no rule '{pattern}'; {HINT}");
    };
    let mut rule = request(Some(&old), pattern);
    rule["disabled"] = json!(disabled);
    put(session, rule).await
}

async fn find(session: &Session, pattern: &str) -> anyhow::Result<Option<Value>> {
    let rules: Vec<Value> = session.get("/limits/rules").await?;
    Ok(rules.into_iter().find(|rule| rule["pattern"] == pattern))
}

/// The rule as it is, bound to its version: a change in between is not to be undone.
fn request(old: Option<&Value>, pattern: &str) -> Value {
    match old {
        None => json!({"pattern": pattern, "precondition": {"type": "does_not_exist"}}),
        Some(old) => json!({
            "pattern": pattern,
            "limits": old["limits"],
            "description": old["description"],
            "disabled": old["disabled"],
            "precondition": {"type": "matches", "version": old["version"]},
        }),
    }
}

async fn put(session: &mut Session, rule: Value) -> anyhow::Result<Exit> {
    let answer = session.send(Method::PUT, "/limits/rules", &json!([rule])).await?;
    let advice = "somebody changed it meanwhile: look at it and try again";
    let rules: Vec<Value> = hint_status(answer.json(), StatusCode::CONFLICT, advice)?;
    let [rule] = &rules[..] else {
        anyhow::bail!("the server answered with {} rules", rules.len())
    };
    let pattern = shown(&rule["pattern"]);
    let off = if rule["disabled"] == true { ", disabled" } else { "" };
    let text = format!("Rule '{pattern}': concurrency {}{off}.", concurrency(rule));
    session.done(rule, &[pattern], &text)
}

async fn remove(session: &mut Session, patterns: &[String]) -> anyhow::Result<Exit> {
    let body: Vec<Value> = patterns.iter().map(|pattern| json!({"pattern": pattern})).collect();
    let answer = session.send(Method::POST, "/limits/rules/bulk-delete", &json!(body)).await?;
    let removed: Vec<String> = answer.json()?;
    let missing: Vec<_> = patterns.iter().filter(|pattern| !removed.contains(pattern)).collect();
    for pattern in &missing {
        session.terminal.note(&format!("There is no rule '{pattern}'; {HINT}."));
    }
    if !removed.is_empty() {
        session.done(&removed, &removed, &format!("Removed {}.", removed.join(", ")))?;
    }
    Ok(if missing.is_empty() { Exit::Done } else { Exit::Nothing })
}
