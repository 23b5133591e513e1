//! `GET /metrics`: what the server counts, for Prometheus.

use axum::{
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use super::{Admin, route::Route};
use crate::metrics::{self, Scrape};

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/metrics", "get_metrics", page)
            .says("metrics", "Shows what the server counts, for Prometheus")
            .content(
                200,
                metrics::CONTENT_TYPE,
                "Metrics as text, which `docs/observability.md` lists.",
            )
            .empty(500, "The page cannot be written, see the log."),
    ]
}

/// Writes the page on a thread that may block.
async fn page(State(admin): State<Admin>) -> Response {
    let scrape = Scrape { partitions: admin.partitions, store: admin.store };
    match tokio::task::spawn_blocking(move || scrape.page()).await {
        Ok(Ok(page)) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response(),
        _ => {
            tracing::error!("the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
