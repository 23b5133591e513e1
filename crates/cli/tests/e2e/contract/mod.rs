//! What malformed and unusual requests are answered, as tables against the real binary.
//!
//! The rows come from the HTTP contract of the ingress; where Reveille deliberately differs from
//! its peer, the row says so. A refused request changes nothing, which the end of each test checks.

mod admin;
mod ids;
mod inputs;
mod raw;
mod routing;

use hyper::Method;

use super::harness::{Cluster, Mode, Response, Setup};

/// A request and the error that it must get.
struct Row {
    request: &'static str,
    headers: &'static [(&'static str, &'static [u8])],
    body: &'static [u8],
    status: u16,
    /// The whole message, or its beginning when it ends with `…`.
    message: &'static str,
}

/// A request without headers and body.
const fn row(request: &'static str, status: u16, message: &'static str) -> Row {
    Row { request, headers: &[], body: b"", status, message }
}

impl Row {
    const fn with(mut self, headers: &'static [(&'static str, &'static [u8])]) -> Self {
        self.headers = headers;
        self
    }

    const fn body(mut self, body: &'static [u8]) -> Self {
        self.body = body;
        self
    }
}

const JSON: (&str, &[u8]) = ("content-type", b"application/json");

async fn cluster() -> Cluster {
    Cluster::start(Setup::new(Mode::Bidi, 7)).await
}

/// Sends every row and reports all that were answered differently.
async fn check(cluster: &Cluster, rows: &[Row]) {
    let mut wrong = Vec::new();
    for row in rows {
        let (method, path) = row.request.split_once(' ').expect("METHOD /path");
        let method: Method = method.parse().expect("a method");
        let mut call = cluster.ingress.request(method, path).bytes(row.body);
        for (name, value) in row.headers {
            call = call.header(name, value);
        }
        let answer = call.send().await;
        if let Some(difference) = differs(row, &answer) {
            wrong.push(format!("{}\n  {difference}", row.request));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let good = cluster.ingress.post("/door/json").json("still here").send().await;
    assert_eq!(good.expect(200).json(), "Hello still here");
}

/// Compares an answer with what the row wants, to the letter.
fn differs(row: &Row, answer: &Response) -> Option<String> {
    if answer.status != row.status {
        return Some(format!("status {}, not {}: {}", answer.status, row.status, answer.text()));
    }
    if answer.header("content-type") != "application/json" {
        return Some(format!("content type {:?}", answer.header("content-type")));
    }
    if answer.header("x-restate-error-source") != "ingress" {
        return Some(format!("source header {:?}", answer.header("x-restate-error-source")));
    }
    if !answer.header("x-restate-id").is_empty() {
        return Some("there is an x-restate-id though there is no invocation".to_owned());
    }
    let text = answer.text();
    let message = serde_json::to_string(row.message).expect("a string is JSON");
    let fits = match message.strip_suffix("…\"") {
        Some(prefix) => {
            text.starts_with(&format!(r#"{{"code":{},"message":{prefix}"#, row.status))
                && text.ends_with(r#","source":"ingress"}"#)
        }
        None => {
            text == format!(r#"{{"code":{},"message":{message},"source":"ingress"}}"#, row.status)
        }
    };
    (!fits).then(|| format!("{text}\n  instead of {:?}", row.message))
}
