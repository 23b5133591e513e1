//! Timeouts, races and all-of over awakeables, sleeps and calls.

use std::sync::Arc;

use serde_json::json;

use crate::{harness::Cluster, scenarios};

scenarios![
    answer_beats_the_timeout,
    timeout_beats_the_answer,
    second_awakeable_wins_the_race,
    person_wins_the_race,
    clock_wins_the_race,
    call_wins_the_race,
    all_of_awakeable_sleep_and_call,
    answer_before_the_await,
    several_answers_before_the_await,
    settled_collects_success_and_failure,
    sleep_takes_its_time,
];

async fn answer_beats_the_timeout(cluster: Arc<Cluster>) {
    let body = json!({"name": "in-time", "millis": 600_000});
    let invocation = cluster.send("combinators/withTimeout", body).await;
    let wait = cluster.announced("in-time").await;
    cluster.resolve(&wait, "in time").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "in time");
}

async fn timeout_beats_the_answer(cluster: Arc<Cluster>) {
    let body = json!({"name": "too-late", "millis": 100});
    let invocation = cluster.send("combinators/withTimeout", body).await;
    let wait = cluster.announced("too-late").await;
    assert_eq!(cluster.result(&invocation).await, "timed out");
    cluster.resolve(&wait, "too late").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "timed out");
}

async fn second_awakeable_wins_the_race(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/firstOfTwo", "race").await;
    let right = cluster.announced("race/right").await;
    cluster.resolve(&right, "right").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "right");
}

async fn person_wins_the_race(cluster: Arc<Cluster>) {
    let body = json!({"name": "person", "millis": 600_000});
    let invocation = cluster.send("combinators/firstOfAll", body).await;
    let wait = cluster.announced("person").await;
    cluster.announced("person/call").await;
    cluster.resolve(&wait, "the person").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "the person");
}

async fn clock_wins_the_race(cluster: Arc<Cluster>) {
    let body = json!({"name": "clock", "millis": 50});
    assert_eq!(cluster.value("combinators/firstOfAll", body).await, "the clock");
}

async fn call_wins_the_race(cluster: Arc<Cluster>) {
    let body = json!({"name": "call", "millis": 600_000});
    let invocation = cluster.send("combinators/firstOfAll", body).await;
    let inner = cluster.announced("call/call").await;
    cluster.resolve(&inner, "the call").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, "the call -1");
}

async fn all_of_awakeable_sleep_and_call(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/allOfThem", "all").await;
    let wait = cluster.announced("all").await;
    cluster.output(&invocation).await.expect(470);
    cluster.resolve(&wait, "the person").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["the person", "slept", 7]));
}

async fn answer_before_the_await(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/answeredEarly", "early").await;
    let early = cluster.announced("early/early").await;
    cluster.resolve(&early, "already here").await.expect(202);
    let gate = cluster.announced("early/gate").await;
    cluster.resolve(&gate, "open").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["open", "already here"]));
}

async fn several_answers_before_the_await(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/answeredEarly", "first-wins").await;
    let early = cluster.announced("first-wins/early").await;
    for answer in ["first", "second", "third"] {
        cluster.resolve(&early, answer).await.expect(202);
    }
    cluster.reject(&early, "fourth").await.expect(202);
    let gate = cluster.announced("first-wins/gate").await;
    cluster.resolve(&gate, "open").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["open", "first"]));
}

async fn settled_collects_success_and_failure(cluster: Arc<Cluster>) {
    let invocation = cluster.send("combinators/settled", "settled").await;
    let left = cluster.announced("settled/left").await;
    let right = cluster.announced("settled/right").await;
    cluster.reject(&right, "no").await.expect(202);
    cluster.output(&invocation).await.expect(470);
    cluster.resolve(&left, "yes").await.expect(202);
    assert_eq!(cluster.result(&invocation).await, json!(["yes", "no"]));
}

async fn sleep_takes_its_time(cluster: Arc<Cluster>) {
    let millis = cluster.value("combinators/sleep", 300).await;
    let millis = millis.as_f64().expect("a number of milliseconds");
    // Both clocks may be read a little before or after the millisecond.
    assert!((295.0..5_000.0).contains(&millis), "slept {millis} ms instead of 300");
}
