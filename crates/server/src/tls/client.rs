//! TLS to deployments.
//!
//! - Owns: which authorities are trusted, the protocol that is agreed on, and what a failed handshake
//!   tells the operator.
//! - Invariant: certificates are always verified, names included; there is no switch that turns it off.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{TlsError, certificates, explain, provider, read};

const SETTING: &str = "http-client.ca-file";

/// The version of HTTP that is agreed on during the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// `h2`
    Http2,
    /// `http/1.1`
    Http1,
}

/// Why there is no TLS connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure {
    /// What happened and what to do about it: one sentence, with a full stop.
    pub cause: String,
    /// True when the peer does TLS, but not HTTP/2 over it.
    pub not_http2: bool,
}

/// Opens TLS connections. Clones share trusted authorities and sessions.
#[derive(Clone, Default)]
pub struct ClientTls {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    extra: Vec<CertificateDer<'static>>,
    /// Made at the first use: reading the authorities of the system takes milliseconds, which a server
    /// without `https` deployments need not spend.
    connectors: OnceCell<Connectors>,
}

struct Connectors {
    http2: TlsConnector,
    http1: TlsConnector,
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("extra", &self.inner.extra.len()).finish()
    }
}

impl ClientTls {
    /// Trusts the authorities of the system and those in the PEM file `ca_file`, which is read now.
    pub fn new(ca_file: Option<&Path>) -> Result<ClientTls, TlsError> {
        let mut extra = Vec::new();
        if let Some(path) = ca_file {
            extra = certificates(SETTING, path, &read(SETTING, path)?)?;
            let mut check = RootCertStore::empty();
            for certificate in &extra {
                check.add(certificate.clone()).map_err(|error| TlsError::Content {
                    setting: SETTING,
                    path: path.to_owned(),
                    problem: format!("has a certificate that cannot be used: {error}"),
                })?;
            }
        }
        Ok(ClientTls { inner: Arc::new(Inner { extra, connectors: OnceCell::new() }) })
    }

    /// Shakes hands on a socket with the server called `host`: a name or an IP address without
    /// brackets. Has no timeout of its own.
    pub async fn connect(
        &self,
        host: &str,
        socket: TcpStream,
        alpn: Alpn,
    ) -> Result<TlsStream<TcpStream>, TlsFailure> {
        let failure = |cause: String| TlsFailure { cause, not_http2: false };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| failure(format!("'{host}' is no name that a certificate could have.")))?;
        let connectors = self.connectors().await.map_err(failure)?;
        let connector = match alpn {
            Alpn::Http2 => &connectors.http2,
            Alpn::Http1 => &connectors.http1,
        };
        let stream = match connector.connect(name, socket).await {
            Ok(stream) => stream,
            Err(error) => return Err(explain::handshake(host, &error, alpn)),
        };
        match (alpn, stream.get_ref().1.alpn_protocol()) {
            // Without an answer a peer speaks HTTP/1.1; one that chose something else broke TLS.
            (Alpn::Http2, Some(b"h2")) | (Alpn::Http1, _) => Ok(stream),
            (Alpn::Http2, _) => Err(explain::no_http2()),
        }
    }

    async fn connectors(&self) -> Result<&Connectors, String> {
        let build = || async {
            let inner = Arc::clone(&self.inner);
            let built = tokio::task::spawn_blocking(move || build(&inner.extra)).await;
            built.unwrap_or_else(|_| Err("Cannot read the trusted certificates.".to_owned()))
        };
        self.inner.connectors.get_or_try_init(build).await
    }
}

fn build(extra: &[CertificateDer<'static>]) -> Result<Connectors, String> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "some trusted certificates of the system cannot be read");
    }
    let (_usable, unusable) = roots.add_parsable_certificates(system.certs);
    if unusable > 0 {
        tracing::debug!(unusable, "trusted certificates of the system that cannot be used");
    }
    roots.add_parsable_certificates(extra.iter().cloned());
    if roots.is_empty() {
        return Err(format!(
            "This machine has no list of trusted certificates: install one (ca-certificates), name one \
             with SSL_CERT_FILE, or set {SETTING}."
        ));
    }
    let roots = Arc::new(roots);
    let connector = |protocol: &[u8]| {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
        let mut config = builder.with_root_certificates(Arc::clone(&roots)).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok::<_, String>(TlsConnector::from(Arc::new(config)))
    };
    Ok(Connectors { http2: connector(b"h2")?, http1: connector(b"http/1.1")? })
}
