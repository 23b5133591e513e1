//! Clients: whatever comes in from outside, once, twice, late, with the right id or a wrong one.
//!
//! - Owns: the requests, what their replies must look like, repeating what was not answered.
//! - Invariant: a client repeats only what is safe to repeat: what it repeats has the same id.

use reveille_engine::command::{
    Command, Invoke, Millis, RequestId, ResumeOn, Source, Target, WaitName, WaitTarget,
};
use reveille_engine::effect::{ReceiptOutcome, Reply};
use reveille_engine::identity;
use reveille_engine::message::Outcome;
use reveille_protocol::id::{AwakeableId, DeploymentId, InvocationId};
use reveille_protocol::message::{InputCommand, notification};

use crate::claims;
use crate::coverage;
use crate::life::Life;
use crate::ops::value;
use crate::programs::{self, LEVEL_TOP};
use crate::schema;
use crate::trace::{Checked, invariant, violation};
use crate::world::{Event, World};

/// Tries of one request.
const TRIES_MAX: u32 = 12;

/// A request of a client.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The command, with a request number that is replaced at each try.
    pub command: Command,
    /// Whose partition it goes to.
    pub id: InvocationId,
    /// Level of an invocation.
    pub level: u8,
    /// False when the secret is made up.
    pub right: bool,
    /// When it was sent first.
    pub asked_at: Millis,
    tries: u32,
}

impl World {
    /// Sends a request.
    pub fn ask(&mut self, command: Command, id: InvocationId, level: u8, right: bool) {
        self.asks.push(Ask { command, id, level, right, asked_at: self.now, tries: 0 });
        let ask = self.asks.len() - 1;
        let twice = self.chaos.on && self.rng.one_in(8);
        for _ in 0..=u8::from(twice) {
            let delay = self.rng.below(4);
            self.plan(delay, Event::Ask(ask));
        }
    }

    /// Sends a request that must not be repeated.
    pub fn ask_once(&mut self, command: Command, id: InvocationId, level: u8) {
        let (asked_at, tries) = (self.now, TRIES_MAX);
        self.asks.push(Ask { command, id, level, right: true, asked_at, tries });
        self.plan(1, Event::Ask(self.asks.len() - 1));
    }

    /// A request arrives at whoever owns its partition.
    pub fn on_ask(&mut self, ask: usize) -> Checked {
        self.asks[ask].tries += 1;
        let id = self.asks[ask].id;
        let partition = identity::partition_of(id, self.partitions());
        let at = self.elsewhere(partition).or_else(|| self.serving(partition));
        let Some(at) = at else {
            self.retry(ask);
            return Ok(());
        };
        let request = self.next_request();
        self.requests.insert(request, ask);
        if let Some((driver, _)) = self.driver(at) {
            driver.requests.insert(request);
        }
        let command = numbered(self.asks[ask].command.clone(), request);
        self.apply(at, command)
    }

    fn retry(&mut self, ask: usize) {
        if self.asks[ask].tries < TRIES_MAX {
            let delay = self.rng.between(1, 200);
            self.plan(delay, Event::Ask(ask));
        }
    }

    /// A reply will never come: the client asks again.
    pub fn lost(&mut self, request: RequestId) {
        if let Some(ask) = self.requests.remove(&request) {
            self.coverage.hit("reply lost");
            self.retry(ask);
        }
    }

    /// A reply arrives.
    pub fn on_reply(&mut self, ask: usize, reply: &Reply) -> Checked {
        let asked = self.asks[ask].clone();
        self.coverage.hit(coverage::reply(reply));
        claims::check_reply(&self.observer, &self.model, reply, asked.asked_at, self.now)?;
        match (reply, &asked.command) {
            (Reply::Accepted { id, .. } | Reply::Result { id, .. }, Command::Invoke { .. }) => {
                self.accepted.insert(*id);
                self.known.push((*id, asked.level));
            }
            (Reply::Receipt(receipt), Command::CompleteWait { wait, completion, .. }) => {
                self.coverage.hit(coverage::receipt(receipt));
                let offered = completion.clone().into_notification();
                claims::check_receipt(&self.observer, wait, asked.right, &offered, receipt)?;
                if receipt.outcome == ReceiptOutcome::Completed
                    && let WaitTarget::Awakeable(awakeable) = wait
                {
                    return self.first(awakeable);
                }
            }
            (Reply::Accepted { id, .. }, Command::RestartAsNew { id: old, from, .. }) => {
                self.accepted.insert(*id);
                self.known.push((*id, asked.level));
                self.on_restarted(*old, *id, *from)?;
            }
            (reply, Command::TakeRecord { at, .. }) => self.on_record(at, asked.level, reply),
            (reply, Command::ReplaceState { .. }) => self.on_edited(ask, reply),
            (Reply::Receipt(receipt), _) => self.coverage.hit(coverage::receipt(receipt)),
            _ => {}
        }
        Ok(())
    }

    /// At most one call is told that it decided an awakeable.
    fn first(&mut self, awakeable: &AwakeableId) -> Checked {
        let lives = self.observer.lives.get(&awakeable.invocation).map_or(0, Vec::len);
        if self.decided.insert((awakeable.invocation, awakeable.index)) || lives > 1 {
            return Ok(());
        }
        let text = format!("two calls were told that they decided {awakeable:?}");
        violation(invariant::FIRST_WINS, text)
    }

    /// A client does something.
    pub fn on_client(&mut self) -> Checked {
        let request = RequestId(0);
        if self.scoped && self.rng.one_in(10) {
            self.change_rules();
        }
        let known = self.rng.pick_any(&self.known).map(|(id, _)| id);
        let roll = self.rng.below(126);
        match (roll, known) {
            (0..40, _) | (..118, None) => self.invoke(),
            (40..62, _) => self.complete(),
            (62..66, Some(id)) => self.ask(Command::Attach { request, id }, id, 0, true),
            (66..70, Some(id)) => self.ask(Command::Output { request, id }, id, 0, true),
            (70..75, Some(id)) => {
                self.model.cancelled.insert(id);
                self.ask(Command::Cancel { request, id }, id, 0, true);
            }
            (75..79, Some(id)) => {
                self.model.killed.insert(id);
                self.ask(Command::Kill { request, id }, id, 0, true);
            }
            (79..81, Some(id)) => self.ask(Command::Pause { request, id }, id, 0, true),
            (81..86, Some(id)) => {
                let known = ResumeOn::Deployment(schema::deployment(&mut self.rng));
                let unknown = ResumeOn::Deployment(DeploymentId(0));
                let all = [ResumeOn::Keep, ResumeOn::Keep, ResumeOn::Latest, known, unknown];
                let deployment = self.rng.pick(&all);
                self.ask(Command::Resume { request, id, deployment }, id, 0, true);
            }
            (86..90, Some(id)) => self.ask(Command::Purge { request, id }, id, 0, true),
            (90, Some(id)) => self.ask(Command::PurgeJournal { request, id }, id, 0, true),
            (91..95, Some(id)) => self.admin_complete(id),
            (95..99, Some(id)) => self.replace(id),
            (99..103, Some(_)) => self.start_over(),
            (103..105, Some(_)) => self.describe(),
            (105..111, Some(id)) => self.restart(id),
            (118..124, _) => self.write_record(),
            (124.., _) => self.read_again(),
            (_, Some(_)) => self.edit_state(),
        }
        Ok(())
    }

    /// Sends an invocation.
    pub fn invoke(&mut self) {
        let callee = programs::callee(&mut self.rng, LEVEL_TOP, self.scoped);
        let key = Some(callee.key.clone()).filter(|key| !key.is_empty());
        let target = Target {
            scope: callee.scope.map(str::to_owned),
            service: callee.service.to_owned(),
            key,
            handler: callee.handler.to_owned(),
        };
        let id = match &callee.idempotency_key {
            _ if callee.handler == "run" => {
                identity::workflow_run_id(callee.scope, &target.service, &callee.key)
            }
            Some(idempotency_key) => identity::idempotent_id(&target, idempotency_key),
            None => {
                let placement = self.rng.next();
                let random = u128::from(self.rng.next()) << 64 | u128::from(self.rng.next());
                identity::fresh_id(target.routing_text(), placement, self.now, random)
            }
        };
        let delay = self.rng.pick(&[0, 0, 0, 0, 5, 400, 2000]);
        let wait = delay == 0 && self.rng.one_in(2);
        let input = InputCommand { value: Some(value(&callee.input)), ..InputCommand::default() };
        let level = callee.input.as_bytes().first().map_or(0, |digit| digit - b'0');
        let fresh = callee.idempotency_key.is_none() && target.handler != "run";
        let invoke = Invoke {
            id,
            fresh,
            target,
            input: prost::Message::encode_to_vec(&input).into(),
            idempotency_key: callee.idempotency_key,
            limit_key: callee.limit_key.map(str::to_owned),
            start_at: (delay > 0).then_some(self.now + delay),
            caller: None,
            source: Source::Ingress,
            trace: None,
        };
        let request = RequestId(0);
        let command = Command::Invoke { request, invoke: Box::new(invoke), wait };
        if fresh {
            // Without a key a repeated request is another invocation, so it is sent once.
            self.ask_once(command, id, level);
        } else {
            self.ask(command, id, level, true);
        }
    }

    fn complete(&mut self) {
        let Some(mut awakeable) = self.rng.pick_any(&self.board) else { return };
        let text = format!("answer {:x}", self.rng.below(1 << 32));
        let completion = if self.rng.one_in(3) {
            Outcome::failure(400, &text)
        } else {
            Outcome::Success(text.into())
        };
        let right = !self.rng.one_in(5);
        let offered = completion.clone().into_notification();
        if right {
            self.model.offer(awakeable.invocation, awakeable.index, offered);
        } else {
            self.coverage.hit("wrong secret");
            awakeable.secret[self.rng.index(16)] ^= 1 << self.rng.below(8);
            self.model.forged.push(offered);
        }
        let idempotency_key = self.rng.one_in(4).then(|| format!("c{}", self.rng.below(3)));
        let wait = WaitTarget::Awakeable(awakeable);
        let request = RequestId(0);
        let command = Command::CompleteWait { request, wait, completion, idempotency_key };
        self.ask(command, awakeable.invocation, 0, right);
    }

    /// An administrator completes something that an invocation waits for, if it waits.
    pub fn admin_complete(&mut self, id: InvocationId) {
        let waits = self.observer.last(id).map(|life| life.record.waits.clone());
        let Some(wait) = self.rng.pick_any(&waits.unwrap_or_default()) else { return };
        let kind = reveille_engine::wait::WaitKind::from_number(wait.kind);
        let name = match (kind, wait.name) {
            (_, Some(name)) => WaitName::Name(name),
            (Some(reveille_engine::wait::WaitKind::Awakeable), None) => WaitName::Index(wait.index),
            _ => return,
        };
        let completion = Outcome::Success(format!("admin {}", self.rng.below(1000)).into());
        if let WaitName::Index(index) = name {
            self.model.offer(id, index, completion.clone().into_notification());
        }
        let wait = WaitTarget::Admin(id, name);
        let request = RequestId(0);
        let command = Command::CompleteWait { request, wait, completion, idempotency_key: None };
        self.ask(command, id, 0, true);
    }

    fn replace(&mut self, id: InvocationId) {
        let indexes: Vec<u32> = self
            .observer
            .last(id)
            .map(|life| life.awakeables.keys().copied().collect())
            .unwrap_or_default();
        let Some(index) = self.rng.pick_any(&indexes) else { return };
        let completion = Outcome::Success(format!("mended {}", self.rng.below(1000)).into());
        let offered: notification::Result = completion.clone().into_notification();
        self.model.offer(id, index, offered);
        self.observer.replaced.insert((id, index));
        let request = RequestId(0);
        let name = WaitName::Index(index);
        self.ask(Command::ReplaceWait { request, id, name, completion }, id, 0, true);
    }

    /// Kills and forgets an invocation with a derived id, then creates it again: a second life.
    fn start_over(&mut self) {
        let derived = |ask: &&Ask| match &ask.command {
            Command::Invoke { invoke, .. } => {
                invoke.idempotency_key.is_some() || invoke.target.handler == "run"
            }
            _ => false,
        };
        let mut asks: Vec<Ask> = self.asks.iter().filter(derived).cloned().collect();
        if !self.rng.one_in(4) {
            // Something of a life that is not over may still be on its way.
            asks.retain(|ask| self.observer.last(ask.id).is_some_and(Life::is_open));
        }
        let Some(ask) = self.rng.pick_any(&asks) else { return };
        let (request, id) = (RequestId(0), ask.id);
        self.model.killed.insert(id);
        let again = Ask { tries: 0, ..ask };
        let kill = Ask { command: Command::Kill { request, id }, ..again.clone() };
        let purge = Ask { command: Command::Purge { request, id }, ..again.clone() };
        for (delay_ms, step) in [(0, kill), (12, purge), (24, again)] {
            self.asks.push(Ask { asked_at: self.now + delay_ms, ..step });
            self.plan(delay_ms, Event::Ask(self.asks.len() - 1));
        }
    }

    fn describe(&mut self) {
        let Some(wait) = self.rng.pick_any(&self.board) else { return };
        let request = RequestId(0);
        self.ask(Command::DescribeWait { request, wait }, wait.invocation, 0, true);
    }
}

/// The same command under another request number.
fn numbered(command: Command, number: RequestId) -> Command {
    let mut command = command;
    match &mut command {
        Command::Invoke { request, .. }
        | Command::TakeRecord { request, .. }
        | Command::Attach { request, .. }
        | Command::Output { request, .. }
        | Command::CompleteWait { request, .. }
        | Command::DescribeWait { request, .. }
        | Command::ReplaceWait { request, .. }
        | Command::Cancel { request, .. }
        | Command::Kill { request, .. }
        | Command::Pause { request, .. }
        | Command::Resume { request, .. }
        | Command::RestartAsNew { request, .. }
        | Command::ReplaceState { request, .. }
        | Command::Purge { request, .. }
        | Command::PurgeJournal { request, .. } => *request = number,
        _ => {}
    }
    command
}
