//! Endpoints: services, announced and served.
//!
//! - Owns: [`Endpoint`] and its builder, the manifest, which protocol versions are spoken.
//! - Does not own: attempts ([`crate::driver`]), connections (`endpoint/http.rs`), signatures
//!   (`endpoint/identity.rs`).
//! - Invariant: what is built can be registered: names are valid and used once.

mod body;
mod http;
#[cfg(feature = "identity")]
mod identity;
#[cfg(feature = "lambda")]
mod lambda;
mod manifest;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use reveille_protocol::manifest::ManifestError;

#[cfg(feature = "identity")]
use self::identity::IdentityKey;
#[cfg(feature = "lambda")]
pub use self::lambda::LambdaError;
use crate::{
    clock::Clock,
    definition::{Definition, Handler, Service},
    driver::Settings,
    vm::VmOptions,
};

/// By default a handler may wait for so long for something that is not durable.
const FOREIGN_WAIT_MAX: Duration = Duration::from_secs(60);
/// By default steps have so long to end after the shutdown has begun.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);

/// How invocations reach the endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProtocolMode {
    /// Both sides send at any time, over HTTP/2.
    Bidirectional,
    /// The server sends all it has, then the endpoint answers: for HTTP/1.1 and platforms that buffer.
    RequestResponse,
}

/// Services that can be served. Clones are cheap and serve the same.
///
/// ```no_run
/// # use reveille::Endpoint;
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = Endpoint::builder().build()?;
/// endpoint.listen("127.0.0.1:9080").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    definitions: Vec<Definition>,
    /// Places of service and handler, by their names.
    places: HashMap<(String, String), (usize, usize)>,
    mode: Option<ProtocolMode>,
    settings: Settings,
    shutdown_grace: Duration,
    #[cfg(feature = "identity")]
    identity_keys: Vec<IdentityKey>,
}

/// Builds an [`Endpoint`].
pub struct EndpointBuilder {
    definitions: Vec<Definition>,
    mode: Option<ProtocolMode>,
    settings: Settings,
    shutdown_grace: Duration,
    #[cfg(feature = "identity")]
    identity_keys: Vec<String>,
}

/// Why an endpoint cannot be built. The program must be mended.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Two services have the same name.
    #[error("two services are called {0:?}: give one of them another name")]
    ServiceTwice(String),
    /// Two handlers of a service have the same name.
    #[error("two handlers of the service {service:?} are called {handler:?}")]
    HandlerTwice {
        /// The service.
        service: String,
        /// The name.
        handler: String,
    },
    /// A name or a combination that no server accepts.
    #[error("the services cannot be registered: {0}")]
    Manifest(#[from] ManifestError),
    /// A key of request identity that is none.
    #[error("{0:?} is no public key of request identity; one looks like `publickeyv1_` and base58")]
    IdentityKey(String),
}

impl Endpoint {
    /// Begins with no services.
    pub fn builder() -> EndpointBuilder {
        let settings = Settings {
            vm: VmOptions::default(),
            clock: Clock::System,
            is_waiting: Arc::default(),
            foreign_wait_max: FOREIGN_WAIT_MAX,
        };
        EndpointBuilder {
            definitions: Vec::new(),
            mode: None,
            settings,
            shutdown_grace: SHUTDOWN_GRACE,
            #[cfg(feature = "identity")]
            identity_keys: Vec::new(),
        }
    }

    /// The services, for whoever else serves them.
    #[cfg(feature = "test")]
    pub(crate) fn definitions(&self) -> &[Definition] {
        &self.inner.definitions
    }

    /// What an attempt is run with.
    pub(crate) fn settings(&self) -> Settings {
        // Each attempt says for itself that it waits.
        Settings { is_waiting: Arc::default(), ..self.inner.settings.clone() }
    }

    /// Finds a handler.
    pub(crate) fn handler(&self, service: &str, handler: &str) -> Option<&Handler> {
        let place = self.inner.places.get(&(service.to_owned(), handler.to_owned()));
        place.map(|(service, handler)| &self.inner.definitions[*service].handlers[*handler])
    }
}

impl EndpointBuilder {
    /// Adds the handlers of a type that has one of the attribute macros.
    pub fn bind(self, service: impl Service) -> Self {
        self.bind_with(service, |definition| definition)
    }

    /// As [`Self::bind`], with options that are known only at run time.
    pub fn bind_with(
        mut self,
        service: impl Service,
        change: impl FnOnce(Definition) -> Definition,
    ) -> Self {
        self.definitions.push(change(Arc::new(service).definition()));
        self
    }

    /// Sets how invocations reach the endpoint; by default as the discovery does: bidirectional over
    /// HTTP/2, request/response over HTTP/1.1.
    pub fn protocol_mode(mut self, mode: ProtocolMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Accepts only requests that are signed with the private half of this key, or of another one that is
    /// added: `publickeyv1_…`.
    #[cfg(feature = "identity")]
    pub fn identity_key(mut self, public_key: impl Into<String>) -> Self {
        self.identity_keys.push(public_key.into());
        self
    }

    /// Sets whether payloads have to be the same on replay, as they are by default.
    ///
    /// Without that, code may change what it sends as long as it sends it to the same place.
    pub fn check_payloads(mut self, check: bool) -> Self {
        self.settings.vm.check_payloads = check;
        self
    }

    /// Sets for how long a handler may wait for something that is not durable; one minute by default.
    pub fn foreign_wait_max(mut self, duration: Duration) -> Self {
        self.settings.foreign_wait_max = duration;
        self
    }

    /// Sets how long steps have to end after a shutdown has begun; half a minute by default.
    ///
    /// Handlers that only wait end at once, and go on elsewhere.
    pub fn shutdown_grace(mut self, duration: Duration) -> Self {
        self.shutdown_grace = duration;
        self
    }

    /// Checks everything.
    pub fn build(self) -> Result<Endpoint, EndpointError> {
        let definitions = self.definitions;
        let mut places = HashMap::new();
        for (at, definition) in definitions.iter().enumerate() {
            if definitions[..at].iter().any(|other| other.name == definition.name) {
                return Err(EndpointError::ServiceTwice(definition.name.clone()));
            }
            for (place, handler) in definition.handlers.iter().enumerate() {
                let names = (definition.name.clone(), handler.name.clone());
                if places.insert(names, (at, place)).is_some() {
                    let (service, handler) = (definition.name.clone(), handler.name.clone());
                    return Err(EndpointError::HandlerTwice { service, handler });
                }
            }
        }
        #[cfg(feature = "identity")]
        let identity_keys = {
            let parse =
                |text: String| IdentityKey::parse(&text).ok_or(EndpointError::IdentityKey(text));
            self.identity_keys.into_iter().map(parse).collect::<Result<_, _>>()?
        };
        let inner = Inner {
            definitions,
            places,
            mode: self.mode,
            settings: self.settings,
            shutdown_grace: self.shutdown_grace,
            #[cfg(feature = "identity")]
            identity_keys,
        };
        let endpoint = Endpoint { inner: Arc::new(inner) };
        endpoint.check_manifest()?;
        Ok(endpoint)
    }
}
