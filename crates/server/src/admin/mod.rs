//! The operator's API: registration, services, control of invocations, waits.
//!
//! | route | module |
//! |---|---|
//! | `/health`, `/version`, `/cluster-health` | `simple` |
//! | `/metrics` | `metrics` |
//! | `/deployments…` | `deployments` |
//! | `/services…` | `services` |
//! | `/services/{service}/state` | `state` |
//! | `/openapi`, `/services/{service}/openapi` | `openapi` |
//! | `/invocations/{id}…` | `invocations` |
//! | `/limits/rules…` | `rules` |
//! | `/subscriptions…`, `/kafka-clusters…` | `kafka` |
//! | `/query` | `query` |
//! | `/waits` | `wait_list` |
//! | `/waits/{invocation}/{wait}/…` | `wait_control` |
//! | `/promises/{workflow}/{key}/{promise}/…` | `promises` |
//!
//! Each of them is a row ([`route`]) of one [`table`], which the router and the document are made of.
//! Every route exists bare and under `/v2`, `/v3` and `/v4`.
//! - Owns: routes, statuses and bodies.
//! - Does not own: connections ([`crate::listener`]), what a request means (`crate::registry`, crate `engine`).
//! - Invariant: a 2xx answer to a change is given only after the change is durable.

mod access;
mod deployments;
mod document;
mod invocations;
mod kafka;
mod metrics;
mod openapi;
mod problem;
mod promises;
mod query;
mod reading;
mod route;
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
    body::{Body, Bytes},
    extract::DefaultBodyLimit,
    http::{Request, Response},
    routing::any,
};
use reveille_store::Store;
use tower_service::Service as _;

pub use self::{access::AdminAccess, query::Queries};

use self::{access::Operators, route::Route};
use crate::{
    kafka::Statuses,
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
    /// What holds up subscriptions.
    pub statuses: Statuses,
}

/// The API for callers within the process: no socket, no token. Clones share it.
#[derive(Clone)]
pub struct LocalAdmin {
    router: Router,
}

impl LocalAdmin {
    /// Makes it. It answers 503 once the engine has stopped.
    pub fn new(admin: Admin) -> LocalAdmin {
        LocalAdmin { router: router(admin) }
    }

    /// Answers a request as it would be answered over HTTP, and collects the answer.
    ///
    /// # Errors
    ///
    /// When the answer breaks off, as that of a query can.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, axum::Error> {
        let response = match self.router.clone().call(request.map(Body::from)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await?;
        Ok(Response::from_parts(parts, body))
    }
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
    let routes = table().into_iter().fold(Router::new(), |router, route| route.add_to(router));
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

/// The table of routes, by file. A file that is missing here is neither served nor described.
fn table() -> Vec<Route> {
    [
        simple::routes(),
        metrics::routes(),
        openapi::routes(),
        deployments::routes(),
        services::routes(),
        state::routes(),
        invocations::routes(),
        wait_list::routes(),
        wait_control::routes(),
        promises::routes(),
        rules::routes(),
        kafka::routes(),
        query::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
