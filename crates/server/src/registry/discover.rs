//! How the registry gets a manifest.
//!
//! - Owns: the seam between the rules of the registry and the network, so that the rules are tested
//!   without one.
//! - Does not own: the request itself ([`crate::invoker::discovery`]).

use std::{future::Future, pin::Pin};

use http::Uri;
use reveille_protocol::manifest::{Manifest, ManifestError};

use crate::invoker::Outbound;
use crate::invoker::discovery::{self, DiscoveryError};

/// Fetches manifests.
pub trait Discover: Send + Sync + 'static {
    /// Asks the deployment at `uri` what it serves, over HTTP/1.1 if `http1`.
    fn discover<'a>(
        &'a self,
        uri: &'a Uri,
        http1: bool,
        headers: &'a [(String, String)],
    ) -> DiscoverFuture<'a>;
}

/// What [`Discover::discover`] returns.
pub type DiscoverFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Found, DiscoveryFailure>> + Send + 'a>>;

/// What a deployment says about itself.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it serves.
    pub manifest: Manifest,
    /// Name and version of its SDK, if it told.
    pub server: Option<String>,
}

/// Why there is no manifest. Nothing was changed; mend the deployment and register again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryFailure {
    /// Documentation code such as `META0003`, if there is one.
    pub code: Option<&'static str>,
    /// What happened and what to do about it.
    pub message: String,
    /// True when the manifest was read and breaks a rule: a fault of the deployment's author, not
    /// of the network.
    pub invalid: bool,
}

/// Fetches manifests over HTTP.
pub(super) struct HttpDiscover(pub(super) Outbound);

impl Discover for HttpDiscover {
    fn discover<'a>(
        &'a self,
        uri: &'a Uri,
        http1: bool,
        headers: &'a [(String, String)],
    ) -> DiscoverFuture<'a> {
        Box::pin(async move {
            let found = discovery::discover(&self.0, uri, http1, headers).await?;
            Ok(Found { manifest: found.manifest, server: found.server })
        })
    }
}

impl From<DiscoveryError> for DiscoveryFailure {
    fn from(error: DiscoveryError) -> DiscoveryFailure {
        let (code, invalid) = match &error {
            DiscoveryError::Refused(refusal) => refusal_class(refusal),
            _ => (error.code(), false),
        };
        DiscoveryFailure { code, message: error.to_string(), invalid }
    }
}

/// The documentation code of a broken rule, and whether the author of the deployment broke it.
pub(super) fn refusal_class(refusal: &ManifestError) -> (Option<&'static str>, bool) {
    match refusal {
        ManifestError::ReservedName(_) => (Some("META0005"), true),
        ManifestError::HandlerType { .. } => (None, true),
        ManifestError::ProtocolRange { .. } => (Some("META0012"), false),
        _ => (None, false),
    }
}
