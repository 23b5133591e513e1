//! `/invocations/{id}`: cancel, kill, pause, resume, purge, purge-journal.
//!
//! - Owns: statuses and texts of the answers.
//! - Does not own: what a state allows (crate `engine`).

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
};
use reveille_engine::{
    command::{Command, RequestId, ResumeOn},
    effect::Reply,
};
use reveille_protocol::id::{IdError, InvocationId};
use serde::Deserialize;

use super::{Admin, problem::Problem};

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
    let deployment = match query.deployment.as_deref() {
        None | Some("keep") => ResumeOn::Keep,
        Some("latest") => ResumeOn::Latest,
        Some(deployment) => {
            ResumeOn::Deployment(deployment.parse().map_err(|reason: IdError| {
                let message =
                    format!("The query parameter 'deployment' is invalid. Reason: {reason}");
                Problem::new(StatusCode::BAD_REQUEST, message)
            })?)
        }
    };
    control(&admin, id, move |request, id| Command::Resume { request, id, deployment }).await
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
