//! What operators change after a registration: a deployment, a service, and removal.

use std::sync::Arc;

use reveille_protocol::id::DeploymentId;

use crate::text::time;

use super::{
    DeploymentUri, DeploymentView, Plan, Registry, RegistryError, ServiceView, manifest, patch,
    patch::ServicePatch, place, record, record::DeploymentRecord, update, update::UpdateDeployment,
    usage, view,
};

impl Registry {
    /// Returns the other deployments that serve a service of the one at this address.
    pub fn relatives(&self, uri: &DeploymentUri) -> Vec<DeploymentId> {
        let (records, uri) = (self.inner.records(), uri.to_string());
        let Some(here) = records.values().find(|record| record.uri == uri) else {
            return Vec::new();
        };
        let shares = |record: &DeploymentRecord| {
            record.services.keys().any(|name| here.services.contains_key(name))
        };
        let others = records.iter().filter(|(_, record)| record.uri != uri && shares(record));
        others.map(|(id, _)| *id).collect()
    }

    /// Discovers a deployment again under another address or with other headers; returns it when the
    /// change is durable. Work that is pinned to it follows.
    pub async fn update(
        &self,
        id: DeploymentId,
        change: UpdateDeployment,
    ) -> Result<DeploymentView, RegistryError> {
        let known = self.inner.records();
        let known = known.get(&id).ok_or(RegistryError::UnknownDeployment(id))?;
        let request = change.request(known)?;
        let found = self
            .inner
            .discover
            .discover(&request.uri.to_uri(), request.use_http_11, &request.additional_headers)
            .await?;
        let record = manifest::check(&request, found, &self.inner.config, time::now())?;
        let inner = Arc::clone(&self.inner);
        self.change(move |records| {
            let plan = update::update(records, id, &change, record)?;
            Ok(Plan { value: inner.view(id, &plan.value), next: plan.next })
        })
        .await
    }

    /// Changes options of the latest revision of a service; returns it when that is durable. New
    /// attempts and completions go by it at once.
    pub async fn patch_service(
        &self,
        name: String,
        change: ServicePatch,
    ) -> Result<ServiceView, RegistryError> {
        let defaults = self.inner.config.defaults.clone();
        self.change(move |records| {
            let Some((id, service)) = record::latest_of(records, &name) else {
                return Err(RegistryError::UnknownService(name));
            };
            patch::check(&change, service.kind).map_err(RegistryError::Unsupported)?;
            let mut service = service.clone();
            service.patch.add(&change);
            let value = view::service(&name, id, &service, &defaults);
            let mut next = records.clone();
            if let Some(record) = next.get_mut(&id) {
                record.services.insert(name, service);
            }
            Ok(Plan { value, next: Some((next, vec![id])) })
        })
        .await
    }

    /// Forgets a deployment, with the services whose latest revision it serves; returns when that is
    /// durable. Invocations that are pinned to it cannot continue.
    ///
    /// Without `force` it is forgotten only if it serves no latest revision and no invocation needs it,
    /// which costs a read of every invocation.
    pub async fn remove(&self, id: DeploymentId, force: bool) -> Result<(), RegistryError> {
        // What is wrong at first sight needs no search.
        place::remove(&self.inner.records(), id, force)?;
        if !force {
            let store = Arc::clone(&self.inner.store);
            let checked = tokio::task::spawn_blocking(move || {
                usage::check_unused(store.snapshot()?.as_ref(), id)
            });
            checked.await.map_err(|_| RegistryError::Stopped)??;
        }
        self.change(move |records| place::remove(records, id, force)).await
    }
}
