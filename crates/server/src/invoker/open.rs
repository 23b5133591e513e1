//! Which attempts are open, for whoever asks: no partition has to be asked.
//!
//! - Owns: one entry for each [`super::Attempt`], from its start until its task ends.
//! - Invariant: a lock is held for one operation on a map, so that nobody waits for a query.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reveille_engine::command::{AttemptId, Millis};
use reveille_protocol::id::InvocationId;
use reveille_query::Attempts;

use crate::text::time;

/// Partitions and tasks seldom meet at one of so many locks.
const SHARDS: usize = 32;

type Shard = HashMap<InvocationId, (AttemptId, Millis)>;

/// The open attempts of a server.
#[derive(Debug, Default)]
pub struct OpenAttempts([Mutex<Shard>; SHARDS]);

impl OpenAttempts {
    /// Notes that an attempt starts now.
    pub(super) fn opened(&self, id: InvocationId, attempt: AttemptId) {
        self.shard(id).insert(id, (attempt, time::now()));
    }

    /// Notes that the task of an attempt ended, unless the next one has started already.
    pub(super) fn closed(&self, id: InvocationId, attempt: AttemptId) {
        let mut shard = self.shard(id);
        if shard.get(&id).is_some_and(|(open, _)| *open == attempt) {
            shard.remove(&id);
        }
    }

    fn shard(&self, id: InvocationId) -> MutexGuard<'_, Shard> {
        // The first byte of an id says where it lives, the ninth nothing.
        let shard = &self.0[usize::from(id.as_bytes()[8]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts for OpenAttempts {
    fn started_at(&self, id: InvocationId, attempt: AttemptId) -> Option<u64> {
        let open = self.shard(id).get(&id).copied();
        open.filter(|(open, _)| *open == attempt).map(|(_, started_at)| started_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_attempt_that_is_open_is_shown() {
        let open = OpenAttempts::default();
        let id = InvocationId::from_parts(1, 2);
        let attempt = |number| AttemptId { created_at: 1, number };
        assert_eq!(open.started_at(id, attempt(1)), None);
        open.opened(id, attempt(1));
        assert!(open.started_at(id, attempt(1)).is_some_and(|at| at > 0));
        assert_eq!(open.started_at(id, attempt(2)), None);
        // The next one starts before the task of the last one has ended.
        open.opened(id, attempt(2));
        open.closed(id, attempt(1));
        assert!(open.started_at(id, attempt(2)).is_some());
        open.closed(id, attempt(2));
        assert_eq!(open.started_at(id, attempt(2)), None);
    }
}
