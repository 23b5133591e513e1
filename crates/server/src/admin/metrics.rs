//! `GET /metrics`: what the server counts, for Prometheus.

use axum::{
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use super::Admin;
use crate::metrics::{self, Scrape};

/// Writes the page on a thread that may block.
pub(super) async fn page(State(admin): State<Admin>) -> Response {
    let scrape = Scrape { partitions: admin.partitions, store: admin.store };
    match tokio::task::spawn_blocking(move || scrape.page()).await {
        Ok(Ok(page)) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response(),
        _ => {
            tracing::error!("the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
