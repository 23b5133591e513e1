//! `/services`: the latest revision of every service.

use axum::{
    Json,
    extract::{Path, State},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Admin, problem::Problem, route::Route};
use crate::registry::{HandlerView, ServicePatch, ServiceView};

/// What the part `{service}` of a path means.
pub(super) const SERVICE: &str = "Name of a service.";

/// Why a path with that part is answered with 404.
pub(super) const NO_SERVICE: &str = "There is no such service.";

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/services", "list_services", list)
            .says("service", "Lists the latest revision of every service")
            .answer::<Services>(200, "All services."),
        Route::get("/services/{service}", "get_service", one)
            .says("service", "Shows the latest revision of a service")
            .path("service", SERVICE)
            .answer::<ServiceView>(200, "The service.")
            .problem(404, NO_SERVICE),
        Route::patch("/services/{service}", "modify_service", patch)
            .says("service", "Changes options of the latest revision of a service")
            .path("service", SERVICE)
            .body::<ServicePatch>()
            .answer::<ServiceView>(200, "The service as it is now.")
            .problem(400, "An option does not fit the type of the service.")
            .problem(404, NO_SERVICE)
            .stored(),
        Route::get("/services/{service}/handlers", "list_service_handlers", handlers)
            .says("service", "Lists the handlers of a service")
            .path("service", SERVICE)
            .answer::<Handlers>(200, "Its handlers.")
            .problem(404, NO_SERVICE),
        Route::get("/services/{service}/handlers/{handler}", "get_service_handler", handler)
            .says("service", "Shows one handler")
            .path("service", SERVICE)
            .path("handler", "Name of a handler.")
            .answer::<HandlerView>(200, "The handler.")
            .problem(404, "There is no such service or handler."),
    ]
}

/// Services.
#[derive(Serialize, JsonSchema)]
struct Services {
    /// In order of name.
    services: Vec<ServiceView>,
}

/// Handlers of a service.
#[derive(Serialize, JsonSchema)]
struct Handlers {
    /// In order of name.
    handlers: Vec<HandlerView>,
}

/// `GET /services`.
async fn list(State(admin): State<Admin>) -> Json<Services> {
    Json(Services { services: admin.registry.services() })
}

/// `GET /services/{service}`.
async fn one(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<ServiceView>, Problem> {
    find(&admin, &service).map(Json)
}

/// `PATCH /services/{service}`: other options for the latest revision.
async fn patch(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Json(change): Json<ServicePatch>,
) -> Result<Json<ServiceView>, Problem> {
    Ok(Json(admin.registry.patch_service(service, change).await?))
}

/// `GET /services/{service}/handlers`.
async fn handlers(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<Handlers>, Problem> {
    Ok(Json(Handlers { handlers: find(&admin, &service)?.handlers }))
}

/// `GET /services/{service}/handlers/{handler}`.
async fn handler(
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
