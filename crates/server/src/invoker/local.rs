//! Deployments within this process: handlers that are linked with the engine they run on.
//!
//! To the invoker such a deployment is one over HTTP/2 without the connection: requests and responses
//! are those of every other deployment, handed over as they are. So discovery, timeouts and failures are
//! the same, and its services can move to a process of their own by a change of the address.
//!
//! - Owns: the address (`local://NAME/`, or `local://NAME.NUMBER/`) and the table of names.
//! - Does not own: how the body of a request gets there (`body`), what answers ([`LocalDeployment`]).

mod body;

use std::{collections::BTreeMap, error::Error, fmt, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;

pub use body::{LocalRequest, RequestReset};

pub(super) use body::Input;

/// Scheme of the address.
pub(crate) const SCHEME: &str = "local";

/// The response of a deployment within this process. Dropping it gives up the attempt.
pub type LocalResponse = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Answers requests that come from within the process.
pub trait LocalDeployment: Send + Sync + 'static {
    /// Answers a request as over HTTP/2: the response begins at once, and goes on while the request does.
    /// Called on the runtime of the server; must not block.
    fn call(&self, request: Request<LocalRequest>) -> Response<LocalResponse>;
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

    /// Begins a request to the deployment of this name.
    pub(super) fn call(
        &self,
        name: &str,
        request: Request<()>,
    ) -> Result<(Input, Response<LocalResponse>), String> {
        // What was taken over from another deployment has its number behind the name.
        let (plain, _number) = name.rsplit_once('.').unwrap_or((name, ""));
        let deployment = self.0.get(name).or_else(|| self.0.get(plain)).ok_or_else(|| {
            format!(
                "the deployment '{name}' was part of a process that this one is not: give it the \
                 address at which its services are now (PATCH /deployments/ID)"
            )
        })?;
        let (input, body) = body::pipe();
        Ok((input, deployment.call(request.map(|()| body))))
    }
}

impl fmt::Debug for LocalDeployments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
