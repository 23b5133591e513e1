//! Why a change of clusters or subscriptions is refused. Nothing has changed then.

use reveille_protocol::id::SubscriptionId;

use crate::limits;

/// Why a change of clusters or subscriptions was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaError {
    /// This program was built without it. Use one with the feature.
    #[error(
        "this program was built without support for Kafka: build it with the cargo feature 'kafka', \
         or use a released one"
    )]
    NotBuilt,
    /// The source is not one. The text says what is wrong.
    #[error("[META0009] invalid source URI '{uri}': {why}.")]
    Source {
        /// As it was sent.
        uri: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The sink is not one. The text says what is wrong.
    #[error("[META0009] invalid sink URI '{uri}': {why}.")]
    Sink {
        /// In normal form.
        uri: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Name one of those that are there, or create it.
    #[error("Kafka cluster '{name}' not found. Available clusters: {available:?}")]
    UnknownSourceCluster {
        /// The name.
        name: String,
        /// Those that are there.
        available: Vec<String>,
    },
    /// Names are one or more of these characters.
    #[error(
        "'{0}' is no name for a Kafka cluster: use letters, digits, '-', '.' and '_', at most {max} of \
         them",
        max = limits::KAFKA_NAME_BYTES
    )]
    ClusterName(String),
    /// Choose another name, or change that one.
    #[error("kafka cluster '{0}' already exists in schema registry")]
    ClusterExists(String),
    /// Without brokers there is nobody to ask.
    #[error(
        "kafka cluster '{0}' properties must contain either 'bootstrap.servers' or \
         'metadata.broker.list'"
    )]
    NoBrokers(String),
    /// A property is not one, or may not be set. The text says which.
    #[error("{0}")]
    Property(String),
    /// No cluster has this name. Look at the list.
    #[error("not found in the schema registry: kafka cluster '{0}'")]
    UnknownCluster(String),
    /// It is not ours to change. Change the file and restart.
    #[error(
        "kafka cluster '{0}' comes from the settings of this server: change it there, then restart"
    )]
    ConfiguredCluster(String),
    /// Remove the subscriptions first, or insist.
    #[error(
        "Removing the kafka cluster '{name}' leads to subscription '{subscription}' being orphan. \
         Remove the subscription first, or use the 'force' flag."
    )]
    ClusterInUse {
        /// The cluster.
        name: String,
        /// One of those that read from it.
        subscription: SubscriptionId,
    },
    /// No subscription has this id. Look at the list.
    #[error("not found in the schema registry: subscription with id '{0}'")]
    UnknownSubscription(SubscriptionId),
    /// The bound on clusters is reached. Remove some.
    #[error("there can be {} Kafka clusters at most; remove some", limits::KAFKA_CLUSTERS_MAX)]
    TooManyClusters,
    /// The bound on subscriptions is reached. Remove some.
    #[error("there can be {} subscriptions at most; remove some", limits::SUBSCRIPTIONS_MAX)]
    TooManySubscriptions,
    /// The stored row cannot be read. Do not serve without it; call a person.
    #[error("the record of Kafka clusters and subscriptions is damaged: {0}")]
    Damaged(String),
}

impl KafkaError {
    /// Returns the documentation code that clients of the admin API know.
    pub fn code(&self) -> Option<&'static str> {
        let invalid = matches!(self, KafkaError::Source { .. } | KafkaError::Sink { .. });
        invalid.then_some("META0009")
    }
}
