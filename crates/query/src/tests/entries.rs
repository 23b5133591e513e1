//! Journal entries as JSON.

use bytes::Bytes;
use prost::Message;
use reveille_protocol::{
    frame::{Frame, MessageType},
    message::{
        CallCommand, CompleteAwakeableCommand, Failure, Header, InputCommand, Notification,
        OneWayCallCommand, OutputCommand, RunCommand, SetStateCommand, SleepCommand, Value,
        complete_awakeable_command, notification, output_command,
    },
};
use serde_json::{Value as Json, json};

use super::{fixture::id, query, world};
use crate::tables::{
    entry_json::{full, lite},
    hidden::shown,
};

fn frame(ty: MessageType, message: &impl Message) -> Frame {
    Frame::new(ty, message.encode_to_vec().into())
}

fn notified(ty: MessageType, id: notification::Id, result: notification::Result) -> Frame {
    frame(ty, &Notification { id: Some(id), result: Some(result) })
}

type Rows = Vec<(Frame, Json, Json)>;

fn check(rows: Rows) {
    for (frame, expected_lite, expected_full) in rows {
        assert_eq!(lite(&frame, Some("inv_callee")), expected_lite, "{frame:?}");
        assert_eq!(full(&frame, Some("inv_callee")), expected_full, "{frame:?}");
    }
}

#[test]
fn commands() {
    let content = Bytes::from_static(b"hi");
    let sleep = SleepCommand { wake_up_time: 5, result_completion_id: 1, name: "nap".to_owned() };
    let run = RunCommand { result_completion_id: 2, name: String::new() };
    let set = SetStateCommand {
        key: Bytes::from_static(b"phase"),
        value: Some(Value { content: content.clone() }),
        name: String::new(),
    };
    let call = CallCommand {
        service_name: "S".into(),
        handler_name: "h".into(),
        parameter: content.clone(),
        invocation_id_notification_idx: 1,
        result_completion_id: 2,
        ..CallCommand::default()
    };
    check(vec![
        (
            frame(MessageType::SLEEP_COMMAND, &sleep),
            json!({"Command":{"Sleep":{"wake_up_time":5,"completion_id":1,"name":"nap"}}}),
            json!({"Command":{"Sleep":{"wake_up_time":5,"completion_id":1,"name":"nap"}}}),
        ),
        (
            frame(MessageType::RUN_COMMAND, &run),
            json!({"Command":{"Run":{"completion_id":2}}}),
            json!({"Command":{"Run":{"completion_id":2}}}),
        ),
        (
            frame(MessageType::SET_STATE_COMMAND, &set),
            json!({"Command":{"SetState":{"key":"phase"}}}),
            json!({"Command":{"SetState":{"key":"phase","value":[104,105]}}}),
        ),
        (
            frame(MessageType::CALL_COMMAND, &call),
            json!({"Command":{"Call":{
                "invocation_id":"inv_callee",
                "invocation_target":{"Service":{"name":"S","handler":"h","scope":null}},
                "invocation_id_completion_id":1,"result_completion_id":2}}}),
            json!({"Command":{"Call":{
                "invocation_id":"inv_callee",
                "invocation_target":{"Service":{"name":"S","handler":"h","scope":null}},
                "headers":[],"parameter":[104,105],"idempotency_key":null,
                "invocation_id_completion_id":1,"result_completion_id":2}}}),
        ),
    ]);
}

#[test]
fn notifications() {
    let content = Bytes::from_static(b"hi");
    let failure = Failure { code: 500, message: "no".into(), metadata: vec![] };
    check(vec![
        (
            notified(
                MessageType::SIGNAL_NOTIFICATION,
                notification::Id::SignalId(17),
                notification::Result::Value(Value { content }),
            ),
            json!({"Notification":{"ty":"Signal","id":{"SignalIndex":17},"result":"Success"}}),
            json!({"Notification":{"Signal":{"id":{"Index":17},"result":{"Success":[104,105]}}}}),
        ),
        (
            notified(
                MessageType::CALL_NOTIFICATION,
                notification::Id::CompletionId(2),
                notification::Result::Failure(failure),
            ),
            json!({"Notification":{"ty":{"Completion":"Call"},"id":{"CompletionId":2},
                "result":"Failure"}}),
            json!({"Notification":{"Completion":{"Call":{"completion_id":2,
                "result":{"Failure":{"code":500,"message":"no","metadata":{}}}}}}}),
        ),
        (
            notified(
                MessageType::SLEEP_NOTIFICATION,
                notification::Id::CompletionId(1),
                notification::Result::Void(reveille_protocol::message::Void {}),
            ),
            json!({"Notification":{"ty":{"Completion":"Sleep"},"id":{"CompletionId":1},
                "result":"Void"}}),
            json!({"Notification":{"Completion":{"Sleep":{"completion_id":1,"result":"Void"}}}}),
        ),
    ]);
}

/// Neither the raw payload nor the JSON of an entry has what is secret in it.
#[test]
fn secrets_are_hidden() {
    let awakeable_id = format!("sign_1{}hush", "A".repeat(32));
    let failure =
        Failure { code: 500, message: format!("no {awakeable_id}"), metadata: Vec::new() };
    let header = |key: &str, value: &str| Header { key: key.into(), value: value.into() };
    let headers = vec![header("Authorization", "Bearer hush"), header("x-trace", "seen")];
    let told = notification::Result::Failure(failure.clone());
    let frames = [
        frame(
            MessageType::INPUT_COMMAND,
            &InputCommand { headers: headers.clone(), ..Default::default() },
        ),
        frame(
            MessageType::CALL_COMMAND,
            &CallCommand { headers: headers.clone(), ..Default::default() },
        ),
        frame(
            MessageType::ONE_WAY_CALL_COMMAND,
            &OneWayCallCommand { headers, ..Default::default() },
        ),
        frame(
            MessageType::COMPLETE_AWAKEABLE_COMMAND,
            &CompleteAwakeableCommand {
                awakeable_id,
                result: Some(complete_awakeable_command::Result::Failure(failure.clone())),
                ..Default::default()
            },
        ),
        frame(
            MessageType::OUTPUT_COMMAND,
            &OutputCommand {
                result: Some(output_command::Result::Failure(failure)),
                ..Default::default()
            },
        ),
        notified(MessageType::RUN_NOTIFICATION, notification::Id::CompletionId(1), told),
    ];
    for frame in frames {
        let shown = shown(&frame).expect("it can be read");
        let text = format!("{:?} {}", shown.payload, full(&shown, None));
        assert!(!text.contains("hush"), "{text}");
        assert!(text.contains("***"), "{text}");
        assert!(!text.contains("x-trace") || text.contains("seen"), "{text}");
    }
    let plain = frame(MessageType::INPUT_COMMAND, &InputCommand::default());
    assert_eq!(shown(&plain), Some(plain));
    assert_eq!(shown(&Frame::new(MessageType::INPUT_COMMAND, Bytes::from_static(&[0xff]))), None);
}

#[test]
fn every_message_of_the_journal_has_a_shape() {
    for ty in MessageType::ALL {
        if ty.is_command() || ty.is_notification() {
            let shown = lite(&Frame::new(*ty, Bytes::new()), None).to_string();
            assert!(shown.contains(ty.name()), "{ty}: {shown}");
        }
    }
    let broken = Frame::new(MessageType::SLEEP_COMMAND, Bytes::from_static(&[0xff]));
    assert!(lite(&broken, None).to_string().contains("Unreadable"));
}

#[test]
fn journal_rows() {
    let text = format!(
        "select \"index\", entry_type, name, version, entry_lite_json, raw_length, appended_at \
         from sys_journal where id = '{}' order by index",
        id(0)
    );
    let rows = query(&world(1), &text).expect("rows");
    assert_eq!(
        rows[0],
        json!({"index": 0, "entry_type": "Command: Input", "name": "", "version": 2,
            "entry_lite_json": "{\"Command\":{\"Input\":{}}}", "raw_length": 6,
            "appended_at": "2026-11-22T07:36:39.100Z"})
    );
    assert_eq!(rows[1]["entry_type"], "Command: CompleteAwakeable");
}
