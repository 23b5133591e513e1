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
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admin, problem::Problem, route::Route};
use crate::ingress::random::placement_and_random;

/// Makes the command of a verb.
type Verb = fn(RequestId, InvocationId) -> Command;

const CANCEL: Verb = |request, id| Command::Cancel { request, id };
const KILL: Verb = |request, id| Command::Kill { request, id };
const PAUSE: Verb = |request, id| Command::Pause { request, id };
const PURGE: Verb = |request, id| Command::Purge { request, id };
const PURGE_JOURNAL: Verb = |request, id| Command::PurgeJournal { request, id };

/// What the part `{invocation_id}` of a path means.
pub(super) const INVOCATION: &str = "Id of an invocation, `inv_…`.";

/// Why a path with that part is answered with 400.
pub(super) const BAD_INVOCATION: &str = "The id of the invocation does not parse.";

const NO_INVOCATION: &str = "There is no such invocation.";

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::patch("/invocations/{invocation_id}/cancel", "cancel_invocation", cancel)
            .controls("Cancels an invocation: what it waits for fails, and it can clean up")
            .empty(200, "It is cancelled.")
            .empty(202, "Its handler will see it.")
            .problem(409, "It is completed."),
        Route::patch("/invocations/{invocation_id}/kill", "kill_invocation", kill)
            .controls("Ends an invocation at once, without its handler")
            .empty(200, "It is completed, as a failure.")
            .problem(409, "It was completed before."),
        Route::patch("/invocations/{invocation_id}/pause", "pause_invocation", pause)
            .controls("Stops an invocation until it is resumed")
            .empty(200, "It stands still.")
            .empty(202, "It will stop at its next suspension.")
            .problem(409, "It is not running."),
        Route::patch("/invocations/{invocation_id}/resume", "resume_invocation", resume)
            .controls("Lets a paused or failing invocation go on at once")
            .query::<Resume>()
            .empty(200, "It goes on.")
            .problem(400, "The deployment does not parse, or cannot run it.")
            .problem(409, "It is completed.")
            .problem(425, "It has not started yet."),
        Route::patch(
            "/invocations/{invocation_id}/restart-as-new",
            "restart_as_new_invocation",
            restart_as_new,
        )
        .controls("Runs a completed invocation again, as a new one")
        .query::<Restart>()
        .answer::<Restarted>(200, "The new invocation.")
        .problem(400, "The deployment or the entry to start from cannot be taken.")
        .problem(409, "It is still running.")
        .problem(410, "Its journal is gone.")
        .problem(422, "Workflow runs cannot be restarted.")
        .problem(425, "It has not started yet."),
        Route::patch("/invocations/{invocation_id}/purge", "purge_invocation", purge)
            .controls(
                "Forgets a completed invocation: result, journal, of a workflow run its state",
            )
            .empty(200, "It is forgotten.")
            .problem(409, "It is not completed."),
        Route::patch("/invocations/{invocation_id}/purge-journal", "purge_journal", purge_journal)
            .controls("Forgets the journal of a completed invocation, and keeps its result")
            .empty(200, "The journal is gone.")
            .problem(409, "It is not completed."),
        Route::delete("/invocations/{invocation_id}", "delete_invocation", delete)
            .says("invocation", "Cancels, kills or purges an invocation: the older form")
            .path("invocation_id", INVOCATION)
            .query::<Delete>()
            .empty(202, "It was asked for, whatever becomes of it.")
            .problem(400, BAD_INVOCATION)
            .problem(503, "The server is stopping; try again."),
    ]
}

impl Route {
    /// Says what it does to an invocation, and what all of these answer.
    fn controls(self, summary: &'static str) -> Route {
        self.says("invocation", summary)
            .path("invocation_id", INVOCATION)
            .problem(400, BAD_INVOCATION)
            .problem(404, NO_INVOCATION)
            .problem(500, "An error of the server, see its log.")
            .problem(503, "The server is stopping; try again.")
    }
}

/// The query of `resume`.
#[derive(Deserialize, JsonSchema)]
struct Resume {
    /// On which deployment: `keep`, `latest` or an id; `keep` when nothing is said.
    deployment: Option<String>,
}

/// The query of `restart-as-new`.
#[derive(Deserialize, JsonSchema)]
struct Restart {
    /// Index of the last entry of the journal to keep; 0, the input alone, when nothing is said.
    from: Option<u32>,
    /// On which deployment: `keep`, `latest` or an id; `latest` when nothing is said.
    deployment: Option<String>,
}

/// A restarted invocation.
#[derive(Serialize, JsonSchema)]
struct Restarted {
    /// Id of the new invocation.
    new_invocation_id: String,
}

/// The query of `DELETE /invocations/{id}`.
#[derive(Deserialize, JsonSchema)]
struct Delete {
    /// What to do; `cancel` when nothing is said.
    #[schemars(extend("enum" = ["cancel", "kill", "purge"]))]
    mode: Option<String>,
}

/// `PATCH /invocations/{id}/cancel`: 202 when the handler will see it, 200 when it is done.
async fn cancel(State(admin): State<Admin>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, CANCEL).await
}

/// `PATCH /invocations/{id}/kill`.
async fn kill(State(admin): State<Admin>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, KILL).await
}

/// `PATCH /invocations/{id}/pause`: 202 when it will stop, 200 when it stands still anyway.
async fn pause(State(admin): State<Admin>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, PAUSE).await
}

/// `PATCH /invocations/{id}/resume?deployment=keep|latest|dp_…`, `keep` when nothing is said.
async fn resume(
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
async fn restart_as_new(
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
async fn purge(State(admin): State<Admin>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, PURGE).await
}

/// `PATCH /invocations/{id}/purge-journal`: the result stays.
async fn purge_journal(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    control(&admin, parse_id(&id)?, PURGE_JOURNAL).await
}

/// `DELETE /invocations/{id}?mode=cancel|kill|purge`: the older form, 202 whatever becomes of it.
async fn delete(
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
        | Reply::Taken { .. }
        | Reply::TakenTooEarly { .. }
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
