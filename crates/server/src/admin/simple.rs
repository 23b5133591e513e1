//! Routes that answer from what the server knows at once.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Admin, route::Route};

const API_VERSION_MIN: u32 = 2;
const API_VERSION_MAX: u32 = 4;

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/health", "health", health)
            .says("server", "Tells whether the server answers")
            .open()
            .empty(200, "It does."),
        Route::get("/version", "version", version)
            .says("server", "Tells the version of the server and of this API")
            .answer::<Version>(200, "The versions."),
        Route::get("/cluster-health", "cluster_health", cluster_health)
            .says("server", "Tells which nodes there are: this one")
            .answer::<ClusterHealth>(200, "The nodes."),
    ]
}

/// What clients check before anything else.
#[derive(Serialize, JsonSchema)]
struct Version {
    /// Version of the server.
    version: &'static str,
    /// Oldest version of this API.
    min_admin_api_version: u32,
    /// Newest version of this API.
    max_admin_api_version: u32,
    /// Where callers connect, as a URI.
    ingress_endpoint: String,
    /// What is switched on, by name.
    features: BTreeMap<&'static str, bool>,
}

/// The nodes.
#[derive(Serialize, JsonSchema)]
struct ClusterHealth {
    /// Name of the cluster.
    cluster_name: &'static str,
    /// The nodes that hold its metadata.
    metadata_cluster_health: Members,
}

/// Nodes of a cluster.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Members {
    /// Their numbers.
    members: [u32; 1],
}

/// `GET /health`: the process answers.
async fn health() {}

/// `GET /version`: what clients check before anything else.
async fn version(State(admin): State<Admin>) -> Json<Version> {
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
async fn cluster_health() -> Json<ClusterHealth> {
    let metadata_cluster_health = Members { members: [1] };
    Json(ClusterHealth { cluster_name: "localcluster", metadata_cluster_health })
}

/// `/v1/…`: clients that old are told so.
pub(super) async fn unsupported_version() -> Response {
    let text = format!(
        "Unsupported Admin API version V1. This server supports versions between \
         V{API_VERSION_MIN} and V{API_VERSION_MAX}."
    );
    (StatusCode::BAD_REQUEST, text).into_response()
}
