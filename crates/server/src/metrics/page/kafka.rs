//! Records of topics, on the page.

use std::fmt;

use super::{Page, float};
use crate::metrics::Metrics;

/// Shows what became of records of topics.
pub(super) fn kafka(page: &mut Page<'_>, metrics: &Metrics) -> fmt::Result {
    let kafka = &metrics.kafka;
    for (name, help, value) in [
        (
            "reveille_kafka_taken",
            "Records of topics that created an invocation, durably",
            kafka.taken.get(),
        ),
        (
            "reveille_kafka_joined",
            "Records of topics whose workflow key had a run already: they start nothing",
            kafka.joined.get(),
        ),
        (
            "reveille_kafka_duplicates",
            "Records of topics that were taken before and came again",
            kafka.duplicates.get(),
        ),
        (
            "reveille_kafka_skipped",
            "Records of topics that did not fit and were passed over, as an option says",
            kafka.skipped.get(),
        ),
    ] {
        page.counter(name, help, value)?;
    }
    page.gauge(
        "reveille_kafka_waiting",
        "Subscriptions, and partitions of their topics, that something holds up",
        float(kafka.waiting.get()),
    )?;
    page.gauge(
        "reveille_kafka_lag_records",
        "Records of subscribed topics that are not taken so far, as the clients last said",
        float(kafka.lag()),
    )
}
