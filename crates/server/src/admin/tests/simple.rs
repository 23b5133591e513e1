//! Routes that need nothing else, prefixes and unknown paths.

use serde_json::json;

use super::Bench;

#[tokio::test]
async fn every_route_exists_bare_and_under_each_version() {
    let bench = Bench::start().await;
    for prefix in ["", "/v2", "/v3", "/v4"] {
        for (path, expected) in [
            ("/health", "200"),
            ("/subscriptions", r#"200 {"subscriptions":[]}"#),
            ("/kafka-clusters", r#"200 {"clusters":[]}"#),
            ("/deployments", r#"200 {"deployments":[]}"#),
            ("/services", r#"200 {"services":[]}"#),
            ("/waits", r#"200 {"waits":[],"next":null}"#),
        ] {
            assert_eq!(bench.get(&format!("{prefix}{path}")).await.line(), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn version_tells_what_clients_check() {
    let bench = Bench::start().await;
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "min_admin_api_version": 2,
        "max_admin_api_version": 4,
        "ingress_endpoint": "http://127.0.0.1:8080/",
        "features": {
            "protocol_v7": false, "vqueues": false, "kafka_scope": false,
            "scoped_virtual_objects": true, "invoker_yield": false, "unique_random_seeds": false,
        },
    });
    assert_eq!(bench.get("/version").await.json(), expected);
    let expected = json!({
        "cluster_name": "localcluster", "metadata_cluster_health": { "members": [1] },
    });
    assert_eq!(bench.get("/v4/cluster-health").await.json(), expected);
}

#[tokio::test]
async fn what_does_not_exist() {
    let bench = Bench::start().await;
    let old = "400 Unsupported Admin API version V1. This server supports versions between V2 and \
               V4.";
    for (method, path, expected) in [
        ("GET", "/v1", old),
        ("GET", "/v1/health", old),
        ("POST", "/v1/deployments", old),
        ("GET", "/v5/health", "404"),
        ("GET", "/nothing", "404"),
        ("GET", "/v2/nothing", "404"),
        ("GET", "/v2/v2/health", "404"),
        ("POST", "/health", "405"),
        ("PUT", "/deployments", "405"),
    ] {
        let answer = bench.send(method, path, "", "").await;
        assert_eq!(answer.line(), expected, "{method} {path}");
    }
    let answer = bench.get("/invocations/x/cancel").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "PATCH"));
}
