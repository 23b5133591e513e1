//! The message table: one row per message, with its code, its name and its codec.
//!
//! Each row becomes a constant of [`MessageType`], an arm of [`MessageType::name`] and an arm of
//! [`Frame::canonical`]. Adding a message is adding a row (and its shape in [`crate::message`]).

use std::fmt;

use crate::frame::{Frame, FrameError};
use crate::message;

/// Represents the type code of a message; `Display` shows `Run (0x0411)`.
///
/// Any `u16` may arrive; [`is_known`](Self::is_known) tells which ones are in the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageType(
    /// The code as it stands in the frame header.
    pub u16,
);

macro_rules! message_table {
    ($($constant:ident = $code:literal, $name:literal, $codec:ident;)*) => {
        impl MessageType {
            $(
                #[doc = concat!(
                    "`", stringify!($code), "`: [`", stringify!($codec),
                    "`](message::", stringify!($codec), ")."
                )]
                pub const $constant: Self = Self($code);
            )*

            /// Every message type of the table, by code.
            pub const ALL: &[Self] = &[$(Self::$constant),*];

            /// Returns the name of the entry or message (`Run`, `Call`, `Signal`), or `Unknown`.
            ///
            /// A command and its completion share one name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$constant => $name,)*
                    _ => "Unknown",
                }
            }
        }

        impl Frame {
            /// Decodes the payload with the codec of its row and encodes it again.
            ///
            /// Unknown fields are gone and defaults are omitted in the result. `None` when the
            /// type is not in the table.
            pub fn canonical(&self) -> Result<Option<Self>, FrameError> {
                let ty = self.ty;
                let frame = match ty {
                    $(MessageType::$constant => {
                        Self::message(ty, &self.decode::<message::$codec>()?)
                    })*
                    _ => return Ok(None),
                };
                Ok(Some(Self { ack_requested: self.ack_requested, ..frame }))
            }
        }
    };
}

message_table! {
    START = 0x0000, "Start", Start;
    SUSPENSION = 0x0001, "Suspension", Suspension;
    ERROR = 0x0002, "Error", ErrorMessage;
    END = 0x0003, "End", End;
    COMMAND_ACK = 0x0004, "CommandAck", CommandAck;
    PROPOSE_RUN_COMPLETION = 0x0005, "ProposeRunCompletion", ProposeRunCompletion;
    AWAITING_ON = 0x0006, "AwaitingOn", AwaitingOn;
    PROPOSE_RUN_COMPLETION_ACK = 0x0007, "ProposeRunCompletionAck", ProposeRunCompletionAck;

    GET_STATE_EPHEMERAL_COMMAND = 0x0200, "GetStateEphemeral", GetStateEphemeralCommand;
    GET_STATE_EPHEMERAL_NOTIFICATION = 0x0300, "GetStateEphemeral", GetStateEphemeralNotification;

    INPUT_COMMAND = 0x0400, "Input", InputCommand;
    OUTPUT_COMMAND = 0x0401, "Output", OutputCommand;
    GET_LAZY_STATE_COMMAND = 0x0402, "GetLazyState", GetLazyStateCommand;
    SET_STATE_COMMAND = 0x0403, "SetState", SetStateCommand;
    CLEAR_STATE_COMMAND = 0x0404, "ClearState", ClearStateCommand;
    CLEAR_ALL_STATE_COMMAND = 0x0405, "ClearAllState", ClearAllStateCommand;
    GET_LAZY_STATE_KEYS_COMMAND = 0x0406, "GetLazyStateKeys", GetLazyStateKeysCommand;
    GET_EAGER_STATE_COMMAND = 0x0407, "GetEagerState", GetEagerStateCommand;
    GET_EAGER_STATE_KEYS_COMMAND = 0x0408, "GetEagerStateKeys", GetEagerStateKeysCommand;
    GET_PROMISE_COMMAND = 0x0409, "GetPromise", GetPromiseCommand;
    PEEK_PROMISE_COMMAND = 0x040A, "PeekPromise", PeekPromiseCommand;
    COMPLETE_PROMISE_COMMAND = 0x040B, "CompletePromise", CompletePromiseCommand;
    SLEEP_COMMAND = 0x040C, "Sleep", SleepCommand;
    CALL_COMMAND = 0x040D, "Call", CallCommand;
    ONE_WAY_CALL_COMMAND = 0x040E, "OneWayCall", OneWayCallCommand;
    SEND_SIGNAL_COMMAND = 0x0410, "SendSignal", SendSignalCommand;
    RUN_COMMAND = 0x0411, "Run", RunCommand;
    ATTACH_INVOCATION_COMMAND = 0x0412, "AttachInvocation", AttachInvocationCommand;
    GET_INVOCATION_OUTPUT_COMMAND = 0x0413, "GetInvocationOutput", GetInvocationOutputCommand;
    COMPLETE_AWAKEABLE_COMMAND = 0x0414, "CompleteAwakeable", CompleteAwakeableCommand;

    GET_LAZY_STATE_NOTIFICATION = 0x8002, "GetLazyState", Notification;
    GET_LAZY_STATE_KEYS_NOTIFICATION = 0x8006, "GetLazyStateKeys", Notification;
    GET_PROMISE_NOTIFICATION = 0x8009, "GetPromise", Notification;
    PEEK_PROMISE_NOTIFICATION = 0x800A, "PeekPromise", Notification;
    COMPLETE_PROMISE_NOTIFICATION = 0x800B, "CompletePromise", Notification;
    SLEEP_NOTIFICATION = 0x800C, "Sleep", Notification;
    CALL_NOTIFICATION = 0x800D, "Call", Notification;
    CALL_INVOCATION_ID_NOTIFICATION = 0x800E, "CallInvocationId", Notification;
    RUN_NOTIFICATION = 0x8011, "Run", Notification;
    ATTACH_INVOCATION_NOTIFICATION = 0x8012, "AttachInvocation", Notification;
    GET_INVOCATION_OUTPUT_NOTIFICATION = 0x8013, "GetInvocationOutput", Notification;
    SIGNAL_NOTIFICATION = 0xFBFF, "Signal", Notification;
}

impl MessageType {
    /// Tells whether the code lies in the control range; such messages are no journal entries.
    pub fn is_control(self) -> bool {
        self.0 <= 0x01FF
    }

    /// Tells whether the code lies in the command range, known or not.
    ///
    /// Ephemeral (0x0200) and custom (0xFC00 and up) commands lie outside.
    pub fn is_command(self) -> bool {
        (0x0400..=0x7FFF).contains(&self.0)
    }

    /// Tells whether the code lies in the notification range, known or not.
    pub fn is_notification(self) -> bool {
        (0x8000..=0xFBFF).contains(&self.0)
    }

    /// Tells whether the code is in the message table.
    pub fn is_known(self) -> bool {
        Self::ALL.binary_search(&self).is_ok()
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#06x})", self.name(), self.0)
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
