//! Sources and sinks: `kafka://cluster/topic` and `service://Service/handler`.

use reveille_engine::schema::Schema;

use super::{KafkaError, Subscription};

const SOURCE: &str = "kafka://";
const SINK: &str = "service://";

/// Longest name of a topic, in bytes; Kafka knows no longer ones.
const TOPIC_BYTES_MAX: usize = 249;

/// Reads a source: cluster and topic.
pub(super) fn source(uri: &str) -> Result<(&str, &str), KafkaError> {
    let refuse = |why| Err(KafkaError::Source { uri: uri.to_owned(), why });
    let Some(rest) = uri.strip_prefix(SOURCE) else {
        return refuse("must have a scheme segment, with supported schemes: [kafka]");
    };
    let (cluster, topic) = rest.split_once('/').unwrap_or((rest, ""));
    if cluster.is_empty() {
        return refuse("must name a Kafka cluster, as in kafka://cluster/topic");
    }
    if topic.is_empty() {
        return refuse("must name a topic, as in kafka://cluster/topic");
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if topic.len() > TOPIC_BYTES_MAX || matches!(topic, "." | "..") || !topic.bytes().all(legal) {
        return refuse(
            "must name one topic: letters, digits, '.', '_' and '-', at most 249 of them",
        );
    }
    Ok((cluster, topic))
}

/// Reads a sink: service and handler, which must be registered.
pub(super) fn sink<'u>(uri: &'u str, schema: &Schema) -> Result<(&'u str, &'u str), KafkaError> {
    let refuse = |uri: String, why| Err(KafkaError::Sink { uri, why });
    let Some(rest) = uri.strip_prefix(SINK) else {
        let why = "must have a scheme segment, with supported schemes: [service]";
        return refuse(uri.to_owned(), why);
    };
    let (service, handler) = rest.split_once('/').unwrap_or((rest, ""));
    if schema.handler(service, handler).is_none() {
        let why = "cannot find service/handler specified in the sink URI";
        return refuse(format!("{SINK}{service}/{handler}"), why);
    }
    Ok((service, handler))
}

impl Subscription {
    /// The source as it is shown.
    pub fn source(&self) -> String {
        format!("{SOURCE}{}/{}", self.cluster, self.topic)
    }

    /// The sink as it is shown.
    pub fn sink(&self) -> String {
        format!("{SINK}{}/{}", self.service, self.handler)
    }
}
