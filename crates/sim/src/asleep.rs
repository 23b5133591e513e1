//! Nobody sleeps on: a suspended handler whose await is settled must have been woken in that step.
//!
//! The model SDK runs once more over the durable journal. If it could go on, the engine has missed
//! a wake-up, even if something else would wake the handler later.

use std::collections::BTreeMap;

use reveille_engine::record::Status;
use reveille_protocol::frame::Frame;
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::InputCommand;

use crate::life::Life;
use crate::machine::{Attempt, Machine, Stop};
use crate::programs;
use crate::trace::{Checked, invariant, violation};
use crate::world::World;

impl World {
    /// Checks every suspended invocation.
    pub fn check_asleep(&self) -> Checked {
        for (id, lives) in &self.observer.lives {
            if let Some(life) = lives.last()
                && !life.forgotten
                && life.record.status() == Status::Suspended
            {
                self.check_sleeper(*id, life)?;
            }
        }
        Ok(())
    }

    fn check_sleeper(&self, id: InvocationId, life: &Life) -> Checked {
        let (commands, notifications): (Vec<Frame>, Vec<Frame>) =
            life.journal.iter().cloned().partition(|frame| frame.ty.is_command());
        let input = commands.first().and_then(|frame| frame.decode::<InputCommand>().ok());
        let input = input.and_then(|input| input.value).unwrap_or_default().content;
        let program = programs::program(&String::from_utf8_lossy(&input), life.kind);
        let secret = self.secret_key.secret(id, life.created_at);
        let start_id: bytes::Bytes = [id.as_bytes().as_slice(), &secret].concat().into();
        let mut attempt = Attempt {
            stumbled: self.stumbled.get(&start_id).cloned().unwrap_or_default(),
            start_id,
            version: life.record.protocol_version,
            replayed: commands.len(),
            commands,
            notifications: notifications.iter().filter_map(|frame| frame.decode().ok()).collect(),
            state: BTreeMap::new(),
            partial_state: false,
            input_closed: true,
            runs: BTreeMap::new(),
            now: self.now,
        };
        let mut machine = Machine::new(&mut attempt, &program);
        match machine.run() {
            Stop::Suspend(_) if machine.out.is_empty() => Ok(()),
            stop => {
                let text = format!("{id} sleeps, but its handler would go on: {stop:?}");
                violation(invariant::NOT_LOST, text)
            }
        }
    }
}
