//! Deployments within this process: handlers that are linked with the engine they run on.
//!
//! To the invoker such a deployment is one over HTTP/2 whose connection is a pipe; so discovery,
//! attempts, timeouts and failures are those of every other deployment, and its services can move to a
//! process of their own by a change of the address.
//!
//! - Owns: the address (`local://NAME/`, or `local://NAME.NUMBER/`) and the table of names.
//! - Does not own: what serves the other end ([`LocalDeployment`]).

use std::{collections::BTreeMap, fmt, sync::Arc};

use tokio::io::DuplexStream;

use crate::limits;

/// Scheme of the address.
pub(crate) const SCHEME: &str = "local";

/// Serves connections that come from within the process.
pub trait LocalDeployment: Send + Sync + 'static {
    /// Serves a connection, HTTP/2 with prior knowledge, until either side closes it. Called on the
    /// runtime of the server, for each connection once; must not block.
    fn serve(&self, connection: DuplexStream);
}

/// The deployments within this process, by name. Clones share them.
#[derive(Clone, Default)]
pub struct LocalDeployments(Arc<BTreeMap<String, Arc<dyn LocalDeployment>>>);

impl LocalDeployments {
    /// Makes the table.
    pub fn new(by_name: BTreeMap<String, Arc<dyn LocalDeployment>>) -> LocalDeployments {
        LocalDeployments(Arc::new(by_name))
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Opens a connection to the deployment of this name.
    pub(super) fn connect(&self, name: &str) -> Result<DuplexStream, String> {
        // What was taken over from another deployment has its number behind the name.
        let (plain, _number) = name.rsplit_once('.').unwrap_or((name, ""));
        let deployment = self.0.get(name).or_else(|| self.0.get(plain)).ok_or_else(|| {
            format!(
                "the deployment '{name}' was part of a process that this one is not: give it the \
                 address at which its services are now (PATCH /deployments/ID)"
            )
        })?;
        let (ours, theirs) = tokio::io::duplex(limits::LOCAL_PIPE_BYTES);
        deployment.serve(theirs);
        Ok(ours)
    }
}

impl fmt::Debug for LocalDeployments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
