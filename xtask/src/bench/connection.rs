//! Requests to a server: keep-alive HTTP/1.1 connections with one request in flight on each.
//!
//! Owns the shape of requests and answers. Whether an answer is an error is decided by the caller:
//! [`Connection::call`] takes 2xx only, [`Connection::request`] takes any.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How often a server that starts is asked whether it listens.
const START_POLL: Duration = Duration::from_millis(1);

/// A connection with at most one request in flight.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error also reaches the request that is in flight, which reports it.
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Opens a connection as soon as somebody listens; there is no bound but the caller's.
    pub async fn open_when_up(address: SocketAddr) -> Self {
        loop {
            match Self::open(address).await {
                Ok(connection) => return connection,
                Err(_) => tokio::time::sleep(START_POLL).await,
            }
        }
    }

    /// Posts a body and reads the whole answer; anything but 2xx is an error.
    pub async fn call(&mut self, path: &str, body: Bytes) -> Result<Bytes> {
        let answer = self.request(Method::POST, path, &[], body).await?;
        answer.expect_success(path)
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub async fn request(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    }
}

impl Answer {
    /// Returns the body of a 2xx answer.
    pub fn expect_success(self, path: &str) -> Result<Bytes> {
        if !self.status.is_success() {
            let body = String::from_utf8_lossy(&self.body);
            bail!("{path} was answered with {}: {body}", self.status);
        }
        Ok(self.body)
    }
}

/// Registers the endpoint, trying again until the server listens.
pub async fn register(admin: SocketAddr, endpoint: SocketAddr) -> Result<()> {
    let body = Bytes::from(format!(r#"{{"uri":"http://{endpoint}"}}"#));
    let mut connection = Connection::open_when_up(admin).await;
    connection.call("/deployments", body).await.context("registration failed")?;
    Ok(())
}
