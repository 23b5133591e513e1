//! `/deployments`: registering, listing and removing deployments.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderName, StatusCode, header::LOCATION},
};
use reveille_protocol::id::DeploymentId;
use serde::{Deserialize, Serialize};

use super::{Admin, problem::Problem};
use crate::registry::{
    DeploymentView, RegisterDeployment, Registered, ServiceRevision, ServiceView, UpdateDeployment,
};

/// The answer to a registration.
#[derive(Serialize)]
pub(super) struct Registration {
    id: String,
    services: Vec<ServiceView>,
    min_protocol_version: u32,
    max_protocol_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_version: Option<String>,
}

/// The answer to `GET /deployments`.
#[derive(Serialize)]
pub(super) struct List {
    deployments: Vec<DeploymentView<ServiceRevision>>,
}

/// The query of a removal.
#[derive(Deserialize)]
pub(super) struct Removal {
    force: Option<bool>,
}

/// `POST /deployments`: 201 for a new address, 200 for a known one.
pub(super) async fn register(
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
pub(super) async fn list(State(admin): State<Admin>) -> Json<List> {
    Json(List { deployments: admin.registry.list() })
}

/// `GET /deployments/{id}`.
pub(super) async fn one(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<DeploymentView>, Problem> {
    let id = parse_id(&id)?;
    admin.registry.get(id).map(Json).ok_or_else(|| {
        Problem::not_found(format!("The requested deployment '{id}' does not exist"))
    })
}

/// `PATCH /deployments/{id}`: another address, other headers.
pub(super) async fn update(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Json(change): Json<UpdateDeployment>,
) -> Result<Json<DeploymentView>, Problem> {
    Ok(Json(admin.registry.update(parse_id(&id)?, change).await?))
}

/// `DELETE /deployments/{id}`: 202 when nothing needs it or with `?force=true`, else 409.
pub(super) async fn remove(
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
