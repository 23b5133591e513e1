//! Paths, methods, visibility, scopes.

use hyper::Method;

use super::{JSON, Row, check, cluster, row};

const NO_HANDLER: &str = "the service 'door' exists, but the handler 'nosuch' was not found, \
    check that the handler exists in the latest registered service version.";
const OLD_STYLE: &str =
    "bad path, expected either /:service-name/:handler or /:object-name/:object-key/:handler";
const NEW_STYLE: &str = "bad path, expected /restate/call/:service/:handler, …";
const AWAKEABLE: &str = "bad path, expected either /restate/awakeables/:id/resolve or \
    /restate/awakeables/:id/reject";

macro_rules! no_service {
    ($name:literal) => {
        concat!(
            "service '",
            $name,
            "' not found, make sure to register the service before calling it."
        )
    };
}

const ROWS: &[Row] = &[
    row("POST /nosuch/h", 404, no_service!("nosuch")),
    row("POST /nosuch/k/h", 404, no_service!("nosuch")),
    row("POST /nosuch/h/send", 404, no_service!("nosuch")),
    row("GET /nosuch/h", 404, no_service!("nosuch")),
    row("POST /restate/call/nosuch/h", 404, no_service!("nosuch")),
    row("POST /restate/send/nosuch/k/h", 404, no_service!("nosuch")),
    // Names are not percent-decoded.
    row("POST /d%6For/json", 404, no_service!("d%6For")),
    row("POST /door/nosuch", 404, NO_HANDLER),
    row("POST /restate/call/door/nosuch", 404, NO_HANDLER),
    row("POST /restate/send/door/nosuch", 404, NO_HANDLER),
    row("POST /", 400, "bad path: …"),
    row("POST /one", 400, "bad path: /one"),
    row("POST /restate", 400, "bad path: /restate"),
    row("POST /restate/", 400, "bad path: /restate"),
    row("POST /account/add", 400, OLD_STYLE),
    row("POST /door/key/json", 400, OLD_STYLE),
    row("POST /restate/call/door", 400, NEW_STYLE),
    row("POST /restate/call", 400, NEW_STYLE),
    row("POST /restate/send/door", 400, NEW_STYLE),
    row("POST /restate/nonsense/x", 404, "not found"),
    row("GET /restate/workflow/reviewWorkflow/k", 400, "bad path, …"),
    row("GET /restate/invocation/inv_1", 400, "bad path, …"),
    row("POST /restate/awakeables", 400, AWAKEABLE),
    row("POST /restate/awakeables/sign_1abc", 400, AWAKEABLE),
    row("POST /restate/awakeables/sign_1abc/other", 404, "not found"),
    row("PUT /door/json", 405, "method not allowed"),
    row("DELETE /door/json", 405, "method not allowed"),
    row("PATCH /restate/call/door/json", 405, "method not allowed"),
    row("TRACE /door/json", 405, "method not allowed"),
    row("POST /restate/attach/inv_1", 405, "method not allowed"),
    row("POST /restate/output/inv_1", 405, "method not allowed"),
    row("GET /restate/lookup", 405, "method not allowed"),
    row("GET /restate/awakeables/sign_1abc/resolve", 405, "method not allowed"),
    row("PUT /restate/a/sign_1abc/reject", 405, "method not allowed"),
    row("POST /door/hidden", 400, "the invoked service is not public").with(&[JSON]).body(b"1"),
    row("POST /restate/send/door/hidden", 400, "the invoked service is not public"),
    row("POST /account/%FF%FE/add", 400, "bad path, cannot decode key:…"),
    row("POST /restate/call/account/%FF/add", 400, "bad path, cannot decode key:…"),
    row("POST /restate/scope/a!b/call/nosuch/h", 404, no_service!("nosuch")),
    row("POST /restate/scope/s1/call/door", 400, NEW_STYLE),
    row("POST /restate/scope/s1/attach/x", 400, NEW_STYLE),
    row("PUT /restate/scope/s1/call/door/json", 405, "method not allowed"),
    row(
        "POST /restate/scope/a234567890b234567890c234567890d23456789/send/door/json",
        400,
        "bad scope value: value too long: 39 bytes (max 36)",
    ),
    row(
        "POST /restate/scope/s1/call/door/json?limit-key=a/b/c",
        400,
        "invalid limit-key: too many path components in the given limit-key (max 2)",
    ),
    row(
        "POST /restate/scope/s1/send/door/json?limit-key=a//",
        400,
        "invalid limit-key: invalid limit-key component: value cannot be empty",
    ),
    row(
        "POST /restate/scope/s1/send/account/k/add?limit-key=a%20b",
        400,
        "invalid limit-key: invalid limit-key component: value contains characters outside the \
         allowed set [a-zA-Z0-9_.-]",
    ),
    row("POST /restate/scope//call/door/json", 400, "bad scope value: value cannot be empty"),
    row(
        "POST /restate/scope/a!b/send/door/json",
        400,
        "bad scope value: value contains characters outside the allowed set [a-zA-Z0-9_.-]",
    ),
    row("POST /door/json?limit-key=x", 400, "limit-key requires a scope to be set"),
    row("POST /account/k/add/send?limit-key=x", 400, "limit-key requires a scope to be set"),
];

#[tokio::test]
async fn wrong_paths_and_methods() {
    let cluster = cluster().await;
    check(&cluster, ROWS).await;

    // HEAD has no body to compare.
    cluster.ingress.request(Method::HEAD, "/door/json").send().await.expect(405);
    cluster.ingress.request(Method::HEAD, "/restate/health").send().await.expect(405);
    cluster.ingress.post("/restate/health").send().await.expect(405);
    cluster.ingress.get("/restate/health/").send().await.expect(200);

    let answer = cluster.ingress.post("/nosuch/h").send().await;
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("vary"), VARY);

    // A malformed escape is part of the key; a plus is no space.
    for key in ["%zz", "a+b"] {
        let add = cluster.ingress.post(&format!("/account/{key}/add")).json(1).send().await;
        assert_eq!(add.expect(200).json(), 1);
    }
}

const VARY: &str = "origin, access-control-request-method, access-control-request-headers";
