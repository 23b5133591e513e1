//! Places for attempts: a bounded number may be open, the others queue.
//!
//! - Owns: the queue, and the places promised to attempts that are being prepared again.
//! - Does not own: the attempts ([`super::effects`]).
//! - Invariant: live attempts and promised places together never exceed the bound, and nobody who
//!   comes later takes a place before those who queue.

use std::collections::{HashSet, VecDeque};

use reveille_engine::command::AttemptId;
use reveille_protocol::id::InvocationId;

/// Who may open a stream, and who waits for it.
#[derive(Debug)]
pub struct Places {
    max: usize,
    /// Admitted, but the attempt is not durable yet.
    promised: HashSet<InvocationId>,
    queue: VecDeque<(InvocationId, AttemptId)>,
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
        self.queue.push_back((id, attempt));
        false
    }

    /// Promises a free place to the attempt that has queued longest.
    pub fn admit(&mut self, live: usize) -> Option<(InvocationId, AttemptId)> {
        if !self.can_admit(live) {
            return None;
        }
        let (id, attempt) = self.queue.pop_front()?;
        self.promised.insert(id);
        Some((id, attempt))
    }

    /// Takes back a promise: the attempt is not wanted any more.
    pub fn forgo(&mut self, id: InvocationId) {
        self.promised.remove(&id);
    }

    /// True when [`Places::admit`] would admit somebody.
    pub fn can_admit(&self, live: usize) -> bool {
        !self.queue.is_empty() && live + self.promised.len() < self.max
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
