//! The operator's API: registration, services, control of invocations, waits.
//!
//! | route | module |
//! |---|---|
//! | `/health`, `/version`, `/cluster-health`, lists that are always empty | `simple` |
//! | `/metrics` | `metrics` |
//! | `/deployments…` | `deployments` |
//! | `/services…` | `services` |
//! | `/services/{service}/state` | `state` |
//! | `/services/{service}/openapi` | `openapi` |
//! | `/invocations/{id}…` | `invocations` |
//! | `/limits/rules…` | `rules` |
//! | `/query` | `query` |
//! | `/waits` | `wait_list` |
//! | `/waits/{invocation}/{wait}/…` | `wait_control` |
//!
//! Every route exists bare and under `/v2`, `/v3` and `/v4`.
//! - Owns: routes, statuses and bodies.
//! - Does not own: connections ([`crate::listener`]), what a request means (`crate::registry`, crate `engine`).
//! - Invariant: a 2xx answer to a change is given only after the change is durable.

mod access;
mod deployments;
mod invocations;
mod metrics;
mod openapi;
mod problem;
mod query;
mod reading;
mod rules;
mod services;
mod simple;
mod state;
mod wait_control;
mod wait_list;
mod wait_merge;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{any, delete, get, patch, post, put},
};
use reveille_store::Store;

pub use self::{access::AdminAccess, query::Queries};

use self::access::Operators;
use crate::{
    limits,
    listener::{self, Listener},
    partition::Partitions,
    registry::Registry,
};

/// What the API needs of the server.
#[derive(Clone)]
pub struct Admin {
    /// Deployments and services.
    pub registry: Registry,
    /// Invocations.
    pub partitions: Partitions,
    /// For its sizes, and to read what is committed.
    pub store: Arc<dyn Store>,
    /// Where callers connect, as a URI with a slash at the end.
    pub ingress_endpoint: String,
    /// What queries need.
    pub queries: Queries,
}

/// Serves the API on a listener until `shutdown` is ready and open requests are answered.
pub async fn serve(
    listener: Listener,
    admin: Admin,
    access: AdminAccess,
    shutdown: impl Future<Output = ()>,
) {
    let operators = Operators { router: router(admin), access };
    listener::serve(listener, operators, shutdown).await;
}

/// Makes the routes.
pub fn router(admin: Admin) -> Router {
    let routes = routes();
    Router::new()
        .merge(routes.clone())
        .nest("/v2", routes.clone())
        .nest("/v3", routes.clone())
        .nest("/v4", routes)
        .route("/v1", any(simple::unsupported_version))
        .route("/v1/{*rest}", any(simple::unsupported_version))
        .layer(DefaultBodyLimit::max(limits::ADMIN_BODY_BYTES))
        .with_state(admin)
}

fn routes() -> Router<Admin> {
    Router::new()
        .route("/health", get(simple::health))
        .route("/metrics", get(metrics::page))
        .route("/version", get(simple::version))
        .route("/cluster-health", get(simple::cluster_health))
        .route("/subscriptions", get(simple::subscriptions))
        .route("/kafka-clusters", get(simple::kafka_clusters))
        .route("/deployments", get(deployments::list).post(deployments::register))
        .route(
            "/deployments/{deployment}",
            get(deployments::one).patch(deployments::update).delete(deployments::remove),
        )
        .route("/services", get(services::list))
        .route("/services/{service}", get(services::one).patch(services::patch))
        .route("/services/{service}/state", get(state::read).post(state::replace))
        .route("/services/{service}/openapi", get(openapi::service))
        .route("/services/{service}/handlers", get(services::handlers))
        .route("/services/{service}/handlers/{handler}", get(services::handler))
        .route("/invocations/{invocation}", delete(invocations::delete))
        .route("/invocations/{invocation}/cancel", patch(invocations::cancel))
        .route("/invocations/{invocation}/kill", patch(invocations::kill))
        .route("/invocations/{invocation}/pause", patch(invocations::pause))
        .route("/invocations/{invocation}/resume", patch(invocations::resume))
        .route("/invocations/{invocation}/restart-as-new", patch(invocations::restart_as_new))
        .route("/invocations/{invocation}/purge", patch(invocations::purge))
        .route("/invocations/{invocation}/purge-journal", patch(invocations::purge_journal))
        .route("/limits/rules", put(rules::put).get(rules::list))
        .route("/limits/rules/bulk-delete", post(rules::delete))
        .route("/query", post(query::query))
        .route("/waits", get(wait_list::list))
        .route("/waits/{invocation}/{wait}/resolve", post(wait_control::resolve))
        .route("/waits/{invocation}/{wait}/reject", post(wait_control::reject))
        .route("/waits/{invocation}/{wait}/replace", post(wait_control::replace))
}
