//! A small HTTP/1.1 client, with or without TLS: one connection per request.
//!
//! - Owns: addresses, connections, and what a failed request tells the user to do.
//! - Does not own: what is asked ([`crate::commands`], [`crate::demo`]).
//! - Invariant: an answer has been read completely, and is bounded ([`ANSWER_BYTES_MAX`]).
//! - Start at [`Client::send`].

use std::{error::Error, fmt, future::Future, path::Path, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use reveille_server::tls::client::{Alpn, ClientTls};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// One segment of a path, or a value of a query.
pub use reveille_protocol::text::percent as segment;

use crate::operator::Usage;

/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer that is read: more would not be looked at by anybody.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Where requests go, and who sends them. Clones share trusted authorities.
#[derive(Clone, Debug)]
pub struct Client {
    is_secure: bool,
    host: String,
    port: u16,
    authority: String,
    prefix: String,
    token: Option<String>,
    tls: ClientTls,
    /// Longest time for a whole exchange, if there is one.
    timeout: Option<Duration>,
    advice: Advice,
}

/// How the user says where the server is and who asks, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Advice {
    /// How to give the address, such as a flag and a variable.
    pub url: &'static str,
    /// How to give the token.
    pub token: &'static str,
}

/// Somewhere in this process: nothing has to be said about addresses.
const HERE: Advice = Advice { url: "another port", token: "a token" };

/// An answer that was read completely.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Body.
    pub body: Bytes,
}

/// The server answered with another status than 2xx. Fix what was asked; the text is the server's.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Status.
    pub status: StatusCode,
    /// What the server said.
    pub message: String,
}

impl Client {
    /// Parses a base address such as `https://host:9070/prefix`. Without a scheme it is `http`.
    pub fn new(url: &str, advice: Advice) -> Result<Client, Usage> {
        let wrong = |why: &str| {
            Usage(format!(
                "the address '{url}' {why}; expected one such as http://127.0.0.1:9070, given by {}",
                advice.url
            ))
        };
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = full.parse().map_err(|_| wrong("is no URL"))?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("is neither http nor https")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("has a user name, which the server does not know"));
        }
        if uri.query().is_some() {
            return Err(wrong("has a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Client {
            is_secure,
            host,
            port: authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            authority: authority.to_string(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            token: None,
            tls: ClientTls::default(),
            timeout: None,
            advice,
        })
    }

    /// A client for an address of this process.
    pub fn at(address: std::net::SocketAddr) -> Result<Client, Usage> {
        Client::new(&format!("http://{address}"), HERE)
    }

    /// Sends this token along. An empty one is none.
    pub fn with_token(self, token: Option<String>) -> Client {
        Client { token: token.filter(|token| !token.is_empty()), ..self }
    }

    /// Trusts the authorities of a PEM file as well.
    pub fn with_authorities(self, ca_file: Option<&Path>) -> Result<Client, Usage> {
        let tls = ClientTls::new(ca_file).map_err(|error| {
            Usage(error.to_string().replace("http-client.ca-file", "--ca-file"))
        })?;
        Ok(Client { tls, ..self })
    }

    /// Gives up on an exchange after this time.
    pub fn with_timeout(self, timeout: Duration) -> Client {
        Client { timeout: Some(timeout), ..self }
    }

    /// Returns the base address, without a slash at the end.
    pub fn url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.prefix)
    }

    /// Sends a request without a body.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Sends JSON.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.send(Method::POST, path, &headers, body.to_string().into()).await
    }

    /// Sends a request and reads the whole answer. Errors name the address and what to do.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let place = format!("{method} {}{path}", self.url());
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.authority)
            .header(header::USER_AGENT, concat!("reveille/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).with_context(|| place.clone())?;
        let sender = self.connect().await?;
        let exchange = async { sender.exchange(request).await.with_context(|| place.clone()) };
        let answer = match self.timeout {
            None => exchange.await?,
            Some(limit) => within(limit, exchange, || format!("{place}: no answer")).await?,
        };
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(self.unauthorized());
        }
        Ok(answer)
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let unreachable = |why: &dyn fmt::Display| {
            anyhow!(
                "cannot reach the server at {}: {why}; start it with `reveille serve`, or say where it \
                 is with {}",
                self.url(),
                self.advice.url
            )
        };
        let open = async {
            let socket = TcpStream::connect((self.host.as_str(), self.port))
                .await
                .map_err(|error| unreachable(&error))?;
            let stream: Box<dyn Duplex> = if self.is_secure {
                let connected = self.tls.connect(&self.host, socket, Alpn::Http1).await;
                let stream = connected.map_err(|failure| {
                    let cause = failure.cause.replace("http-client.ca-file", "--ca-file");
                    anyhow!("no secure connection to {}: {cause}", self.url())
                })?;
                Box::new(stream)
            } else {
                Box::new(socket)
            };
            let (sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| unreachable(&error))?;
            Ok(Connection { sender, connection })
        };
        within(CONNECT_TIMEOUT, open, || format!("cannot reach the server at {}", self.url())).await
    }

    fn unauthorized(&self) -> anyhow::Error {
        let advice = self.advice.token;
        match self.token {
            None => anyhow!("{} asks for a token: give it with {advice}", self.url()),
            Some(_) => anyhow!("{} does not take this token: check {advice}", self.url()),
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: http1::Connection<TokioIo<Box<dyn Duplex>>, Full<Bytes>>,
}

impl Connection {
    async fn exchange(mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let exchange = async {
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| anyhow!("the answer broke off: {error}"))?.to_bytes();
            anyhow::Ok(Answer { status, body })
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // A connection that ends first has handed over everything it got.
            ended = self.connection => {
                ended?;
                exchange.await
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = anyhow::Result<T>>,
    what: impl FnOnce() -> String,
) -> anyhow::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(anyhow!("{} within {} s", what(), limit.as_secs())),
    }
}

impl Answer {
    /// Returns the body when the status is 2xx; otherwise a [`Refused`], unless the server does not
    /// even know the request.
    pub fn success(self) -> anyhow::Result<Bytes> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let status = self.status.as_u16();
        if matches!(status, 404 | 405 | 501) && self.body.is_empty() {
            bail!("the server does not know this request ({status}): is it of another version?");
        }
        Err(Refused { status: self.status, message: self.message() }.into())
    }

    /// Returns the body of a success, parsed.
    pub fn json<T: DeserializeOwned>(self) -> anyhow::Result<T> {
        let body = self.success()?;
        serde_json::from_slice(&body).context(
            "the answer is not the expected JSON: is this the admin address of a Reveille server?",
        )
    }

    /// The text of an error: the member `message` of the body, the body itself, or the status.
    fn message(&self) -> String {
        let parsed: Option<Value> = serde_json::from_slice(&self.body).ok();
        let member = parsed.as_ref().and_then(|body| body["message"].as_str());
        let text = String::from_utf8_lossy(&self.body);
        match (member, text.trim()) {
            (Some(message), _) => message.to_owned(),
            (None, "") => format!("the server answered {}", self.status),
            (None, text) => text.to_owned(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (given, expected) in [
            ("http://127.0.0.1:9070", "http://127.0.0.1:9070 to 127.0.0.1 9070"),
            ("localhost:9070/", "http://localhost:9070 to localhost 9070"),
            (
                "https://reveille.example/ops/",
                "https://reveille.example/ops to reveille.example 443",
            ),
            ("http://[::1]:9070", "http://[::1]:9070 to ::1 9070"),
        ] {
            let client = Client::new(given, HERE).expect("an address");
            assert_eq!(format!("{} to {} {}", client.url(), client.host, client.port), expected);
        }
        for (given, part) in [
            ("ftp://host", "neither http nor https"),
            ("http://", "is no URL"),
            ("http://me@host", "user name"),
            ("http://host/?a=b", "query"),
        ] {
            let Usage(text) = Client::new(given, HERE).expect_err(given);
            assert!(text.contains(part) && text.contains("another port"), "{text}");
        }
    }
}
