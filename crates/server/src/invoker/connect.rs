//! Opening connections to deployments.
//!
//! - Owns: the socket, its options and the HTTP/2 settings.
//! - Does not own: who uses a connection and for how long ([`super::pool`], [`super::http1`]).

use std::io;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use http::Uri;
use tokio::net::TcpStream;

use crate::limits;

/// Where a deployment listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Takes the address of an absolute `http` URI.
    pub(super) fn of(uri: &Uri) -> Result<Address, String> {
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(host)) => {
                // An IPv6 address stands in brackets in a URI only.
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                Ok(Address { host, port: uri.port_u16().unwrap_or(80) })
            }
            (Some("https"), _) => Err("TLS endpoints are not supported yet, register the \
                 deployment with an http:// address."
                .to_owned()),
            _ => Err("the address of the deployment is no http:// URI.".to_owned()),
        }
    }

    /// Opens a socket.
    pub(super) async fn connect(&self) -> Result<TcpStream, String> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let timeout = Duration::from_millis(limits::CONNECT_TIMEOUT_MS);
        let stream = match tokio::time::timeout(timeout, connecting).await {
            Ok(stream) => stream,
            Err(_elapsed) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        };
        let stream = stream.map_err(|error| format!("Cannot connect: {error}"))?;
        // Frames are small and each may be the one that somebody waits for.
        stream.set_nodelay(true).map_err(|error| format!("Cannot connect: {error}"))?;
        Ok(stream)
    }
}

/// Starts HTTP/2 with prior knowledge on a socket. The connection must be polled by a task.
pub(super) async fn http2(
    socket: TcpStream,
) -> Result<(SendRequest<Bytes>, Connection<TcpStream, Bytes>), h2::Error> {
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
            ("http://localhost:9080/a/b", Some(("localhost", 9080))),
            ("http://[::1]/", Some(("::1", 80))),
            ("http://example.org", Some(("example.org", 80))),
            ("https://example.org/", None),
            ("/path", None),
        ];
        for (uri, expected) in table {
            let address = Address::of(&uri.parse().expect("a URI")).ok();
            let expected = expected.map(|(host, port)| Address { host: host.to_owned(), port });
            assert_eq!(address, expected, "{uri}");
        }
    }
}
