//! Records of topics, from a broker to handlers: once, in order, and nothing passed over.

#![cfg(feature = "kafka")]

mod bench;

use std::collections::BTreeMap;

use reveille_engine::keys;
use reveille_server::config::ServerConfig;
use reveille_store::memory::MemoryStore;
use reveille_store::{PartitionId, Store};
use serde_json::json;

use bench::{Brokers, World, headers, within};

/// Writes `count` records to partition `number % 2`, for three keys; returns what each key must get.
async fn write(brokers: &Brokers, from: u32, count: u32) -> BTreeMap<String, String> {
    let mut expected = BTreeMap::<String, String>::new();
    for number in from..from + count {
        let key = format!("k{}", number % 3);
        let partition = i32::try_from(number % 3 % 2).expect("small");
        let body = format!("{number} ");
        brokers.send("t", partition, Some(key.as_bytes()), &body).await;
        *expected.entry(key).or_default() += &body;
    }
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn records_arrive_once_and_in_order_whatever_crashes() {
    let brokers = Brokers::start();
    brokers.topic("t", 2);
    let store = MemoryStore::new(3);
    let mut disk = store.control();
    let mut world = World::start(store, ServerConfig::default()).await;
    world.cluster(&brokers).await;
    let group = json!({"group.id": "g", "auto.commit.interval.ms": "50"});
    world.subscribe("t", "list/add", group).await;
    let mut expected = BTreeMap::<String, String>::new();
    for round in 0..3 {
        for (key, more) in write(&brokers, round * 60, 60).await {
            *expected.entry(key).or_default() += &more;
        }
        // In mid-flight: some of the records are durable, some are not, the group knows of few.
        assert!(within(async || !world.list("k0").await.is_empty()).await);
        disk.crash();
        let store = disk.reopen();
        disk = store.control();
        world = world.restart(store).await;
    }
    for (key, expected) in &expected {
        world.listed(key, expected).await;
    }
    let rows = "select invoked_by, count(*) as n from sys_invocation where \
                target_handler_name = 'add' group by invoked_by";
    assert_eq!(world.rows(rows).await, json!([{"invoked_by": "subscription", "n": 180}]));
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_again_from_an_older_offset_is_dropped() {
    let brokers = Brokers::start();
    brokers.topic("t", 2);
    let store = MemoryStore::new(2);
    let disk = store.control();
    let world = World::start(store, ServerConfig::default()).await;
    world.cluster(&brokers).await;
    let id = world.subscribe("t", "list/add", json!({"group.id": "g"})).await;
    let mut expected = write(&brokers, 0, 30).await;
    for (key, expected) in &expected {
        world.listed(key, expected).await;
    }
    world.server.stop().await;
    brokers.rewind("g", "t", 2).await;
    let world = World::start(disk.reopen(), ServerConfig::default()).await;
    for (key, more) in write(&brokers, 30, 30).await {
        *expected.entry(key).or_default() += &more;
    }
    for (key, expected) in &expected {
        world.listed(key, expected).await;
    }
    let duplicates = within(async || world.metric("reveille_kafka_duplicates_total").await >= 30.0);
    assert!(duplicates.await, "the first records were not read again");
    assert_eq!(world.metric("reveille_kafka_taken_total").await.to_string(), "30");
    assert_eq!(world.problems(&id).await, Vec::<serde_json::Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_get_the_record_and_where_it_stood() {
    let brokers = Brokers::start();
    brokers.topic("t", 2);
    let world = World::start(MemoryStore::new(1), ServerConfig::default()).await;
    world.cluster(&brokers).await;
    let id = world.subscribe("t", "headers/tell", json!({})).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let sent = [("a", "1"), ("a", "2"), ("kafka.offset", "forged"), ("traceparent", parent)];
    brokers.send_with("t", 1, None, "body", headers(&sent)).await;
    let query = "select id, invoked_by, invoked_by_subscription_id as subscription, trace_id, \
                 status from sys_invocation where status = 'completed'";
    let mut rows = json!(null);
    assert!(
        within(async || {
            rows = world.rows(query).await;
            rows != json!([])
        })
        .await
    );
    assert_eq!(rows[0]["invoked_by"], "subscription");
    assert_eq!(rows[0]["subscription"], id.as_str());
    assert_eq!(rows[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    let output = world.output(rows[0]["id"].as_str().expect("an id")).await;
    let lines: Vec<&str> = output.lines().filter(|line| !line.contains("timestamp")).collect();
    let subscription = format!("restate.subscription.id={id}");
    let expected = [
        &subscription,
        "kafka.topic=t",
        "kafka.partition=1",
        "kafka.offset=0",
        "a=1",
        "a=2",
        &format!("traceparent={parent}"),
    ];
    assert_eq!(lines, expected);
    assert!(output.contains("kafka.timestamp=1"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_fit_holds_up_its_partition_and_is_shown() {
    let brokers = Brokers::start();
    brokers.topic("t", 2);
    let config = ServerConfig { request_size_limit: 100, ..ServerConfig::default() };
    let world = World::start(MemoryStore::new(1), config).await;
    world.cluster(&brokers).await;
    let long = "x".repeat(101);
    for (partition, key, body) in [
        (0, Some("k"), "1 "),
        (0, None, "2 "),
        (0, Some("k"), "3 "),
        (1, Some("other"), "4 "),
        (1, Some("other"), long.as_str()),
        (1, Some("other"), "5 "),
    ] {
        brokers.send("t", partition, key.map(str::as_bytes), body).await;
    }
    brokers.send("t", 1, Some(&[0xFF]), "not text").await;
    let id = world.subscribe("t", "list/add", json!({"group.id": "g"})).await;
    assert!(within(async || world.problems(&id).await.len() == 2).await);
    let problems = world.problems(&id).await;
    let shown = problems.iter().map(|p| format!("{} {}", p["partition"], p["offset"]));
    assert_eq!(shown.collect::<Vec<_>>(), ["0 1", "1 1"]);
    let text = problems[0]["message"].as_str().expect("a text");
    assert!(text.starts_with("the record has no key, and 'list' needs one"), "{text}");
    assert!(text.contains("'reveille.bad-records' = 'skip'"), "{text}");
    let text = problems[1]["message"].as_str().expect("a text");
    assert!(text.starts_with("the record has 101 bytes, `ingress.request-size-limit` is 100"));
    assert_eq!((world.list("k").await, world.list("other").await), ("1 ".into(), "4 ".into()));
    assert_eq!(world.metric("reveille_kafka_waiting").await.to_string(), "2");

    // The way out that the text names.
    assert_eq!(world.delete(&format!("/subscriptions/{id}")).await.status, 202);
    let skip = json!({"group.id": "g", "reveille.bad-records": "skip"});
    let next = world.subscribe("t", "list/add", skip).await;
    world.listed("other", "4 5 ").await;
    world.listed("k", "1 3 ").await;
    assert!(within(async || world.problems(&next).await.is_empty()).await);
    let skipped = within(async || world.metric("reveille_kafka_skipped_total").await >= 3.0);
    assert!(skipped.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_handler_waits_until_it_is_public() {
    let brokers = Brokers::start();
    brokers.topic("t", 1);
    let world = World::start(MemoryStore::new(1), ServerConfig::default()).await;
    world.cluster(&brokers).await;
    let id = world.subscribe("t", "hidden/from", json!({"reveille.bad-records": "skip"})).await;
    brokers.send("t", 0, None, "secret").await;
    assert!(within(async || world.problems(&id).await.len() == 1).await);
    let text = world.problems(&id).await[0]["message"].to_string();
    assert!(text.contains("the handler 'hidden/from' is private: make it public"), "{text}");
    let public = world.patch("/services/hidden", json!({"public": true})).await;
    assert_eq!(public.status, 200, "{public:?}");
    assert!(within(async || world.problems(&id).await.is_empty()).await);
    let rows = world.rows("select count(*) as n from sys_invocation").await;
    assert_eq!(rows, json!([{"n": 1}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_removed_reads_no_more_and_leaves_nothing() {
    let brokers = Brokers::start();
    brokers.topic("t", 1);
    let store = MemoryStore::new(1);
    let disk = store.clone();
    let world = World::start(store, ServerConfig::default()).await;
    world.cluster(&brokers).await;
    let id = world.subscribe("t", "list/add", json!({})).await;
    brokers.send("t", 0, Some(b"k"), "1 ").await;
    world.listed("k", "1 ").await;
    let rows = |disk: &MemoryStore| {
        let (start, end) = keys::table(keys::tag::OFFSET);
        disk.scan(PartitionId(0), &start, &end, 10).expect("rows").len()
    };
    assert_eq!(rows(&disk), 1);
    assert_eq!(world.delete(&format!("/subscriptions/{id}")).await.status, 202);
    assert!(within(async || rows(&disk) == 0).await, "what it took is still known");
    brokers.send("t", 0, Some(b"k"), "2 ").await;
    // Another subscription reads past the record, the removed one would have done so too.
    world.subscribe("t", "once/run", json!({})).await;
    let joined = within(async || world.metric("reveille_kafka_joined_total").await >= 1.0);
    assert!(joined.await, "the second record of a workflow key starts nothing");
    assert_eq!(world.list("k").await, "1 ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_shown_and_waited_for() {
    let brokers = Brokers::start();
    brokers.topic("t", 1);
    let world = World::start(MemoryStore::new(1), ServerConfig::default()).await;
    world.cluster(&brokers).await;
    let id = world.subscribe("t", "list/add", json!({})).await;
    brokers.send("t", 0, Some(b"k"), "1 ").await;
    world.listed("k", "1 ").await;
    brokers.mock.broker_down(1).expect("it goes down");
    assert!(within(async || !world.problems(&id).await.is_empty()).await);
    brokers.mock.broker_up(1).expect("it comes back");
    brokers.send("t", 0, Some(b"k"), "2 ").await;
    world.listed("k", "1 2 ").await;
    assert!(within(async || world.problems(&id).await.is_empty()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_option_only_what_comes_later_is_read_also_after_a_crash() {
    let brokers = Brokers::start();
    brokers.topic("t", 1);
    brokers.send("t", 0, Some(b"k"), "before ").await;
    let store = MemoryStore::new(1);
    let (disk, rows) = (store.control(), store.clone());
    let world = World::start(store, ServerConfig::default()).await;
    world.cluster(&brokers).await;
    let id = world.subscribe("t", "list/add", json!({"auto.offset.reset": "latest"})).await;
    // Its beginning is stored before it reads anything.
    let anchored = within(async || {
        let row = rows.get(PartitionId::META, b"kafka").expect("it reads").expect("a row");
        String::from_utf8_lossy(&row).contains(r#""anchored":true"#)
    });
    assert!(anchored.await, "{:?}", world.problems(&id).await);
    disk.crash();
    brokers.send("t", 0, Some(b"k"), "after ").await;
    let world = world.restart(disk.reopen()).await;
    world.listed("k", "after ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_created_anew_is_noticed() {
    let old = Brokers::start();
    old.topic("t", 1);
    let world = World::start(MemoryStore::new(1), ServerConfig::default()).await;
    world.cluster(&old).await;
    let id = world.subscribe("t", "list/add", json!({})).await;
    for body in ["1 ", "2 ", "3 "] {
        old.send("t", 0, Some(b"k"), body).await;
    }
    world.listed("k", "1 2 3 ").await;
    // The same name elsewhere is a topic that begins anew.
    let new = Brokers::start();
    new.topic("t", 1);
    new.send("t", 0, Some(b"k"), "new ").await;
    let properties = json!({"bootstrap.servers": new.mock.bootstrap_servers()});
    let moved = world.patch("/kafka-clusters/c", json!({ "properties": properties })).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert!(within(async || !world.problems(&id).await.is_empty()).await);
    let text = world.problems(&id).await[0]["message"].to_string();
    assert!(text.contains("ends at offset 1, but offset 2 was taken already"), "{text}");
    assert_eq!(world.list("k").await, "1 2 3 ");
}
