//! The message shapes, written by hand from the published protocol.
//!
//! - Owns: one struct per message ([`Notification`] serves every notification code) and the nested
//!   shapes. A `oneof` lives in a module named like its message: [`output_command::Result`].
//! - Does not own: codes and names (the message table of [`crate::frame`]), validity (engine).
//! - Invariant: field numbers never change, and a field of a later protocol version is simply
//!   absent on an earlier one.
//!
//! Names follow the protocol. `result_completion_id` is the id its notification will carry, `name`
//! the display name of the entry, which takes part in replay checks and may be empty.
//!
//! Start with `message/command.rs`.

mod attach;
mod command;
mod common;
mod control;
pub mod notification;
mod state;

pub use attach::*;
pub use command::*;
pub use common::*;
pub use control::*;
pub use notification::Notification;
pub use state::*;
