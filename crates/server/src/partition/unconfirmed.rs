//! Messages to other partitions that were sent and not yet confirmed.
//!
//! A partition drops what it is told while its disk is full, so a message may have to be sent
//! again although neither side restarts.
//! - Owns: which messages are on their way and since when.
//! - Does not own: the messages; they are rows of the outbox until they are confirmed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long a confirmation may take before everything unconfirmed is sent again.
pub(super) const RESEND_DELAY: Duration = Duration::from_secs(2);

/// Messages on their way, by receiver and sequence number.
#[derive(Debug, Default)]
pub struct Unconfirmed {
    sent: BTreeMap<(u16, u64), Instant>,
}

impl Unconfirmed {
    /// Notes that a message was sent.
    pub fn sent(&mut self, to: u16, seq: u64) {
        self.sent.insert((to, seq), Instant::now());
    }

    /// Notes that a message is durable at its receiver.
    pub fn confirmed(&mut self, to: u16, seq: u64) {
        self.sent.remove(&(to, seq));
    }

    /// How many messages are on their way.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// The receivers that have owed a confirmation for too long.
    pub fn overdue(&self, now: Instant) -> Vec<u16> {
        let late = self
            .oldest()
            .filter(|(_, since)| now.saturating_duration_since(*since) >= RESEND_DELAY);
        late.map(|(to, _)| to).collect()
    }

    /// When a receiver becomes overdue.
    pub fn next_overdue(&self) -> Option<Instant> {
        self.oldest().map(|(_, since)| since + RESEND_DELAY).min()
    }

    /// Forgets what was sent to one receiver, up to a sequence number: it is sent again.
    pub fn forget(&mut self, to: u16, through: u64) {
        let again: Vec<_> = self.sent.range((to, 0)..=(to, through)).map(|(key, _)| *key).collect();
        for key in again {
            self.sent.remove(&key);
        }
    }

    /// Forgets everything: the outbox will be read again.
    pub fn clear(&mut self) {
        self.sent.clear();
    }

    /// The first message to each receiver. Receivers confirm in order, so it is the oldest.
    fn oldest(&self) -> impl Iterator<Item = (u16, Instant)> {
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let (&(to, _), &since) = self.sent.range((next?, 0)..).next()?;
            next = to.checked_add(1);
            Some((to, since))
        })
    }
}
