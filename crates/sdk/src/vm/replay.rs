//! Commands: compared with the journal as long as it has some, written afterwards.
//!
//! - Owns: [`Vm::issue`], the end of the replay, what a mismatch tells.
//! - Invariant: each command takes the next index, in the journal and in the code alike.

use reveille_protocol::frame::{Frame, MessageType};

use super::{
    AttemptError, Phase, Site, Stopped, Vm,
    command::{Command, Difference},
    error::{INTERNAL, JOURNAL_MISMATCH, RelatedCommand},
};

/// What to do about a mismatch; the same whatever it is.
const ADVICE: &str = "A handler must do the same as before when it is replayed. Either its code has \
    changed since: then deploy the new code as a new revision and let running invocations end on the \
    old one. Or it depends on something that the journal does not have, such as time, randomness, the \
    order of a hash map or of threads: then put that into `ctx.run`, or take `ctx.now` and `ctx.rand`.";

impl Vm {
    /// The type of the command that the journal has next; `None` once the replay is over.
    pub(super) fn recorded_type(&self) -> Option<MessageType> {
        match self.phase {
            Phase::Replaying => self.commands.front().map(|frame| frame.ty),
            _ => None,
        }
    }

    /// Issues a command: returns the recorded one, or writes this one and returns it.
    pub(super) fn issue<C: Command>(&mut self, command: C, site: Site) -> Result<C, Stopped> {
        self.check_open()?;
        self.enter(C::TYPE, command.entry_name());
        match self.commands.pop_front() {
            Some(frame) => {
                let recorded = self.compare(&frame, &command, site)?;
                self.leave_replay();
                Ok(recorded)
            }
            None => {
                self.is_past_replay = true;
                self.write(command.clone(), false)?;
                Ok(command)
            }
        }
    }

    /// Writes a message that is in the determinism table, its payload without copying it.
    pub(super) fn write<C: Command>(&mut self, mut command: C, ack: bool) -> Result<(), Stopped> {
        if u32::try_from(command.encoded_len()).is_err() {
            let message = format!("{} is longer than the 4 GiB of a frame", C::TYPE);
            self.fail(AttemptError::new(INTERNAL, message).about(self.current.clone()));
            return Err(Stopped);
        }
        let payload = command.take_large();
        self.output.message(C::TYPE, ack, &command, payload);
        Ok(())
    }

    /// Counts a command.
    pub(super) fn enter(&mut self, ty: MessageType, name: &str) {
        let index = self.commands_issued;
        self.current = Some(RelatedCommand { index, name: name.to_owned(), ty });
        self.commands_issued += 1;
    }

    /// With the last command of the journal the replay is over, whatever is known by then.
    pub(super) fn leave_replay(&mut self) {
        if self.commands.is_empty() {
            self.phase = Phase::Processing;
        }
    }

    fn compare<C: Command>(
        &mut self,
        frame: &Frame,
        command: &C,
        site: Site,
    ) -> Result<C, Stopped> {
        let issued = described(C::TYPE, command.entry_name());
        if frame.ty != C::TYPE {
            let recorded = described(frame.ty, &name_of(frame));
            let lines = format!("  the journal has  {recorded}\n  the code does    {issued}");
            self.mismatch(&lines, site);
            return Err(Stopped);
        }
        let recorded: C = self.decode(frame).ok_or(Stopped)?;
        match command.difference(&recorded, self.options.check_payloads) {
            None => Ok(recorded),
            Some(Difference { field, recorded, issued: value }) => {
                let lines = format!(
                    "  `{field}` of {issued}\n  in the journal   {recorded}\n  in the code      {value}"
                );
                self.mismatch(&lines, site);
                Err(Stopped)
            }
        }
    }

    fn mismatch(&mut self, lines: &str, site: Site) {
        let index = self.commands_issued - 1;
        // A handler ends nowhere in particular, but after what it did last.
        let is_end = self.current.as_ref().is_some_and(|of| of.ty == MessageType::OUTPUT_COMMAND);
        let place = if is_end { "after" } else { "at   " };
        let message = format!(
            "journal mismatch: command {index} is not what the journal has\n{lines}\n  \
             {place}            {site}\n{ADVICE}"
        );
        self.fail(AttemptError::new(JOURNAL_MISMATCH, message).about(self.current.clone()));
    }

    /// An await in the middle of the journal that the journal cannot answer.
    pub(super) fn unanswered(&mut self, awaited: &str) {
        let next = self.commands.front().map(|frame| described(frame.ty, &name_of(frame)));
        let next = next.unwrap_or_default();
        let message = format!(
            "journal mismatch: the code awaits what the journal has no result for, although it went \
             on from here before\n  the journal has  {next}\n  the code awaits  {awaited}\n{ADVICE}"
        );
        self.fail(AttemptError::new(JOURNAL_MISMATCH, message).about(self.current.clone()));
    }
}

fn described(ty: MessageType, name: &str) -> String {
    if name.is_empty() { ty.to_string() } else { format!("{ty} named {name:?}") }
}

/// The name of an entry of whatever type: field 12 of every command.
fn name_of(frame: &Frame) -> String {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Named {
        #[prost(string, tag = "12")]
        name: String,
    }
    frame.decode::<Named>().unwrap_or_default().name
}
