//! Deployments that are Lambda functions: registration, roles, failures, and that secrets stay secret.

use serde_json::json;

use super::harness::{Cluster, LAMBDA_ARN, LAMBDA_SECRET, Mode, Setup};

const ROLE: &str = "arn:aws:iam::123456789012:role/invoker";

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:eu-central-1:123456789012:function:{function}")
}

#[tokio::test]
async fn a_function_is_shown_by_its_arn() {
    let cluster = Cluster::start(Setup::new(Mode::Lambda, 7)).await;
    let list = cluster.admin.get("/deployments").send().await.expect(200).json();
    let shown = &list["deployments"][0];
    assert_eq!(shown["arn"], LAMBDA_ARN);
    assert_eq!(shown["protocol_type"], "RequestResponse");
    assert!(shown.get("uri").is_none() && shown.get("assume_role_arn").is_none(), "{shown}");
    let again = cluster.register().await.expect(200).json();
    assert_eq!(again["id"], shown["id"]);
    let rows = cluster.admin.post("/query").header("accept", "application/json");
    let rows = rows.json(json!({"query": "select ty, endpoint from sys_deployment"})).send().await;
    assert_eq!(rows.json()["rows"], json!([{"ty": "lambda", "endpoint": LAMBDA_ARN}]));
}

#[tokio::test]
async fn a_role_is_taken_on() {
    let cluster = Cluster::stopped(Setup::new(Mode::Lambda, 7));
    cluster.start_server().await;
    cluster.start_service().await;
    let body = json!({"arn": arn("greeter:private")});
    let refused = cluster.admin.post("/deployments").json(body).send().await.expect(500).json();
    let message = refused["message"].as_str().expect("a message");
    assert!(message.contains("not allowed to invoke it"), "{message}");
    let body = json!({"arn": arn("greeter:private"), "assume_role_arn": ROLE});
    let created = cluster.admin.post("/deployments").json(body).send().await.expect(201).json();
    let path = format!("/deployments/{}", created["id"].as_str().expect("an id"));
    let shown = cluster.admin.get(&path).send().await.expect(200).json();
    assert_eq!(shown["assume_role_arn"], ROLE);
    let (invocation, wait) = cluster.ask("approval/ask", "role").await;
    cluster.resolve(&wait, "granted").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "granted");
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_secrets() {
    let cluster =
        Cluster::start(Setup::new(Mode::Lambda, 7).env("REVEILLE_LOG_FILTER", "trace")).await;
    let rows = [
        (json!({"arn": "arn:aws:s3:::bucket"}), 422, "is not the ARN of a Lambda function"),
        (json!({"arn": arn("greeter")}), 422, "names no version"),
        (
            json!({"arn": arn("greeter:1"), "assume_role_arn": "me"}),
            422,
            "is not the ARN of a role",
        ),
        (json!({"arn": arn("greeter:1"), "uri": "http://localhost:1"}), 422, "exclude each other"),
        (json!({"uri": "http://localhost:1", "assume_role_arn": ROLE}), 422, "belongs to an `arn`"),
        (json!({}), 422, "missing field `uri`"),
        (
            json!({"uri": "lambda://eu-central-1/1/greeter:1/"}),
            422,
            "are called over http or https",
        ),
        (json!({"arn": arn("broken:1")}), 500, "the function failed: {\\\"errorMessage\\\""),
        (json!({"arn": arn("nosuch:1")}), 500, "Lambda answered 404"),
        (
            json!({"arn": arn("greeter:2"), "assume_role_arn": ROLE.replace("invoker", "other")}),
            500,
            "cannot be taken on: 403",
        ),
    ];
    for (body, status, part) in rows {
        let answer = cluster.admin.post("/deployments").json(body.clone()).send().await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.text().contains(part), "{body}: {}", answer.text());
        assert!(!answer.text().contains(LAMBDA_SECRET), "{}", answer.text());
    }
    let logs = cluster.logs();
    for secret in [LAMBDA_SECRET, "role-secret", "role-token"] {
        assert!(!logs.contains(secret), "a log line holds {secret}");
    }
}
