//! Tests of the registry, and the fake deployments that tests of the admin API use as well.

mod changes;
mod options;
mod registration;
mod rules;
mod uri;
mod view;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::Uri;
use reveille_protocol::manifest;
use reveille_store::{PartitionId, Store, memory::MemoryStore};
use serde_json::Value;

use super::{
    Discover, DiscoverFuture, DiscoveryFailure, Found, Registry, RegistryConfig, RegistryError,
    discover::refusal_class,
};
use crate::config::OptionDefaults;

/// Deployments that exist in a test only.
#[derive(Clone, Default)]
pub(crate) struct FakeDeployments {
    manifests: Arc<Mutex<BTreeMap<String, Value>>>,
    discoveries: Arc<Mutex<Vec<String>>>,
}

impl FakeDeployments {
    /// Lets an address serve a manifest.
    pub(crate) fn serve(&self, uri: &str, manifest: Value) {
        let mut manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        manifests.insert(uri.to_owned(), manifest);
    }

    /// Returns how often any of them was asked for its manifest.
    pub(crate) fn discoveries(&self) -> usize {
        self.discoveries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn answer(&self, uri: &Uri) -> Result<Found, DiscoveryFailure> {
        let uri = uri.to_string();
        self.discoveries.lock().unwrap_or_else(PoisonError::into_inner).push(uri.clone());
        let manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(manifest) = manifests.get(&uri) else {
            let message = format!("error when calling '{uri}': refused");
            return Err(DiscoveryFailure { code: Some("META0003"), message, invalid: false });
        };
        let content_type = "application/vnd.restate.endpointmanifest.v4+json";
        match manifest::parse(content_type, manifest.to_string().as_bytes()) {
            Ok(manifest) => Ok(Found { manifest, server: Some("fake/1".to_owned()) }),
            Err(error) => {
                let (code, invalid) = refusal_class(&error);
                Err(DiscoveryFailure { code, message: error.to_string(), invalid })
            }
        }
    }
}

impl Discover for FakeDeployments {
    fn discover<'a>(
        &'a self,
        uri: &'a Uri,
        _http1: bool,
        _headers: &'a [(String, String)],
    ) -> DiscoverFuture<'a> {
        Box::pin(async move { self.answer(uri) })
    }
}

/// Opens a registry on a store.
pub(crate) fn open(
    store: &MemoryStore,
    deployments: &FakeDeployments,
) -> Result<Registry, RegistryError> {
    let lease = store.acquire(PartitionId::META)?;
    let config = RegistryConfig {
        defaults: OptionDefaults::default(),
        protocol_version_max: 6,
        kafka_clusters: Vec::new(),
    };
    Registry::open_with(Arc::new(store.clone()), lease, config, Box::new(deployments.clone()))
}
