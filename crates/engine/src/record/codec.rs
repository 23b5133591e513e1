//! Bytes of stored values: the version byte, then protobuf; journal entries are packed by hand.
//!
//! - Owns: [`encode`], [`decode`], [`JournalEntry`].
//! - Invariant: a value of another version is refused, never guessed at.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use reveille_protocol::frame::{Frame, MessageType};

use super::VERSION;
use crate::command::Millis;
use crate::tx::EngineError;

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// When it was stored.
    pub at: Millis,
    /// Type and payload, verbatim.
    pub frame: Frame,
}

impl JournalEntry {
    /// Encodes as version, type u16, time u64, payload.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(11 + self.frame.payload.len());
        out.put_u8(VERSION);
        out.put_u16(self.frame.ty.0);
        out.put_u64(self.at);
        out.put_slice(&self.frame.payload);
        out.freeze()
    }

    /// Decodes without copying the payload.
    pub fn decode(key: &[u8], value: &Bytes) -> Result<JournalEntry, EngineError> {
        check_version(key, value)?;
        let (Some(ty), Some(at)) = (value.get(1..3), value.get(3..11)) else {
            return Err(EngineError::corrupt(key, "a journal entry is too short"));
        };
        let ty = MessageType(u16::from_be_bytes([ty[0], ty[1]]));
        let at = u64::from_be_bytes(at.try_into().unwrap_or_default());
        Ok(JournalEntry { at, frame: Frame::new(ty, value.slice(11..)) })
    }
}

/// Encodes a stored value with its version byte.
pub fn encode<M: Message>(message: &M) -> Bytes {
    let mut out = BytesMut::with_capacity(1 + message.encoded_len());
    out.put_u8(VERSION);
    message.encode_raw(&mut out);
    out.freeze()
}

/// Decodes a stored value; `key` is named in the error.
pub fn decode<M: Message + Default>(key: &[u8], value: &Bytes) -> Result<M, EngineError> {
    check_version(key, value)?;
    M::decode(value.slice(1..)).map_err(|error| EngineError::corrupt(key, &error.to_string()))
}

fn check_version(key: &[u8], value: &Bytes) -> Result<(), EngineError> {
    match value.first() {
        Some(&VERSION) => Ok(()),
        Some(found) => Err(EngineError::corrupt(
            key,
            &format!("version {found} is not supported, only {VERSION}: use a newer server"),
        )),
        None => Err(EngineError::corrupt(key, "the value is empty")),
    }
}
