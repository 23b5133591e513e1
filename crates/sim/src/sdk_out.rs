//! What the model SDK sends: commands, hints and suspensions, and what the model learns from them.
//!
//! - Owns: the way from the machine's frames to the stream's queue.
//! - Does not own: when they arrive ([`crate::deployment`]).

use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{AwaitingOn, Future, Suspension};

use crate::deployment::FromSdk;
use crate::machine::RunState;
use crate::trace::Checked;
use crate::world::{Event, World};

impl World {
    /// The SDK sends what the machine made; the model takes note.
    pub fn sends(&mut self, stream: usize, out: Vec<Frame>) -> Checked {
        let at = &self.streams[stream];
        let (id, start_id) = (at.id, at.attempt.start_id.clone());
        let made = out.iter().filter(|frame| frame.ty.is_command()).count();
        let mut index = at.attempt.commands.len() - made;
        for frame in &out {
            if frame.ty.is_command() {
                self.model.on_command(&start_id, index, frame);
                index += 1;
            }
            self.coverage.hit(frame.ty.name());
            self.learn(stream, id, frame)?;
        }
        for frame in out {
            self.send_up(stream, FromSdk::Frame(frame));
        }
        Ok(())
    }

    /// What the model must know of a command.
    fn learn(&mut self, stream: usize, id: InvocationId, frame: &Frame) -> Checked {
        match frame.ty {
            MessageType::OUTPUT_COMMAND => {
                let at = &self.streams[stream];
                if let Ok(outcome) = reveille_engine::complete::outcome_of_output(&frame.payload) {
                    self.model.on_result(id, &at.attempt.start_id, at.shared, outcome)?;
                }
                if at.exclusive {
                    let (commands, seen) = (&at.attempt.commands, &at.attempt.notifications);
                    self.model.check_reads(&self.observer, at.life, commands, seen)?;
                }
            }
            MessageType::COMPLETE_AWAKEABLE_COMMAND => self.model.learn_completion(frame),
            MessageType::SEND_SIGNAL_COMMAND => self.model.learn_signal(frame),
            _ => {}
        }
        Ok(())
    }

    pub fn hint(&mut self, stream: usize, tree: Future) {
        let at = &mut self.streams[stream];
        let new = at.hint.as_ref() != Some(&tree);
        let executing = at.attempt.runs.values().any(|run| *run == RunState::Executing);
        if at.attempt.version >= 7 && new && !executing {
            at.hint = Some(tree.clone());
            let hint = AwaitingOn { awaiting_on: Some(tree), executing_side_effects: false };
            let frame = Frame::message(MessageType::AWAITING_ON, &hint);
            self.coverage.hit(frame.ty.name());
            self.send_up(stream, FromSdk::Frame(frame));
        }
    }

    pub fn suspend(&mut self, stream: usize, tree: Future) {
        let at = &mut self.streams[stream];
        at.finished = true;
        let mut suspension = Suspension::default();
        if at.attempt.version >= 7 {
            suspension.awaiting_on = Some(tree);
        } else {
            flatten(&tree, &mut suspension);
        }
        let frame = Frame::message(MessageType::SUSPENSION, &suspension);
        self.coverage.hit(frame.ty.name());
        self.send_up(stream, FromSdk::Frame(frame));
    }

    /// Queues something for the server.
    pub fn send_up(&mut self, stream: usize, told: FromSdk) {
        let at = &mut self.streams[stream];
        at.activity += 1;
        let first = at.outbox.is_empty();
        at.outbox.push_back(told);
        if first {
            let slow = if self.chaos.on && self.rng.one_in(30) { 200 } else { 1 };
            let delay = self.rng.below(3) * slow;
            self.plan(delay, Event::FromSdk(stream));
        }
    }
}

fn flatten(tree: &Future, suspension: &mut Suspension) {
    suspension.waiting_completions.extend(&tree.waiting_completions);
    suspension.waiting_signals.extend(&tree.waiting_signals);
    suspension.waiting_named_signals.extend(tree.waiting_named_signals.iter().cloned());
    for nested in &tree.nested_futures {
        flatten(nested, suspension);
    }
}
