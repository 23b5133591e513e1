//! Registration of deployments, with work that waits meanwhile.

use serde_json::{Value, json};

use super::cluster;
use crate::harness::{Cluster, free_port};

#[tokio::test]
async fn registration() {
    let cluster = cluster().await;
    let uri = format!("http://127.0.0.1:{}", cluster.ports.service);
    let post = async |body: Value| cluster.admin.post("/deployments").json(body).send().await;

    let known = post(json!({"uri": uri})).await.expect(200).json();
    let id = known["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("dp_1") && id.len() == 26, "{id}");
    check_services(&known);

    // The same deployment, whether asked by its URI or with a query and a slash behind it.
    let again = post(json!({"uri": format!("{uri}/?a=b")})).await.expect(200).json();
    assert_eq!(again["id"], known["id"]);

    let forced = post(json!({"uri": uri, "force": true})).await.expect(200).json();
    assert_eq!(forced["id"], known["id"]);
    assert_eq!(revision(&forced), revision(&known) + 1);

    let list = cluster.admin.get("/deployments").send().await.expect(200).json();
    assert_eq!(list["deployments"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["deployments"][0]["uri"], format!("{uri}/"));
    assert_eq!(list["deployments"][0]["protocol_type"], "BidiStream");

    let health = cluster.ingress.get("/restate/health").send().await.expect(200).json();
    let services = health["services"].as_array().expect("a list");
    assert!(services.contains(&json!("approval")), "{health}");

    // A second address of the same programs: first dry, then real; old work stays where it is.
    let other = format!("http://localhost:{}", cluster.ports.service);
    let dry = post(json!({"uri": other, "dry_run": true})).await.expect(201).json();
    assert_eq!(revision(&dry), revision(&forced) + 1);
    let list = cluster.admin.get("/deployments").send().await.expect(200).json();
    assert_eq!(list["deployments"].as_array().map(Vec::len), Some(1), "{list}");
    let (invocation, wait) = cluster.ask("approval/ask", "registration").await;
    let created = post(json!({"uri": other})).await.expect(201);
    assert_eq!(revision(&created.json()), revision(&forced) + 1);
    let new_id = created.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(created.header("location"), format!("deployments/{new_id}"));
    cluster.resolve(&wait, "pinned").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "pinned");
}

fn check_services(deployment: &Value) {
    let services = deployment["services"].as_array().expect("services");
    let service = |name: &str| {
        services.iter().find(|service| service["name"] == name).unwrap_or_else(|| panic!("{name}"))
    };
    assert_eq!(service("approval")["ty"], "Service");
    assert_eq!(service("account")["ty"], "VirtualObject");
    assert_eq!(service("reviewWorkflow")["ty"], "Workflow");
    assert_eq!(service("reviewWorkflow")["workflow_completion_retention"], "1d");
    assert_eq!(service("archive")["enable_lazy_state"], true);
    assert_eq!(deployment["min_protocol_version"], 5);
    assert_eq!(deployment["max_protocol_version"], 7);
    assert_eq!(deployment["sdk_version"], "restate-sdk-typescript/1.17.2");
}

fn revision(deployment: &Value) -> u64 {
    let services = deployment["services"].as_array().expect("services");
    let service = services.iter().find(|service| service["name"] == "approval");
    service.expect("the approval service")["revision"].as_u64().expect("a revision")
}

#[tokio::test]
async fn unreachable_deployment_is_not_registered() {
    let cluster = cluster().await;
    let uri = format!("http://127.0.0.1:{}/", free_port());
    let answer = refuse(&cluster, json!({"uri": uri})).await;
    assert_eq!(answer["restate_code"], "META0003");
    let message = answer["message"].as_str().expect("a message");
    assert!(message.contains(&uri), "{message}");

    // The service speaks HTTP/2 only, the ingress of the server is no deployment at all.
    let uri = format!("http://127.0.0.1:{}", cluster.ports.service);
    refuse(&cluster, json!({"uri": format!("{uri}/elsewhere"), "use_http_11": true})).await;
    refuse(&cluster, json!({"uri": format!("http://127.0.0.1:{}", cluster.ports.ingress)})).await;
}

async fn refuse(cluster: &Cluster, body: Value) -> Value {
    let answer = cluster.admin.post("/deployments").json(body).send().await.expect(500).json();
    let list = cluster.admin.get("/deployments").send().await.expect(200).json();
    assert_eq!(list["deployments"].as_array().map(Vec::len), Some(1), "{list}");
    answer
}
