//! Opening connections to deployments.
//!
//! - Owns: the socket, its options, whether TLS is on it, and the HTTP/2 settings.
//! - Does not own: who uses a connection and for how long ([`super::pool`], [`super::http1`]);
//!   certificates ([`crate::tls`]).

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use http::Uri;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::local;
use super::outbound::Outbound;
use crate::lambda::{self, function::Function};
use crate::limits;
use crate::tls::Stream;
use crate::tls::client::{Alpn, ClientTls, TlsFailure};

/// Where a deployment listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// A socket, and whether TLS is on it.
    Socket {
        /// Name or number.
        host: String,
        /// Port.
        port: u16,
        /// True for `https`.
        tls: bool,
    },
    /// A function, which has no address of its own.
    Function(Function),
    /// A deployment within this process.
    Local(String),
}

impl Address {
    /// Takes the address of an absolute `http` or `https` URI, or of one of our own schemes.
    pub(crate) fn of(uri: &Uri) -> Result<Address, String> {
        if let Some(function) = Function::of(uri) {
            return Ok(Address::Function(function));
        }
        let host = uri.host().ok_or("the address of the deployment names no host.")?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(local::SCHEME) => return Ok(Address::Local(host.to_owned())),
            _ => return Err("the address of the deployment is no http:// or https:// URI.".into()),
        };
        // An IPv6 address stands in brackets in a URI only.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Address::Socket { host, port, tls })
    }

    /// Opens a connection: a socket, with TLS on it for `https`, or a pipe to the gateway of a function.
    /// Takes at most [`limits::CONNECT_TIMEOUT_MS`] in all.
    pub(crate) async fn connect(
        &self,
        outbound: &Outbound,
        alpn: Alpn,
    ) -> Result<Stream, TlsFailure> {
        match self {
            Address::Function(function) => {
                Ok(Stream::Local(lambda::connect(function.clone(), outbound.tls.clone())))
            }
            Address::Local(_) => {
                Err(failed("it is within this process, which takes no connection"))
            }
            Address::Socket { host, port, tls } => {
                let tls = tls.then_some(&outbound.tls);
                connect_socket((host.as_str(), *port), tls, alpn).await
            }
        }
    }

    /// Opens a connection over HTTP/1.1 for one caller. A task polls it until it is closed.
    pub(crate) async fn dial(
        &self,
        tls: &ClientTls,
    ) -> Result<http1::SendRequest<Full<Bytes>>, String> {
        let Address::Socket { host, port, tls: is_tls } = self else {
            return Err("it is no http:// or https:// URI".to_owned());
        };
        let tls = is_tls.then_some(tls);
        let socket = connect_socket((host.as_str(), *port), tls, Alpn::Http1).await;
        let socket = socket.map_err(|failure| failure.cause)?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(socket)).await.map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "HTTP/1.1 connection lost");
            }
        });
        Ok(sender)
    }
}

async fn connect_socket(
    (host, port): (&str, u16),
    tls: Option<&ClientTls>,
    alpn: Alpn,
) -> Result<Stream, TlsFailure> {
    let deadline = tokio::time::Instant::now() + milliseconds(limits::CONNECT_TIMEOUT_MS);
    let timed_out = || failed(io::Error::from(io::ErrorKind::TimedOut));
    let connecting = TcpStream::connect((host, port));
    let socket = match tokio::time::timeout_at(deadline, connecting).await {
        Ok(socket) => socket.map_err(failed)?,
        Err(_elapsed) => return Err(timed_out()),
    };
    // Frames are small and each may be the one that somebody waits for.
    socket.set_nodelay(true).map_err(failed)?;
    let Some(tls) = tls else { return Ok(Stream::Plain(socket)) };
    // Boxed: a handshake is large, and most connections have none.
    let shaking = Box::pin(tls.connect(host, socket, alpn));
    match tokio::time::timeout_at(deadline, shaking).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream?.into()))),
        Err(_elapsed) => Err(timed_out()),
    }
}

fn failed(cause: impl fmt::Display) -> TlsFailure {
    TlsFailure { cause: format!("Cannot connect: {cause}"), not_http2: false }
}

/// Opens a connection over HTTP/1.1 for one caller, to services other than deployments.
pub(crate) async fn dial(
    uri: &str,
    tls: &ClientTls,
) -> Result<http1::SendRequest<Full<Bytes>>, String> {
    let parsed: Uri = uri.parse().map_err(|error| format!("{uri}: {error}"))?;
    let sender = async { Address::of(&parsed)?.dial(tls).await };
    sender.await.map_err(|cause| format!("cannot reach {uri}: {cause}"))
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Starts HTTP/2 with prior knowledge on a socket. The connection must be polled by a task.
pub(super) async fn http2(
    socket: Stream,
) -> Result<(SendRequest<Bytes>, Connection<Stream, Bytes>), h2::Error> {
    h2::client::Builder::new()
        .enable_push(false)
        .initial_max_send_streams(limits::STREAMS_BEFORE_SETTINGS)
        .initial_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .handshake(socket)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let socket =
            |tls, host: &str, port| Some(Address::Socket { host: host.to_owned(), port, tls });
        let table = [
            ("http://localhost:9080/a/b", socket(false, "localhost", 9080)),
            ("http://[::1]/", socket(false, "::1", 80)),
            ("http://example.org", socket(false, "example.org", 80)),
            ("https://example.org/", socket(true, "example.org", 443)),
            ("https://[::1]:9080/", socket(true, "::1", 9080)),
            ("local://embedded/", Some(Address::Local("embedded".to_owned()))),
            ("lambda://eu-central-1/", None),
            ("ftp://example.org/", None),
            ("/path", None),
        ];
        for (uri, expected) in table {
            let address = Address::of(&uri.parse().expect("a URI")).ok();
            assert_eq!(address, expected, "{uri}");
        }
    }
}
