//! Lives of the server: take-overs with recovery, crashes, and owners that were superseded.
//!
//! - Owns: who may act on a partition, and what is checked before a new owner acts.
//! - Does not own: when it happens ([`crate::faults`]), the driver's recovery ([`crate::driver`]).
//! - Invariant: at every take-over the store holds exactly what was ever durable.

use std::collections::{BTreeMap, VecDeque};

use reveille_store::{PartitionId, Store, StoreError};

use crate::driver::Driver;
use crate::mutant::Mutant;
use crate::trace::{Checked, invariant, violation};
use crate::world::{At, Event, Process, World};

impl World {
    /// Everyone who waits for this partition is told nothing; its streams are cut.
    pub fn abandon(&mut self, at: At) {
        let Some((driver, _)) = self.driver(at) else { return };
        let requests: Vec<_> = driver.requests.iter().copied().collect();
        let streams: Vec<usize> = driver.attempts.values().map(|(_, stream)| *stream).collect();
        for request in requests {
            self.lost(request);
        }
        for stream in streams {
            self.cut(stream);
        }
    }

    /// Superseded owners that were never told, since they had nothing to commit, stop now.
    pub fn retire(&mut self) {
        for process in 0..self.processes.len() {
            let partitions: Vec<u16> = self.processes[process].drivers.keys().copied().collect();
            for partition in partitions {
                if self.owners[usize::from(partition)] != process {
                    self.abandon(At { process, partition });
                    self.processes[process].drivers.remove(&partition);
                }
            }
        }
    }

    /// A process is gone.
    pub fn die(&mut self, process: usize) -> Checked {
        if !self.processes[process].alive {
            return Ok(());
        }
        self.coverage.hit("fault: process crashed");
        self.say(|| format!("process {process} is dead"));
        self.processes[process].alive = false;
        let partitions: Vec<u16> = self.processes[process].drivers.keys().copied().collect();
        for partition in partitions {
            self.abandon(At { process, partition });
        }
        let process = &mut self.processes[process];
        process.drivers.clear();
        process.queue.clear();
        process.reports.clear();
        let delay = self.rng.below(300);
        self.plan(delay, Event::Restart);
        Ok(())
    }

    /// Opens the disk in a new process.
    pub fn open_process(&mut self) -> usize {
        self.processes.push(Process {
            store: self.control.reopen(),
            alive: true,
            drivers: BTreeMap::new(),
            queue: Vec::new(),
            reports: VecDeque::new(),
        });
        self.processes.len() - 1
    }

    /// A new process takes over whatever has no living owner.
    pub fn on_restart(&mut self) -> Checked {
        let orphans: Vec<u16> = (0..self.partitions())
            .filter(|partition| !self.processes[self.owners[usize::from(*partition)]].alive)
            .collect();
        if orphans.is_empty() {
            return Ok(());
        }
        let process = self.open_process();
        self.say(|| format!("process {process} starts"));
        for partition in orphans {
            self.take_over(At { process, partition })?;
        }
        Ok(())
    }

    /// Takes a partition over and takes up its work.
    pub fn take_over(&mut self, at: At) -> Checked {
        let mutant = self.mutant;
        let store = self.processes[at.process].store.clone();
        let lease = match store.acquire(PartitionId(at.partition)) {
            Ok(lease) => lease,
            Err(StoreError::Full) => {
                if let Some((driver, around)) = self.driver(at) {
                    let now = around.now;
                    driver.on_full(now, mutant);
                    self.plan_turn(at);
                    return Ok(());
                }
                // A process that cannot even start is started again.
                self.processes[at.process].alive = false;
                self.plan(50, Event::Restart);
                return Ok(());
            }
            Err(StoreError::Poisoned) => return self.die(at.process),
            Err(error) => return violation(invariant::RULES, error.to_string()),
        };
        self.say(|| format!("p{}.{} takes over under {}", at.partition, at.process, lease.epoch));
        self.observer.acquired(lease)?;
        self.follow()?;
        self.check_rows(at)?;
        self.owners[usize::from(at.partition)] = at.process;
        let drivers = &mut self.processes[at.process].drivers;
        let old = drivers.remove(&at.partition);
        drivers.insert(at.partition, Driver::again(lease, old, mutant));
        let Some((driver, around)) = self.driver(at) else { return Ok(()) };
        let commands = match driver.recovery(&around) {
            Ok(commands) => commands,
            Err(error) => return violation(invariant::ROWS, error.to_string()),
        };
        for command in commands {
            self.apply(at, command)?;
        }
        // The timer window is empty until the first turn reads it: nobody else would ask for one.
        let now = self.now;
        if let Some((driver, _)) = self.driver(at)
            && mutant != Mutant::NoFirstTurn
        {
            driver.turn_at = Some(now);
            self.plan(0, Event::Turn(at));
        }
        self.plan_turn(at);
        Ok(())
    }

    /// The store holds exactly what it acknowledged, and the rows agree with each other.
    pub fn check_rows(&mut self, at: At) -> Checked {
        let store = &self.processes[at.process].store;
        let rows = store.scan(PartitionId(at.partition), &[], &[u8::MAX], usize::MAX);
        let Ok(rows) = rows else { return Ok(()) };
        let mirror = &self.observer.rows[usize::from(at.partition)];
        if !rows.iter().map(|(key, value)| (key, value)).eq(mirror.iter()) {
            let text = format!("partition {} does not hold what was acknowledged", at.partition);
            return violation(invariant::DURABLE, text);
        }
        match reveille_engine::check::check_rows(rows.into_iter()) {
            Ok(()) => Ok(()),
            Err(finding) => violation(invariant::ROWS, finding),
        }
    }
}
