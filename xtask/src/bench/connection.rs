//! Requests to a server: keep-alive HTTP/1.1 connections with one request in flight on each.
//!
//! Written by hand on a socket, because what a caller costs is missing to the server beside it: one write,
//! mostly one read, and no task of its own.
//!
//! - Owns: the shape of requests and answers. Whether an answer is an error is decided by the caller:
//!   [`Connection::call`] takes 2xx only, [`Connection::request`] takes any.
//! - Does not own: bodies that end with their connection; no server here answers so.

use std::{io::Write as _, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How often a server that starts is asked whether it listens.
const START_POLL: Duration = Duration::from_millis(1);

/// The most headers of an answer.
const HEADERS_MAX: usize = 32;

/// A connection with at most one request in flight.
pub struct Connection {
    stream: TcpStream,
    host: String,
    /// The request, in one piece.
    sent: Vec<u8>,
    /// What was read and not yet taken.
    read: BytesMut,
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
        let (sent, read) = (Vec::new(), BytesMut::with_capacity(4096));
        Ok(Self { stream, host: address.to_string(), sent, read })
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
        self.sent.clear();
        write!(self.sent, "{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host)?;
        self.sent.extend_from_slice(b"content-type: application/json\r\n");
        for (name, value) in headers {
            write!(self.sent, "{name}: {value}\r\n")?;
        }
        write!(self.sent, "content-length: {}\r\n\r\n", body.len())?;
        self.sent.extend_from_slice(&body);
        self.stream.write_all(&self.sent).await?;
        let head = loop {
            match Head::parse(&self.read)? {
                Some(head) => break head,
                None => self.read_more().await?,
            }
        };
        self.read.advance(head.len);
        let body = match head.body {
            Length::Known(len) => self.take(len).await?,
            Length::Chunked => self.take_chunks().await?,
        };
        Ok(Answer { status: head.status, body })
    }

    async fn read_more(&mut self) -> Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => bail!("the server closed the connection"),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, len: usize) -> Result<Bytes> {
        while self.read.len() < len {
            self.read_more().await?;
        }
        Ok(self.read.split_to(len).freeze())
    }

    async fn take_chunks(&mut self) -> Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            match httparse::parse_chunk_size(&self.read) {
                Ok(httparse::Status::Complete((head, len))) => {
                    self.read.advance(head);
                    let len = usize::try_from(len)?;
                    body.extend_from_slice(&self.take(len).await?);
                    // Its end of line; without trailers the last chunk has one as well.
                    self.take(2).await?;
                    if len == 0 {
                        return Ok(body.freeze());
                    }
                }
                Ok(httparse::Status::Partial) => self.read_more().await?,
                Err(_) => bail!("the answer has a chunk without a length"),
            }
        }
    }
}

/// What stands in front of the body of an answer.
struct Head {
    /// In bytes.
    len: usize,
    status: StatusCode,
    body: Length,
}

enum Length {
    Known(usize),
    Chunked,
}

impl Head {
    /// Reads it, if all of it is there.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(len) = response.parse(bytes)? else { return Ok(None) };
        let status = StatusCode::from_u16(response.code.unwrap_or_default())?;
        let value = |name: &str| {
            let header = response.headers.iter().find(|it| it.name.eq_ignore_ascii_case(name));
            header.map(|header| std::str::from_utf8(header.value)).transpose()
        };
        let body = match value("content-length")? {
            Some(len) => Length::Known(len.parse()?),
            None if value("transfer-encoding")?.is_some() => Length::Chunked,
            None => Length::Known(0),
        };
        Ok(Some(Self { len, status, body }))
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
