//! Turns of the partitions: commands in, batches out, outcomes back, take-overs and crashes.
//!
//! - Owns: the order of all that, as in the server's driver, committer and recovery.
//! - Does not own: the driver's state ([`crate::driver`]), effects ([`crate::release`]).

use std::collections::VecDeque;

use reveille_engine::command::Command;
use reveille_engine::keys::{self, tag};
use reveille_engine::record::Status;
use reveille_engine::tx::{EngineError, View};
use reveille_store::{Commit, PartitionId, Store, StoreError};

use crate::coverage;
use crate::driver::{Mode, Outcome};
use crate::mutant::Mutant;
use crate::trace::{Checked, invariant, violation};
use crate::world::{At, Event, Submission, World};

/// How often a partition looks for free places while attempts queue, in milliseconds.
const PLACE_CHECK_MS: u64 = 10;

/// Timers that a partition handles in one turn.
const TIMERS_PER_TURN: usize = 64;

impl World {
    /// Applies a command and everything that its free effects ask back for.
    pub fn apply(&mut self, at: At, command: Command) -> Checked {
        let mut commands = VecDeque::from([command]);
        while let Some(command) = commands.pop_front() {
            if !self.is_serving(at) {
                return Ok(());
            }
            let command = self.forge(at, command);
            let late = self.is_late(at, &command);
            self.coverage.hit(coverage::command(&command));
            self.say(|| {
                format!("p{}.{} <- {}", at.partition, at.process, coverage::show(&command))
            });
            if let Command::Delivered { to, seq } = &command
                && let Some((driver, _)) = self.driver(at)
            {
                driver.on_confirmed(*to, *seq);
            }
            let Some((driver, around)) = self.driver(at) else { return Ok(()) };
            match driver.step(&around, command) {
                Ok((writes, _)) if late && writes > 0 => {
                    let text = "a frame of a superseded attempt changed a row";
                    return violation(invariant::ONE_ATTEMPT, text);
                }
                Ok((_, effects)) => {
                    for effect in effects {
                        commands.extend(self.carry_out(at, effect)?);
                    }
                }
                Err(EngineError::View(_)) => return self.die(at.process),
                // What it remembers and what its successor has written since do not fit together. It
                // stops, as it would at its next commit; nothing of this left it.
                Err(_) if self.owners[usize::from(at.partition)] != at.process => {
                    return self.die(at.process);
                }
                Err(error) => return violation(invariant::ROWS, error.to_string()),
            }
        }
        self.plan_turn(at);
        Ok(())
    }

    /// The mistakes that feed other commands than those that came.
    fn forge(&mut self, at: At, command: Command) -> Command {
        let mutant = self.mutant;
        let (id, mut attempt, frames) = match command {
            Command::Frames { id, attempt, frames } => (id, attempt, frames),
            Command::RestartAsNew { request, id, deployment, random, .. }
                if mutant == Mutant::RestartFromInput =>
            {
                return Command::RestartAsNew { request, id, from: 0, deployment, random };
            }
            command => return command,
        };
        if let Some((driver, around)) = self.driver(at)
            && let Some(record) = driver.record(&around, id)
        {
            match mutant {
                Mutant::StaleFrames => attempt.number = record.attempt,
                Mutant::FormerLifeHeard => attempt.created_at = record.created_at,
                _ => {}
            }
        }
        Command::Frames { id, attempt, frames }
    }

    /// True for what comes from an attempt that is not the live one.
    fn is_late(&mut self, at: At, command: &Command) -> bool {
        let (Command::Frames { id, attempt, .. }
        | Command::AttemptFailed { id, attempt, .. }
        | Command::AttemptIdle { id, attempt, .. }
        | Command::AttemptAdmitted { id, attempt }) = command
        else {
            return false;
        };
        let Some((driver, around)) = self.driver(at) else { return false };
        let Some(record) = driver.record(&around, *id) else { return true };
        // Reading a completed invocation may forget it, whoever reads.
        let late = record.status() != Status::Completed
            && (record.attempt != attempt.number
                || record.created_at != attempt.created_at
                || record.status() != Status::Running);
        if late {
            self.coverage.hit("late frames");
        }
        late
    }

    /// Makes sure that a partition gets a turn when it has something to do.
    pub fn plan_turn(&mut self, at: At) {
        let (now, mutant) = (self.now, self.mutant);
        let soon = now + self.rng.below(3);
        let Some((driver, _)) = self.driver(at) else { return };
        let crowded = (!driver.waiting.is_empty()).then_some(now + PLACE_CHECK_MS);
        let wanted = match driver.hurries() {
            true => Some(soon),
            false => driver.wake_at(mutant).into_iter().chain(crowded).min(),
        };
        let Some(wanted) = wanted.map(|wanted| wanted.max(now)) else { return };
        if driver.turn_at.is_some_and(|planned| planned <= wanted) {
            return;
        }
        driver.turn_at = Some(wanted);
        self.plan(wanted - now, Event::Turn(at));
    }

    /// A partition has a turn: timers, retries, places, messages, the open batch.
    pub fn on_turn(&mut self, at: At) -> Checked {
        let now = self.now;
        let alive = self.processes[at.process].alive;
        let Some((driver, _)) = self.driver(at).filter(|_| alive) else { return Ok(()) };
        if driver.turn_at.is_none_or(|planned| planned > now) {
            return Ok(());
        }
        driver.turn_at = None;
        match driver.mode {
            Mode::Full(retry_at) if retry_at <= now => return self.take_over(at),
            Mode::Full(_) | Mode::Stopped => {
                self.plan_turn(at);
                return Ok(());
            }
            Mode::Serving => {}
        }
        self.due_timers(at)?;
        let Some((driver, _)) = self.driver(at) else { return Ok(()) };
        let mut commands = driver.due_retries(now);
        commands.extend(driver.admissions.drain(..).map(|from| Command::Admit { from }));
        let places = self.attempts_max;
        let Some((driver, _)) = self.driver(at) else { return Ok(()) };
        let free = places.saturating_sub(driver.attempts.len()).min(driver.waiting.len());
        let admitted = driver.waiting.drain(..free);
        commands.extend(admitted.map(|(id, attempt)| Command::AttemptAdmitted { id, attempt }));
        if let Some((id, (attempt, _))) = driver.attempts.first_key_value()
            && !driver.waiting.is_empty()
        {
            commands.push(Command::AttemptIdle { id: *id, attempt: *attempt, expired: false });
        }
        for command in commands {
            self.apply(at, command)?;
        }
        let mutant = self.mutant;
        let Some((driver, _)) = self.driver(at) else { return Ok(()) };
        for (to, seq, message) in driver.resend(now, mutant) {
            self.coverage.hit("fault: message sent again");
            self.post(at.partition, to, Command::Deliver { from: at.partition, seq, message });
        }
        self.submit(at);
        self.plan_turn(at);
        Ok(())
    }

    fn submit(&mut self, at: At) {
        let (now, mutant) = (self.now, self.mutant);
        let Some((driver, _)) = self.driver(at) else { return };
        let lease = driver.lease;
        let Some(batch) = driver.submit_if_due(now, mutant) else { return };
        let process = &mut self.processes[at.process];
        let first = process.queue.is_empty();
        process.queue.push(Submission { lease, seq: batch.seq, batch: batch.batch });
        if first {
            let delay = self.rng.below(5);
            self.plan(delay, Event::Flush(at.process));
        }
    }

    /// Timers that are due, now and then in any order and twice.
    fn due_timers(&mut self, at: At) -> Checked {
        let chaotic = self.chaos.on && self.rng.one_in(4);
        if chaotic {
            let now = self.now;
            let Some((driver, around)) = self.driver(at) else { return Ok(()) };
            let (start, end) = keys::table(tag::TIMER);
            let Ok(rows) = driver.view(&around).scan(&start, &end, 32) else { return Ok(()) };
            let is_due = |key: &bytes::Bytes| keys::parse_timer(key).is_some_and(|t| t.due <= now);
            let mut due: Vec<_> = rows.into_iter().map(|row| row.0).filter(is_due).collect();
            if due.len() > 1 && self.mutant != Mutant::TimersForgotten {
                self.coverage.hit("fault: timers reordered");
                self.rng.shuffle(&mut due);
                let again = due[0].clone();
                due.push(again);
                for key in due {
                    self.apply(at, Command::TimerDue { key })?;
                }
            }
        }
        for _ in 0..TIMERS_PER_TURN {
            let Some((driver, around)) = self.driver(at) else { break };
            match driver.next_timer(&around) {
                Ok(Some(key)) => {
                    self.apply(at, Command::TimerDue { key: key.clone() })?;
                    if let Some((driver, _)) = self.driver(at) {
                        driver.timer_done(&key);
                    }
                }
                Ok(None) => break,
                Err(EngineError::View(_)) => return self.die(at.process),
                Err(error) => return violation(invariant::ROWS, error.to_string()),
            }
            if !self.is_serving(at) {
                break;
            }
        }
        Ok(())
    }

    /// The committer of a process flushes everything that waits.
    pub fn on_flush(&mut self, process: usize) -> Checked {
        if !self.processes[process].alive {
            return Ok(());
        }
        let submissions = std::mem::take(&mut self.processes[process].queue);
        let mut survivors = self.inject(submissions.len());
        let commits: Vec<Commit<'_>> = submissions
            .iter()
            .map(|submission| Commit {
                partition: submission.lease.partition,
                epoch: submission.lease.epoch,
                seq: submission.seq,
                batch: &submission.batch,
            })
            .collect();
        let results = self.processes[process].store.commit(&commits);
        let mut reports = Vec::new();
        // A crash kills the process even when every commit of the call was refused for another reason.
        let mut dead = self.processes[process].store.get(PartitionId::META, b"").is_err();
        for (submission, result) in submissions.iter().zip(results) {
            self.coverage.hit(match &result {
                Ok(()) => "commit: durable",
                Err(StoreError::Fenced { .. }) => "commit: fenced",
                Err(StoreError::OutOfOrder { .. }) => "commit: out of order",
                Err(StoreError::Full) => "commit: disk full",
                Err(_) => "commit: crashed",
            });
            let (lease, seq) = (submission.lease, submission.seq);
            self.say(|| {
                let shown = result.as_ref().map_or_else(ToString::to_string, |()| "durable".into());
                format!("{} batch {seq} of {}: {shown}", lease.partition, lease.epoch)
            });
            match &result {
                Ok(()) => self.observer.committed(lease, seq, &submission.batch)?,
                Err(StoreError::Poisoned) => {
                    dead = true;
                    if survivors > 0 {
                        survivors -= 1;
                        self.observer.committed(lease, seq, &submission.batch)?;
                    }
                }
                Err(_) => {}
            }
            reports.push((lease, result));
        }
        self.follow()?;
        if dead {
            return self.die(process);
        }
        self.processes[process].reports.push_back(reports);
        let delay = self.rng.below(3);
        self.plan(delay, Event::Report(process));
        Ok(())
    }

    /// The committer reports: effects are released, or the partition stops.
    pub fn on_report(&mut self, process: usize) -> Checked {
        if !self.processes[process].alive {
            return Ok(());
        }
        let Some(reports) = self.processes[process].reports.pop_front() else { return Ok(()) };
        let mutant = self.mutant;
        for (lease, result) in reports {
            let at = At { process, partition: lease.partition.0 };
            let Some((driver, around)) = self.driver(at) else { continue };
            let now = around.now;
            match driver.on_committed(lease, result, mutant) {
                Outcome::Release(effects) => {
                    for effect in effects {
                        if let Some(command) = self.carry_out(at, effect)? {
                            self.apply(at, command)?;
                        }
                    }
                }
                Outcome::Full => {
                    self.abandon(at);
                    if let Some((driver, _)) = self.driver(at) {
                        driver.on_full(now, mutant);
                    }
                }
                Outcome::Stopped(error) => {
                    self.say(|| format!("p{}.{process} stops: {error}", at.partition));
                    self.abandon(at);
                    if let Some((driver, _)) = self.driver(at) {
                        driver.reset(Mode::Stopped);
                    }
                    if self.owners[usize::from(at.partition)] == process {
                        let text = format!("the owner of {} was stopped", lease.partition);
                        return violation(invariant::ONE_ATTEMPT, text);
                    }
                }
                Outcome::Nothing => {}
            }
            self.plan_turn(at);
        }
        Ok(())
    }
}
