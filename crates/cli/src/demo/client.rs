//! A small HTTP/1.1 client for addresses of this process: one connection per request.

use std::net::SocketAddr;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer that was read completely.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// Returns the body when the status is 2xx; otherwise an error with status and body.
    pub fn success(self) -> anyhow::Result<Bytes> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(anyhow!("answered {}: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// Sends a request without a body.
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    send(address, Method::GET, path, &[], Bytes::new()).await
}

/// Sends JSON.
pub async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> anyhow::Result<Answer> {
    let headers = [headers, &[("content-type", "application/json")]].concat();
    send(address, Method::POST, path, &headers, body.to_string().into()).await
}

/// Sends a request and reads the whole answer. Errors name the request.
pub async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> anyhow::Result<Answer> {
    let place = format!("{method} http://{address}{path}");
    let mut request =
        Request::builder().method(method).uri(path).header(header::HOST, address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body))?;
    exchange(address, request).await.context(place)
}

async fn exchange(address: SocketAddr, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Answer { status, body })
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => Ok(answer?),
        // A connection that ends first has handed over everything it got.
        ended = connection => {
            ended?;
            Ok(exchange.await?)
        }
    }
}
