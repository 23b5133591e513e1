//! TLS of a listener, with certificates that can be renewed while it runs.
//!
//! - Owns: reading certificate chain and key, and noticing that they changed.
//! - Invariant: files that cannot be used never replace ones that can: the old certificate stays, with a
//!   warning.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio_rustls::TlsAcceptor;

use super::{TlsError, certificates, pem_problem, provider, read};
use crate::limits;

/// Where the identity of a listener is. Both files are PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, own certificate first.
    pub cert_file: PathBuf,
    /// The private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key_file: PathBuf,
    /// Which settings name them.
    pub settings: TlsSettings,
}

/// Names of the settings, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Names the certificate chain.
    pub cert: &'static str,
    /// Names the key.
    pub key: &'static str,
}

/// The settings of the ingress.
pub const INGRESS_TLS: TlsSettings =
    TlsSettings { cert: "ingress.tls.cert-file", key: "ingress.tls.key-file" };

/// The settings of the admin API.
pub const ADMIN_TLS: TlsSettings =
    TlsSettings { cert: "admin.tls.cert-file", key: "admin.tls.key-file" };

/// The TLS of one listener. Clones share it.
#[derive(Clone)]
pub struct ServerTls {
    inner: Arc<Inner>,
}

struct Inner {
    files: TlsFiles,
    check_interval: Duration,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// What the files held when they were last looked at; one that cannot be used is reported once.
    seen: Fingerprint,
    checked_at: Instant,
}

type Fingerprint = [u8; 32];

impl ServerTls {
    /// Reads the files. Fails when they cannot be used.
    pub fn open(files: TlsFiles) -> Result<ServerTls, TlsError> {
        ServerTls::with_interval(files, Duration::from_millis(limits::TLS_FILES_CHECK_MS))
    }

    pub(crate) fn with_interval(
        files: TlsFiles,
        check_interval: Duration,
    ) -> Result<ServerTls, TlsError> {
        let (chain, key) = contents(&files)?;
        let acceptor = acceptor(&files, &chain, &key)?;
        let seen = fingerprint(&chain, &key);
        let current = Mutex::new(Current { acceptor, seen, checked_at: Instant::now() });
        Ok(ServerTls { inner: Arc::new(Inner { files, check_interval, current }) })
    }

    /// The acceptor for the next connection: the files are looked at again when that was some time
    /// ago, off the threads of the runtime.
    pub(crate) async fn acceptor(&self) -> TlsAcceptor {
        let due = {
            let mut current = self.inner.lock();
            let due = current.checked_at.elapsed() >= self.inner.check_interval;
            if due {
                // Others go on with what there is.
                current.checked_at = Instant::now();
            }
            due
        };
        if due {
            let inner = Arc::clone(&self.inner);
            if let Err(error) = tokio::task::spawn_blocking(move || inner.look_again()).await {
                tracing::error!(%error, "certificates were not looked at");
            }
        }
        self.inner.lock().acceptor.clone()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over files that changed.
    fn look_again(&self) {
        let cert_file = self.files.cert_file.display();
        let (chain, key) = match contents(&self.files) {
            Ok(contents) => contents,
            // Between two steps of a renewal a file may be missing for a moment.
            Err(error) => return tracing::warn!("{error}; the old certificate stays in use"),
        };
        let found = fingerprint(&chain, &key);
        if self.lock().seen == found {
            return;
        }
        let made = acceptor(&self.files, &chain, &key);
        let mut current = self.lock();
        current.seen = found;
        match made {
            Ok(acceptor) => {
                current.acceptor = acceptor;
                tracing::info!(%cert_file, "the certificate was renewed");
            }
            Err(error) => tracing::warn!("{error}; the old certificate stays in use"),
        }
    }
}

fn contents(files: &TlsFiles) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
    let chain = read(files.settings.cert, &files.cert_file)?;
    let key = read(files.settings.key, &files.key_file)?;
    Ok((chain, key))
}

fn fingerprint(chain: &[u8], key: &[u8]) -> Fingerprint {
    let mut all = Vec::with_capacity(64);
    all.extend_from_slice(digest(&SHA256, chain).as_ref());
    all.extend_from_slice(digest(&SHA256, key).as_ref());
    digest(&SHA256, &all).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn acceptor(files: &TlsFiles, chain: &[u8], key: &[u8]) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(files.settings.cert, &files.cert_file, chain)?;
    let unusable_key = |problem: String| TlsError::Content {
        setting: files.settings.key,
        path: files.key_file.clone(),
        problem,
    };
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
        let problem = pem_problem(&error);
        unusable_key(format!("has no private key as PEM without a password: {problem}"))
    })?;
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable_key(format!("cannot be used: {error}")))?;
    let mut config =
        builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| {
            let cert_file = files.cert_file.display();
            unusable_key(format!("does not go with the certificate in {cert_file}: {error}"))
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
