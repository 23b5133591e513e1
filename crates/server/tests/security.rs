//! A whole server with certificates and tokens on both listeners.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use reveille_server::access::{Tokens, hash, token};
use reveille_server::config::{ListenerSecurity, ServerConfig};
use reveille_server::server::Server;
use reveille_store::memory::MemoryStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Certificate and key for `localhost` in a directory.
fn certificate(directory: &Path) -> ListenerSecurity {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (cert_file, key_file) = (directory.join("cert.pem"), directory.join("key.pem"));
    std::fs::write(&cert_file, made.cert.pem()).expect("write a certificate");
    std::fs::write(&key_file, made.signing_key.serialize_pem()).expect("write a key");
    ListenerSecurity {
        tokens: Tokens::default(),
        cert_file: Some(cert_file),
        key_file: Some(key_file),
    }
}

/// Whoever trusts that certificate.
fn connector(cert_file: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert_file).expect("PEM")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// One request; status and body.
async fn get(
    connector: &TlsConnector,
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
) -> (u16, String) {
    let socket = TcpStream::connect(address).await.expect("it listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = connector.connect(name, socket).await.expect("a handshake");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let mut request = http::Request::get(path).header("host", "localhost");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_listeners_speak_tls_and_each_knows_its_own_tokens() {
    let directory = tempfile::tempdir().expect("a directory");
    let files = certificate(directory.path());
    let connector = connector(files.cert_file.as_deref().expect("a certificate"));
    let (callers, operators) = (token(&[1; 32]), token(&[2; 32]));
    let tokens = |token: &str| Tokens::parse(&hash(token)).expect("a hash");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = ServerConfig {
        ingress_address: any_port,
        admin_address: any_port,
        ..ServerConfig::default()
    };
    config.security.ingress = ListenerSecurity { tokens: tokens(&callers), ..files.clone() };
    config.security.admin = ListenerSecurity { tokens: tokens(&operators), ..files };
    let server = Server::start(config, Arc::new(MemoryStore::new(1))).await.expect("it starts");
    let (ingress, admin) = (server.ingress_address, server.admin_address);
    assert_eq!(server.schemes, ("https", "https"));

    for (address, path, token, expected) in [
        (ingress, "/restate/health", None, 200),
        (ingress, "/none/h", None, 401),
        (ingress, "/none/h", Some(&operators), 401),
        (ingress, "/none/h", Some(&callers), 404),
        (admin, "/health", None, 200),
        (admin, "/version", None, 401),
        (admin, "/version", Some(&callers), 401),
        (admin, "/version", Some(&operators), 200),
    ] {
        let (status, body) = get(&connector, address, path, token.map(String::as_str)).await;
        assert_eq!(status, expected, "{path} {token:?}: {body}");
        if expected == 200 && path == "/version" {
            let endpoint = format!(r#""ingress_endpoint":"https://{ingress}/""#);
            assert!(body.contains(&endpoint), "{body}");
        }
    }
    server.stop().await;
}
