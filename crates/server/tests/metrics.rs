//! What a busy server counts, and that the documentation lists all of it.

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use reveille_server::config::ServerConfig;
use reveille_store::memory::MemoryStore;
use reveille_store::{Commit, Lease, PartitionId, Snapshot, Store, StoreError, Usage};

use world::{World, eventually};

/// The memory store, as if it had a disk.
struct Sized(MemoryStore);

impl Store for Sized {
    fn acquire(&self, partition: PartitionId) -> Result<Lease, StoreError> {
        self.0.acquire(partition)
    }

    fn commit(&self, commits: &[Commit<'_>]) -> Vec<Result<(), StoreError>> {
        self.0.commit(commits)
    }

    fn get(&self, partition: PartitionId, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.get(partition, key)
    }

    fn scan(
        &self,
        partition: PartitionId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.0.scan(partition, start, end, limit)
    }

    fn partition_count(&self) -> u16 {
        self.0.partition_count()
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.0.snapshot()
    }

    fn usage(&self) -> Option<Usage> {
        Some(Usage { disk_bytes: 3, journal_bytes: 2, write_buffer_bytes: 1 })
    }
}

fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.defaults.retry.initial_interval_ms = 1;
    config
}

/// A page: the type of each metric and the value of each line.
struct Page {
    types: BTreeMap<String, String>,
    values: BTreeMap<String, f64>,
}

impl Page {
    async fn of(world: &World) -> Page {
        let answer = world.admin("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(media_type));
        let (mut types, mut values) = (BTreeMap::new(), BTreeMap::new());
        assert!(answer.text().ends_with("# EOF\n"));
        for line in answer.text().lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let (name, ty) = family.split_once(' ').expect("a name and a type");
                let known = types.insert(name.to_owned(), ty.to_owned());
                assert_eq!(known, None, "{name} is there twice");
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').expect("a name and a value");
                let known = values.insert(name.to_owned(), value.parse().expect("a number"));
                assert_eq!(known, None, "{name} is there twice");
            }
        }
        Page { types, values }
    }

    fn value(&self, name: &str) -> f64 {
        *self.values.get(name).unwrap_or_else(|| panic!("{name} is not there"))
    }

    fn sum(&self, prefix: &str) -> f64 {
        self.values
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(_, value)| value)
            .sum()
    }
}

/// The rows of the tables in the documentation: name without the suffix that a type adds, and type.
fn documented() -> BTreeMap<String, String> {
    let document = include_str!("../../../docs/observability.md");
    let rows = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?.split('{').next()?;
        let ty = cells.next()?;
        let suffix = match ty {
            "counter" => "_total",
            "info" => "_info",
            "gauge" | "histogram" => "",
            _ => return None,
        };
        let bare = name.strip_suffix(suffix).unwrap_or_else(|| panic!("{name} is no {ty}"));
        Some((bare.to_owned(), ty.to_owned()))
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_nothing_else() {
    let world = World::start(Sized(MemoryStore::new(2)), config()).await;
    assert_eq!(world.post("/greeter/greet", "x").await.status, 200);
    let page = Page::of(&world).await;
    assert_eq!(page.types, documented());
    // Labels never have values that somebody else chooses.
    let labels: BTreeSet<_> = page
        .values
        .keys()
        .filter_map(|name| name.split_once('{'))
        .flat_map(|(_, labels)| labels.split(','))
        .filter_map(|label| label.split('=').next())
        .collect();
    let known = ["code", "kind", "le", "outcome", "partition", "status", "version"];
    assert_eq!(labels, known.into());
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_workload_is_counted() {
    let world = World::start(Sized(MemoryStore::new(1)), config()).await;
    for _ in 0..3 {
        assert_eq!(world.post("/greeter/greet", "x").await.text(), "x");
    }
    assert_eq!(world.post("/flaky/again", "x").await.text(), "x");
    assert_eq!(world.post("/flaky/never", "x").await.status, 418);
    assert_eq!(world.post("/nobody/greet", "x").await.status, 404);
    assert_eq!(world.get("/restate/health").await.status, 200);
    let awakeable = world.begin_review("one").await;
    // It is parked when its attempt is over, which nobody tells us.
    let waits = r#"reveille_waits_pending{kind="awakeable"}"#;
    eventually(async || {
        let page = Page::of(&world).await;
        page.value(waits) > 0.0 && page.value("reveille_attempts_open") < 1.0
    })
    .await;
    let page = Page::of(&world).await;
    check_workload(&page);

    let path = format!("/restate/awakeables/{awakeable}/resolve");
    assert_eq!(world.post(&path, "yes").await.status, 202);
    assert_eq!(world.attach("one").await.text(), "yes");
    let page = Page::of(&world).await;
    assert_eq!(page.value(waits), 0.0);
    assert_eq!(page.value("reveille_waits_oldest_age_seconds"), 0.0);
    let resolved = r#"reveille_ingress_requests_total{kind="complete",status="2xx"}"#;
    assert_eq!(page.value(resolved), 1.0);
    world.server.stop().await;
}

fn check_workload(page: &Page) {
    let table = [
        (r#"reveille_ingress_requests_total{kind="call",status="2xx"}"#, 4.0),
        (r#"reveille_ingress_requests_total{kind="call",status="4xx"}"#, 2.0),
        (r#"reveille_ingress_requests_total{kind="send",status="2xx"}"#, 1.0),
        (r#"reveille_ingress_requests_total{kind="health",status="2xx"}"#, 1.0),
        (r#"reveille_ingress_request_duration_seconds_count{kind="call"}"#, 6.0),
        ("reveille_ingress_requests_open", 0.0),
        ("reveille_invocations_created_total", 6.0),
        (r#"reveille_invocations_completed_total{outcome="success"}"#, 4.0),
        (r#"reveille_invocations_completed_total{outcome="failure"}"#, 1.0),
        ("reveille_invocations_recovered_total", 0.0),
        ("reveille_attempts_started_total", 7.0),
        (r#"reveille_attempts_failed_total{code="RT0007"}"#, 1.0),
        ("reveille_attempt_duration_seconds_count", 7.0),
        ("reveille_attempts_open", 0.0),
        ("reveille_attempts_waiting", 0.0),
        ("reveille_attempt_place_wait_seconds_count", 0.0),
        (r#"reveille_partition_serving{partition="0"}"#, 1.0),
        (r#"reveille_partition_mailbox_length{partition="0"}"#, 0.0),
        (r#"reveille_partition_outbox_length{partition="0"}"#, 0.0),
        (r#"reveille_partition_batches_failed_total{partition="0"}"#, 0.0),
        (r#"reveille_waits_pending{kind="awakeable"}"#, 1.0),
        ("reveille_waits_counted", 1.0),
        ("reveille_store_disk_bytes", 3.0),
        ("reveille_store_journal_bytes", 2.0),
        ("reveille_store_write_buffer_bytes", 1.0),
        ("reveille_trace_spans_dropped_total", 0.0),
    ];
    for (name, expected) in table {
        assert_eq!(page.value(name), expected, "{name}");
    }
    assert_eq!(page.sum("reveille_attempts_failed_total"), 1.0);
    for name in [
        r#"reveille_partition_commands_total{partition="0"}"#,
        r#"reveille_partition_batches_total{partition="0"}"#,
        "reveille_batch_size_bytes_sum",
        "reveille_commit_duration_seconds_count",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(page.value(name) > 0.0, "{name}");
    }
}

/// What is parked is not read at the start, and yet it is there soon.
#[tokio::test(flavor = "multi_thread")]
async fn waits_of_before_a_restart_are_counted() {
    let store = MemoryStore::new(2);
    let disk = store.control();
    let world = World::start(store, config()).await;
    for name in ["a", "b", "c"] {
        world.begin_review(name).await;
    }
    eventually(async || Page::of(&world).await.sum("reveille_waits_pending") >= 3.0).await;
    let world = world.stop_and_restart(disk.reopen(), config()).await;
    eventually(async || Page::of(&world).await.value("reveille_waits_counted") >= 1.0).await;
    let page = Page::of(&world).await;
    assert_eq!(page.value(r#"reveille_waits_pending{kind="awakeable"}"#), 3.0);
    let age = "reveille_waits_oldest_age_seconds";
    eventually(async || Page::of(&world).await.value(age) > 0.0).await;
    assert_eq!(page.value("reveille_invocations_recovered_total"), 0.0);
    world.server.stop().await;
}
