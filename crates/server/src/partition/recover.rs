//! Taking up work where the last owner left it.
//!
//! - Owns: reading the in-flight marks and the outbox after a take-over.
//! - Does not own: parked invocations and timers: they are not read, whatever their number.

use bytes::Bytes;
use reveille_engine::command::{AttemptId, Command};
use reveille_engine::keys::{self, tag};
use reveille_engine::record::{self, InvocationRecord, Status};
use reveille_engine::tx::{EngineError, View};
use reveille_protocol::id::InvocationId;

use tracing::info;

use super::driver::{Driver, OpenError};
use super::overlay::PartitionView;
use crate::traces::span::{self, AttemptTrace, Outcome};

/// Rows read in one go.
pub(super) const CHUNK: usize = 1024;

impl Driver {
    /// Starts new attempts for what was in flight, and sends again what is in the outbox.
    pub(super) fn recover(&mut self) -> Result<(), OpenError> {
        let in_flight = self.keys_of(tag::IN_FLIGHT)?;
        let (partition, count) = (self.parts.partition, in_flight.len());
        info!(partition, in_flight = count, "the partition was taken over");
        for key in in_flight {
            let id = key.get(1..).and_then(keys::parse_id);
            let id = id.ok_or_else(|| EngineError::corrupt(&key, "not an in-flight mark"))?;
            self.tell_lost(id)?;
            self.try_apply(Command::Recover { id })?;
            self.parts.outputs.metrics().recovered.add(1);
        }
        let (start, end) = keys::table(tag::LIMITED);
        if !self.view().scan(&start, &end, 1).map_err(EngineError::from)?.is_empty() {
            // The rules may have changed meanwhile, or the last owner was not done with a change.
            self.parts.outputs.admit_from(Bytes::new());
        }
        for key in self.keys_of(tag::OUTBOX)? {
            let parsed = keys::parse_outbox(&key);
            let (to, seq) =
                parsed.ok_or_else(|| EngineError::corrupt(&key, "not an outbox row"))?;
            let row = self.parts.store.get(self.lease.partition, &key)?;
            if let Some(message) = row {
                self.parts.outputs.send(to, seq, message);
            }
        }
        Ok(())
    }

    /// Tells of the attempt that was open when the last owner was gone: its calls and what the handler
    /// traced name it as their parent.
    fn tell_lost(&self, id: InvocationId) -> Result<(), EngineError> {
        let tracer = self.parts.outputs.tracer();
        if !tracer.is_on() {
            return Ok(());
        }
        let key = keys::invocation(id);
        let Some(row) = self.view().get(&key)? else { return Ok(()) };
        let record: InvocationRecord = record::decode(&key, &row)?;
        let running = record.status() == Status::Running && record.attempt > 0;
        let Some(context) = record.trace.filter(|trace| trace.recorded && running) else {
            return Ok(());
        };
        let lost = AttemptTrace {
            context: *context,
            id,
            attempt: AttemptId { created_at: record.created_at, number: record.attempt },
            deployment: None,
            service: record.service,
            handler: record.handler,
            // When it began is not stored; this is the last thing that is known of it.
            started_at_ns: span::nanoseconds(record.modified_at),
        };
        tracer.record(lost.end(Outcome::Lost));
        Ok(())
    }

    fn view(&self) -> PartitionView<'_> {
        PartitionView {
            overlay: &self.overlay,
            store: self.parts.store.as_ref(),
            partition: self.lease.partition,
        }
    }

    fn keys_of(&self, tag: u8) -> Result<Vec<Bytes>, OpenError> {
        let view = self.view();
        let (mut start, end) = keys::table(tag);
        let mut found = Vec::new();
        loop {
            let rows = view.scan(&start, &end, CHUNK).map_err(EngineError::from)?;
            let full = rows.len() == CHUNK;
            found.extend(rows.into_iter().map(|(key, _)| key));
            match found.last() {
                Some(last) if full => {
                    let mut next = last.to_vec();
                    next.push(0);
                    start = next.into();
                }
                _ => return Ok(found),
            }
        }
    }
}
