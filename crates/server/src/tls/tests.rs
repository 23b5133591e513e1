//! Authorities made on the spot, files that cannot be used, and renewal of a certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::client::{Alpn, ClientTls};
use super::provider;
use super::server::{INGRESS_TLS, ServerTls, TlsFiles};

/// An authority with a directory for the files of those it vouches for.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

/// How a certificate is made.
#[derive(Clone, Copy)]
pub(crate) struct Certificate {
    pub(crate) name: &'static str,
    pub(crate) first_year: i32,
    pub(crate) last_year: i32,
}

/// What the tests connect to.
pub(crate) const LOCALHOST: Certificate =
    Certificate { name: "localhost", first_year: 2000, last_year: 4000 };

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let directory = TempDir::with_prefix("reveille-tls-").expect("a directory");
        fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("write the authority");
        Authority { issuer, directory }
    }

    /// Who trusts this authority.
    pub(crate) fn client(&self) -> ClientTls {
        ClientTls::new(Some(&self.directory.path().join("ca.pem"))).expect("a PEM file")
    }

    /// Chain and key as PEM.
    fn issue(&self, certificate: Certificate) -> (String, String) {
        let Certificate { name, first_year, last_year } = certificate;
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(first_year, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let chain = params.signed_by(&key, &self.issuer).expect("a certificate");
        (chain.pem(), key.serialize_pem())
    }

    /// Files of a certificate; a second call replaces them.
    pub(crate) fn files(&self, certificate: Certificate) -> TlsFiles {
        let (chain, key) = self.issue(certificate);
        let path = |name: &str| self.directory.path().join(name);
        let files = TlsFiles {
            cert_file: path("cert.pem"),
            key_file: path("key.pem"),
            settings: INGRESS_TLS,
        };
        fs::write(&files.cert_file, chain).expect("write a certificate");
        fs::write(&files.key_file, key).expect("write a key");
        files
    }

    /// A listener with a certificate.
    pub(crate) fn server(&self, certificate: Certificate) -> ServerTls {
        ServerTls::open(self.files(certificate)).expect("usable files")
    }

    /// A deployment with a certificate that speaks these protocols.
    pub(crate) fn acceptor(&self, certificate: Certificate, protocols: &[&str]) -> TlsAcceptor {
        let (chain, key) = self.issue(certificate);
        let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).expect("PEM")];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).expect("fits");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Shakes hands and returns the certificate that was shown.
async fn shown(server: &ServerTls, client: &ClientTls) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let socket = TcpStream::connect(listener.local_addr().expect("bound")).await;
    let (accepted, _) = listener.accept().await.expect("a connection");
    let accepting = async { server.acceptor().await.accept(accepted).await };
    let connecting = client.connect("localhost", socket.expect("it listens"), Alpn::Http2);
    let (accepted, connected) = tokio::join!(accepting, connecting);
    accepted.expect("a handshake");
    let stream = connected.expect("a handshake");
    stream.get_ref().1.peer_certificates().expect("a chain")[0].to_vec()
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_over_and_an_unusable_one_is_not() {
    let authority = Authority::new();
    let client = authority.client();
    let files = authority.files(LOCALHOST);
    let server = ServerTls::with_interval(files.clone(), Duration::ZERO).expect("usable files");
    let first = shown(&server, &client).await;
    assert_eq!(shown(&server, &client).await, first);
    authority.files(LOCALHOST);
    let second = shown(&server, &client).await;
    assert_ne!(second, first);
    // The steps of a renewal that is not over: a key without its certificate, a file that is gone.
    let (chain, key) = authority.issue(LOCALHOST);
    fs::write(&files.key_file, key).expect("write a key");
    assert_eq!(shown(&server, &client).await, second);
    fs::remove_file(&files.cert_file).expect("remove a file");
    assert_eq!(shown(&server, &client).await, second);
    fs::write(&files.cert_file, chain).expect("write a certificate");
    assert_ne!(shown(&server, &client).await, second);
}

#[test]
fn files_that_cannot_be_used_are_named_and_not_shown() {
    let authority = Authority::new();
    let good = authority.files(LOCALHOST);
    let write = |name: &str, text: &str| -> PathBuf {
        let path = authority.directory.path().join(name);
        fs::write(&path, text).expect("write a file");
        path
    };
    let secret =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let (_, other_key) = authority.issue(LOCALHOST);
    let none = write("none.pem", "secret");
    let broken = write("broken.pem", "-----BEGIN CERTIFICATE-----\nsecret!\n");
    let encrypted = write("encrypted.pem", secret);
    let foreign = write("foreign.pem", &other_key);
    for (cert_file, key_file, setting, expected) in [
        (&none, &good.key_file, "ingress.tls.cert-file", "has no certificate"),
        (&broken, &good.key_file, "ingress.tls.cert-file", "a section has no end"),
        (&good.cert_file, &none, "ingress.tls.key-file", "has no private key as PEM"),
        (&good.cert_file, &encrypted, "ingress.tls.key-file", "PEM without a password"),
        (&good.cert_file, &foreign, "ingress.tls.key-file", "does not go with the certificate"),
    ] {
        let files = TlsFiles {
            cert_file: cert_file.clone(),
            key_file: key_file.clone(),
            settings: INGRESS_TLS,
        };
        let error = ServerTls::open(files).err().expect("unusable files").to_string();
        assert!(error.contains(setting) && error.contains(expected), "{error}");
        assert!(!error.contains("secret") && !error.contains("c2VjcmV0"), "{error}");
    }
    for path in [none.clone(), broken.clone(), Path::new("/no/such/file").to_owned()] {
        let error = ClientTls::new(Some(&path)).expect_err("unusable").to_string();
        assert!(error.contains("named by http-client.ca-file"), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
