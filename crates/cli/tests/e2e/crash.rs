//! `kill -9` of the server, the service, or both, in the middle of every kind of wait.
//!
//! One round prepares all situations, kills, restarts and then checks every promise that was made
//! before the kill: what was acknowledged is there, and no step whose result was used runs again.

use std::sync::Arc;

use serde_json::json;

use super::harness::{Cluster, Mode, Sdk, Setup, eventually, tell};

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Server,
    Service,
    Both,
}

/// A second round shows that a restarted server can be killed again.
const ROUNDS: usize = 2;

const WALK_STEPS: usize = 150;

macro_rules! kills {
    ($($name:ident: $sdk:ident, $mode:ident, $version:literal, $victim:ident;)*) => {
        $(#[tokio::test]
        async fn $name() {
            let setup = Setup::new(Mode::$mode, $version).sdk(Sdk::$sdk);
            let cluster = Arc::new(Cluster::start(setup).await);
            for round in 0..ROUNDS {
                let story = survive(cluster.clone(), Victim::$victim, round);
                tell(&cluster, &format!("round {round}"), story).await;
            }
        })*
    };
}

kills! {
    bidi_v7_server_dies: TypeScript, Bidi, 7, Server;
    bidi_v7_service_dies: TypeScript, Bidi, 7, Service;
    bidi_v7_both_die: TypeScript, Bidi, 7, Both;
    bidi_v5_server_dies: TypeScript, Bidi, 5, Server;
    request_response_v6_server_dies: TypeScript, RequestResponse, 6, Server;
    request_response_v6_service_dies: TypeScript, RequestResponse, 6, Service;
    request_response_v6_both_die: TypeScript, RequestResponse, 6, Both;
    http1_v6_both_die: TypeScript, Http1, 6, Both;
    python_bidi_v7_server_dies: Python, Bidi, 7, Server;
    python_bidi_v5_both_die: Python, Bidi, 5, Both;
    python_request_response_v6_both_die: Python, RequestResponse, 6, Both;
    rust_bidi_v7_server_dies: Rust, Bidi, 7, Server;
    rust_bidi_v5_both_die: Rust, Bidi, 5, Both;
    rust_request_response_v6_both_die: Rust, RequestResponse, 6, Both;
    reveille_bidi_v7_server_dies: Reveille, Bidi, 7, Server;
    reveille_bidi_v7_service_dies: Reveille, Bidi, 7, Service;
    reveille_bidi_v5_both_die: Reveille, Bidi, 5, Both;
    reveille_request_response_v6_both_die: Reveille, RequestResponse, 6, Both;
}

async fn survive(cluster: Arc<Cluster>, victim: Victim, round: usize) {
    let tag = format!("round-{round}");
    let before = prepare(&cluster, &tag).await;
    kill(&cluster, victim);
    if victim == Victim::Service {
        // The server alone takes answers while nobody can consume them.
        cluster.resolve(&before.answered_while_down.1, "while down").await.expect(202);
    }
    restart(&cluster, victim).await;
    if victim != Victim::Service {
        cluster.resolve(&before.answered_while_down.1, "while down").await.expect(202);
    }
    check(&cluster, &tag, before).await;
}

/// Invocation and awakeable id.
type Asked = (String, String);

/// What was started, accepted or answered before the kill.
struct Before {
    waiting: Asked,
    answered_while_down: Asked,
    suspended: Asked,
    scheduled: String,
    asleep: String,
    head: Asked,
    queued: Vec<String>,
    run: String,
    walk: String,
    answered: Asked,
    accepted: String,
}

async fn prepare(cluster: &Cluster, tag: &str) -> Before {
    let name = |what: &str| format!("{what}-{tag}");
    let waiting = cluster.ask("approval/askBetweenSteps", &name("waiting")).await;
    let answered_while_down = cluster.ask("approval/askBetweenSteps", &name("down")).await;
    let suspended = cluster.ask("patient/wait", &name("suspended")).await;
    cluster.ran(&name("suspended"), "attempt over", 1).await;
    let target = format!("account/{}/add?delay=3s", name("scheduled"));
    let scheduled = cluster.send(&target, 5).await;
    let asleep = cluster.send("combinators/sleep", 3_000).await;

    let withdrawal = json!({"name": name("head"), "amount": 1});
    let head = cluster.send(&format!("account/{}/withdraw", name("key")), withdrawal).await;
    let head = (head, cluster.announced(&name("head")).await);
    let mut queued = Vec::new();
    for line in ["a", "b", "c"] {
        queued.push(cluster.send(&format!("account/{}/book", name("key")), line).await);
    }
    let run = cluster.send(&format!("reviewWorkflow/{}/run", name("flow")), "doc").await;
    cluster.announced(&name("flow")).await;

    let answered = cluster.ask("approval/askBetweenSteps", &name("answered")).await;
    let walk = json!({"key": name("walk"), "count": WALK_STEPS});
    let walk = cluster.send("steps/walk", walk).await;
    cluster.ran(&name("walk"), "step 5", 1).await;
    // The last two answers come right before the kill: they are durable or they are not answers.
    cluster.resolve(&answered.1, "just before").await.expect(202);
    let accepted = cluster.send("approval/ask", name("accepted")).await;
    Before {
        waiting,
        answered_while_down,
        suspended,
        scheduled,
        asleep,
        head,
        queued,
        run,
        walk,
        answered,
        accepted,
    }
}

fn kill(cluster: &Cluster, victim: Victim) {
    if victim != Victim::Service {
        cluster.kill_server();
    }
    if victim != Victim::Server {
        cluster.kill_service();
    }
}

async fn restart(cluster: &Cluster, victim: Victim) {
    if victim != Victim::Service {
        cluster.start_server().await;
    }
    if victim != Victim::Server {
        cluster.start_service().await;
    }
}

async fn check(cluster: &Cluster, tag: &str, before: Before) {
    let name = |what: &str| format!("{what}-{tag}");
    // Accepted means it will run; the id that it announces still counts.
    let wait = cluster.announced(&name("accepted")).await;
    cluster.resolve(&wait, "accepted").await.expect(202);
    assert_eq!(cluster.result(&before.accepted).await, "accepted");

    assert_eq!(cluster.result(&before.answered.0).await, "just before");
    cluster.resolve(&before.waiting.1, "after").await.expect(202);
    assert_eq!(cluster.result(&before.waiting.0).await, "after");
    assert_eq!(cluster.result(&before.answered_while_down.0).await, "while down");
    for key in ["waiting", "answered", "down"] {
        // Each of them had asked already, so the result of its first step had been used.
        assert_eq!(cluster.times_ran(&name(key), "prepare"), 1, "{key}");
    }

    cluster.resolve(&before.suspended.1, "suspended").await.expect(202);
    let expected = json!(["before", "suspended", "after", false]);
    assert_eq!(cluster.result(&before.suspended.0).await, expected);
    assert_eq!(cluster.times_ran(&name("suspended"), "before"), 1);

    for id in &before.queued {
        cluster.output(id).await.expect(470);
    }
    cluster.resolve(&before.head.1, "granted").await.expect(202);
    assert_eq!(cluster.result(&before.head.0).await, "granted -1");
    for (number, id) in before.queued.iter().enumerate() {
        assert_eq!(cluster.result(id).await, json!(["a", "b", "c"][..=number]));
    }

    let target = format!("reviewWorkflow/{}/submitReview", name("flow"));
    cluster.call(&target, "fine").await.expect(200);
    assert_eq!(cluster.result(&before.run).await, "doc: fine");

    check_walk(cluster, &name("walk"), &before.walk).await;
    check_timers(cluster, &name("scheduled"), &before).await;
}

async fn check_walk(cluster: &Cluster, key: &str, invocation: &str) {
    assert_eq!(cluster.result(invocation).await, WALK_STEPS * (WALK_STEPS + 1) / 2);
    let times = (1..=WALK_STEPS).map(|step| cluster.times_ran(key, &format!("step {step}")));
    let (times, mut repeated): (Vec<_>, usize) = (times.collect(), 0);
    for (index, times) in times.iter().enumerate() {
        assert!((1..=2).contains(times), "step {} ran {times} times", index + 1);
        repeated += times - 1;
    }
    // Only the step that was under way may run again: its result had not been acknowledged.
    assert!(repeated <= 1, "{repeated} steps ran again: {times:?}");
}

async fn check_timers(cluster: &Cluster, account: &str, before: &Before) {
    assert_eq!(cluster.result(&before.scheduled).await, 5);
    let slept = cluster.result(&before.asleep).await;
    assert!(slept.as_f64().is_some_and(|millis| millis >= 2_990.0), "slept {slept} ms");
    eventually("the amount is booked once", async || {
        let balance = cluster.call_empty(&format!("account/{account}/get")).await;
        (balance.expect(200).json() == 5).then_some(())
    })
    .await;
}
