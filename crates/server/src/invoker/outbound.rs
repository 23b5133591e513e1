//! What attempts and discovery have in common: how a deployment is reached and how it recognises us.
//!
//! - Owns: nothing of its own; it hands on what [`crate::tls`] and [`crate::request_identity`] hold.

use http::{HeaderMap, Request};

use crate::request_identity::RequestIdentity;
use crate::text::time;
use crate::tls::client::ClientTls;

use super::local::LocalDeployments;

/// How deployments are reached. Clones share it; the default trusts the authorities of the system and
/// signs nothing, and has nothing within the process.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// Which certificates are trusted.
    pub tls: ClientTls,
    /// What requests are signed with.
    pub identity: Option<RequestIdentity>,
    /// What is reached without a socket.
    pub local: LocalDeployments,
}

impl Outbound {
    /// Adds the signature to a request, if there is a key. `audience` is the path as the SDK sees it:
    /// `/discover` or `/invoke/{service}/{handler}`, without the path of the deployment itself.
    ///
    /// To be called right before the request is sent: what waits in between shortens the time that is
    /// left to the deployment for checking it.
    pub(super) fn sign(&self, headers: &mut HeaderMap, audience: impl FnOnce() -> String) {
        if let Some(identity) = &self.identity {
            identity.sign(headers, &audience(), time::now() / 1000);
        }
    }

    /// Does what [`Outbound::sign`] does for an attempt.
    pub(super) fn sign_attempt(&self, request: &mut Request<()>, service: &str, handler: &str) {
        self.sign(request.headers_mut(), || format!("/invoke/{service}/{handler}"));
    }
}
