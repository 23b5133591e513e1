//! The bound of memory, which is one for the whole process: no other test may run beside this one.

use std::{sync::Arc, time::Duration};

use reveille_engine::command::AttemptId;
use reveille_protocol::id::InvocationId;
use reveille_query::{Attempts, Catalog, Format, Limits, QueryError, World, limit_memory, run};
use reveille_store::{Store as _, memory::MemoryStore};

struct NoneOpen;

impl Attempts for NoneOpen {
    fn started_at(&self, _id: InvocationId, _attempt: AttemptId) -> Option<u64> {
        None
    }
}

#[test]
fn what_needs_too_much_memory_fails_and_the_next_query_goes_on() {
    let snapshot = MemoryStore::new(1).snapshot().expect("a snapshot");
    let world = World::new(snapshot, Arc::new(Catalog::default()), Arc::new(NoneOpen), 0);
    let limits = Limits { time: Duration::from_secs(60), answer_bytes: 1 << 30 };
    let sorted = |rows: u32| {
        let text = format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n limit {rows}) \
             select i, hex(zeroblob(100)) from n order by -i"
        );
        run(&world, &text, Format::Json, limits, |_| Ok(()))
    };
    limit_memory(8 << 20);
    for _ in 0..3 {
        let error = sorted(200_000).expect_err("it needs more than 8 MiB");
        assert!(matches!(error, QueryError::TooMuch(_)), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("8388608 bytes") && text.contains("admin.query.memory-limit"),
            "{text}"
        );
        sorted(2_000).expect("little fits");
    }
}
