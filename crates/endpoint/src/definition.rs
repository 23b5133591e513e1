//! What a deployment consists of: services, their handlers, and what it announces about them.
//!
//! Owns the routes and the manifest; both are fixed once [`EndpointBuilder::build`] returned.

use std::{collections::HashMap, ops::RangeInclusive, sync::Arc};

use bytes::Bytes;
use reveille_protocol::manifest::{
    Handler, HandlerType, Manifest, Options, ProtocolMode, Service, ServiceType,
};

use crate::{Attempt, Stop};

/// The code of a handler.
pub(crate) type HandlerFn = Arc<dyn Fn(&mut Attempt) -> Result<Bytes, Stop> + Send + Sync>;

/// A deployment that can be served; clones share everything.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Handlers by service and name.
    handlers: HashMap<String, HashMap<String, HandlerFn>>,
    pub(crate) versions: RangeInclusive<u32>,
    /// The manifest as JSON, the same in all versions that are offered.
    pub(crate) manifest: Bytes,
}

impl Endpoint {
    /// Starts the definition of a deployment without services.
    pub fn builder() -> EndpointBuilder {
        EndpointBuilder {
            services: Vec::new(),
            mode: ProtocolMode::BidiStream,
            versions: PROTOCOL_VERSIONS,
        }
    }

    pub(crate) fn handler(&self, service: &str, handler: &str) -> Option<&HandlerFn> {
        self.inner.handlers.get(service)?.get(handler)
    }
}

/// The protocol versions that the state machine speaks.
const PROTOCOL_VERSIONS: RangeInclusive<u32> = 5..=7;

/// Collects what an [`Endpoint`] consists of.
pub struct EndpointBuilder {
    services: Vec<ServiceDef>,
    mode: ProtocolMode,
    versions: RangeInclusive<u32>,
}

impl EndpointBuilder {
    /// Adds a service; one of the same name replaces it.
    pub fn service(mut self, service: ServiceDef) -> Self {
        self.services.retain(|other| other.manifest.name != service.manifest.name);
        self.services.push(service);
        self
    }

    /// Sets the mode that is announced, bidirectional by default. Both work in any case: an attempt
    /// suspends when it waits and the request has ended.
    pub fn protocol_mode(mut self, mode: ProtocolMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the protocol versions that are announced and accepted, `5..=7` by default.
    pub fn protocol_versions(mut self, versions: RangeInclusive<u32>) -> Self {
        self.versions = versions;
        self
    }

    /// Finishes the definition.
    pub fn build(self) -> Endpoint {
        let (mut handlers, mut services) = (HashMap::new(), Vec::new());
        for service in self.services {
            handlers.insert(service.manifest.name.clone(), service.handlers);
            services.push(service.manifest);
        }
        let manifest = Manifest {
            protocol_mode: Some(self.mode),
            min_protocol_version: *self.versions.start(),
            max_protocol_version: *self.versions.end(),
            services,
        };
        let manifest = serde_json::to_vec(&manifest).expect("a manifest has string keys only");
        let inner = Inner { handlers, versions: self.versions, manifest: manifest.into() };
        Endpoint { inner: Arc::new(inner) }
    }
}

/// A service and its handlers.
pub struct ServiceDef {
    manifest: Service,
    handlers: HashMap<String, HandlerFn>,
}

impl ServiceDef {
    /// Starts a plain service: no key, no state.
    pub fn service(name: &str) -> Self {
        Self::new(name, ServiceType::Service)
    }

    /// Starts a virtual object: state per key, one exclusive handler of a key at a time.
    pub fn object(name: &str) -> Self {
        Self::new(name, ServiceType::VirtualObject)
    }

    /// Starts a workflow: a handler that runs once per key, and shared handlers beside it.
    pub fn workflow(name: &str) -> Self {
        Self::new(name, ServiceType::Workflow)
    }

    fn new(name: &str, ty: ServiceType) -> Self {
        let options = Options::default();
        let manifest = Service { name: name.to_owned(), ty, handlers: Vec::new(), options };
        Self { manifest, handlers: HashMap::new() }
    }

    /// Adds a handler of the default type: exclusive in an object, the run in a workflow.
    pub fn handler(
        self,
        name: &str,
        code: impl Fn(&mut Attempt) -> Result<Bytes, Stop> + Send + Sync + 'static,
    ) -> Self {
        let ty = match self.manifest.ty {
            ServiceType::Service => None,
            ServiceType::VirtualObject => Some(HandlerType::Exclusive),
            ServiceType::Workflow => Some(HandlerType::Workflow),
        };
        self.with(name, ty, Arc::new(code))
    }

    /// Adds a handler that runs beside the others of its key.
    pub fn shared_handler(
        self,
        name: &str,
        code: impl Fn(&mut Attempt) -> Result<Bytes, Stop> + Send + Sync + 'static,
    ) -> Self {
        self.with(name, Some(HandlerType::Shared), Arc::new(code))
    }

    fn with(mut self, name: &str, ty: Option<HandlerType>, code: HandlerFn) -> Self {
        let name = name.to_owned();
        let options = Options::default();
        let handler = Handler { name: name.clone(), ty, input: None, output: None, options };
        self.manifest.handlers.push(handler);
        self.handlers.insert(name, code);
        self
    }

    /// Changes what the manifest says about the handler added last: input, output, options.
    pub fn declare(mut self, change: impl FnOnce(&mut Handler)) -> Self {
        if let Some(handler) = self.manifest.handlers.last_mut() {
            change(handler);
        }
        self
    }

    /// Changes what the manifest says about timeouts, retention, retries and the like.
    pub fn options(mut self, options: Options) -> Self {
        self.manifest.options = options;
        self
    }
}
