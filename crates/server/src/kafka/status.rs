//! What holds up a subscription, for operators.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reveille_protocol::id::SubscriptionId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::metrics::KafkaMetrics;
use crate::text::time;

/// Something that holds up a subscription, or a partition of its topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SubscriptionProblem")]
pub struct Problem {
    /// Partition of the topic; none when it is the whole subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// Offset of the record that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Since when, as text.
    pub since: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// The problems of every subscription; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    shared: Arc<Mutex<BTreeMap<Place, Problem>>>,
    metrics: Arc<KafkaMetrics>,
}

/// Of which subscription, of which partition of its topic.
type Place = (SubscriptionId, Option<u32>);

impl Statuses {
    /// Starts without problems; their number is shown in `metrics`.
    pub fn new(metrics: Arc<KafkaMetrics>) -> Statuses {
        Statuses { shared: Arc::default(), metrics }
    }

    /// What holds up a subscription.
    pub fn of(&self, id: SubscriptionId) -> Vec<Problem> {
        let problems = self.lock();
        problems.range((id, None)..=(id, Some(u32::MAX))).map(|(_, p)| p.clone()).collect()
    }

    /// Shows a problem; returns true when it was not shown before.
    #[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "nothing reads topics"))]
    pub(super) fn show(&self, id: SubscriptionId, at: Option<(u32, u64)>, message: &str) -> bool {
        let (partition, offset) = at.unzip();
        let mut problems = self.lock();
        let known = problems.get(&(id, partition));
        if known.is_some_and(|known| known.offset == offset && known.message == message) {
            return false;
        }
        let since = time::milliseconds_utc(time::now());
        let problem = Problem { partition, offset, since, message: message.to_owned() };
        problems.insert((id, partition), problem);
        self.metrics.waiting.set_len(problems.len());
        true
    }

    /// Forgets the problem of a subscription, or of a partition of its topic.
    #[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "nothing reads topics"))]
    pub(super) fn clear(&self, id: SubscriptionId, partition: Option<u32>) {
        let mut problems = self.lock();
        problems.remove(&(id, partition));
        self.metrics.waiting.set_len(problems.len());
    }

    /// Forgets every problem of a subscription.
    #[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "nothing reads topics"))]
    pub(super) fn clear_all(&self, id: SubscriptionId) {
        let mut problems = self.lock();
        problems.retain(|(of, _), _| *of != id);
        self.metrics.waiting.set_len(problems.len());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Problem>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
