//! Routes that answer from what the server knows at once.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::Admin;

const API_VERSION_MIN: u32 = 2;
const API_VERSION_MAX: u32 = 4;

/// The answer to `GET /version`.
#[derive(Serialize)]
pub(super) struct Version {
    version: &'static str,
    min_admin_api_version: u32,
    max_admin_api_version: u32,
    ingress_endpoint: String,
    features: BTreeMap<&'static str, bool>,
}

/// `GET /health`: the process answers.
pub(super) async fn health() {}

/// `GET /version`: what clients check before anything else.
pub(super) async fn version(State(admin): State<Admin>) -> Json<Version> {
    let features = BTreeMap::from([
        ("protocol_v7", admin.registry.config().protocol_version_max >= 7),
        ("vqueues", false),
        ("kafka_scope", false),
        ("scoped_virtual_objects", true),
        ("invoker_yield", false),
        ("unique_random_seeds", false),
    ]);
    Json(Version {
        version: env!("CARGO_PKG_VERSION"),
        min_admin_api_version: API_VERSION_MIN,
        max_admin_api_version: API_VERSION_MAX,
        ingress_endpoint: admin.ingress_endpoint,
        features,
    })
}

/// `GET /cluster-health`: one node, which is well if it answers.
pub(super) async fn cluster_health() -> Json<Value> {
    Json(json!({
        "cluster_name": "localcluster",
        "metadata_cluster_health": { "members": [1] },
    }))
}

/// `GET /subscriptions`: there are none.
pub(super) async fn subscriptions() -> Json<Value> {
    Json(json!({ "subscriptions": [] }))
}

/// `GET /kafka-clusters`: there are none.
pub(super) async fn kafka_clusters() -> Json<Value> {
    Json(json!({ "clusters": [] }))
}

/// `/v1/…`: clients that old are told so.
pub(super) async fn unsupported_version() -> Response {
    let text = format!(
        "Unsupported Admin API version V1. This server supports versions between \
         V{API_VERSION_MIN} and V{API_VERSION_MAX}."
    );
    (StatusCode::BAD_REQUEST, text).into_response()
}
