//! `/services`: the latest revision of every service.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;

use super::{Admin, problem::Problem};
use crate::registry::{HandlerView, ServicePatch, ServiceView};

/// The answer to `GET /services`.
#[derive(Serialize)]
pub(super) struct Services {
    services: Vec<ServiceView>,
}

/// The answer to `GET /services/{service}/handlers`.
#[derive(Serialize)]
pub(super) struct Handlers {
    handlers: Vec<HandlerView>,
}

/// `GET /services`.
pub(super) async fn list(State(admin): State<Admin>) -> Json<Services> {
    Json(Services { services: admin.registry.services() })
}

/// `GET /services/{service}`.
pub(super) async fn one(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<ServiceView>, Problem> {
    find(&admin, &service).map(Json)
}

/// `PATCH /services/{service}`: other options for the latest revision.
pub(super) async fn patch(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Json(change): Json<ServicePatch>,
) -> Result<Json<ServiceView>, Problem> {
    Ok(Json(admin.registry.patch_service(service, change).await?))
}

/// `GET /services/{service}/handlers`.
pub(super) async fn handlers(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<Handlers>, Problem> {
    Ok(Json(Handlers { handlers: find(&admin, &service)?.handlers }))
}

/// `GET /services/{service}/handlers/{handler}`.
pub(super) async fn handler(
    State(admin): State<Admin>,
    Path((service, handler)): Path<(String, String)>,
) -> Result<Json<HandlerView>, Problem> {
    let found = find(&admin, &service)?.handlers.into_iter().find(|found| found.name == handler);
    found.map(Json).ok_or_else(|| {
        Problem::not_found(format!(
            "The requested handler '{handler}' on service '{service}' does not exist"
        ))
    })
}

fn find(admin: &Admin, service: &str) -> Result<ServiceView, Problem> {
    admin.registry.service(service).ok_or_else(|| {
        Problem::not_found(format!("The requested service '{service}' does not exist"))
    })
}
