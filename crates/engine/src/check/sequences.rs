//! What is numbered from outside of the partition: messages to others, records of topics.
//!
//! - Owns: that sequence numbers and offsets can be read, and that none is given out twice.

use super::{Tables, finding};
use crate::keys::{self, tag};
use crate::message::Message;

impl Tables {
    pub(super) fn check_outbox(&self) -> Result<(), String> {
        for (key, value) in self.rows(tag::OUTBOX) {
            let (to, seq) = keys::parse_outbox(key).ok_or_else(|| finding("not a key:", key))?;
            Message::decode(key, value).map_err(|error| error.to_string())?;
            let last = self.get(&keys::outbox_seq(to)).and_then(|last| last.first_chunk().copied());
            if last.is_none_or(|last| u64::from_be_bytes(last) < seq) {
                return Err(finding("the last sequence number is below", key));
            }
        }
        Ok(())
    }

    /// What is taken must be readable: a row that is not would let records be taken again.
    pub(super) fn check_offsets(&self) -> Result<(), String> {
        for (key, value) in self.rows(tag::OFFSET) {
            let at = keys::parse_offset(key, value);
            let at = at.ok_or_else(|| finding("no offset taken from a topic in", key))?;
            if keys::offset(at.subscription, at.partition, &at.topic) != *key {
                return Err(finding("another key belongs to", key));
            }
        }
        Ok(())
    }
}
