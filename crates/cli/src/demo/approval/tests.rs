//! The handler over its endpoint: what it sends for a given journal, and which steps it executes.

use bytes::{Bytes, BytesMut};
use http::Method;
use reveille_protocol::{
    frame::{Frame, FrameDecoder, MessageType},
    message::{
        Failure, InputCommand, Notification, OutputCommand, RunCommand, Start, Value as Content,
        notification, output_command,
    },
    version::ServiceProtocolVersion,
};

use super::{
    super::{Client, Stage},
    *,
};

const PAYLOAD_LEN_MAX: usize = 1 << 20;

/// What stands in the journal after the input.
enum Entry {
    Ran(&'static str, u32),
    RanDone(u32),
    Resolved(&'static str),
    Rejected(&'static str),
}

impl Entry {
    fn frame(&self) -> Frame {
        let value = |text: &str| {
            let content = Bytes::copy_from_slice(text.as_bytes());
            Some(notification::Result::Value(Content { content }))
        };
        let (ty, id, result) = match self {
            Entry::Ran(name, id) => {
                let command = RunCommand { result_completion_id: *id, name: (*name).to_owned() };
                return Frame::message(MessageType::RUN_COMMAND, &command);
            }
            Entry::RanDone(id) => {
                let id = notification::Id::CompletionId(*id);
                (MessageType::RUN_NOTIFICATION, id, value("null"))
            }
            Entry::Resolved(text) => {
                let id = notification::Id::SignalId(17);
                (MessageType::SIGNAL_NOTIFICATION, id, value(text))
            }
            Entry::Rejected(text) => {
                let failure = Failure { code: 500, message: (*text).to_owned(), metadata: vec![] };
                let result = Some(notification::Result::Failure(failure));
                (MessageType::SIGNAL_NOTIFICATION, notification::Id::SignalId(17), result)
            }
        };
        Frame::message(ty, &Notification { id: Some(id), result })
    }
}

/// Runs one attempt over the journal and returns the names of the messages it sent, and its output.
async fn attempt(stage: &Stage, entries: &[Entry]) -> (Vec<&'static str>, String) {
    let start = Start {
        id: Bytes::from_static(&[7; 40]),
        debug_id: "inv_1test".to_owned(),
        known_entries: 1 + entries.len() as u32,
        ..Start::default()
    };
    let question = Question { round: 1, document: "the notes".to_owned() };
    let content = serde_json::to_vec(&question).expect("JSON").into();
    let input = InputCommand { value: Some(Content { content }), ..InputCommand::default() };
    let mut body = BytesMut::new();
    Frame::message(MessageType::START, &start).encode(&mut body);
    Frame::message(MessageType::INPUT_COMMAND, &input).encode(&mut body);
    entries.iter().for_each(|entry| entry.frame().encode(&mut body));

    let path = format!("/invoke/{SERVICE}/{HANDLER}");
    let headers = [("content-type", ServiceProtocolVersion::V6.content_type())];
    let address = stage.endpoint_address;
    let answer = Client::at(address)
        .expect("an address")
        .send(Method::POST, &path, &headers, body.freeze())
        .await;
    let mut decoder = FrameDecoder::new(PAYLOAD_LEN_MAX);
    decoder.push(answer.expect("an answer").success().expect("200"));
    let (mut sent, mut output) = (Vec::new(), String::new());
    while let Some(frame) = decoder.next().expect("whole frames") {
        sent.push(frame.ty.name());
        if frame.ty == MessageType::OUTPUT_COMMAND {
            output = match frame.decode::<OutputCommand>().expect("an output").result {
                Some(output_command::Result::Value(value)) => {
                    String::from_utf8_lossy(&value.content).into_owned()
                }
                other => format!("{other:?}"),
            };
        }
    }
    (sent, output)
}

#[tokio::test]
async fn each_step_is_executed_once_and_the_verdict_is_carried_out() {
    use Entry::{Ran, RanDone, Rejected, Resolved};
    const ASK: &str = "ask for a review";
    const FINISH: &str = "carry it out";
    let directory = tempfile::tempdir().expect("a directory");
    let stage = Stage::set(directory.path()).expect("a stage");
    let asked = || vec![Ran(ASK, 1), RanDone(1)];
    let with = |more: Vec<Entry>| asked().into_iter().chain(more).collect::<Vec<_>>();
    for (entries, sent, output, steps) in [
        (vec![], &["Run", "ProposeRunCompletion", "Suspension"][..], "", 1),
        (asked(), &["Suspension"][..], "", 1),
        (with(vec![Resolved("\"Fine\"")]), &["Run", "ProposeRunCompletion", "Suspension"], "", 2),
        (
            with(vec![Resolved("\"Fine\""), Ran(FINISH, 2), RanDone(2)]),
            &["Output", "End"],
            "\"Published the notes. The review: Fine\"",
            2,
        ),
        (
            with(vec![Resolved("not JSON"), Ran(FINISH, 2), RanDone(2)]),
            &["Output", "End"],
            "\"Published the notes. The review: not JSON\"",
            2,
        ),
        (
            with(vec![Rejected("too short"), Ran(FINISH, 2), RanDone(2)]),
            &["Output", "End"],
            "\"Did not publish the notes. The reason: too short\"",
            2,
        ),
    ] {
        let case = entries.len();
        assert_eq!(attempt(&stage, &entries).await, (sent.to_vec(), output.to_owned()), "{case}");
        assert_eq!(stage.steps.of_round(1).len(), steps, "{case}");
    }
    let details: Vec<_> = stage.steps.of_round(1).into_iter().map(|step| step.detail).collect();
    assert!(details[0].starts_with("sign_1") && details[0].len() == 65, "{details:?}");
    assert_eq!(details[1], "Published the notes. The review: Fine");
    stage.clear();
}
