//! Records of topics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use reveille_protocol::id::SubscriptionId;

use super::cell::{Counter, Gauge};

/// Records of topics.
#[derive(Debug, Default)]
pub struct KafkaMetrics {
    /// Records that created an invocation.
    pub taken: Counter,
    /// Records of a workflow key that had a run already.
    pub joined: Counter,
    /// Records that were taken before.
    pub duplicates: Counter,
    /// Records that did not fit and were passed over, because an option says so.
    pub skipped: Counter,
    /// Subscriptions and partitions of topics that something holds up.
    pub waiting: Gauge,
    /// Records that are in topics and not durable here, by subscription.
    lag: Mutex<BTreeMap<SubscriptionId, u64>>,
}

impl KafkaMetrics {
    /// Shows how far behind a subscription is.
    pub fn show_lag(&self, id: SubscriptionId, records: u64) {
        let mut lag = self.lag.lock().unwrap_or_else(PoisonError::into_inner);
        lag.insert(id, records);
    }

    /// Forgets a subscription.
    pub fn forget_lag(&self, id: SubscriptionId) {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// How far all subscriptions are behind together.
    pub fn lag(&self) -> u64 {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}
