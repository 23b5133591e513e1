//! The handlers of the imitated deployment.

use bytes::Bytes;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{
        CallCommand, CompleteAwakeableCommand, ErrorMessage, GetEagerStateCommand,
        OneWayCallCommand, SetStateCommand, Value, Void, complete_awakeable_command,
        get_eager_state_command, notification::Id,
    },
};
use serde_json::json;

use super::attempt::{Attempt, Outcome, Stop, failure};

type End = Result<Bytes, Stop>;

const STATE: &[u8] = b"count";

/// Runs one handler.
pub async fn run(service: &str, handler: &str, attempt: &mut Attempt) -> End {
    match (service, handler) {
        ("imitation", "wait") => wait(attempt).await,
        ("imitation", "answer") => answer(attempt),
        ("imitation", "stumble") => stumble(attempt).await,
        ("imitation", "refuse") => Err(Stop::Failed(failure(418, ""))),
        ("imitation", "call") => call(attempt).await,
        ("imitation", "delegate") => delegate(attempt).await,
        ("imitatedObject", "bump") => bump(attempt),
        ("imitatedObject", "read") => read_count(attempt).map(|count| count.to_string().into()),
        _ => Err(Stop::Broken(format!("there is no {service}/{handler}"))),
    }
}

fn text(attempt: &Attempt) -> Result<String, Stop> {
    serde_json::from_slice(&attempt.input).map_err(|error| Stop::Broken(error.to_string()))
}

fn value_of(outcome: Option<Outcome>) -> End {
    match outcome {
        Some(Outcome::Value(value)) => Ok(value.content),
        other => Err(Stop::Broken(format!("a value was expected, not {other:?}"))),
    }
}

async fn wait(attempt: &mut Attempt) -> End {
    let name = text(attempt)?;
    let (wait, signal) = attempt.awakeable();
    let shared = attempt.shared.clone();
    attempt
        .run(|| {
            shared.announce(name, wait);
            Ok(Bytes::new())
        })
        .await?;
    value_of(attempt.wait(Id::SignalId(signal)).await?)
}

fn answer(attempt: &mut Attempt) -> End {
    let content = Bytes::from_static(br#""by a handler""#);
    let command = CompleteAwakeableCommand {
        awakeable_id: text(attempt)?,
        result: Some(complete_awakeable_command::Result::Value(Value { content })),
        name: String::new(),
    };
    attempt.command(&Frame::message(MessageType::COMPLETE_AWAKEABLE_COMMAND, &command))?;
    Ok(Bytes::new())
}

/// Fails two times. The errors have everything that the Java SDK fills in, names that are there and
/// empty included.
async fn stumble(attempt: &mut Attempt) -> End {
    let count = attempt.start.retry_count_since_last_stored_entry;
    let shared = attempt.shared.clone();
    attempt
        .run(|| {
            shared.note_retry_count(count);
            if count >= 2 {
                return Ok(Bytes::new());
            }
            Err(Stop::Error(Box::new(ErrorMessage {
                code: 500,
                message: "java.lang.IllegalStateException: not yet".into(),
                stacktrace: "java.lang.IllegalStateException: not yet\n\tat Imitation.java".into(),
                related_command_index: Some(1),
                related_command_name: Some(String::new()),
                related_command_type: Some(MessageType::RUN_COMMAND.0.into()),
                next_retry_delay: Some(10),
                behavior: 0,
            })))
        })
        .await?;
    Ok(Bytes::from_static(br#""third attempt""#))
}

/// Calls the object, then sends to it twice with one idempotency key.
async fn call(attempt: &mut Attempt) -> End {
    let key = text(attempt)?;
    let (id, result) = (attempt.completion(), attempt.completion());
    let command = CallCommand {
        service_name: "imitatedObject".into(),
        handler_name: "bump".into(),
        parameter: Bytes::from_static(b"1"),
        key: key.clone(),
        invocation_id_notification_idx: id,
        result_completion_id: result,
        ..CallCommand::default()
    };
    attempt.command(&Frame::message(MessageType::CALL_COMMAND, &command))?;
    attempt.track(id);
    let count = value_of(attempt.wait(Id::CompletionId(result)).await?)?;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = attempt.completion();
        let command = OneWayCallCommand {
            service_name: "imitatedObject".into(),
            handler_name: "bump".into(),
            parameter: Bytes::from_static(b"1"),
            key: key.clone(),
            idempotency_key: Some("once".into()),
            invocation_id_notification_idx: id,
            ..OneWayCallCommand::default()
        };
        attempt.command(&Frame::message(MessageType::ONE_WAY_CALL_COMMAND, &command))?;
        ids.push(attempt.wait(Id::CompletionId(id)).await?);
    }
    let count: u64 =
        serde_json::from_slice(&count).map_err(|error| Stop::Broken(error.to_string()))?;
    Ok(json!([count, ids[0] == ids[1]]).to_string().into())
}

async fn delegate(attempt: &mut Attempt) -> End {
    let (id, result) = (attempt.completion(), attempt.completion());
    let command = CallCommand {
        service_name: "imitation".into(),
        handler_name: "wait".into(),
        parameter: attempt.input.clone(),
        invocation_id_notification_idx: id,
        result_completion_id: result,
        ..CallCommand::default()
    };
    attempt.command(&Frame::message(MessageType::CALL_COMMAND, &command))?;
    attempt.track(id);
    value_of(attempt.wait(Id::CompletionId(result)).await?)
}

/// Reads the state that came with `Start`; none is a void.
fn read_count(attempt: &mut Attempt) -> Result<u64, Stop> {
    attempt.completion();
    if attempt.start.partial_state {
        return Err(Stop::Broken("the state is partial".into()));
    }
    let entry = attempt.start.state_map.iter().find(|entry| entry.key == STATE);
    let content = entry.map(|entry| entry.value.clone());
    let result = match &content {
        Some(content) => get_eager_state_command::Result::Value(Value { content: content.clone() }),
        None => get_eager_state_command::Result::Void(Void {}),
    };
    let command = GetEagerStateCommand {
        key: Bytes::from_static(STATE),
        result: Some(result),
        name: String::new(),
    };
    attempt.command(&Frame::message(MessageType::GET_EAGER_STATE_COMMAND, &command))?;
    let count = content.map_or(Ok(0), |content| serde_json::from_slice(&content));
    count.map_err(|error| Stop::Broken(error.to_string()))
}

fn bump(attempt: &mut Attempt) -> End {
    let count = read_count(attempt)? + 1;
    let content = Bytes::from(count.to_string());
    let command = SetStateCommand {
        key: Bytes::from_static(STATE),
        value: Some(Value { content: content.clone() }),
        name: String::new(),
    };
    attempt.command(&Frame::message(MessageType::SET_STATE_COMMAND, &command))?;
    Ok(content)
}
