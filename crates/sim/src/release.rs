//! Carrying out effects: replies, streams, retries, messages between partitions.
//!
//! - Owns: what the server's `partition/effects.rs` owns, and the faulty channels behind it.
//! - Invariant: every effect is checked against the durable history before anybody hears of it.

use reveille_engine::command::{AttemptId, Command, RequestId};
use reveille_engine::effect::{AttemptStart, Effect, Reply};
use reveille_engine::keys;
use reveille_engine::tx::View;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::Start;

use crate::claims;
use crate::coverage;
use crate::deployment::ToSdk;
use crate::mutant::Mutant;
use crate::trace::{Checked, invariant, violation};
use crate::world::{At, Event, World};

impl World {
    /// Carries out one effect; what it asks back for is applied at once.
    pub fn carry_out(&mut self, at: At, effect: Effect) -> Checked<Option<Command>> {
        self.coverage.hit(coverage::effect(&effect));
        self.say(|| {
            format!("p{}.{} -> {}", at.partition, at.process, coverage::show_effect(&effect))
        });
        let partition = at.partition;
        let checked = !matches!(effect, Effect::Send(..))
            || self.owners[usize::from(partition)] == at.process;
        if checked {
            let (observer, model) = (&self.observer, &self.model);
            claims::check_effect(observer, model, &self.secret_key, partition, &effect)?;
        }
        match effect {
            Effect::Reply(request, reply) => self.reply(at, request, &reply)?,
            Effect::Park(request, id) => {
                if let Some((driver, _)) = self.driver(at) {
                    driver.parked.entry(id).or_default().push(request);
                }
            }
            Effect::Completed { id, completed, service, handler, .. } => {
                let Some((driver, _)) = self.driver(at) else { return Ok(None) };
                for request in driver.parked.remove(&id).unwrap_or_default() {
                    let (service, handler) = (service.clone(), handler.clone());
                    let completed = completed.clone();
                    let reply = Reply::Result { id, completed, expires_at: None, service, handler };
                    self.reply(at, request, &reply)?;
                }
            }
            Effect::StartAttempt(start) => self.start(at, *start)?,
            Effect::Forward(id, attempt, frame) => self.tell(at, id, attempt, ToSdk::Frame(frame)),
            Effect::CloseInput(id, attempt) => self.tell(at, id, attempt, ToSdk::Close),
            Effect::EndAttempt(id, attempt) | Effect::AbortAttempt(id, attempt) => {
                let Some((driver, _)) = self.driver(at) else { return Ok(None) };
                if driver.attempts.get(&id).is_some_and(|live| live.0 == attempt)
                    && let Some((_, stream)) = driver.attempts.remove(&id)
                {
                    self.cut(stream);
                }
            }
            Effect::RetryAt(id, attempt, due) => {
                if let Some((driver, _)) = self.driver(at) {
                    driver.retries.insert((due, id, attempt));
                }
            }
            Effect::Send(to, seq, message) => {
                if let Some((driver, around)) = self.driver(at) {
                    let now = around.now;
                    driver.on_sent(to, seq, message.clone(), now);
                }
                self.post(partition, to, Command::Deliver { from: partition, seq, message });
            }
            Effect::AdmitLater(from) => {
                let forgotten = self.mutant == Mutant::AdmissionsForgotten;
                if let Some((driver, _)) = self.driver(at).filter(|_| !forgotten) {
                    driver.admissions.push_back(from);
                }
            }
            Effect::Acknowledge(from, seq) => {
                self.post(partition, from, Command::Delivered { to: partition, seq });
            }
            Effect::StateEditDropped { .. } => {}
        }
        Ok(None)
    }

    fn reply(&mut self, at: At, request: RequestId, reply: &Reply) -> Checked {
        if let Some((driver, _)) = self.driver(at) {
            driver.requests.remove(&request);
        }
        match self.requests.remove(&request) {
            Some(ask) => self.on_reply(ask, reply),
            None => Ok(()),
        }
    }

    fn start(&mut self, at: At, start: AttemptStart) -> Checked {
        let places = self.attempts_max;
        let (id, attempt) = (start.id, start.attempt);
        let Some((driver, _)) = self.driver(at) else { return Ok(()) };
        if let Some((_, stream)) = driver.attempts.remove(&id) {
            self.cut(stream);
        }
        let Some((driver, _)) = self.driver(at) else { return Ok(()) };
        if driver.attempts.len() >= places {
            driver.waiting.push_back((id, attempt));
            self.coverage.hit("attempt queued for a place");
            return Ok(());
        }
        let decoded = start.frames.first().and_then(|frame| frame.decode::<Start>().ok());
        let start_id = decoded.map(|start| start.id).unwrap_or_default();
        if !self.started.insert((start_id, attempt)) {
            let text = format!("attempt {attempt} of {id} was started twice");
            return violation(invariant::ONE_ATTEMPT, text);
        }
        let stream = self.open_stream(at, start)?;
        if let Some((driver, _)) = self.driver(at) {
            driver.attempts.insert(id, (attempt, stream));
        }
        Ok(())
    }

    fn tell(&mut self, at: At, id: InvocationId, attempt: AttemptId, told: ToSdk) {
        let Some((driver, _)) = self.driver(at) else { return };
        if let Some((live, stream)) = driver.attempts.get(&id).copied()
            && live == attempt
        {
            self.tell_stream(stream, told);
        }
    }

    /// Sends a message to another partition, which may get it never, twice or late.
    pub fn post(&mut self, from: u16, to: u16, command: Command) {
        let fate = if self.chaos.on { self.rng.below(60) } else { 60 };
        let copies = match fate {
            0 | 1 => {
                self.coverage.hit("fault: message lost");
                0
            }
            2..5 => {
                self.coverage.hit("fault: message repeated");
                2
            }
            _ => 1,
        };
        for _ in 0..copies {
            let queue = self.channels.entry((from, to)).or_default();
            if fate == 4 {
                queue.push_front(command.clone());
            } else {
                queue.push_back(command.clone());
            }
            let slow = if self.chaos.on { self.rng.pick(&[1, 1, 1, 40]) } else { 1 };
            let delay = self.rng.below(3) * slow;
            self.plan(delay, Event::Channel(from, to));
        }
    }

    /// A message between partitions arrives at whoever owns the partition now.
    pub fn on_channel(&mut self, from: u16, to: u16) -> Checked {
        let Some(command) = self.channels.get_mut(&(from, to)).and_then(|q| q.pop_front()) else {
            return Ok(());
        };
        let at = self.elsewhere(to).or_else(|| self.serving(to));
        let Some(at) = at else { return Ok(()) };
        let command = self.undeduplicated(at, command);
        self.apply(at, command)
    }

    /// Now and then a superseded owner is still the one that is talked to.
    pub fn elsewhere(&mut self, partition: u16) -> Option<At> {
        let owner = self.owners[usize::from(partition)];
        let old: Vec<At> = (0..self.processes.len())
            .filter(|process| *process != owner)
            .map(|process| At { process, partition })
            .filter(|at| self.is_serving(*at))
            .collect();
        let found = self.rng.pick_any(&old).filter(|_| self.rng.one_in(3));
        if found.is_some() {
            self.coverage.hit("fault: superseded owner addressed");
        }
        found
    }

    /// The mistake that takes a repeated delivery for a new message.
    fn undeduplicated(&mut self, at: At, command: Command) -> Command {
        let Command::Deliver { from, seq, message } = command else { return command };
        let mut seq = seq;
        if self.mutant == Mutant::NoDedup
            && let Some((driver, around)) = self.driver(at)
            && let Ok(Some(row)) = driver.view(&around).get(&keys::inbound_seq(from))
            && let Ok(last) = row.as_ref().try_into().map(u64::from_be_bytes)
            && seq <= last
        {
            seq = last + 1;
        }
        Command::Deliver { from, seq, message }
    }
}
