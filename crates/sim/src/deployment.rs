//! The model deployment: streams with a model SDK behind them.
//!
//! It speaks real frames on v5, v6 and v7, bidirectional and request/response, and misbehaves as
//! real ones do: streams break, hang, and frames of superseded attempts still arrive.
//! - Owns: streams, side effects, what is told to the server and when.
//! - Does not own: the handlers' logic ([`crate::machine`], [`crate::ops`]).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use reveille_engine::command::{AttemptFailure, AttemptId, Command};
use reveille_engine::effect::AttemptStart;
use reveille_engine::record::Kind;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{
    Future, InputCommand, Notification, ProposeRunCompletionAck, Start, notification,
};

use crate::life::LifeKey;
use crate::machine::{Attempt, Machine, RunState, Stop};
use crate::programs::{self, Closure, Program};
use crate::trace::{Checked, invariant, violation};
use crate::world::{At, Event, World};

/// What the server tells a stream.
#[derive(Clone, Debug)]
pub enum ToSdk {
    /// A notification or an acknowledgement.
    Frame(Frame),
    /// Nothing more will come.
    Close,
}

/// What a stream tells the server.
#[derive(Clone, Debug)]
pub enum FromSdk {
    /// A frame.
    Frame(Frame),
    /// The stream ended without a terminal frame.
    Failed(AttemptFailure),
    /// The stream is silent.
    Idle(bool),
}

/// One stream.
pub struct Stream {
    /// The invocation.
    pub id: InvocationId,
    /// Its life.
    pub life: LifeKey,
    /// The attempt.
    pub number: AttemptId,
    /// Who opened it.
    pub at: At,
    /// True for handlers that hold the lock of their key.
    pub exclusive: bool,
    /// True for handlers that see state which others write.
    pub shared: bool,
    /// What the SDK knows.
    pub attempt: Attempt,
    /// What the handler does.
    pub program: Program,
    /// True when the SDK does nothing more.
    pub finished: bool,
    /// True when the server does not listen any more.
    pub cut: bool,
    bidirectional: bool,
    inbox: VecDeque<ToSdk>,
    /// What the server will get.
    pub outbox: VecDeque<FromSdk>,
    /// The last hint.
    pub hint: Option<Future>,
    closures: BTreeMap<u32, (Closure, usize)>,
    /// Counts what moves on the stream.
    pub activity: u64,
    idle_seen: u64,
    idle_stage: u8,
    timeouts: [u64; 3],
}

impl Stream {
    /// The closure of a run, with its operation.
    pub fn closure(&self, id: u32) -> Option<(Closure, usize)> {
        self.closures.get(&id).copied()
    }
}

impl World {
    /// Opens a stream and lets the SDK run.
    pub fn open_stream(&mut self, at: At, start: AttemptStart) -> Checked<usize> {
        let id = start.id;
        let decoded = start.frames[0].decode::<Start>().unwrap_or_default();
        let frames = &start.frames[1..];
        if decoded.known_entries as usize != frames.len() {
            let text = format!("{id} announces {} entries", decoded.known_entries);
            return violation(invariant::REPLAY, text);
        }
        let (commands, notifications): (Vec<Frame>, Vec<Frame>) =
            frames.iter().cloned().partition(|frame| frame.ty.is_command());
        let kind = programs::kind(&start.service, &start.handler);
        let input = commands.first().and_then(|frame| frame.decode::<InputCommand>().ok());
        let input = input.and_then(|input| input.value).unwrap_or_default().content;
        let state: BTreeMap<Bytes, Bytes> =
            decoded.state_map.into_iter().map(|entry| (entry.key, entry.value)).collect();
        let created_at = self.observer.last(id).map_or(0, |life| life.created_at);
        let life = (id, created_at);
        if kind == Kind::Exclusive && !decoded.partial_state {
            self.model.check_state(&self.observer, life, &commands, &state)?;
        }
        let program = programs::program(&String::from_utf8_lossy(&input), kind);
        let attempt = Attempt {
            start_id: decoded.id,
            version: start.protocol_version,
            replayed: commands.len(),
            commands,
            notifications: Vec::new(),
            state,
            partial_state: decoded.partial_state,
            input_closed: !start.bidirectional,
            runs: BTreeMap::new(),
            now: self.now,
            stumbled: BTreeMap::new(),
        };
        let hold = start.hold_timeout_ms;
        let timeouts = [hold, start.inactivity_timeout_ms - hold, start.abort_timeout_ms];
        self.coverage.hit(programs::mode(start.protocol_version, start.bidirectional));
        self.streams.push(Stream {
            id,
            life,
            number: start.attempt,
            at,
            exclusive: kind == Kind::Exclusive,
            shared: matches!(kind, Kind::SharedObject | Kind::SharedWorkflow),
            attempt,
            program,
            finished: false,
            cut: false,
            bidirectional: start.bidirectional,
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
            hint: None,
            closures: BTreeMap::new(),
            activity: 0,
            idle_seen: 0,
            idle_stage: 0,
            timeouts,
        });
        let stream = self.streams.len() - 1;
        for frame in notifications {
            self.notified(stream, &frame)?;
        }
        self.plan(hold, Event::Idle(stream));
        self.tell_stream_nothing(stream);
        Ok(stream)
    }

    /// Lets the SDK begin a moment later.
    fn tell_stream_nothing(&mut self, stream: usize) {
        let delay = self.rng.below(3);
        self.plan(delay, Event::ToSdk(stream));
    }

    /// Sends something down a stream.
    pub fn tell_stream(&mut self, stream: usize, told: ToSdk) {
        let at = &mut self.streams[stream];
        at.inbox.push_back(told);
        at.activity += 1;
        self.tell_stream_nothing(stream);
    }

    /// The server gives up a stream. Its SDK may not notice at once.
    pub fn cut(&mut self, stream: usize) {
        let unnoticed = self.chaos.on && self.rng.one_in(3);
        let late = self.chaos.on && self.rng.one_in(2);
        let at = &mut self.streams[stream];
        at.cut = true;
        at.inbox.clear();
        at.finished |= !unnoticed;
        if !late {
            at.outbox.clear();
        }
    }

    /// A live stream breaks: the SDK stops, and the server hears of it.
    pub fn break_up(&mut self, stream: usize) {
        let at = &mut self.streams[stream];
        at.finished = true;
        if self.rng.one_in(2) {
            self.streams[stream].outbox.clear();
        }
        let message = "the connection was reset".to_owned();
        let failure = AttemptFailure { code: 500, message, doc_code: "RT0001" };
        self.send_up(stream, FromSdk::Failed(failure));
    }

    /// Something arrives at the SDK.
    pub fn on_to_sdk(&mut self, stream: usize) -> Checked {
        while let Some(told) = self.streams[stream].inbox.pop_front() {
            match told {
                ToSdk::Close => self.streams[stream].attempt.input_closed = true,
                ToSdk::Frame(frame) => self.notified(stream, &frame)?,
            }
            if self.rng.one_in(2) {
                break;
            }
        }
        self.drive(stream)?;
        if !self.streams[stream].inbox.is_empty() {
            self.tell_stream_nothing(stream);
        }
        Ok(())
    }

    /// The SDK receives a notification: by replay, live, or as an acknowledgement.
    fn notified(&mut self, stream: usize, frame: &Frame) -> Checked {
        let at = &mut self.streams[stream];
        let id = at.id;
        let notification = if frame.ty == MessageType::PROPOSE_RUN_COMPLETION_ACK {
            let ack = frame.decode::<ProposeRunCompletionAck>().unwrap_or_default();
            let Some(RunState::Proposed(result)) = at.attempt.runs.get(&ack.completion_id) else {
                let text = format!("run {} of {id} was never proposed", ack.completion_id);
                return violation(invariant::RULES, text);
            };
            Notification {
                id: Some(notification::Id::CompletionId(ack.completion_id)),
                result: Some(result.clone()),
            }
        } else {
            frame.decode::<Notification>().unwrap_or_default()
        };
        if matches!(notification.id, Some(notification::Id::CompletionId(_)))
            && at.attempt.notifications.iter().any(|known| known.id == notification.id)
        {
            let text = format!("{id} was told {:?} twice", notification.id);
            return violation(invariant::FIRST_WINS, text);
        }
        let position = at.attempt.notifications.len();
        at.attempt.notifications.push(notification.clone());
        let start_id = at.attempt.start_id.clone();
        self.model.on_notification(id, &start_id, position, &notification)
    }

    /// Runs the handler as far as it goes.
    pub fn drive(&mut self, stream: usize) -> Checked {
        loop {
            let at = &mut self.streams[stream];
            if at.finished {
                return Ok(());
            }
            at.attempt.now = self.now;
            let start_id = at.attempt.start_id.clone();
            at.attempt.stumbled = self.stumbled.get(&start_id).cloned().unwrap_or_default();
            let mut machine = Machine::new(&mut at.attempt, &at.program);
            let stop = machine.run();
            let (out, closures) = (machine.out, machine.closures);
            at.closures = closures;
            self.sends(stream, out)?;
            match stop {
                Stop::Execute(id) => {
                    self.streams[stream].attempt.runs.insert(id, RunState::Executing);
                    let delay = self.rng.pick(&[0, 1, 5, 300]);
                    self.plan(delay, Event::RunDone(stream, id));
                    continue;
                }
                Stop::Executing => {}
                Stop::Blocked(tree) => self.hint(stream, tree),
                Stop::Suspend(tree) => self.suspend(stream, tree),
                Stop::Stumble(kind, op) => self.stumble(stream, kind, op),
                Stop::Done => self.streams[stream].finished = true,
                Stop::Mismatch(text) => {
                    let at = &self.streams[stream];
                    let text = format!("attempt {} of {}: {text}", at.number, at.id);
                    return violation(invariant::REPLAY, text);
                }
            }
            return Ok(());
        }
    }

    /// Frames arrive at the server: one step for those that arrive together.
    pub fn on_from_sdk(&mut self, stream: usize) -> Checked {
        let bound = 1 + self.rng.index(6);
        let at = &mut self.streams[stream];
        let (id, attempt, opened_by) = (at.id, at.number, at.at);
        let mut frames = Vec::new();
        let mut other = None;
        while frames.len() < bound
            && let Some(told) = at.outbox.pop_front()
        {
            match told {
                FromSdk::Frame(frame) => frames.push(frame),
                told if frames.is_empty() => {
                    other = Some(told);
                    break;
                }
                told => {
                    at.outbox.push_front(told);
                    break;
                }
            }
        }
        if !at.outbox.is_empty() {
            let delay = self.rng.below(3);
            self.plan(delay, Event::FromSdk(stream));
        }
        let command = match other {
            Some(FromSdk::Failed(failure)) => Command::AttemptFailed { id, attempt, failure },
            Some(FromSdk::Idle(expired)) => Command::AttemptIdle { id, attempt, expired },
            _ if frames.is_empty() => return Ok(()),
            _ => Command::Frames { id, attempt, frames },
        };
        let to = if self.is_serving(opened_by) {
            Some(opened_by)
        } else {
            self.serving(opened_by.partition)
        };
        let Some(to) = to else { return Ok(()) };
        self.apply(to, command)
    }

    /// A stream that has been silent: asked to suspend, then aborted.
    pub fn on_idle(&mut self, stream: usize) -> Checked {
        let at = &mut self.streams[stream];
        if at.cut {
            return Ok(());
        }
        if at.activity != at.idle_seen {
            at.idle_seen = at.activity;
            at.idle_stage = 0;
            let delay = at.timeouts[0];
            self.plan(delay, Event::Idle(stream));
            return Ok(());
        }
        let stage = at.idle_stage;
        at.idle_stage += 1;
        let told = match stage {
            0 => FromSdk::Idle(false),
            1 => FromSdk::Idle(true),
            _ => FromSdk::Failed(AttemptFailure {
                code: 500,
                message: "the deployment was silent for too long".to_owned(),
                doc_code: "RT0001",
            }),
        };
        if stage < 2 {
            let delay = at.timeouts[usize::from(stage) + 1];
            self.plan(delay, Event::Idle(stream));
            if !self.streams[stream].bidirectional {
                return Ok(());
            }
        } else {
            at.finished = true;
        }
        self.send_up(stream, told);
        let at = &mut self.streams[stream];
        at.idle_seen = at.activity;
        Ok(())
    }
}
