//! Every stored shape is read back as it was written, and no bytes make a decoder panic.

use bytes::Bytes;
use reveille_protocol::frame::{Frame, MessageType};
use reveille_protocol::id::{AwakeableId, InvocationId, SubscriptionId};
use reveille_protocol::message::{
    FailureMetadata, Notification, StateEntry, StateKeys, Value, Void, notification,
};

use crate::command::{Caller, Invoke, Source, Target};
use crate::event::StoredEvent;
use crate::keys;
use crate::message::{Failure, Message, Outcome, id_bytes};
use crate::record::{
    Decision, InvocationRecord, JournalEntry, Kind, LockRecord, Pending, PromiseRecord, Status,
    StoredCaller, StoredFailure, StoredResult, StoredWait, VERSION, decode, encode,
};
use crate::state_edit::StoredStateEdit;
use crate::trace::TraceContext;
use crate::wait::{WaitKind, WaitRow};

use super::{World, script, tree};

fn id() -> InvocationId {
    InvocationId::from_bytes([9; 24])
}

fn caller() -> Caller {
    Caller { id: id(), created_at: 77, completion_id: 5 }
}

fn failure() -> Failure {
    let metadata = vec![FailureMetadata { key: "why".into(), value: "x".into() }];
    Failure { code: 418, message: "teapot".into(), metadata }
}

fn result() -> StoredResult {
    StoredResult { value: "v".into(), failure: Some(failure()), stacktrace: Some("line".into()) }
}

fn wait() -> StoredWait {
    StoredWait {
        ordinal: 4,
        kind: WaitKind::Promise as u32,
        index: 3,
        name: Some("p".into()),
        since: 5,
        attempt: 2,
        service: "W".into(),
        key: Some("k".into()),
        handler: "run".into(),
        scope: Some("tenant".into()),
    }
}

fn invocation_record() -> InvocationRecord {
    InvocationRecord {
        service: "O".into(),
        key: Some("k".into()),
        handler: "x".into(),
        kind: Kind::SharedWorkflow.into(),
        status: Status::Completed.into(),
        created_at: 1,
        modified_at: 2,
        start_at: Some(3),
        queue_position: 4,
        journal_len: 5,
        commands_len: 6,
        caller: Some(StoredCaller::from(caller())),
        sender: id_bytes(id()),
        idempotency_key: Some("ik".into()),
        pinned_deployment: vec![1; 16].into(),
        protocol_version: 7,
        attempt: 8,
        failed_attempts: 9,
        last_entry_at: 10,
        last_failure: Some(StoredFailure {
            code: 500,
            message: "m".into(),
            stacktrace: "s".into(),
            doc_code: "RT0007".into(),
            command_index: Some(1),
            command_name: Some("n".into()),
            command_type: Some(0x0411),
            at: 11,
        }),
        next_retry_at: Some(12),
        attempt_deployment: vec![2; 16].into(),
        input_open: true,
        seen: 13,
        runs: vec![14, 15],
        awaiting: Some(tree(&["race(1,s17,'go,all(2,unk(3)))"])),
        waits: vec![wait()],
        pending_len: 16,
        decisions_len: 17,
        attached_len: 18,
        completed_at: 19,
        completion_retention_ms: 20,
        journal_retention_ms: 21,
        output_index: Some(22),
        result: Some(result()),
        failures_total: 23,
        awaited_answer: true,
        pause_requested: true,
        restarted_from: id_bytes(id()),
        late_start_at: Some(24),
        queued_at: Some(25),
        events_total: 26,
        state_edits: 27,
        scope: Some("sc".into()),
        limit_key: Some("l1/l2".into()),
        limited_position: 24,
        trace: trace(),
    }
}

fn trace() -> Option<Box<TraceContext>> {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    TraceContext::parse(parent, Some("a=1")).map(Box::new)
}

fn messages() -> Vec<Message> {
    let invoke = |caller, source, key: Option<&str>| {
        Message::Invoke(Box::new(Invoke {
            id: id(),
            fresh: key.is_some(),
            target: Target {
                scope: key.map(Into::into),
                service: "O".into(),
                key: key.map(Into::into),
                handler: "x".into(),
            },
            input: "in".into(),
            idempotency_key: key.map(Into::into),
            limit_key: key.map(Into::into),
            start_at: Some(9),
            caller,
            source,
            trace: caller.and_then(|_| trace()),
        }))
    };
    let results = [
        notification::Result::Void(Void {}),
        notification::Result::Value(Value { content: Bytes::new() }),
        notification::Result::Failure(failure()),
        notification::Result::InvocationId(id().to_string()),
        notification::Result::StateKeys(StateKeys { keys: vec!["a".into()] }),
    ];
    let awakeable = AwakeableId { invocation: id(), secret: [3; 16], index: 17 };
    let mut messages = vec![
        invoke(Some(caller()), Source::Handler(id()), Some("")),
        invoke(None, Source::Ingress, None),
        invoke(None, Source::Subscription(SubscriptionId(u128::MAX)), None),
        Message::Attach(id(), caller(), true),
        Message::Attach(id(), caller(), false),
        Message::CompleteAwakeable(awakeable, Outcome::Success(Bytes::new())),
        Message::CompleteAwakeable(awakeable, Outcome::Failure(failure())),
        Message::Kill(id(), caller()),
    ];
    for result in results {
        let name = Some(notification::Id::SignalName("go".into()));
        let signal = Notification { id: name, result: Some(result.clone()) };
        messages.push(Message::Signal(id(), signal));
        messages.push(Message::Notify(caller(), result));
    }
    messages
}

fn read_back<M: prost::Message + Default + PartialEq + std::fmt::Debug>(value: &M) -> Bytes {
    let encoded = encode(value);
    assert_eq!(encoded[0], VERSION);
    assert_eq!(&decode::<M>(b"k", &encoded).expect("it decodes"), value);
    let mut later = encoded.to_vec();
    later[0] = VERSION + 1;
    assert!(decode::<M>(b"k", &later.into()).is_err(), "another version is refused");
    assert!(decode::<M>(b"k", &Bytes::new()).is_err(), "an empty value is refused");
    encoded
}

/// One encoded value of every stored shape.
fn values() -> Vec<Bytes> {
    let pending =
        Pending { command: 0x040D, target: id_bytes(id()), wake_up_at: 4, name: "p".into() };
    let decision = Decision {
        at: 1,
        rejected: true,
        journal_index: 2,
        idempotency_key: Some("k".into()),
        digest: vec![4; 32].into(),
    };
    let entry = StateEntry { key: "k".into(), value: "v".into() };
    let mut values = vec![
        read_back(&invocation_record()),
        read_back(&InvocationRecord::default()),
        read_back(&pending),
        read_back(&decision),
        read_back(&LockRecord { holder: id_bytes(id()), head: 1, tail: 2, edits: 3 }),
        read_back(&StoredEvent {
            at: 1,
            after_index: 2,
            failure: Some(StoredFailure::default()),
            paused: true,
        }),
        read_back(&StoredStateEdit { entries: vec![entry], version: vec![5; 32].into() }),
        read_back(&PromiseRecord { result: Some(result()), completed_at: 3 }),
        read_back(&PromiseRecord::default()),
        read_back(&wait()),
        read_back(&result()),
    ];
    let frame = Frame::new(MessageType(0x0411), "payload".into());
    values.push(JournalEntry { at: 6, frame }.encode());
    values.extend(messages().iter().map(Message::encode));
    values
}

#[test]
fn records_are_read_back() {
    assert!(values().len() > 20);
}

#[test]
fn journal_entries_keep_every_byte() {
    for payload in ["", "x", "\u{0}\u{1}unknown fields"] {
        let frame = Frame::new(MessageType(0xFBFF), payload.into());
        let entry = JournalEntry { at: u64::MAX, frame };
        assert_eq!(JournalEntry::decode(b"j", &entry.encode()), Ok(entry.clone()));
        let short = entry.encode().slice(..10);
        assert!(JournalEntry::decode(b"j", &short).is_err());
    }
}

#[test]
fn messages_are_read_back() {
    for message in messages() {
        let encoded = message.encode();
        let decoded = Message::decode(b"o", &encoded).expect("it decodes");
        assert_eq!(format!("{decoded:?}"), format!("{message:?}"));
        assert_eq!(decoded.encode(), encoded);
        assert_eq!(decoded.target(), id());
    }
}

#[test]
fn a_wait_row_is_read_back() {
    let key = keys::wait(5, id(), WaitKind::Promise as u8, 1);
    let row = WaitRow::decode(&key, &encode(&wait())).expect("it decodes");
    assert_eq!((row.since, row.invocation, row.kind, row.index), (5, id(), WaitKind::Promise, 3));
    assert_eq!((row.name.as_deref(), row.key.as_deref()), (Some("p"), Some("k")));
    assert_eq!((row.service.as_str(), row.handler.as_str(), row.attempt), ("W", "run", 2));
    assert!(WaitRow::decode(&key[..20], &encode(&wait())).is_err());
    let unknown = StoredWait { kind: 9, ..wait() };
    assert!(WaitRow::decode(&key, &encode(&unknown)).is_err());
}

#[test]
fn no_bytes_make_a_decoder_panic() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let seeds = values();
    for round in 0..5_000_u32 {
        let mut bytes = match round % 2 {
            0 => random.bytes(64),
            _ => seeds[random.below(seeds.len())].to_vec(),
        };
        if !bytes.is_empty() {
            let at = random.below(bytes.len());
            bytes[at] = random.byte();
            if round % 3 == 0 {
                bytes[0] = VERSION;
            }
            if round % 5 == 0 {
                bytes.truncate(at);
            }
        }
        decode_as_everything(&bytes.into());
    }
}

/// The results do not matter here: only that each decoder returns.
fn decode_as_everything(bytes: &Bytes) {
    let decoded = [
        decode::<InvocationRecord>(bytes, bytes).is_ok(),
        decode::<Pending>(bytes, bytes).is_ok(),
        decode::<Decision>(bytes, bytes).is_ok(),
        decode::<LockRecord>(bytes, bytes).is_ok(),
        decode::<PromiseRecord>(bytes, bytes).is_ok(),
        decode::<StoredWait>(bytes, bytes).is_ok(),
        decode::<StoredResult>(bytes, bytes).is_ok(),
        JournalEntry::decode(bytes, bytes).is_ok(),
        WaitRow::decode(bytes, bytes).is_ok(),
        Message::decode(bytes, bytes).is_ok(),
        keys::parse_timer(bytes).is_some(),
        keys::parse_outbox(bytes).is_some(),
        keys::parse_caller(bytes).is_some(),
        keys::parse_id(bytes).is_some(),
        crate::check::check_rows(std::iter::once((bytes.clone(), bytes.clone()))).is_ok(),
    ];
    let valid_only_with_version = decoded[..10].iter().any(|ok| *ok);
    assert!(!valid_only_with_version || bytes.first() == Some(&VERSION));
}

#[test]
fn no_frame_stops_the_engine() {
    let mut random = Random(7);
    for round in 0..1_000 {
        let mut world = World::new();
        for statement in ["send W/k/run #1", "#1 sleep(1,+50) promise(2,p) run(3)"] {
            script::statement(&mut world, statement);
        }
        let id = world.id("#1");
        let frames = (0..3).map(|_| {
            let ty = MessageType::ALL[random.below(MessageType::ALL.len())];
            let payload = if round % 2 == 0 { random.bytes(12) } else { random.fields() };
            Frame::new(ty, payload.into())
        });
        let frames = frames.collect();
        let attempt = world.attempts[&id];
        world.apply_to(id, crate::command::Command::Frames { id, attempt, frames });
        world.tick(10_000);
        world.forget_everything();
    }
}

/// A small generator (xorshift): the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[2]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % end
    }

    fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        (0..self.below(len_max + 1)).map(|_| self.byte()).collect()
    }

    /// Fields that protobuf accepts: numbers and short texts under small tags.
    fn fields(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.below(5) {
            let tag = u8::try_from(1 + self.below(15)).expect("small");
            if self.below(2) == 0 {
                out.extend([tag << 3, self.byte() & 0x03]);
            } else {
                let texts: [&[u8]; 5] = [b"", b"S", b"h", b"p", b"\x0a\x01x"];
                let text = texts[self.below(texts.len())];
                out.extend([tag << 3 | 2, u8::try_from(text.len()).expect("short")]);
                out.extend_from_slice(text);
            }
        }
        out
    }
}
