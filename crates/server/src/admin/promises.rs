//! `/promises/{workflow}/{key}/{promise}/…`: an administrator completes a durable promise by its name,
//! as a shared handler of the workflow could: before the run begins, while it runs, and after it.
//!
//! - Owns: which names are let through.
//! - Does not own: bodies and receipts ([`super::wait_control`]), who decided (crate `engine`).
//! - Invariant: a promise is completed only where handlers of a workflow can read it.

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use reveille_engine::{
    command::{Outcome, PromiseTarget, WaitTarget},
    effect::Verb,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Admin,
    problem::Problem,
    route::Route,
    services::{NO_SERVICE, SERVICE},
    state::{check_name, check_scope},
    wait_control::{self, completion},
};

/// The query of a completion.
#[derive(Deserialize, JsonSchema)]
struct Within {
    /// The scope of the workflow, if it is in one.
    scope: Option<String>,
}

/// The parts of the path: workflow, key, promise.
type Names = Path<(String, String, String)>;

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/promises/{service}/{key}/{promise}/resolve", "resolve_promise", resolve)
            .completes_a_promise("Completes a promise of a workflow with a value", "The value."),
        Route::post("/promises/{service}/{key}/{promise}/reject", "reject_promise", reject)
            .completes_a_promise(
                "Completes a promise of a workflow with a failure",
                "The message of the failure.",
            ),
    ]
}

impl Route {
    /// Says what it does to a promise, and what both of these take and answer.
    fn completes_a_promise(self, summary: &'static str, body: &'static str) -> Route {
        self.says("promise", summary)
            .path("service", SERVICE)
            .path("key", "Key of the workflow, percent-encoded.")
            .path("promise", "Name of the promise, percent-encoded.")
            .query::<Within>()
            .bytes(body)
            .receipts()
            .problem(400, "It is no workflow, or a name or the scope is malformed.")
            .problem(400, "The content type is JSON and the body is not.")
            .problem(404, NO_SERVICE)
    }
}

/// `POST …/resolve`: the body is the value.
async fn resolve(
    State(admin): State<Admin>,
    names: Names,
    within: Query<Within>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    complete(&admin, names, within, completion(Verb::Resolve, &headers, body)?).await
}

/// `POST …/reject`: the body is the message of the failure.
async fn reject(
    State(admin): State<Admin>,
    names: Names,
    within: Query<Within>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    complete(&admin, names, within, completion(Verb::Reject, &headers, body)?).await
}

async fn complete(
    admin: &Admin,
    Path((service, key, name)): Names,
    Query(Within { scope }): Query<Within>,
    completion: Outcome,
) -> Result<Response, Problem> {
    check_workflow(admin, &service)?;
    check_name("key", &key)?;
    check_name("promise", &name)?;
    let scope = check_scope(scope)?;
    let promise = PromiseTarget { scope, service, key, name: name.clone() };
    let wait = WaitTarget::Promise(Box::new(promise));
    wait_control::complete(admin, wait, name, None, completion).await
}

fn check_workflow(admin: &Admin, service: &str) -> Result<(), Problem> {
    let found = admin.registry.service(service).ok_or_else(|| {
        Problem::not_found(format!("The requested service '{service}' does not exist"))
    })?;
    if found.ty != "Workflow" {
        let text = format!(
            "'{service}' is no workflow, and only workflows have promises. \
             Its awakeables are resolved by their ids."
        );
        return Err(Problem::new(StatusCode::BAD_REQUEST, text));
    }
    Ok(())
}
