//! The route table and the reading of call and send paths.

use http::Method;
use reveille_engine::command::Target;

use super::super::decode::query_parameter;
use super::super::error::IngressError;
use super::super::route::{QueryTarget, Resolved, Route, resolve, route};
use super::{schema, some_id};

#[test]
fn calls_and_sends() {
    check_routes(
        r#"
        POST /restate/call/S/h -> Call S One("h")
        GET /restate/call/O/k/h/ -> Call O Two("k", "h")
        POST //restate/call/O//h -> Call O Two("", "h")
        POST /restate/send/S/h -> Send S One("h")
        POST /restate/send/O/k/h -> Send O Two("k", "h")
        PUT /restate/call/S/h -> 405 method not allowed
        HEAD /restate/call/S/h -> 405 method not allowed
        POST /restate/call/S -> 400 bad path, expected /restate/call/:service/:handler, …
        POST /restate/call -> 400 bad path, expected /restate/call/:service/:handler, …
        POST /restate/send/a/b/c/d -> 400 bad path, expected /restate/call/:service/:handler, …
        POST /S/h -> Old S One("h")
        GET //S/h/ -> Old S One("h")
        GET ///S/h// -> Old S One("h")
        POST /O//h -> Old O Two("", "h")
        POST /O/k/h/send -> Old O Three("k", "h", "send")
        POST /a/b/c/d/e -> 400 bad path, expected either /:service-name/:handler or …
        POST /a/b/c/d/e/f/g/h/i/j -> 400 bad path, expected either /:service-name/:handler or …
        DELETE /S/h -> 405 method not allowed
        PATCH /one -> 405 method not allowed
        POST /restate/scope/s1/call/S/h -> 's1' Call S One("h")
        GET /restate/scope/s1/send/O/k/h -> 's1' Send O Two("k", "h")
        POST /restate/scope/s1/other/S/h -> 400 bad path, expected /restate/call/…
        POST /restate/scope/s1/call/O/k/h/x -> 400 bad path, expected /restate/call/…
        POST /restate/scope/s1/call/S -> 400 bad path, expected /restate/call/…
        POST /restate/scope/s1 -> 400 bad path, expected /restate/call/…
        PUT /restate/scope/s1/call/S/h -> 405 method not allowed
        "#,
    );
}

#[test]
fn health_preflight_and_no_routes() {
    check_routes(
        "
        OPTIONS /any/thing -> preflight
        OPTIONS / -> preflight
        GET /restate/health -> health
        GET /restate/health/ -> health
        POST /restate/health -> 405 method not allowed
        HEAD /restate/health -> 405 method not allowed
        GET /restate/health/x -> 404 not found
        POST / -> 400 bad path: /
        POST /one -> 400 bad path: /one
        GET /one/ -> 400 bad path: /one
        GET /restate -> 400 bad path: /restate
        GET /restate/ -> 400 bad path: /restate
        PUT /restate -> 405 method not allowed
        GET /restate/unknown/x -> 404 not found
        PUT /restate/unknown/x -> 404 not found
        GET /reveille/unknown -> 404 not found
        ",
    );
}

#[test]
fn questions() {
    check_routes(
        r#"
        GET /restate/attach/ID -> Attach Invocation(ID)
        GET /restate/output/ID -> Output Invocation(ID)
        POST /restate/attach/ID -> 405 method not allowed
        GET /restate/invocation/ID/attach -> Attach Invocation(ID)
        GET /restate/invocation/ID/output -> Output Invocation(ID)
        GET /restate/invocation/ID -> 400 bad path, expected /restate/invocation/:invocation-id, …
        GET /restate/invocation/ID/foo -> 404 not found
        GET /restate/invocation/S/h/key -> 400 bad path, expected /restate/invocation/…
        GET /restate/invocation/a/b/attach -> 400 bad path, expected /restate/invocation/…
        GET /restate/invocation/a/b/c/d/e/attach -> 400 bad path, expected /restate/invocation/…
        GET /restate/invocation -> 400 bad path, expected /restate/invocation/…
        POST /restate/attach -> Attach by body
        POST /restate/output -> Output by body
        POST /restate/lookup -> Lookup by body
        GET /restate/lookup -> 405 method not allowed
        GET /restate/attach -> 405 method not allowed
        GET /restate/attach/a/b -> 400 bad path, expected /restate/call/…
        POST /restate/lookup/x -> 400 bad path, expected /restate/call/…
        GET /restate/attach/foo -> 400 bad invocation id 'foo': bad format
        GET /restate/output/inv_1 -> 400 bad invocation id 'inv_1': bad length
        GET /restate/invocation//attach -> 400 bad invocation id '': bad length
        GET /restate/attach/inv_2a -> 400 bad invocation id 'inv_2a': unrecognized codec version
        GET /restate/invocation/S/h/key%2DA/attach -> Attach S None h "key%2DA"
        GET /restate/invocation/O/a%20b/h/x/output -> Output O Some("a b") h "x"
        GET /restate/workflow/W/k%2F/attach -> Attach Workflow { scope: None, name: "W", key: "k/" }
        GET /restate/workflow/W/k/output -> Output Workflow { scope: None, name: "W", key: "k" }
        GET /restate/workflow/W/k -> 400 bad path, expected either /restate/workflow/…
        GET /restate/workflow/W/k/output/x -> Output Workflow { scope: None, name: "W", key: "k" }
        GET /restate/workflow/W/k/foo -> 404 not found
        POST /restate/workflow/W/k/attach -> 405 method not allowed
        "#,
    );
}

#[test]
fn waits() {
    check_routes(
        "
        POST /restate/awakeables/x/resolve -> Resolve 'x' Compatible
        POST /restate/a/x/reject -> Reject 'x' Compatible
        POST /restate/awakeables/x/resolve/extra/1/2/3/4/5 -> Resolve 'x' Compatible
        POST /restate/awakeables//resolve -> Resolve '' Compatible
        GET /restate/awakeables/x/resolve -> 405 method not allowed
        POST /restate/awakeables/x -> 400 bad path, expected either /restate/awakeables/:id/…
        POST /restate/awakeables -> 400 bad path, expected either /restate/awakeables/:id/…
        POST /restate/a -> 400 bad path, expected either /restate/awakeables/:id/…
        POST /restate/awakeables/x/other -> 404 not found
        POST /reveille/waits/x/resolve -> Resolve 'x' Native
        POST /reveille/waits/x/reject/ -> Reject 'x' Native
        GET /reveille/waits/x -> describe 'x'
        POST /reveille/waits/x -> 405 method not allowed
        GET /reveille/waits/x/resolve -> 405 method not allowed
        GET /reveille/waits -> 400 bad path, expected /reveille/waits/:id, …
        POST /reveille/waits/x/other -> 404 not found
        ",
    );
}

#[test]
fn resolution() {
    let table = r#"
        /restate/call/S/h -> S None h wait=true
        /restate/send/S/h -> S None h wait=false
        /restate/call/O/k/h -> O Some("k") h wait=true
        /restate/send/W/k/run -> W Some("k") run wait=false
        /restate/scope/s.1/call/S/h -> 's.1' S None h wait=true
        /restate/scope/a%2Db/send/O/k/h -> 'a-b' O Some("k") h wait=false
        /restate/scope//call/S/h -> 400 bad scope value: value cannot be empty
        /restate/scope/a%20/call/S/h -> 400 bad scope value: value contains characters …
        /restate/scope/%FF/call/S/h -> 400 bad scope value: value contains characters …
        /restate/scope/*/call/S/h -> 400 bad scope value: value contains characters …
        /restate/scope/0123456789012345678901234567890123456/send/S/h -> 400 bad scope value: value too long: 37 bytes (max 36)
        /restate/scope/a%20/call/X/h -> 404 service 'X' not found, …
        /restate/scope/s/call/S/k/h -> 400 bad path, expected /restate/call/:service/:handler, …
        /S/h -> S None h wait=true
        /S/h/send -> S None h wait=false
        /O/k/h -> O Some("k") h wait=true
        /O//h -> O Some("") h wait=true
        /O/k/h/send -> O Some("k") h wait=false
        /O/k/send -> O Some("k") send wait=true
        /O/k/send/send -> O Some("k") send wait=false
        /O/a%2Fb+c/h -> O Some("a/b+c") h wait=true
        /O/%zz%4/h -> O Some("%zz%4") h wait=true
        /O/%c3%A4/h -> O Some("ä") h wait=true
        /O/%FF%FE/h -> 400 bad path, cannot decode key: …
        /%53/h -> 404 service '%53' not found, …
        /S/%68 -> 404 the service 'S' exists, but the handler '%68' was not found, …
        /X/h -> 404 service 'X' not found, make sure to register the service before calling it.
        /restate/call/X/h -> 404 service 'X' not found, …
        /S/x -> 404 the service 'S' exists, but the handler 'x' was not found, check that the …
        /restate/send/S/x -> 404 the service 'S' exists, but the handler 'x' was not found, …
        /S/private -> 400 the invoked service is not public
        /restate/call/S/k/h -> 400 bad path, expected /restate/call/:service/:handler, …
        /restate/call/O/h -> 400 bad path, expected /restate/call/:service/:handler, …
        /S/k/h -> 400 bad path, expected either /:service-name/:handler or …
        /S/k/h/send -> 400 bad path, expected either /:service-name/:handler or …
        /O/h -> 400 bad path, expected either /:service-name/:handler or …
        /O/k/h/x -> 400 bad path, expected either /:service-name/:handler or …
        "#;
    let schema = schema();
    check(table, |path| {
        let Ok(Route::Invoke(invoke)) = route(&Method::POST, path) else {
            panic!("{path} is no call or send");
        };
        match resolve(&schema, &invoke) {
            Ok(Resolved { service, handler, scope, key, wait }) => {
                let scope = scope.map(|scope| format!("'{scope}' ")).unwrap_or_default();
                format!("{scope}{} {key:?} {} wait={wait}", service.name, handler.name)
            }
            Err(error) => show_error(&error),
        }
    });
}

#[test]
fn query_parameters() {
    let table = [
        ("delay=10s", Some("10s")),
        ("a=b&delay=10+sec&delay=2", Some("10 sec")),
        ("d%65lay=10%20sec", Some("10 sec")),
        ("Delay=10s", Some("10s")),
        ("delay", Some("")),
        ("delay=", Some("")),
        ("delaySec=10", None),
        ("", None),
    ];
    for (query, expected) in table {
        assert_eq!(query_parameter(Some(query), "delay").as_deref(), expected, "{query}");
    }
    assert_eq!(query_parameter(None, "delay"), None);
}

fn check_routes(table: &str) {
    check(table, |request| {
        let (method, path) = request.split_once(' ').unwrap();
        show(route(&method.parse::<Method>().unwrap(), path))
    });
}

/// Checks lines of `input -> expected`; an expectation that ends in `…` is a beginning, and `ID`
/// stands for an invocation id.
fn check(table: &str, show: impl Fn(&str) -> String) {
    let table = table.replace("ID", &some_id().to_string());
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (input, expected) = line.split_once(" -> ").unwrap();
        let found = show(input);
        match expected.strip_suffix('…') {
            Some(start) => assert!(found.starts_with(start), "{input}: {found}"),
            None => assert_eq!(found, expected, "{input}"),
        }
    }
}

fn show(route: Result<Route<'_>, IngressError>) -> String {
    match route {
        Ok(Route::Preflight) => "preflight".to_owned(),
        Ok(Route::Health) => "health".to_owned(),
        Ok(Route::Invoke(path)) => {
            let scope = path.scope.map(|scope| format!("'{scope}' ")).unwrap_or_default();
            format!("{scope}{:?} {} {:?}", path.style, path.service, path.tail)
        }
        Ok(Route::Query(query, QueryTarget::Idempotent { target, idempotency_key })) => {
            let Target { service, key, handler, .. } = target;
            format!("{query:?} {service} {key:?} {handler} {idempotency_key:?}")
        }
        Ok(Route::Query(query, target)) => format!("{query:?} {target:?}"),
        Ok(Route::QueryByBody(query)) => format!("{query:?} by body"),
        Ok(Route::Complete { verb, id, face }) => format!("{verb:?} '{id}' {face:?}"),
        Ok(Route::DescribeWait(id)) => format!("describe '{id}'"),
        Err(error) => show_error(&error),
    }
}

fn show_error(error: &IngressError) -> String {
    format!("{} {error}", error.status().as_u16())
}
