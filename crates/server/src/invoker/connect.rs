//! Opening connections to deployments.
//!
//! - Owns: the socket, its options, whether TLS is on it, and the HTTP/2 settings.
//! - Does not own: who uses a connection and for how long ([`super::pool`], [`super::http1`]);
//!   certificates ([`crate::tls`]).

use std::io;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use http::Uri;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::lambda::{
    self,
    function::{self, Function},
};
use crate::limits;
use crate::tls::Stream;
use crate::tls::client::{Alpn, ClientTls, TlsFailure};

/// Where a deployment listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    tls: bool,
    host: String,
    port: u16,
    /// Set when it is a function, which has no address of its own.
    function: Option<Function>,
}

impl Address {
    /// Takes the address of an absolute `http` or `https` URI.
    pub(crate) fn of(uri: &Uri) -> Result<Address, String> {
        let function = Function::of(uri);
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(function::SCHEME) if function.is_some() => false,
            _ => return Err("the address of the deployment is no http:// or https:// URI.".into()),
        };
        let Some(host) = uri.host() else {
            return Err("the address of the deployment names no host.".into());
        };
        // An IPv6 address stands in brackets in a URI only.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Address { tls, host, port, function })
    }

    /// Opens a connection: a socket, and TLS on it for `https`. Takes at most
    /// [`limits::CONNECT_TIMEOUT_MS`] in all.
    pub(crate) async fn connect(&self, tls: &ClientTls, alpn: Alpn) -> Result<Stream, TlsFailure> {
        if let Some(function) = &self.function {
            return Ok(Stream::Local(lambda::connect(function.clone(), tls.clone())));
        }
        let deadline = tokio::time::Instant::now() + milliseconds(limits::CONNECT_TIMEOUT_MS);
        let failed = |error: io::Error| TlsFailure {
            cause: format!("Cannot connect: {error}"),
            not_http2: false,
        };
        let timed_out = || failed(io::Error::from(io::ErrorKind::TimedOut));
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let socket = match tokio::time::timeout_at(deadline, connecting).await {
            Ok(socket) => socket.map_err(failed)?,
            Err(_elapsed) => return Err(timed_out()),
        };
        // Frames are small and each may be the one that somebody waits for.
        socket.set_nodelay(true).map_err(failed)?;
        if !self.tls {
            return Ok(Stream::Plain(socket));
        }
        // Boxed: a handshake is large, and most connections have none.
        let shaking = Box::pin(tls.connect(&self.host, socket, alpn));
        match tokio::time::timeout_at(deadline, shaking).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream?.into()))),
            Err(_elapsed) => Err(timed_out()),
        }
    }

    /// Opens a connection over HTTP/1.1 for one caller. A task polls it until it is closed.
    pub(crate) async fn dial(
        &self,
        tls: &ClientTls,
    ) -> Result<http1::SendRequest<Full<Bytes>>, String> {
        let socket = self.connect(tls, Alpn::Http1).await.map_err(|failure| failure.cause)?;
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
        let table = [
            ("http://localhost:9080/a/b", Some((false, "localhost", 9080))),
            ("http://[::1]/", Some((false, "::1", 80))),
            ("http://example.org", Some((false, "example.org", 80))),
            ("https://example.org/", Some((true, "example.org", 443))),
            ("https://[::1]:9080/", Some((true, "::1", 9080))),
            ("ftp://example.org/", None),
            ("/path", None),
        ];
        for (uri, expected) in table {
            let address = Address::of(&uri.parse().expect("a URI")).ok();
            let expected = expected.map(|(tls, host, port)| (tls, host.to_owned(), port));
            let address = address.map(|address| (address.tls, address.host, address.port));
            assert_eq!(address, expected, "{uri}");
        }
    }
}
