//! `/deployments`: registering, listing and removing deployments.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderName, StatusCode, header::LOCATION},
};
use reveille_protocol::id::DeploymentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admin, problem::Problem, route::Route};
use crate::registry::{
    DeploymentView, RegisterDeployment, Registered, ServiceRevision, ServiceView, UpdateDeployment,
};

const DEPLOYMENT: &str = "Id of a deployment, `dp_…`.";
const BAD_ID: &str = "The id does not parse.";
const NO_DEPLOYMENT: &str = "There is no such deployment.";

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/deployments", "list_deployments", list)
            .says("deployment", "Lists all deployments")
            .answer::<List>(200, "All of them, with the revisions of what they serve."),
        Route::post("/deployments", "create_deployment", register)
            .says("deployment", "Discovers and registers a deployment")
            .body::<RegisterDeployment>()
            .answer::<Registration>(200, "The address was known.")
            .answer::<Registration>(201, "It is new; header `location` names it.")
            .problem(400, "What it announces is not supported, or there are too many deployments.")
            .problem(409, "What it announces conflicts with what is registered.")
            .problem(500, "It cannot be discovered.")
            .stored(),
        Route::get("/deployments/{deployment}", "get_deployment", one)
            .says("deployment", "Shows a deployment with everything it serves")
            .path("deployment", DEPLOYMENT)
            .answer::<DeploymentView>(200, "The deployment.")
            .text(400, BAD_ID)
            .problem(404, NO_DEPLOYMENT),
        Route::patch("/deployments/{deployment}", "update_deployment", update)
            .says("deployment", "Changes how a deployment is reached, and discovers it again")
            .path("deployment", DEPLOYMENT)
            .body::<UpdateDeployment>()
            .answer::<DeploymentView>(200, "The deployment as it is now.")
            .text(400, BAD_ID)
            .problem(400, "What it announces is not supported.")
            .problem(404, NO_DEPLOYMENT)
            .problem(409, "It lacks what has started there, or another one has the address.")
            .problem(500, "It cannot be discovered.")
            .stored(),
        Route::delete("/deployments/{deployment}", "delete_deployment", remove)
            .says("deployment", "Removes a deployment that nothing needs")
            .path("deployment", DEPLOYMENT)
            .query::<Removal>()
            .empty(202, "It is removed.")
            .text(400, BAD_ID)
            .problem(404, NO_DEPLOYMENT)
            .problem(409, "New or running invocations need it, and the removal is not forced.")
            .stored(),
    ]
}

/// A registered deployment.
#[derive(Serialize, JsonSchema)]
struct Registration {
    /// Its id.
    id: String,
    /// What it serves.
    services: Vec<ServiceView>,
    /// Lowest protocol version of the deployment.
    min_protocol_version: u32,
    /// Highest protocol version of the deployment.
    max_protocol_version: u32,
    /// Name and version of its SDK, if it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_version: Option<String>,
}

/// Deployments.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Deployments")]
struct List {
    /// In order of id.
    deployments: Vec<DeploymentView<ServiceRevision>>,
}

/// The query of a removal.
#[derive(Deserialize, JsonSchema)]
struct Removal {
    /// True to remove it although invocations need it; they fail then.
    force: Option<bool>,
}

/// `POST /deployments`: 201 for a new address, 200 for a known one.
async fn register(
    State(admin): State<Admin>,
    Json(request): Json<RegisterDeployment>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Registration>), Problem> {
    let (registered, view) = admin.registry.register(request).await?;
    let status = match registered {
        Registered::Created => StatusCode::CREATED,
        Registered::Existing => StatusCode::OK,
    };
    let location = format!("deployments/{}", view.id);
    let body = Registration {
        id: view.id,
        services: view.services,
        min_protocol_version: view.min_protocol_version,
        max_protocol_version: view.max_protocol_version,
        sdk_version: view.sdk_version,
    };
    Ok((status, [(LOCATION, location)], Json(body)))
}

/// `GET /deployments`.
async fn list(State(admin): State<Admin>) -> Json<List> {
    Json(List { deployments: admin.registry.list() })
}

/// `GET /deployments/{id}`.
async fn one(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<DeploymentView>, Problem> {
    let id = parse_id(&id)?;
    admin.registry.get(id).map(Json).ok_or_else(|| {
        Problem::not_found(format!("The requested deployment '{id}' does not exist"))
    })
}

/// `PATCH /deployments/{id}`: another address, other headers.
async fn update(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Json(change): Json<UpdateDeployment>,
) -> Result<Json<DeploymentView>, Problem> {
    Ok(Json(admin.registry.update(parse_id(&id)?, change).await?))
}

/// `DELETE /deployments/{id}`: 202 when nothing needs it or with `?force=true`, else 409.
async fn remove(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(removal): Query<Removal>,
) -> Result<StatusCode, Problem> {
    admin.registry.remove(parse_id(&id)?, removal.force.unwrap_or(false)).await?;
    Ok(StatusCode::ACCEPTED)
}

fn parse_id(id: &str) -> Result<DeploymentId, Problem> {
    id.parse::<DeploymentId>().map_err(|reason| {
        Problem::unparsable(format!(
            "Invalid URL: Cannot parse `deployment` with value `{id}`: {reason}"
        ))
    })
}
