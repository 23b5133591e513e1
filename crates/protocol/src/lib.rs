//! The wire: messages, framing, identifiers and the discovery manifest of the service protocol.
//!
//! Pure codecs, shared by the server, the engine and the endpoint: bytes in, typed values out.
//! - Owns: the message table ([`frame::MessageType`]), the message shapes ([`message`]), the text
//!   forms of identifiers ([`id`]) and of what else more than one crate prints ([`text`]), the discovery
//!   manifest ([`manifest`]) and its checks.
//! - Does not own: the order in which messages may appear (engine), connections (server).
//! - Invariant: nothing here panics on input, whatever the bytes.
//!
//! Start with [`frame`].

pub mod frame;
pub mod id;
pub mod manifest;
pub mod message;
pub mod signal;
pub mod text;
pub mod version;
