//! Awaiting: what becomes known next, and what is done when nothing does.
//!
//! - Owns: [`Vm::progress`], suspension, what the server is told about waits, implicit cancellation.
//! - Invariant: at most one notification is let in between two looks at what is awaited.

use bytes::Bytes;
use prost::Message as _;
use reveille_protocol::{
    frame::MessageType,
    message::{AwaitingOn, Suspension, notification::Id},
    version::ServiceProtocolVersion,
};

use super::{
    Await, Combinator, Ended, Handle, Outcome, Phase, Site, Status, Stopped, Vm, inbox::Run,
};

/// What to do next, while the code waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Something that is awaited is there.
    Ready,
    /// The invocation was cancelled: everything that is awaited now fails.
    Cancelled,
    /// The closure of this run is to be executed.
    Execute(Handle),
    /// Only bytes of the server lead any further.
    NeedInput,
    /// As [`Progress::NeedInput`], or the end of an execution.
    Executing,
    /// Only runs are awaited that were set aside: none of it will come before something else does.
    Nothing,
    /// Nothing will come on this stream: the attempt is over.
    Suspended,
}

/// The invocations that were called since the last cancellation: those that a cancellation reaches.
#[derive(Default)]
pub struct Children {
    called: Vec<(Handle, Option<String>)>,
    /// A cancellation waits for ids of children.
    pub(super) is_cancelling: bool,
}

impl Children {
    pub fn add(&mut self, id: Handle) {
        self.called.push((id, None));
    }

    /// The code took an id, which has to be kept.
    pub fn learn(&mut self, handle: Handle, id: &str) {
        if let Some((_, known)) = self.called.iter_mut().find(|(of, _)| *of == handle) {
            *known = Some(id.to_owned());
        }
    }
}

impl Vm {
    /// Lets in what is needed for something awaited to be there; one notification at a time.
    ///
    /// `awaited` are the trees that the code waits for, any of them.
    pub fn progress(&mut self, awaited: Vec<Await>, site: Site) -> Result<Progress, Stopped> {
        self.check_open()?;
        if self.children.is_cancelling {
            return self.cancel_children(site);
        }
        let mut awaited = Await::Node(Combinator::FirstCompleted, awaited);
        let mut look = true;
        loop {
            if look && self.reduce(&mut awaited) {
                return Ok(Progress::Ready);
            }
            if self.status(self.cancel) != Status::Pending {
                return self.cancel_children(site);
            }
            let Some(id) = self.let_in() else { break };
            look = self.is_leaf(&awaited, &id);
        }
        if let Await::Node(_, children) = &mut awaited {
            // Whoever waits for a run polls it.
            children.retain(|child| !self.has_leaf(child, |run| matches!(run, Run::SetAside)));
            if children.is_empty() {
                return Ok(Progress::Nothing);
            }
            children.push(Await::Single(self.cancel));
        }
        self.wait(&awaited)
    }

    /// Whether a tree is over, or far enough that the code has to look at it.
    pub fn is_over(&self, tree: &Await) -> bool {
        self.reduce(&mut tree.clone())
    }

    fn reduce(&self, tree: &mut Await) -> bool {
        let mut news = false;
        let status = tree.reduce(&|handle| self.status(handle), &mut news);
        news || status != Status::Pending
    }

    fn let_in(&mut self) -> Option<Id> {
        let id = self.inbox.let_in()?;
        self.awaiting_on = None;
        Some(id)
    }

    fn is_leaf(&self, tree: &Await, id: &Id) -> bool {
        let mut found = false;
        tree.leaves(&mut |leaf| found |= self.id(leaf) == id);
        found
    }

    /// Nothing is known that would help.
    fn wait(&mut self, awaited: &Await) -> Result<Progress, Stopped> {
        if self.phase == Phase::Replaying {
            let awaited = self.described(awaited);
            self.unanswered(&awaited);
            return Err(Stopped);
        }
        let mut next = None;
        awaited.leaves(&mut |leaf| {
            if next.is_none() && matches!(self.run_of(leaf), Some(Run::Waiting)) {
                next = Some(leaf);
            }
        });
        if let Some(handle) = next {
            if let Id::CompletionId(id) = *self.id(handle) {
                self.inbox.runs.insert(id, Run::Executing);
            }
            return Ok(Progress::Execute(handle));
        }
        if self.input_closed && !self.has_leaf(awaited, |run| matches!(run, Run::Executing)) {
            self.suspend(awaited);
            return Ok(Progress::Suspended);
        }
        if self.inbox.runs.values().any(|run| matches!(run, Run::Executing)) {
            return Ok(Progress::Executing);
        }
        self.tell(awaited);
        Ok(Progress::NeedInput)
    }

    fn has_leaf(&self, tree: &Await, is_meant: fn(&Run) -> bool) -> bool {
        let mut found = false;
        tree.leaves(&mut |leaf| found |= self.run_of(leaf).is_some_and(is_meant));
        found
    }

    pub(super) fn run_of(&self, handle: Handle) -> Option<&Run> {
        match self.id(handle) {
            Id::CompletionId(id) => self.inbox.runs.get(id),
            _ => None,
        }
    }

    fn suspend(&mut self, awaited: &Await) {
        let tree = awaited.to_wire(self.version, &|handle| self.id(handle).clone());
        let suspension = if self.version >= ServiceProtocolVersion::V7 {
            Suspension { awaiting_on: Some(tree), ..Suspension::default() }
        } else {
            Suspension {
                waiting_completions: tree.waiting_completions,
                waiting_signals: tree.waiting_signals,
                waiting_named_signals: tree.waiting_named_signals,
                awaiting_on: None,
            }
        };
        self.output.message(MessageType::SUSPENSION, false, &suspension, None);
        self.close(Ended::Suspended);
    }

    /// Tells the server what is awaited, unless it knows.
    fn tell(&mut self, awaited: &Await) {
        if self.version < ServiceProtocolVersion::V7 {
            return;
        }
        let tree = awaited.to_wire(self.version, &|handle| self.id(handle).clone());
        let message = AwaitingOn { awaiting_on: Some(tree), executing_side_effects: false };
        let encoded = Bytes::from(message.encode_to_vec());
        if self.awaiting_on.as_ref() != Some(&encoded) {
            self.output.message(MessageType::AWAITING_ON, false, &message, None);
            self.awaiting_on = Some(encoded);
        }
    }

    /// The invocation was cancelled: so are the invocations that it called. Their ids may have to be
    /// waited for; each is awaited alone, since it comes soon.
    fn cancel_children(&mut self, site: Site) -> Result<Progress, Stopped> {
        self.children.is_cancelling = true;
        for at in 0..self.children.called.len() {
            let (handle, None) = self.children.called[at] else { continue };
            while self.status(handle) == Status::Pending {
                if self.let_in().is_none() {
                    return self.wait(&Await::Single(handle));
                }
            }
            if let Some(Outcome::InvocationId(id)) = self.inbox.peek(self.id(handle)) {
                self.children.called[at].1 = Some(id.clone());
            }
        }
        for (_, id) in std::mem::take(&mut self.children.called) {
            if let Some(id) = id {
                self.cancel(&id, site)?;
            }
        }
        self.children.is_cancelling = false;
        self.take(self.cancel);
        Ok(Progress::Cancelled)
    }

    fn described(&self, awaited: &Await) -> String {
        let mut parts = Vec::new();
        awaited.leaves(&mut |leaf| {
            let awaitable = &self.handles[leaf.0];
            let part = match &awaitable.id {
                _ if leaf == self.cancel => return,
                Id::CompletionId(id) => format!("completion {id}"),
                Id::SignalId(id) => format!("signal {id}"),
                Id::SignalName(name) => format!("signal {name:?}"),
            };
            parts.push(format!("{} ({part}) at {}", awaitable.what, awaitable.site));
        });
        parts.join(", ")
    }
}
