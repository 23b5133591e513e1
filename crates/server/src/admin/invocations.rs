//! `/invocations/{id}`: cancel, kill, pause, resume, restart-as-new, purge, purge-journal.
//!
//! - Owns: statuses and texts of the answers.
//! - Does not own: what a state allows (crate `engine`).

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use reveille_engine::{
    command::{Command, RequestId, ResumeOn},
    effect::Reply,
};
use reveille_protocol::id::{IdError, InvocationId};
use serde::{Deserialize, Serialize};

use super::{Admin, problem::Problem};
use crate::ingress::random::placement_and_random;

/// Makes the command of a verb.
type Verb = fn(RequestId, InvocationId) -> Command;

const CANCEL: Verb = |request, id| Command::Cancel { request, id };
const KILL: Verb = |request, id| Command::Kill { request, id };
const PAUSE: Verb = |request, id| Command::Pause { request, id };
const PURGE: Verb = |request, id| Command::Purge { request, id };
const PURGE_JOURNAL: Verb = |request, id| Command::PurgeJournal { request, id };

/// The query of `resume`.
#[derive(Deserialize)]
pub(super) struct Resume {
    deployment: Option<String>,
}

/// The query of `restart-as-new`.
#[derive(Deserialize)]
pub(super) struct Restart {
    from: Option<u32>,
    deployment: Option<String>,
}

/// The answer to `restart-as-new`.
#[derive(Serialize)]
pub(super) struct Restarted {
    new_invocation_id: String,
}

/// The query of `DELETE /invocations/{id}`.
#[derive(Deserialize)]
pub(super) struct Delete {
    mode: Option<String>,
}

/// `PATCH /invocations/{id}/cancel`: 202 when the handler will see it, 200 when it is done.
pub(super) async fn cancel(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, CANCEL).await
}

/// `PATCH /invocations/{id}/kill`.
pub(super) async fn kill(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, KILL).await
}

/// `PATCH /invocations/{id}/pause`: 202 when it will stop, 200 when it stands still anyway.
pub(super) async fn pause(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, PAUSE).await
}

/// `PATCH /invocations/{id}/resume?deployment=keep|latest|dp_…`, `keep` when nothing is said.
pub(super) async fn resume(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(query): Query<Resume>,
) -> Result<StatusCode, Problem> {
    let id = parse_id(&id)?;
    let deployment = parse_deployment(query.deployment.as_deref(), ResumeOn::Keep)?;
    control(&admin, id, move |request, id| Command::Resume { request, id, deployment }).await
}

/// `PATCH /invocations/{id}/restart-as-new?from=N&deployment=keep|latest|dp_…`: a new invocation that
/// has the journal up to entry N; on the input alone, on the latest deployment when nothing is said.
pub(super) async fn restart_as_new(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(query): Query<Restart>,
) -> Result<Json<Restarted>, Problem> {
    let id = parse_id(&id)?;
    let from = query.from.unwrap_or(0);
    let deployment = parse_deployment(query.deployment.as_deref(), ResumeOn::Latest)?;
    let (_, random) = placement_and_random();
    let command = move |request| Command::RestartAsNew { request, id, from, deployment, random };
    match admin.partitions.ask(id, command).await? {
        Reply::Accepted { id, .. } => Ok(Json(Restarted { new_invocation_id: id.to_string() })),
        reply => Err(refusal(reply)),
    }
}

/// `PATCH /invocations/{id}/purge`.
pub(super) async fn purge(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, PURGE).await
}

/// `PATCH /invocations/{id}/purge-journal`: the result stays.
pub(super) async fn purge_journal(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, PURGE_JOURNAL).await
}

/// `DELETE /invocations/{id}?mode=cancel|kill|purge`: the older form, 202 whatever becomes of it.
pub(super) async fn delete(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(query): Query<Delete>,
) -> Result<StatusCode, Problem> {
    let id = parse_id(&id)?;
    let verb = match query.mode.as_deref() {
        None | Some("cancel" | "Cancel") => CANCEL,
        Some("kill" | "Kill") => KILL,
        Some("purge" | "Purge") => PURGE,
        Some(mode) => {
            return Err(Problem::unparsable(format!(
                "Failed to deserialize query string: mode: unknown variant `{mode}`, expected one \
                 of `cancel`, `kill`, `purge`"
            )));
        }
    };
    admin.partitions.ask(id, move |request| verb(request, id)).await?;
    Ok(StatusCode::ACCEPTED)
}

fn parse_deployment(deployment: Option<&str>, default: ResumeOn) -> Result<ResumeOn, Problem> {
    match deployment {
        None => Ok(default),
        Some("keep" | "Keep") => Ok(ResumeOn::Keep),
        Some("latest" | "Latest") => Ok(ResumeOn::Latest),
        Some(deployment) => {
            deployment.parse().map(ResumeOn::Deployment).map_err(|reason: IdError| {
                let message =
                    format!("The query parameter 'deployment' is invalid. Reason: {reason}");
                Problem::new(StatusCode::BAD_REQUEST, message)
            })
        }
    }
}

/// Reads an invocation id out of a path.
pub(super) fn parse_id(id: &str) -> Result<InvocationId, Problem> {
    id.parse::<InvocationId>().map_err(|reason| {
        let message = format!("The request field 'invocation_id' is invalid. Reason: {reason}");
        Problem::new(StatusCode::BAD_REQUEST, message)
    })
}

/// Answers for a reply that is no success of the asking route.
pub(super) fn refusal(reply: Reply) -> Problem {
    match reply {
        Reply::NotFound(id) => {
            Problem::not_found(format!("The requested invocation '{id}' does not exist"))
        }
        Reply::Conflict(text) => Problem::new(StatusCode::CONFLICT, text),
        Reply::Invalid(text) => Problem::new(StatusCode::BAD_REQUEST, text),
        Reply::Gone(text) => Problem::new(StatusCode::GONE, text),
        Reply::Unsupported(text) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text),
        Reply::TooEarly(text) => Problem::new(StatusCode::TOO_EARLY, text),
        Reply::Unavailable(text) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, text),
        // Not shown: it may hold the value of somebody else.
        Reply::Done
        | Reply::Accept
        | Reply::Accepted { .. }
        | Reply::Result { .. }
        | Reply::WorkflowAlreadyInvoked(_)
        | Reply::NotReady(_)
        | Reply::Receipt(_) => {
            tracing::error!("a partition answered an admin request with another's reply");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unexpected answer, see the log")
        }
    }
}

async fn control(
    admin: &Admin,
    id: InvocationId,
    verb: impl FnOnce(RequestId, InvocationId) -> Command + Send + 'static,
) -> Result<StatusCode, Problem> {
    match admin.partitions.ask(id, move |request| verb(request, id)).await? {
        Reply::Done => Ok(StatusCode::OK),
        Reply::Accept => Ok(StatusCode::ACCEPTED),
        reply => Err(refusal(reply)),
    }
}
