//! The registry: which deployments exist, what they serve and where new work goes.
//!
//! - Owns: the rows `deployment/…`, `limit-rules` and `kafka` of the meta partition, discovery at registration, the rules a
//!   manifest must keep, and the [`Schema`] that everyone else reads.
//! - Does not own: other rows of the meta partition, calls to handlers ([`crate::invoker`]), the
//!   HTTP form of requests and answers ([`crate::admin`]).
//! - Invariant: the schema never shows what a restart could lose: a change is durable first.
//! - Start at [`Registry::register`], then `place::place`, which decides what a manifest changes.

mod catalog;
mod changes;
mod discover;
mod error;
pub mod kafka;
mod manifest;
mod options;
mod patch;
mod place;
mod record;
mod request;
mod rules;
mod schema;
mod update;
mod uri;
mod usage;
mod view;

#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::BTreeMap,
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
};

use reveille_engine::rules::Rules;
use reveille_engine::schema::Schema;
use reveille_protocol::id::DeploymentId;
use reveille_store::{Batch, Commit, Lease, Store, StoreError};
use tokio::sync::{Mutex, watch};

use self::{discover::HttpDiscover, record::Records};
pub use self::{
    discover::{Discover, DiscoverFuture, DiscoveryFailure, Found},
    error::RegistryError,
    patch::ServicePatch,
    request::RegisterDeployment,
    rules::{DeleteRule, Precondition, PutRule, RuleView, UserLimits},
    update::UpdateDeployment,
    uri::{DeploymentUri, UriError},
    view::{DeploymentView, HandlerView, RetryPolicyView, ServiceRevision, ServiceView},
};
use crate::{
    config::{KafkaClusterConfig, OptionDefaults},
    invoker::Outbound,
    limits,
    text::time,
};

/// Settings of the registry.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Options that neither a handler nor its service sets.
    pub defaults: OptionDefaults,
    /// Highest service protocol version that is negotiated, 5 to 7.
    pub protocol_version_max: u32,
    /// Kafka clusters beside the stored ones.
    pub kafka_clusters: Vec<KafkaClusterConfig>,
}

/// A cheap handle to the registry; clones share everything.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

/// How a registration went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The address is new.
    Created,
    /// The address was known: either nothing was done, or it was discovered again by force.
    Existing,
}

struct Inner {
    store: Arc<dyn Store>,
    config: RegistryConfig,
    discover: Box<dyn Discover>,
    /// The lease with the sequence number of our last commit. Held while a change is under way.
    writer: Mutex<Lease>,
    /// What is durable. Replaced as a whole.
    records: RwLock<Arc<Records>>,
    /// What is durable of the concurrency rules.
    rules: RwLock<Arc<Rules>>,
    schema: watch::Sender<Arc<Schema>>,
    /// What is durable of clusters and subscriptions.
    kafka: watch::Sender<Arc<kafka::Kafka>>,
}

/// A decided change: what to answer, and what to make durable before that.
struct Plan<T> {
    value: T,
    /// All records after the change and the ids of those that differ; `None` changes nothing.
    next: Option<(Records, Vec<DeploymentId>)>,
}

impl Registry {
    /// Reads every deployment from the meta partition. Blocks on the store.
    ///
    /// The registry keeps the lease: nobody else may commit to the meta partition under it.
    pub fn open(
        store: Arc<dyn Store>,
        lease: Lease,
        config: RegistryConfig,
        outbound: Outbound,
    ) -> Result<Registry, RegistryError> {
        Registry::open_with(store, lease, config, Box::new(HttpDiscover(outbound)))
    }

    /// Does what [`Registry::open`] does, with another way of fetching manifests.
    pub fn open_with(
        store: Arc<dyn Store>,
        lease: Lease,
        config: RegistryConfig,
        discover: Box<dyn Discover>,
    ) -> Result<Registry, RegistryError> {
        let records = record::load(store.as_ref(), lease.partition)?;
        let rules = Arc::new(rules::load(store.as_ref(), lease.partition)?);
        let kafka = kafka::load(store.as_ref(), lease.partition, &config.kafka_clusters)?;
        let (kafka, _) = watch::channel(Arc::new(kafka));
        let schema = schema::build(&records, &config, Arc::clone(&rules));
        let (schema, _) = watch::channel(Arc::new(schema));
        let inner = Inner {
            store,
            config,
            discover,
            writer: Mutex::new(lease),
            records: RwLock::new(Arc::new(records)),
            rules: RwLock::new(rules),
            schema,
            kafka,
        };
        Ok(Registry { inner: Arc::new(inner) })
    }

    /// Watches the schema. Every value it shows is durable.
    pub fn schema(&self) -> watch::Receiver<Arc<Schema>> {
        self.inner.schema.subscribe()
    }

    /// Returns the settings the registry was opened with.
    pub fn config(&self) -> &RegistryConfig {
        &self.inner.config
    }

    /// Discovers a deployment and sends new work to it; returns when that is durable.
    ///
    /// A known address without `force` is answered without discovery. Dropping the future before
    /// discovery is over changes nothing; after that the change is completed anyway.
    pub async fn register(
        &self,
        request: RegisterDeployment,
    ) -> Result<(Registered, DeploymentView), RegistryError> {
        let known = self.inner.records();
        if let Some((id, record)) = place::existing(&known, &request) {
            return Ok((Registered::Existing, self.inner.view(id, record)));
        }
        let found = self
            .inner
            .discover
            .discover(&request.uri.to_uri(), request.use_http_11, &request.additional_headers)
            .await?;
        let now_ms = time::now();
        let record = manifest::check(&request, found, &self.inner.config, now_ms)?;
        let inner = Arc::clone(&self.inner);
        self.change(move |records| {
            let plan = place::place(records, &request, record, fresh_id(now_ms))?;
            let (registered, id, record) = plan.value;
            let value = (registered, inner.view(id, &record));
            Ok(Plan { value, next: plan.next })
        })
        .await
    }

    /// Returns every deployment in order of id.
    pub fn list(&self) -> Vec<DeploymentView<ServiceRevision>> {
        let records = self.inner.records();
        records.iter().map(|(id, record)| view::summary(*id, record)).collect()
    }

    /// Returns a deployment with everything it serves.
    pub fn get(&self, id: DeploymentId) -> Option<DeploymentView> {
        let records = self.inner.records();
        records.get(&id).map(|record| self.inner.view(id, record))
    }

    /// Returns the latest revision of every service in order of name.
    pub fn services(&self) -> Vec<ServiceView> {
        let records = self.inner.records();
        let latest = record::latest(&records);
        let views = latest.into_iter().map(|(name, (id, service))| {
            view::service(name, id, service, &self.inner.config.defaults)
        });
        views.collect()
    }

    /// Returns the latest revision of a service.
    pub fn service(&self, name: &str) -> Option<ServiceView> {
        let records = self.inner.records();
        let (id, service) = record::latest_of(&records, name)?;
        Some(view::service(name, id, service, &self.inner.config.defaults))
    }

    /// Returns every concurrency rule in order of pattern.
    pub fn rules(&self) -> Vec<RuleView> {
        let rules = self.inner.rules();
        rules.by_pattern.iter().map(|(pattern, rule)| rules::view(pattern, rule)).collect()
    }

    /// Creates or replaces concurrency rules; returns them when that is durable.
    pub async fn put_rules(&self, puts: Vec<PutRule>) -> Result<Vec<RuleView>, RegistryError> {
        self.change_rules(move |rules| {
            let next = rules::put(rules, &puts, time::now())?;
            let view = |put: &PutRule| rules::view(&put.pattern, &next.by_pattern[&put.pattern]);
            let views = puts.iter().map(view).collect();
            Ok((next, views))
        })
        .await
    }

    /// Removes concurrency rules; returns the patterns of those that were there, when it is durable.
    pub async fn delete_rules(
        &self,
        deletes: Vec<DeleteRule>,
    ) -> Result<Vec<String>, RegistryError> {
        self.change_rules(move |rules| rules::delete(rules, &deletes)).await
    }

    /// Does for the rules what `change` does for the deployments.
    async fn change_rules<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&Rules) -> Result<(Rules, T), RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move { inner.change_rules(decide).await });
        task.await.map_err(|_| RegistryError::Stopped)?
    }

    /// Makes a change durable, then visible. It runs as a task of its own: a client that hangs up
    /// must not leave a commit whose outcome nobody notes.
    async fn change<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&Records) -> Result<Plan<T>, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move { inner.change(decide).await });
        task.await.map_err(|_| RegistryError::Stopped)?
    }
}

impl Inner {
    async fn change<T>(
        &self,
        decide: impl FnOnce(&Records) -> Result<Plan<T>, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut lease = self.writer.lock().await;
        let plan = decide(&self.records())?;
        let Some((records, changed)) = plan.next else { return Ok(plan.value) };
        if records.len() > limits::DEPLOYMENTS_MAX {
            return Err(RegistryError::TooManyDeployments);
        }
        let batch = record::batch(&records, &changed)?;
        self.commit(*lease, batch).await?;
        lease.last_seq += 1;
        *self.records.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(records);
        self.publish();
        Ok(plan.value)
    }

    async fn change_rules<T>(
        &self,
        decide: impl FnOnce(&Rules) -> Result<(Rules, T), RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut lease = self.writer.lock().await;
        let (rules, value) = decide(&self.rules())?;
        self.commit(*lease, rules::batch(&rules)?).await?;
        lease.last_seq += 1;
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        self.publish();
        Ok(value)
    }

    /// Shows what is durable. Whoever calls it holds the writer.
    fn publish(&self) {
        let schema = schema::build(&self.records(), &self.config, self.rules());
        self.schema.send_replace(Arc::new(schema));
    }

    async fn commit(&self, lease: Lease, batch: Batch) -> Result<(), RegistryError> {
        let store = Arc::clone(&self.store);
        let answers = tokio::task::spawn_blocking(move || {
            let Lease { partition, epoch, last_seq } = lease;
            store.commit(&[Commit { partition, epoch, seq: last_seq + 1, batch: &batch }])
        });
        let answers = answers.await.map_err(|_| RegistryError::Stopped)?;
        // A call with one commit has one answer; without any, nothing is known to be durable.
        answers.into_iter().next().unwrap_or(Err(StoreError::Poisoned))?;
        Ok(())
    }

    fn records(&self) -> Arc<Records> {
        Arc::clone(&self.records.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn view(&self, id: DeploymentId, record: &record::DeploymentRecord) -> DeploymentView {
        view::deployment(id, record, &self.config.defaults)
    }
}

/// A new id: the time leads, so that deployments are listed in order of registration.
fn fresh_id(now_ms: u64) -> DeploymentId {
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let random = random.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    DeploymentId(u128::from(now_ms & 0xFFFF_FFFF_FFFF) << 80 | random)
}

/// Headers or metadata as text, by name.
type TextMap = BTreeMap<String, String>;

/// Parses a header name and value; the text says what is wrong.
fn check_header(name: &str, value: &str) -> Result<(), String> {
    http::HeaderName::from_str(name).map_err(|_| format!("'{name}' is not a header name"))?;
    // The value may be a secret: the text never shows it.
    http::HeaderValue::from_str(value)
        .map_err(|_| format!("the value of header '{name}' has characters that cannot be sent"))?;
    Ok(())
}
