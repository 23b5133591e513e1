//! A small HTTP/1.1 client: one connection per request, whole bodies, and panics that say what was asked.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, Uri, client::conn::http1, header::HeaderValue};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// How long one request may take; calls that wait on a person are answered by the test itself.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// One listener of the server.
#[derive(Clone, Copy, Debug)]
pub struct Http {
    address: SocketAddr,
}

impl Http {
    pub fn new(port: u16) -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    pub fn get(&self, path: &str) -> Call {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.request(Method::POST, path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.request(Method::PATCH, path)
    }

    pub fn request(&self, method: Method, path: &str) -> Call {
        Call {
            http: *self,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

/// A request under construction.
pub struct Call {
    http: Http,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    pub fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header value");
        self.headers.append(name, value);
        self
    }

    /// A JSON body with its content type.
    pub fn json(self, body: impl Into<Value>) -> Self {
        self.typed("application/json", body.into().to_string())
    }

    /// A body with a content type.
    pub fn typed(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.header("content-type", content_type).bytes(body)
    }

    /// A body without a content type.
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the request; panics when there is no answer.
    pub async fn send(self) -> Response {
        let what = format!("{} {}", self.method, self.path);
        match self.try_send().await {
            Ok(response) => response,
            Err(error) => panic!("{what}: {error}"),
        }
    }

    /// Sends the request; fails when the server is down, dies, or takes longer than 30 seconds.
    pub async fn try_send(self) -> Result<Response, String> {
        match tokio::time::timeout(REQUEST_TIMEOUT, self.exchange()).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer in {REQUEST_TIMEOUT:?}")),
        }
    }

    async fn exchange(self) -> Result<Response, String> {
        let what = format!("{} {}", self.method, self.path);
        let text = |error: hyper::Error| format!("{error:?}");
        let stream =
            TcpStream::connect(self.http.address).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
        // The connection ends with an error when the server is killed; the exchange reports that.
        tokio::spawn(async move { drop(connection.await) });
        let uri = Uri::builder().path_and_query(self.path).build().map_err(|e| e.to_string())?;
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        let host = HeaderValue::from_str(&self.http.address.to_string()).expect("an address");
        request.headers_mut().insert("host", host);
        let response = sender.send_request(request).await.map_err(text)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(text)?.to_bytes();
        Ok(Response { what, status: head.status.as_u16(), headers: head.headers, body })
    }
}

/// A whole answer, with the request it belongs to for messages.
#[derive(Clone, Debug)]
pub struct Response {
    pub what: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    /// Panics unless the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; an empty body is null.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error} in {:?}", self.what, self.text()))
    }

    /// A header as text, or "" when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or("(not text)"))
    }
}
