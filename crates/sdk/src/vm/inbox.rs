//! What became known: notifications that wait in a queue, and those that were let in.
//!
//! - Owns: the queue, what is ready to be taken, the runs and what they proposed.
//! - Does not own: when a notification is let in (`vm/progress.rs`).
//! - Invariant: notifications are let in one at a time and in order, so that what the code sees is a
//!   function of their order alone. A completion is let in at most once; signals queue up.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bytes::Bytes;
use reveille_protocol::message::{
    Failure, Value, notification,
    notification::{Id, Notification},
};

use super::await_tree::Status;

/// What a notification brings.
pub type Outcome = notification::Result;

/// How far a run is that has no completion yet.
#[derive(Debug)]
pub enum Run {
    /// Nobody asked for its result yet.
    Waiting,
    /// Its closure is being executed.
    Executing,
    /// Its closure was to be executed, and the code does not go on with it for now.
    SetAside,
    /// It was proposed; from v7 on the result is kept until the server has acknowledged it.
    Proposed(Option<Outcome>),
}

/// What became known to an attempt.
#[derive(Default)]
pub struct Inbox {
    queue: VecDeque<(Id, Outcome)>,
    ready: HashMap<Id, VecDeque<Outcome>>,
    /// Every completion that arrived, to tell at once whether a run has one.
    completed: HashSet<u32>,
    /// Runs without a completion, by completion id.
    pub runs: BTreeMap<u32, Run>,
}

impl Inbox {
    /// Appends a notification; `false` when it lacks its id or its result.
    pub fn push(&mut self, notification: Notification) -> bool {
        let Notification { id: Some(id), result: Some(outcome) } = notification else {
            return false;
        };
        if let Id::CompletionId(id) = id {
            // A completion comes once. One that comes again is the same, so that it is ignored.
            if !self.completed.insert(id) {
                return true;
            }
        }
        self.queue.push_back((id, outcome));
        true
    }

    /// The server stored what was proposed: this takes the place of the completion.
    pub fn acknowledge(&mut self, id: u32) -> bool {
        let Some(Run::Proposed(outcome)) = self.runs.get_mut(&id) else {
            return false;
        };
        match outcome.take() {
            Some(outcome) => {
                let id = Some(Id::CompletionId(id));
                self.push(Notification { id, result: Some(outcome) })
            }
            None => false,
        }
    }

    /// Whether the completion is here, let in or not.
    pub fn has_completion(&self, id: u32) -> bool {
        self.completed.contains(&id)
    }

    /// Lets the next notification in and returns its id.
    pub fn let_in(&mut self) -> Option<Id> {
        let (id, outcome) = self.queue.pop_front()?;
        if let Id::CompletionId(id) = id {
            self.runs.remove(&id);
        }
        self.ready.entry(id.clone()).or_default().push_back(outcome);
        Some(id)
    }

    /// Makes known what the machine itself has answered.
    pub fn answer(&mut self, id: u32, outcome: Outcome) {
        self.completed.insert(id);
        self.ready.entry(Id::CompletionId(id)).or_default().push_back(outcome);
    }

    /// What became of it.
    pub fn status(&self, id: &Id) -> Status {
        match self.ready.get(id).and_then(VecDeque::front) {
            None => Status::Pending,
            Some(Outcome::Failure(_)) => Status::Failed,
            Some(_) => Status::Succeeded,
        }
    }

    /// Looks at what became of it.
    pub fn peek(&self, id: &Id) -> Option<&Outcome> {
        self.ready.get(id)?.front()
    }

    /// Takes what became of it.
    pub fn take(&mut self, id: &Id) -> Option<Outcome> {
        let waiting = self.ready.get_mut(id)?;
        let outcome = waiting.pop_front();
        if waiting.is_empty() {
            self.ready.remove(id);
        }
        outcome
    }
}

/// The completion that a proposal becomes.
pub fn completion(result: &Result<Bytes, Failure>) -> Outcome {
    match result {
        Ok(content) => Outcome::Value(Value { content: content.clone() }),
        Err(failure) => Outcome::Failure(failure.clone()),
    }
}
