//! Kafka clusters and subscriptions to their topics: what operators set up, stored as a whole.
//!
//! - Owns: the row `kafka` of the meta partition ([`record`]), changes and what they must keep, what
//!   is secret of it ([`properties`]).
//! - Does not own: reading topics ([`crate::kafka`]), which records were taken (crate `engine`).
//! - Invariant: a subscription that is removed stays in the row until every partition has forgotten
//!   what it took, so that no crash leaves anything behind.

mod error;
mod properties;
mod record;
mod uri;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reveille_protocol::id::SubscriptionId;
use reveille_store::{PartitionId, Store};
use tokio::sync::watch;

pub use self::{
    error::KafkaError,
    properties::{BAD_RECORDS, Properties},
};

use super::{Inner, Registry, RegistryError};
use crate::config::KafkaClusterConfig;
use crate::limits;
use crate::text::time;

/// Everything that is set up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kafka {
    /// By name.
    pub clusters: BTreeMap<String, Cluster>,
    /// By id.
    pub subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// Those of which a partition may still know what they took.
    pub removed: BTreeSet<SubscriptionId>,
}

/// Brokers that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// What clients of it are set to.
    pub properties: Properties,
    /// When it was created, or when the server started that has it in its settings.
    pub created_at_ms: u64,
    /// True when it comes from the settings of the server.
    pub configured: bool,
}

/// A topic whose records become invocations.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Name of the cluster.
    pub cluster: String,
    /// The topic.
    pub topic: String,
    /// Where records go.
    pub service: String,
    /// Where records go.
    pub handler: String,
    /// What its client is set to beside the properties of the cluster.
    pub options: Properties,
    /// True once it is stored in the consumer group where it began. From then on what it does not
    /// know is read from the beginning: what was taken before is dropped.
    pub anchored: bool,
}

/// What a new subscription is made from.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    /// `kafka://cluster/topic`.
    pub source: String,
    /// `service://Service/handler`.
    pub sink: String,
    /// What its client is set to.
    pub options: Properties,
}

/// Reads what is stored, and adds what is configured.
pub(super) fn load(
    store: &dyn Store,
    partition: PartitionId,
    configured: &[KafkaClusterConfig],
) -> Result<Kafka, RegistryError> {
    let mut kafka = record::load(store, partition)?;
    for KafkaClusterConfig { name, properties } in configured {
        let created_at_ms = time::now();
        let cluster = Cluster { properties: properties.clone(), created_at_ms, configured: true };
        if kafka.clusters.insert(name.clone(), cluster).is_some() {
            tracing::warn!(cluster = name, "the settings replace a stored Kafka cluster");
        }
    }
    Ok(kafka)
}

impl Registry {
    /// Watches clusters and subscriptions. Every value it shows is durable.
    pub fn kafka(&self) -> watch::Receiver<Arc<Kafka>> {
        self.inner.kafka.subscribe()
    }

    /// Creates a cluster; returns it when that is durable.
    pub async fn create_cluster(
        &self,
        name: String,
        properties: Properties,
    ) -> Result<Cluster, RegistryError> {
        self.change_kafka(move |kafka| {
            check_name(&name)?;
            if kafka.clusters.contains_key(&name) {
                return Err(KafkaError::ClusterExists(name));
            }
            check_cluster(&name, &properties)?;
            if kafka.clusters.len() >= limits::KAFKA_CLUSTERS_MAX {
                return Err(KafkaError::TooManyClusters);
            }
            let cluster = Cluster { properties, created_at_ms: time::now(), configured: false };
            kafka.clusters.insert(name, cluster.clone());
            Ok(cluster)
        })
        .await
    }

    /// Replaces the properties of a cluster; returns it when that is durable. Its subscriptions go on
    /// with them.
    pub async fn update_cluster(
        &self,
        name: String,
        mut properties: Properties,
    ) -> Result<Cluster, RegistryError> {
        self.change_kafka(move |kafka| {
            let cluster = own_cluster(kafka, &name)?;
            properties.unmask(&cluster.properties);
            check_cluster(&name, &properties)?;
            cluster.properties = properties;
            Ok(cluster.clone())
        })
        .await
    }

    /// Removes a cluster that no subscription reads from, or any by force.
    pub async fn remove_cluster(&self, name: String, force: bool) -> Result<(), RegistryError> {
        self.change_kafka(move |kafka| {
            own_cluster(kafka, &name)?;
            let of = |(_, subscription): &(_, &Subscription)| subscription.cluster == name;
            if let Some((id, _)) = kafka.subscriptions.iter().find(of).filter(|_| !force) {
                return Err(KafkaError::ClusterInUse { name, subscription: *id });
            }
            kafka.clusters.remove(&name);
            Ok(())
        })
        .await
    }

    /// Creates a subscription; returns it when that is durable.
    pub async fn subscribe(
        &self,
        new: NewSubscription,
    ) -> Result<(SubscriptionId, Subscription), RegistryError> {
        let schema = self.inner.schema.borrow().clone();
        self.change_kafka(move |kafka| {
            crate::kafka::check_built()?;
            let (cluster, topic) = uri::source(&new.source)?;
            let (service, handler) = uri::sink(&new.sink, &schema)?;
            let Some(found) = kafka.clusters.get(cluster) else {
                let available = kafka.clusters.keys().cloned().collect();
                return Err(KafkaError::UnknownSourceCluster {
                    name: cluster.to_owned(),
                    available,
                });
            };
            let id = SubscriptionId(super::fresh_id(time::now()).0);
            let mut options = new.options.clone();
            options.check()?;
            options.0.entry("client.id".to_owned()).or_insert_with(|| "reveille".to_owned());
            options.0.entry("group.id".to_owned()).or_insert_with(|| id.to_string());
            crate::kafka::check_client(&[&found.properties, &options])?;
            if kafka.subscriptions.len() >= limits::SUBSCRIPTIONS_MAX {
                return Err(KafkaError::TooManySubscriptions);
            }
            let subscription = Subscription {
                cluster: cluster.to_owned(),
                topic: topic.to_owned(),
                service: service.to_owned(),
                handler: handler.to_owned(),
                options,
                anchored: false,
            };
            kafka.subscriptions.insert(id, subscription.clone());
            Ok((id, subscription))
        })
        .await
    }

    /// Removes a subscription; its records are not taken any more soon after.
    pub async fn unsubscribe(&self, id: SubscriptionId) -> Result<(), RegistryError> {
        self.change_kafka(move |kafka| {
            kafka.subscriptions.remove(&id).ok_or(KafkaError::UnknownSubscription(id))?;
            kafka.removed.insert(id);
            Ok(())
        })
        .await
    }

    /// Notes that the consumer group of a subscription says where it began.
    #[cfg(feature = "kafka")]
    pub(crate) async fn anchored(&self, id: SubscriptionId) -> Result<(), RegistryError> {
        self.change_kafka(move |kafka| {
            let found = kafka.subscriptions.get_mut(&id);
            found.ok_or(KafkaError::UnknownSubscription(id))?.anchored = true;
            Ok(())
        })
        .await
    }

    /// Notes that no partition knows anything of a removed subscription any more.
    #[cfg(feature = "kafka")]
    pub(crate) async fn forgotten(&self, id: SubscriptionId) -> Result<(), RegistryError> {
        self.change_kafka(move |kafka| {
            kafka.removed.remove(&id);
            Ok(())
        })
        .await
    }

    /// Does for clusters and subscriptions what `change` does for the deployments.
    async fn change_kafka<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Kafka) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move { inner.change_kafka(decide).await });
        task.await.map_err(|_| RegistryError::Stopped)?
    }
}

impl Inner {
    async fn change_kafka<T>(
        &self,
        decide: impl FnOnce(&mut Kafka) -> Result<T, KafkaError>,
    ) -> Result<T, RegistryError> {
        let mut lease = self.writer.lock().await;
        let mut kafka = Kafka::clone(&self.kafka.borrow());
        let value = decide(&mut kafka)?;
        self.commit(*lease, record::batch(&kafka)?).await?;
        lease.last_seq += 1;
        self.kafka.send_replace(Arc::new(kafka));
        Ok(value)
    }
}

/// Checks a name that stands in URIs.
fn check_name(name: &str) -> Result<(), KafkaError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = (1..=limits::KAFKA_NAME_BYTES).contains(&name.len());
    if fits && name.bytes().all(legal) {
        return Ok(());
    }
    Err(KafkaError::ClusterName(name.to_owned()))
}

/// Checks what clients of a cluster are set to.
pub fn check_cluster(name: &str, properties: &Properties) -> Result<(), KafkaError> {
    check_name(name)?;
    if !properties.has_brokers() {
        return Err(KafkaError::NoBrokers(name.to_owned()));
    }
    properties.check()?;
    crate::kafka::check_client(&[properties])
}

fn own_cluster<'k>(kafka: &'k mut Kafka, name: &str) -> Result<&'k mut Cluster, KafkaError> {
    match kafka.clusters.get_mut(name) {
        Some(cluster) if cluster.configured => Err(KafkaError::ConfiguredCluster(name.to_owned())),
        Some(cluster) => Ok(cluster),
        None => Err(KafkaError::UnknownCluster(name.to_owned())),
    }
}
