//! Places for attempts: a bounded number may be open, the others queue.
//!
//! - Owns: the queue, and the places promised to attempts that are being prepared again.
//! - Does not own: the attempts ([`super::effects`]).
//! - Invariant: live attempts and promised places together never exceed the bound, and nobody who
//!   comes later takes a place before those who queue.

use std::collections::{HashSet, VecDeque};

use reveille_engine::command::AttemptId;
use reveille_protocol::id::InvocationId;
use tokio::time::{Duration, Instant};

/// Who may open a stream, and who waits for it.
#[derive(Debug)]
pub struct Places {
    max: usize,
    /// Admitted, but the attempt is not durable yet.
    promised: HashSet<InvocationId>,
    queue: VecDeque<(InvocationId, AttemptId, Instant)>,
}

impl Places {
    /// Starts with `max` free places.
    pub fn new(max: usize) -> Places {
        Places { max, promised: HashSet::new(), queue: VecDeque::new() }
    }

    /// Takes a place while `live` others are taken, or queues and returns false. An attempt that
    /// follows another one of its invocation at once `keeps` its place.
    pub fn take(&mut self, live: usize, id: InvocationId, attempt: AttemptId, keeps: bool) -> bool {
        let promised = self.promised.remove(&id);
        let free = self.queue.is_empty() && live + self.promised.len() < self.max;
        if promised || keeps || free {
            return true;
        }
        self.queue.push_back((id, attempt, Instant::now()));
        false
    }

    /// Promises a free place to the attempt that has queued longest, and tells since when.
    pub fn admit(&mut self, live: usize) -> Option<(InvocationId, AttemptId, Instant)> {
        if !self.can_admit(live) {
            return None;
        }
        let first = self.queue.pop_front()?;
        self.promised.insert(first.0);
        Some(first)
    }

    /// Takes back a promise: the attempt is not wanted any more.
    pub fn forgo(&mut self, id: InvocationId) {
        self.promised.remove(&id);
    }

    /// True when [`Places::admit`] would admit somebody.
    pub fn can_admit(&self, live: usize) -> bool {
        !self.queue.is_empty() && live + self.promised.len() < self.max
    }

    /// How many wait for a place.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// How long the first one has waited for a place, if anybody does.
    pub fn longest_wait(&self, now: Instant) -> Option<Duration> {
        self.queue.front().map(|(_, _, since)| now.saturating_duration_since(*since))
    }

    /// True when somebody waits for a place.
    pub fn are_wanted(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Forgets everyone.
    pub fn clear(&mut self) {
        self.promised.clear();
        self.queue.clear();
    }
}
