//! A row that cannot be understood is an error that names its key, never a row less or a wrong cell.

use bytes::Bytes;
use reveille_engine::{
    keys::{self, Instance, tag},
    record::{InvocationRecord, JournalEntry, LockRecord, Status, encode},
    tx::EngineError,
};
use reveille_protocol::frame::{Frame, MessageType};

use super::{
    fixture::{NOW_MS, id, world_of},
    query,
};

type Rows = Vec<(Bytes, Bytes)>;

const INSTANCE: Instance<'_> = Instance { scope: None, service: "Count", key: "k1" };

#[test]
fn rows_that_cannot_be_understood_are_errors_that_name_their_key() {
    let stray = Bytes::from_static(b"\x07stray");
    let tagged = |tag: u8| Bytes::from([&[tag], &stray[..]].concat());
    let lock = LockRecord { holder: stray.clone(), ..LockRecord::default() };
    let completed = InvocationRecord {
        status: Status::Completed.into(),
        completed_at: NOW_MS,
        completion_retention_ms: 1_000,
        output_index: Some(1),
        ..InvocationRecord::default()
    };
    let output = Frame::new(MessageType::OUTPUT_COMMAND, stray.clone());
    let output = JournalEntry { frame: output, at: NOW_MS }.encode();
    // What is stored, whose key is named last, and the queries that must not pass over it.
    let cases: Vec<(Rows, &[&str])> = vec![
        (
            vec![(keys::lock(INSTANCE), stray.clone())],
            &["select 1 from sys_locks", "select 1 from sys_keyed_service_status"],
        ),
        (vec![(keys::lock(INSTANCE), encode(&lock))], &["select 1 from sys_locks"]),
        (vec![(keys::queue(INSTANCE, 1), stray.clone())], &["select 1 from sys_inbox"]),
        (vec![(tagged(tag::STATE), Bytes::new())], &["select key from state"]),
        (vec![(tagged(tag::PROMISE), Bytes::new())], &["select key from sys_promise"]),
        (
            vec![(tagged(tag::INVOCATION), encode(&InvocationRecord::default()))],
            &["select 1 from sys_invocation", "select 1 from sys_invocation_status"],
        ),
        (vec![(tagged(tag::IN_FLIGHT), Bytes::new())], &["select 1 from sys_invocation_state"]),
        (
            vec![(tagged(tag::JOURNAL), Bytes::new()), (tagged(tag::EVENT), Bytes::new())],
            &["select 1 from sys_journal_events"],
        ),
        (vec![(tagged(tag::JOURNAL), Bytes::new())], &["select 1 from sys_journal"]),
        (
            vec![(keys::invocation(id(2)), encode(&completed)), (keys::journal(id(2), 1), output)],
            &["select completion_result from sys_invocation"],
        ),
    ];
    for (rows, texts) in cases {
        let world = world_of(&rows);
        let key = &rows.last().expect("a row").0;
        // `row KEY is corrupt: `
        let named = EngineError::corrupt(key, "").to_string();
        for text in texts {
            let error = query(&world, text).expect_err(text).to_string();
            assert!(error.contains(&named), "{text} with {rows:?}: {error}");
        }
    }
}
