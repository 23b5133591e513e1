//! The model SDK: runs a program over what one attempt has received, from its beginning each time.
//!
//! Every run of the machine gets all commands and notifications of the attempt, and stops where the
//! program must wait. Nothing else is remembered, so a second run repeats the first by construction,
//! and what differs between two attempts differs because the server showed them something else.
//! - Owns: replay checks, completion ids, awaiting one notification at a time.
//! - Does not own: the stream ([`crate::deployment`]), the operations' frames ([`crate::ops`]).
//! - Invariant: no chance and no clock but what [`Attempt`] holds.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::message::{CombinatorType, Failure, Future, Notification, notification};
use reveille_protocol::signal;

use crate::programs::{Closure, Program, Stumble};

/// What one attempt has received and done so far.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// `Start.id`.
    pub start_id: Bytes,
    /// Protocol version.
    pub version: u32,
    /// Commands: the replay, then what this attempt sent.
    pub commands: Vec<Frame>,
    /// How many of them were replayed.
    pub replayed: usize,
    /// Notifications in order.
    pub notifications: Vec<Notification>,
    /// The state map of the start.
    pub state: BTreeMap<Bytes, Bytes>,
    /// True when keys may be missing from it.
    pub partial_state: bool,
    /// True when nothing more will arrive.
    pub input_closed: bool,
    /// Runs of this attempt: executing, or proposed.
    pub runs: BTreeMap<u32, RunState>,
    /// The time, for sleeps.
    pub now: u64,
    /// How often each operation has failed in all attempts.
    pub stumbled: BTreeMap<usize, u32>,
}

/// What became of a run in this attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// The closure executes.
    Executing,
    /// Its result was proposed.
    Proposed(notification::Result),
}

/// Why the machine stopped.
#[derive(Clone, Debug)]
pub enum Stop {
    /// It waits for the tree; the input is open.
    Blocked(Future),
    /// It waits for the tree; the input is closed.
    Suspend(Future),
    /// The closure of this run must be executed.
    Execute(u32),
    /// A closure executes.
    Executing,
    /// The attempt fails on purpose, at this operation.
    Stumble(Stumble, usize),
    /// The handler has ended.
    Done,
    /// What the server replayed does not fit the program.
    Mismatch(String),
}

/// What is awaited, by its name on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handle {
    /// A completion id.
    Completion(u32),
    /// A signal index.
    Signal(u32),
    /// A signal name.
    Named(String),
}

/// What is awaited together.
#[derive(Clone, Debug)]
pub enum Tree {
    /// One thing.
    Leaf(Handle),
    /// Several.
    Node(CombinatorType, Vec<Tree>),
}

/// The machine at work.
pub struct Machine<'a> {
    /// The attempt.
    pub attempt: &'a mut Attempt,
    /// The program.
    pub program: &'a Program,
    /// New commands.
    pub out: Vec<Frame>,
    /// Hash of everything observed so far: the result of the handler.
    pub observed: u64,
    /// What was begun and not awaited yet.
    pub pending: Vec<Handle>,
    /// Closures of runs, with their operation.
    pub closures: BTreeMap<u32, (Closure, usize)>,
    /// Completion ids of the ids of called invocations since the last cancellation.
    pub called: Vec<u32>,
    /// The local view of the state.
    pub view: BTreeMap<Bytes, Option<Bytes>>,
    /// True when keys may be missing from the view.
    pub partial: bool,
    /// Number of the operation at work.
    pub op: usize,
    ready: BTreeMap<Handle, VecDeque<notification::Result>>,
    popped: usize,
    command_index: usize,
    completion_last: u32,
    signal_last: u32,
}

impl<'a> Machine<'a> {
    /// Prepares a run from the beginning.
    pub fn new(attempt: &'a mut Attempt, program: &'a Program) -> Machine<'a> {
        let view = attempt.state.iter().map(|(k, v)| (k.clone(), Some(v.clone()))).collect();
        let partial = attempt.partial_state;
        Machine {
            attempt,
            program,
            out: Vec::new(),
            observed: 0xCBF2_9CE4_8422_2325,
            pending: Vec::new(),
            closures: BTreeMap::new(),
            called: Vec::new(),
            view,
            partial,
            op: 0,
            ready: BTreeMap::new(),
            popped: 0,
            // The input is command 0.
            command_index: 1,
            completion_last: 0,
            signal_last: signal::AWAKEABLE_FIRST - 1,
        }
    }

    /// The next completion id.
    pub fn completion_id(&mut self) -> u32 {
        self.completion_last += 1;
        self.completion_last
    }

    /// The next awakeable index.
    pub fn signal_index(&mut self) -> u32 {
        self.signal_last += 1;
        self.signal_last
    }

    /// Adds what was observed to the result.
    pub fn observe(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.observed = (self.observed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
        self.observed = self.observed.rotate_left(5) ^ bytes.len() as u64;
    }

    /// Adds an observed result.
    pub fn observe_result(&mut self, result: &notification::Result) {
        match result {
            notification::Result::Void(_) => self.observe(b"void"),
            notification::Result::Value(value) => self.observe(&value.content.clone()),
            notification::Result::Failure(failure) => {
                self.observe(format!("{}{}", failure.code, failure.message).as_bytes());
            }
            notification::Result::InvocationId(id) => self.observe(id.as_bytes()),
            notification::Result::StateKeys(keys) => {
                for key in &keys.keys {
                    self.observe(&key.clone());
                }
            }
        }
    }

    /// Sends a command, or checks it against the replay. Returns the one of the journal.
    pub fn command(
        &mut self,
        frame: Frame,
        same: impl Fn(&Frame, &Frame) -> bool,
    ) -> Result<Frame, Stop> {
        let index = self.command_index;
        self.command_index += 1;
        if let Some(known) = self.attempt.commands.get(index) {
            if known.ty != frame.ty && !(is_read(known.ty) && is_read(frame.ty)) {
                let text =
                    format!("command {index} is {}, the program says {}", known.ty, frame.ty);
                return Err(Stop::Mismatch(text));
            }
            if known.ty == frame.ty && !same(known, &frame) {
                let text = format!("command {index} ({}) differs from the program", known.ty);
                return Err(Stop::Mismatch(text));
            }
            return Ok(known.clone());
        }
        self.attempt.commands.push(frame.clone());
        self.out.push(frame.clone());
        Ok(frame)
    }

    /// Fails if the journal has more commands than the program.
    pub fn check_end(&self) -> Result<(), Stop> {
        if self.command_index < self.attempt.commands.len() {
            let text = format!("the journal goes on after command {}", self.command_index);
            return Err(Stop::Mismatch(text));
        }
        Ok(())
    }

    /// Awaits one thing and takes its result.
    pub fn one(&mut self, handle: Handle) -> Result<Result<notification::Result, Failure>, Stop> {
        match self.wait(Tree::Leaf(handle.clone()), true)? {
            Ok(()) => match self.take(&handle) {
                Some(result) => Ok(Ok(result)),
                None => Err(Stop::Mismatch(format!("{handle:?} is done without a result"))),
            },
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// Takes a result that is there.
    pub fn take(&mut self, handle: &Handle) -> Option<notification::Result> {
        self.ready.get_mut(handle)?.pop_front()
    }

    /// Awaits a tree, one notification at a time. `Ok(Err)` is a cancellation.
    pub fn wait(&mut self, tree: Tree, cancellable: bool) -> Result<Result<(), Failure>, Stop> {
        let cancel = Handle::Signal(signal::CANCEL);
        loop {
            if self.state(&tree) != Node::Pending || self.is_mapped(&tree) {
                return Ok(Ok(()));
            }
            if cancellable && self.ready.get(&cancel).is_some_and(|queue| !queue.is_empty()) {
                self.take(&cancel);
                return self.cancelled().map(Err);
            }
            let Some(next) = self.attempt.notifications.get(self.popped) else { break };
            self.popped += 1;
            if let (Some(id), Some(result)) = (&next.id, &next.result) {
                let handle = match id {
                    notification::Id::CompletionId(id) => Handle::Completion(*id),
                    notification::Id::SignalId(index) => Handle::Signal(*index),
                    notification::Id::SignalName(name) => Handle::Named(name.clone()),
                };
                self.ready.entry(handle).or_default().push_back(result.clone());
            }
        }
        Err(self.unresolved(&tree, cancellable))
    }

    fn unresolved(&self, tree: &Tree, cancellable: bool) -> Stop {
        if self.command_index < self.attempt.replayed {
            let text = format!("570: {tree:?} is not settled in the middle of the replay");
            return Stop::Mismatch(text);
        }
        let mut executing = false;
        for handle in self.open_leaves(tree) {
            let Handle::Completion(id) = handle else { continue };
            if !self.closures.contains_key(&id) {
                continue;
            }
            match self.attempt.runs.get(&id) {
                None => return Stop::Execute(id),
                Some(RunState::Executing) => executing = true,
                Some(RunState::Proposed(_)) => {}
            }
        }
        if executing {
            return Stop::Executing;
        }
        let mut children = vec![tree.clone()];
        if cancellable {
            children.push(Tree::Leaf(Handle::Signal(signal::CANCEL)));
        }
        let root = Tree::Node(CombinatorType::FirstCompleted, children);
        let reduced = self.reduce(&root);
        if self.attempt.input_closed { Stop::Suspend(reduced) } else { Stop::Blocked(reduced) }
    }

    fn open_leaves(&self, tree: &Tree) -> Vec<Handle> {
        match tree {
            Tree::Leaf(handle) if self.state(tree) == Node::Pending => vec![handle.clone()],
            Tree::Leaf(_) => Vec::new(),
            Tree::Node(_, children) => {
                children.iter().flat_map(|child| self.open_leaves(child)).collect()
            }
        }
    }

    /// True when a node with user code behind it is done: that code runs, whatever else is awaited.
    fn is_mapped(&self, tree: &Tree) -> bool {
        let Tree::Node(kind, children) = tree else { return false };
        let done = *kind == CombinatorType::Unknown && self.state(tree) != Node::Pending;
        done || children.iter().any(|child| self.is_mapped(child))
    }

    fn state(&self, tree: &Tree) -> Node {
        let (kind, children) = match tree {
            Tree::Leaf(handle) => {
                return match self.ready.get(handle).and_then(VecDeque::front) {
                    None => Node::Pending,
                    Some(notification::Result::Failure(_)) => Node::Failed,
                    Some(_) => Node::Succeeded,
                };
            }
            Tree::Node(kind, children) => (kind, children),
        };
        let states: Vec<Node> = children.iter().map(|child| self.state(child)).collect();
        let any = |wanted: Node| states.contains(&wanted);
        match kind {
            CombinatorType::Unknown | CombinatorType::FirstCompleted => {
                states.into_iter().find(|state| *state != Node::Pending).unwrap_or(Node::Pending)
            }
            CombinatorType::AllCompleted if any(Node::Pending) => Node::Pending,
            CombinatorType::AllCompleted => Node::Succeeded,
            CombinatorType::FirstSucceededOrAllFailed if any(Node::Succeeded) => Node::Succeeded,
            CombinatorType::AllSucceededOrFirstFailed if any(Node::Failed) => Node::Failed,
            _ if any(Node::Pending) => Node::Pending,
            CombinatorType::FirstSucceededOrAllFailed => Node::Failed,
            CombinatorType::AllSucceededOrFirstFailed => Node::Succeeded,
        }
    }

    /// The tree as it travels: what is done is left out.
    fn reduce(&self, tree: &Tree) -> Future {
        let mut future = Future::default();
        let (kind, children) = match tree {
            Tree::Leaf(_) => (CombinatorType::FirstCompleted, std::slice::from_ref(tree)),
            Tree::Node(kind, children) => (*kind, children.as_slice()),
        };
        future.set_combinator_type(kind);
        for child in children.iter().filter(|child| self.state(child) == Node::Pending) {
            match child {
                Tree::Leaf(Handle::Completion(id)) => future.waiting_completions.push(*id),
                Tree::Leaf(Handle::Signal(index)) => future.waiting_signals.push(*index),
                Tree::Leaf(Handle::Named(name)) => future.waiting_named_signals.push(name.clone()),
                Tree::Node(..) => future.nested_futures.push(self.reduce(child)),
            }
        }
        future
    }
}

/// Whether a node of a tree is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Pending,
    Succeeded,
    Failed,
}

fn is_read(ty: MessageType) -> bool {
    matches!(
        ty,
        MessageType::GET_EAGER_STATE_COMMAND
            | MessageType::GET_LAZY_STATE_COMMAND
            | MessageType::GET_EAGER_STATE_KEYS_COMMAND
            | MessageType::GET_LAZY_STATE_KEYS_COMMAND
    )
}
