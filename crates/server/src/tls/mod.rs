//! TLS: who we trust when we call deployments, and who we are when we are called.
//!
//! - Owns: certificates, keys and everything that names the library underneath.
//! - Does not own: sockets (`crate::invoker`, `crate::listener`).
//! - Invariant: the cryptography is the one that [`provider`] names, never a default of the process;
//!   nothing here shows a byte of a key.
//! - Start at [`client::ClientTls`] for calls and [`server::ServerTls`] for listeners.

pub mod client;
mod explain;
pub mod server;
mod stream;

#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

pub(crate) use self::stream::Stream;

/// Why files with certificates or keys cannot be used. Mend the file or the setting.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}, named by {setting}: {cause}", path.display())]
    Read {
        /// Which setting names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: String,
    },
    /// The file does not hold what it should.
    #[error("{}, named by {setting}, {problem}", path.display())]
    Content {
        /// Which setting names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be right. Never shows the content.
        problem: String,
    },
}

/// Names the cryptography: ring, which needs no C toolchain beyond a compiler.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|cause| TlsError::Read {
        setting,
        path: path.to_owned(),
        cause: cause.to_string(),
    })
}

/// Reads every certificate of a PEM text; there has to be one.
fn certificates(
    setting: &'static str,
    path: &Path,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let problem = |problem: String| TlsError::Content { setting, path: path.to_owned(), problem };
    let parsed: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    match parsed {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => {
            Err(problem("has no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)".into()))
        }
        Err(error) => Err(problem(format!("is not valid PEM: {}", pem_problem(&error)))),
    }
}

/// Says what is wrong with a PEM text without showing any of it.
fn pem_problem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "the expected section is missing",
        pem::Error::MissingSectionEnd { .. } => "a section has no end",
        pem::Error::IllegalSectionStart { .. } => "a section begins with a malformed line",
        pem::Error::Base64Decode(_) => "a section is not base64",
        _ => "it cannot be parsed",
    }
}
