//! Frames from the SDK: control frames here, commands in [`crate::syscall`].
//!
//! - Owns: the order of frames within a step and what a violation leads to.
//! - Invariant: frames are applied strictly in order and only for the live attempt. At the first
//!   invalid one the attempt fails; what came before it stays, it and what follows is dropped.

use prost::DecodeError;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::InvocationId;
use reveille_protocol::message::{AwaitingOn, ErrorMessage, Suspension};

use crate::attempt;
use crate::command::{AttemptFailure, AttemptId};
use crate::effect::Effect;
use crate::tx::{EngineError, Tx, decode_payload};
use crate::{complete, retry, suspend, syscall};

/// Why a frame was not applied.
#[derive(Debug)]
pub enum Stop {
    /// The deployment did something invalid: the attempt fails and is retried.
    Violation(AttemptFailure),
    /// The data cannot be trusted: the partition stops.
    Engine(EngineError),
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Stop {
        Stop::Engine(error)
    }
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Stop {
        violation("RT0012", format!("cannot decode entry: {error}"))
    }
}

/// Makes a violation with a documentation code.
pub fn violation(doc_code: &'static str, message: String) -> Stop {
    Stop::Violation(AttemptFailure { code: 500, message, doc_code })
}

/// Applies frames that arrived together.
pub fn on_frames(
    tx: &mut Tx<'_>,
    id: InvocationId,
    attempt: AttemptId,
    frames: Vec<Frame>,
) -> Result<(), EngineError> {
    let Some(mut invocation) = attempt::live(tx, id, attempt)? else { return Ok(()) };
    for frame in frames {
        let applied = match frame.ty {
            MessageType::SUSPENSION => match decode_payload::<Suspension>(&frame.payload) {
                Ok(message) => return suspend::on_suspension(tx, invocation, message),
                Err(error) => Err(error.into()),
            },
            MessageType::ERROR => match decode_payload::<ErrorMessage>(&frame.payload) {
                Ok(message) => return retry::on_error(tx, invocation, message),
                Err(error) => Err(error.into()),
            },
            MessageType::END if invocation.record.output_index.is_some() => {
                return complete::on_end(tx, invocation);
            }
            MessageType::END => {
                Err(violation("RT0012", "the handler ended without an output".to_owned()))
            }
            MessageType::AWAITING_ON => decode_payload::<AwaitingOn>(&frame.payload)
                .map_err(Stop::from)
                .and_then(|message| Ok(suspend::on_awaiting(tx, &mut invocation, &message)?)),
            MessageType::PROPOSE_RUN_COMPLETION => {
                syscall::on_propose_run(tx, &mut invocation, &frame)
            }
            ty if ty.is_command() => syscall::on_command(tx, &mut invocation, &frame),
            ty => Err(violation("RT0012", format!("unexpected message {ty} from the SDK"))),
        };
        match applied {
            Ok(()) => {}
            Err(Stop::Engine(error)) => return Err(error),
            Err(Stop::Violation(failure)) => {
                tx.emit(Effect::AbortAttempt(id, attempt));
                return retry::fail(tx, &mut invocation, failure);
            }
        }
    }
    tx.put(&invocation);
    Ok(())
}
