//! What goes wrong, drawn by lot: crashes around commits, full disks, second owners, new revisions.
//!
//! - Owns: the rates and the choice.
//! - Does not own: lost and repeated messages ([`crate::release`]), late frames
//!   ([`crate::deployment`]), reordered timers ([`crate::turns`]).

use std::sync::Arc;

use reveille_store::memory::Fault;

use crate::rng::Rng;
use crate::schema;
use crate::trace::Checked;
use crate::world::{At, Event, World};

/// What may go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Chaos {
    /// False once the world must come to rest.
    pub on: bool,
    /// One in so many flushes meets a fault.
    flushes: u64,
    /// Mean time between other faults, in milliseconds.
    pause_ms: u64,
}

impl Chaos {
    /// Draws the rates.
    pub fn draw(rng: &mut Rng) -> Chaos {
        Chaos {
            on: !rng.one_in(12),
            flushes: rng.pick(&[30, 60, 150, 1000]),
            pause_ms: rng.pick(&[200, 700, 2000]),
        }
    }
}

impl World {
    /// Decides what befalls the next commit call, and how many of its commits outlive a crash.
    pub fn inject(&mut self, commits: usize) -> usize {
        if !self.chaos.on || self.disk_full || !self.rng.one_in(self.chaos.flushes) {
            return 0;
        }
        let fault = match self.rng.below(5) {
            0 => Fault::CrashBeforeDurable,
            1 => Fault::CrashAfterDurable,
            2 => Fault::TornGroup { survivors: self.rng.index(commits.max(1)) },
            3 => Fault::DiskFull,
            _ => {
                self.set_disk_full(true);
                self.coverage.hit("fault: disk full for a while");
                let delay = self.rng.between(1, 400);
                self.plan(delay, Event::DiskFree);
                return 0;
            }
        };
        self.coverage.hit(match fault {
            Fault::CrashBeforeDurable => "fault: crash before the commit",
            Fault::CrashAfterDurable => "fault: crash after the commit",
            Fault::TornGroup { .. } => "fault: torn group commit",
            Fault::DiskFull => "fault: disk full once",
        });
        self.say(|| format!("the next commit meets {fault:?}"));
        self.control.inject(fault);
        match fault {
            Fault::CrashAfterDurable => usize::MAX,
            Fault::TornGroup { survivors } => survivors,
            Fault::CrashBeforeDurable | Fault::DiskFull => 0,
        }
    }

    /// Fills the disk or frees it. While it is full nothing else befalls commits.
    pub fn set_disk_full(&mut self, full: bool) {
        self.disk_full = full;
        self.control.set_disk_full(full);
    }

    /// Something goes wrong outside of commits.
    pub fn on_fault(&mut self) -> Checked {
        if !self.chaos.on {
            return Ok(());
        }
        let delay = self.rng.between(1, 2 * self.chaos.pause_ms);
        self.plan(delay, Event::Fault);
        match self.rng.below(6) {
            0 | 1 => self.crash(),
            2 | 3 => self.second_owner(),
            4 => {
                self.coverage.hit("fault: redeployed");
                schema::redeploy(Arc::make_mut(&mut self.schema), &mut self.rng);
                Ok(())
            }
            _ => self.break_stream(),
        }
    }

    fn crash(&mut self) -> Checked {
        self.coverage.hit("fault: crash between commits");
        self.control.crash();
        for process in 0..self.processes.len() {
            self.die(process)?;
        }
        Ok(())
    }

    /// Another process takes a partition over while its owner lives on.
    fn second_owner(&mut self) -> Checked {
        let living = self.processes.iter().filter(|process| process.alive).count();
        if living == 0 || living > 3 {
            return Ok(());
        }
        let process = self.open_process();
        let all = self.rng.one_in(3);
        let one = u16::try_from(self.rng.index(self.owners.len())).unwrap_or(0);
        for partition in 0..self.partitions() {
            let owner = self.owners[usize::from(partition)];
            if (all || partition == one) && self.processes[owner].alive {
                self.coverage.hit("fault: second owner");
                self.take_over(At { process, partition })?;
            }
        }
        Ok(())
    }

    fn break_stream(&mut self) -> Checked {
        let live: Vec<usize> = (0..self.streams.len())
            .filter(|stream| !self.streams[*stream].finished && !self.streams[*stream].cut)
            .collect();
        let Some(stream) = self.rng.pick_any(&live) else { return Ok(()) };
        self.coverage.hit("fault: stream broke");
        self.break_up(stream);
        Ok(())
    }
}
