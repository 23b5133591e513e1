//! Approvals without a pause while server and service are killed at random moments.
//!
//! Every request that was accepted must complete exactly once with the right answer: each payout
//! books 1 on an account, so the balances tell whether any was lost or done twice.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use tokio::task::spawn_local;

use super::harness::{Cluster, Mode, Response, Setup, eventually_within, tell};

const WORKERS: usize = 8;
const ACCOUNTS: usize = 4;
const SECONDS_DEFAULT: u64 = 60;

/// The longest pause between two deaths and the longest time of being dead, in milliseconds.
const LIFE_MS_MAX: u64 = 2_500;
const DEATH_MS_MAX: u64 = 400;

/// Backoff may have grown while the service was down, so this is longer than elsewhere.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test]
async fn nothing_is_lost_or_done_twice_while_streaming() {
    under_load(Setup::new(Mode::Bidi, 7)).await;
}

#[tokio::test]
async fn nothing_is_lost_or_done_twice_in_request_response_mode() {
    under_load(Setup::new(Mode::RequestResponse, 6)).await;
}

async fn under_load(setup: Setup) {
    let seconds = number("CRASH_SECONDS").unwrap_or(SECONDS_DEFAULT);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let seed = number("CRASH_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    let cluster = Arc::new(Cluster::start(setup).await);
    println!("{}: CRASH_SEED={seed} CRASH_SECONDS={seconds}", cluster.name());
    let story = run(cluster.clone(), seed, Duration::from_secs(seconds));
    tell(&cluster, &format!("CRASH_SEED={seed}"), story).await;
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

async fn run(cluster: Arc<Cluster>, seed: u64, duration: Duration) {
    let over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| spawn_local(work(cluster.clone(), worker, over.clone())))
        .collect();
    let deaths = kill_at_random(&cluster, Random(seed), duration).await;
    over.store(true, Ordering::Relaxed);
    let mut payouts = Vec::new();
    for worker in workers {
        payouts.extend(worker.await.expect("a worker ends well"));
    }
    println!("{} payouts, {deaths} deaths", payouts.len());
    assert!(!payouts.is_empty(), "nothing was completed");
    check(&cluster, &payouts).await;
}

/// One accepted and answered request.
struct Payout {
    name: String,
    account: String,
    invocation: String,
    wait: String,
}

/// Starts and answers payouts until `over`; whatever was started is answered.
async fn work(cluster: Arc<Cluster>, worker: usize, over: Arc<AtomicBool>) -> Vec<Payout> {
    let mut payouts = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let number = payouts.len();
        let name = format!("load-{worker}-{number}");
        let account = format!("load-{}", (worker + number) % ACCOUNTS);
        let invocation = start(&cluster, &name, &account).await;
        let what = format!("{name} ({invocation}) asks for its review");
        let wait = eventually_within(PATIENCE, &what, async || cluster.announcement(&name)).await;
        answer(&cluster, &wait, &name).await;
        payouts.push(Payout { name, account, invocation, wait });
    }
    payouts
}

/// Sends with an idempotency key until it is accepted.
async fn start(cluster: &Cluster, name: &str, account: &str) -> String {
    let sent = eventually_within(PATIENCE, "a payout is accepted", async || {
        let send = cluster.ingress.post("/restate/send/payout/request");
        let send = send.json(json!({"name": name, "key": account}));
        answered(send.header("idempotency-key", name).try_send().await, 202)
    })
    .await;
    sent.header("x-restate-id").to_owned()
}

/// Resolves until there is a receipt.
async fn answer(cluster: &Cluster, wait: &str, name: &str) {
    let mut unanswered = 0;
    let receipt = eventually_within(PATIENCE, "an answer is accepted", async || {
        let call = cluster.ingress.post(&format!("/reveille/waits/{wait}/resolve")).json(name);
        match call.try_send().await {
            Ok(receipt) if receipt.status != 503 => Some(receipt),
            Ok(_) | Err(_) => {
                unanswered += 1;
                None
            }
        }
    })
    .await;
    let outcome = receipt.json()["outcome"].clone();
    // An answer whose receipt was lost may have been consumed before it is repeated.
    let fine = match receipt.status {
        200 => outcome == "completed" || outcome == "replayed" && unanswered > 0,
        410 => unanswered > 0,
        _ => false,
    };
    assert!(fine, "{}: {} {}", receipt.what, receipt.status, receipt.text());
}

/// A server that is down or refuses work for the moment is asked again; anything else must be right.
fn answered(answer: Result<Response, String>, status: u16) -> Option<Response> {
    match answer {
        Ok(response) if response.status == 503 => None,
        Ok(response) => Some(response.expect(status)),
        Err(_) => None,
    }
}

async fn kill_at_random(cluster: &Cluster, mut random: Random, duration: Duration) -> usize {
    let started = Instant::now();
    let mut deaths = 0;
    while started.elapsed() < duration {
        random.pause(LIFE_MS_MAX).await;
        let victims = random.below(3);
        if victims != 0 {
            cluster.kill_server();
        }
        if victims != 1 {
            cluster.kill_service();
        }
        random.pause(DEATH_MS_MAX).await;
        if victims != 0 {
            cluster.start_server().await;
        }
        if victims != 1 {
            cluster.start_service().await;
        }
        deaths += 1;
    }
    deaths
}

async fn check(cluster: &Cluster, payouts: &[Payout]) {
    let mut invocations = HashSet::new();
    let mut booked: HashMap<&str, usize> = HashMap::new();
    for payout in payouts {
        let name = &payout.name;
        let what = format!("{name} ({}) completes", payout.invocation);
        let result = eventually_within(PATIENCE, &what, async || {
            let result = cluster.output(&payout.invocation).await;
            (result.status != 470).then_some(result)
        });
        assert_eq!(result.await.expect(200).json(), format!("{name}: {name}"));
        assert!(invocations.insert(&payout.invocation), "{name} shares its invocation");
        *booked.entry(&payout.account).or_default() += 1;
        // The wait is decided for good.
        let path = format!("/reveille/waits/{}/resolve", payout.wait);
        let other = cluster.ingress.post(&path).json("another answer").send().await;
        assert!([409, 410].contains(&other.status), "{}: {}", other.what, other.text());
    }
    for (account, count) in booked {
        let balance = cluster.call_empty(&format!("account/{account}/get")).await;
        assert_eq!(balance.expect(200).json(), count, "{account}");
    }
}

/// SplitMix64: a seed is all that a failure needs to be told.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Lets the load run for a random while. Nothing is synchronised by this.
    async fn pause(&mut self, bound_ms: u64) {
        // Pacing: a fault comes after a random while, whatever the load has reached by then.
        tokio::time::sleep(Duration::from_millis(self.below(bound_ms))).await;
    }
}
