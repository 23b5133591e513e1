//! Registration and services over HTTP.

use serde_json::{Value, json};

use super::Bench;

const JSON: &str = "application/json";

impl Bench {
    /// Lets `http://a/` serve one service with one handler.
    fn serve_one(&self) {
        let handlers = json!([{ "name": "h" }]);
        let services = json!([{ "name": "S", "ty": "SERVICE", "handlers": handlers }]);
        self.deployments.serve(
            "http://a/",
            json!({ "minProtocolVersion": 5, "maxProtocolVersion": 7, "services": services }),
        );
    }

    pub(super) async fn register(&self, body: Value) -> super::Answer {
        self.send("POST", "/v4/deployments", JSON, &body.to_string()).await
    }
}

#[tokio::test]
async fn a_deployment_from_registration_to_removal() {
    let bench = Bench::start().await;
    bench.serve_one();
    let headers =
        json!({ "x-trace": "on", "Authorization": "Bearer hidden", "x-api-key": "hidden" });
    let body = json!({ "uri": "http://a", "additional_headers": headers, "force": null });
    let answer = bench.register(body).await;
    assert_eq!(answer.status, 201);
    let created = answer.json();
    let id = created["id"].as_str().expect("it has an id").to_owned();
    assert_eq!(answer.header("location"), format!("deployments/{id}"));
    assert_eq!(created["services"][0]["name"], "S");
    assert_eq!(created["services"][0]["deployment_id"], id.as_str());
    assert_eq!(created["min_protocol_version"], 5);
    assert_eq!(created["sdk_version"], "fake/1");

    let answer = bench.register(json!({ "uri": "http://a/" })).await;
    assert_eq!((answer.status, answer.json()), (200, created));

    let mut list = bench.get("/deployments").await.json();
    let listed = &mut list["deployments"][0];
    let created_at = listed["created_at"].take();
    assert!(created_at.as_str().is_some_and(|time| time.ends_with("000000Z")), "{created_at}");
    let expected = json!({
        "id": id, "uri": "http://a/", "protocol_type": "BidiStream", "http_version": "HTTP/2.0",
        "additional_headers": { "Authorization": "***", "x-api-key": "***", "x-trace": "on" },
        "created_at": null, "min_protocol_version": 5, "max_protocol_version": 7,
        "sdk_version": "fake/1", "services": [{ "name": "S", "revision": 1 }],
    });
    assert_eq!(*listed, expected);

    let path = format!("/deployments/{id}");
    let one = bench.get(&path).await.json();
    assert_eq!(one["services"][0]["handlers"][0]["name"], "h");
    assert_eq!(one["additional_headers"]["Authorization"], "***");

    let answer = bench.send("DELETE", &path, "", "").await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains("?force=true"), "{}", answer.body);
    assert_eq!(bench.send("DELETE", &format!("{path}?force=true"), "", "").await.line(), "202");
    let gone = format!(
        "404 {{\"message\":\"The requested deployment '{id}' does not exist\",\
                        \"restate_code\":null}}"
    );
    assert_eq!(bench.get(&path).await.line(), gone);
    assert_eq!(bench.get("/services").await.line(), r#"200 {"services":[]}"#);
}

#[tokio::test]
async fn bodies_that_cannot_be_parsed() {
    let bench = Bench::start().await;
    for (content_type, body, status, start) in [
        (JSON, "{", 400, "Failed to parse the request body as JSON: "),
        (JSON, "", 400, "Failed to parse the request body as JSON: "),
        (JSON, "{}", 422, "Failed to deserialize the JSON body into the target type: "),
        (JSON, "[]", 422, "Failed to deserialize the JSON body into the target type: "),
        (JSON, r#"{"uri":"foo"}"#, 422, "Failed to deserialize the JSON body into the target"),
        (JSON, r#"{"uri":"ftp://h"}"#, 422, "Failed to deserialize the JSON body into the"),
        (
            JSON,
            r#"{"uri":"http://h","additional_headers":{"a b":"c"}}"#,
            422,
            "Failed to deserialize the JSON body into the target type: additional_headers: 'a b' \
             is not a header name",
        ),
        ("text/plain", "{}", 415, "Expected request with `Content-Type: application/json`"),
        ("", "{}", 415, "Expected request with `Content-Type: application/json`"),
    ] {
        let answer = bench.send("POST", "/deployments", content_type, body).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.body.starts_with(start), "{body}: {answer:?}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{body}");
    }
    assert_eq!(bench.deployments.discoveries(), 0);
}

#[tokio::test]
async fn refusals_have_a_code() {
    let bench = Bench::start().await;
    let manifest = |max: u32, services: Value| json!({ "minProtocolVersion": 1, "maxProtocolVersion": max, "services": services });
    bench.serve_one();
    bench.deployments.serve("http://old/", manifest(4, json!([])));
    let object = json!([{ "name": "S", "ty": "VIRTUAL_OBJECT", "handlers": [] }]);
    bench.deployments.serve("http://object/", manifest(6, object));
    let wrong = json!([{ "name": "restate", "ty": "SERVICE", "handlers": [] }]);
    bench.deployments.serve("http://wrong/", manifest(6, wrong));
    let handlers = json!([{ "name": "h", "ty": "EXCLUSIVE" }]);
    let exclusive = json!([{ "name": "T", "ty": "SERVICE", "handlers": handlers }]);
    bench.deployments.serve("http://exclusive/", manifest(6, exclusive));
    bench.deployments.serve("http://empty/", manifest(0, json!([])));
    for (uri, status, code) in [
        ("http://a/", 201, Value::Null),
        ("http://nobody/", 500, json!("META0003")),
        ("http://old/", 500, json!("META0012")),
        ("http://object/", 409, json!("META0006")),
        ("http://wrong/", 400, json!("META0005")),
        ("http://exclusive/", 400, Value::Null),
        ("http://empty/", 500, json!("META0012")),
    ] {
        let answer = bench.register(json!({ "uri": uri })).await;
        let body = answer.json();
        assert_eq!((answer.status, &body["restate_code"]), (status, &code), "{uri}");
        assert!(status == 201 || body["message"].is_string(), "{uri}: {body}");
    }
}

#[tokio::test]
async fn services_and_what_is_not_there() {
    let bench = Bench::start().await;
    bench.serve_one();
    assert_eq!(bench.register(json!({ "uri": "http://a/" })).await.status, 201);
    let service = bench.get("/services/S").await.json();
    assert_eq!(service["revision"], 1);
    assert_eq!(bench.get("/services").await.json(), json!({ "services": [service] }));
    let handlers = json!({ "handlers": service["handlers"] });
    assert_eq!(bench.get("/services/S/handlers").await.json(), handlers);
    assert_eq!(bench.get("/services/S/handlers/h").await.json(), service["handlers"][0]);
    let missing = "dp_10000000000000000000007";
    let text = |text: &str| format!("404 {{\"message\":\"{text}\",\"restate_code\":null}}");
    for (method, path, expected) in [
        ("GET", "/services/x".to_owned(), text("The requested service 'x' does not exist")),
        (
            "GET",
            "/services/x/handlers".to_owned(),
            text("The requested service 'x' does not exist"),
        ),
        (
            "GET",
            "/services/S/handlers/x".to_owned(),
            text("The requested handler 'x' on service 'S' does not exist"),
        ),
        (
            "GET",
            format!("/deployments/{missing}"),
            text(&format!("The requested deployment '{missing}' does not exist")),
        ),
        (
            "DELETE",
            format!("/deployments/{missing}?force=true"),
            text(&format!("not found in the schema registry: deployment with id '{missing}'")),
        ),
        (
            "GET",
            "/deployments/foo".to_owned(),
            "400 Invalid URL: Cannot parse `deployment` with value `foo`: bad format".to_owned(),
        ),
        (
            "DELETE",
            format!("/deployments/{missing}?force=maybe"),
            "400 Failed to deserialize query string: force: provided string was not `true` or \
             `false`"
                .to_owned(),
        ),
    ] {
        assert_eq!(bench.send(method, &path, "", "").await.line(), expected, "{method} {path}");
    }
}
