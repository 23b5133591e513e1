//! What a failed handshake with a deployment means to the operator.
//!
//! - Owns: the texts. Each says what is wrong and what to change.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use super::client::{Alpn, TlsFailure};

/// Explains the error of a handshake with `host`.
pub(super) fn handshake(host: &str, error: &io::Error, alpn: Alpn) -> TlsFailure {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let cause = match tls {
        Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            return match alpn {
                Alpn::Http2 => no_http2(),
                Alpn::Http1 => failure(
                    "TLS failed: the deployment does not speak HTTP/1.1; register it without \
                     use_http_11."
                        .to_owned(),
                ),
            };
        }
        Some(Error::InvalidCertificate(problem)) => certificate(host, problem),
        Some(Error::InvalidMessage(_)) => "TLS failed: what answers there does not speak TLS; register \
             the deployment with an http:// address, or check the port."
            .to_owned(),
        Some(Error::AlertReceived(AlertDescription::ProtocolVersion)) | Some(Error::PeerIncompatible(_)) => {
            format!(
                "TLS failed: no common version or cipher ({error}); the deployment must offer TLS 1.2 \
                 or 1.3 with modern ciphers."
            )
        }
        Some(Error::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::AccessDenied),
        )) => format!(
            "TLS failed: the deployment refused us ({alert:?}); client certificates are not supported, \
             let it check request identity instead (request-identity-private-key-pem-file)."
        ),
        Some(other) => format!("TLS failed: {other}."),
        None if is_end(error.kind()) => {
            "TLS failed: the deployment closed the connection during the handshake; check that its port \
             speaks TLS."
                .to_owned()
        }
        None => format!("TLS failed: {error}."),
    };
    failure(cause)
}

/// The ways in which a connection ends; which of them it is depends on what was still under way.
fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as E;
    matches!(kind, E::UnexpectedEof | E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe)
}

/// The peer speaks TLS, but not HTTP/2 over it.
pub(super) fn no_http2() -> TlsFailure {
    let cause =
        "TLS failed: the deployment does not offer HTTP/2 (ALPN h2); enable it there, or register \
                 the deployment for HTTP/1.1 (use_http_11)."
            .to_owned();
    TlsFailure { cause, not_http2: true }
}

fn failure(cause: String) -> TlsFailure {
    TlsFailure { cause, not_http2: false }
}

fn certificate(host: &str, problem: &CertificateError) -> String {
    let what = match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired; renew it, or check the clock of this machine".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet; check the clock of this machine".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "is signed by an authority that is not trusted here; add the \
             authority's certificate with http-client.ca-file, and check that the deployment sends \
             intermediate certificates"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("is not for the name '{host}'; register the deployment with a name that it has")
        }
        CertificateError::Revoked => "is revoked; replace it".to_owned(),
        other => format!("is not acceptable: {other}"),
    };
    format!("TLS failed: the certificate of the deployment {what}.")
}
