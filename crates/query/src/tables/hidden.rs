//! What of a journal entry may not be shown: secrets of awakeable ids, and headers with credentials.
//!
//! Payloads of handlers are shown whole: that is what they are asked for.
//! - Invariant: every column that shows an entry shows what [`shown`] returns.

use prost::Message;
use reveille_engine::mask::{HIDDEN, mask_secrets, may_be_secret};
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{
        CallCommand, CompleteAwakeableCommand, CompletePromiseCommand, Failure, Header,
        InputCommand, Notification, OneWayCallCommand, OutputCommand, SendSignalCommand,
        complete_awakeable_command, complete_promise_command, notification, output_command,
        send_signal_command,
    },
};

/// The entry without its secrets; `None` when it cannot be read, so that nobody knows where they are.
pub(crate) fn shown(frame: &Frame) -> Option<Frame> {
    match frame.ty {
        MessageType::INPUT_COMMAND => {
            without(frame, |input: &mut InputCommand| headers(&mut input.headers))
        }
        MessageType::CALL_COMMAND => {
            without(frame, |call: &mut CallCommand| headers(&mut call.headers))
        }
        MessageType::ONE_WAY_CALL_COMMAND => {
            without(frame, |call: &mut OneWayCallCommand| headers(&mut call.headers))
        }
        MessageType::COMPLETE_AWAKEABLE_COMMAND => {
            without(frame, |complete: &mut CompleteAwakeableCommand| {
                let is_changed = text(&mut complete.awakeable_id);
                is_changed
                    | match &mut complete.result {
                        Some(complete_awakeable_command::Result::Failure(it)) => failure(it),
                        _ => false,
                    }
            })
        }
        MessageType::OUTPUT_COMMAND => {
            without(frame, |output: &mut OutputCommand| match &mut output.result {
                Some(output_command::Result::Failure(it)) => failure(it),
                _ => false,
            })
        }
        MessageType::COMPLETE_PROMISE_COMMAND => {
            without(frame, |complete: &mut CompletePromiseCommand| match &mut complete.completion {
                Some(complete_promise_command::Completion::Failure(it)) => failure(it),
                _ => false,
            })
        }
        MessageType::SEND_SIGNAL_COMMAND => {
            without(frame, |send: &mut SendSignalCommand| match &mut send.result {
                Some(send_signal_command::Result::Failure(it)) => failure(it),
                _ => false,
            })
        }
        ty if ty.is_notification() => {
            without(frame, |told: &mut Notification| match &mut told.result {
                Some(notification::Result::Failure(it)) => failure(it),
                _ => false,
            })
        }
        _ => Some(frame.clone()),
    }
}

/// Hides with `change`, which says whether there was something to hide.
fn without<M: Message + Default>(
    frame: &Frame,
    change: impl FnOnce(&mut M) -> bool,
) -> Option<Frame> {
    let mut message: M = frame.decode().ok()?;
    Some(match change(&mut message) {
        true => Frame::new(frame.ty, message.encode_to_vec().into()),
        false => frame.clone(),
    })
}

fn headers(headers: &mut [Header]) -> bool {
    let mut is_changed = false;
    for header in headers.iter_mut().filter(|header| may_be_secret(&header.key)) {
        HIDDEN.clone_into(&mut header.value);
        is_changed = true;
    }
    is_changed
}

fn failure(failure: &mut Failure) -> bool {
    failure
        .metadata
        .iter_mut()
        .fold(text(&mut failure.message), |is_changed, pair| text(&mut pair.value) | is_changed)
}

fn text(text: &mut String) -> bool {
    let masked = mask_secrets(text);
    let is_changed = masked != *text;
    *text = masked;
    is_changed
}
