//! Calls over a few HTTP/2 connections, as many in flight as it takes.
//!
//! - Owns: the connections, the schedule of the open loop, and what became of each call ([`Tally`]).
//! - Invariant: in the open loop a call is due at a moment that depends on no answer, and its time
//!   counts from then on. More than [`IN_FLIGHT_MAX`] are never in flight; what would exceed that is
//!   counted and not sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::TcpStream,
    sync::{Notify, Semaphore},
    task::JoinSet,
};

use super::{stand::GREET_PATH, statistics::quantile};

const CONNECTIONS: usize = 16;
/// Calls in flight on all connections.
const IN_FLIGHT_MAX: usize = 50_000;
/// The longest wait for the answers to what was sent.
const BACKLOG_TIME_MAX: Duration = Duration::from_secs(60);

/// The load generator.
pub struct Flood {
    senders: Vec<SendRequest<Full<Bytes>>>,
    uri: String,
    in_flight: Arc<Semaphore>,
}

/// What became of the calls of an open loop.
#[derive(Default)]
pub struct Tally {
    pub sent: u64,
    pub unsent: u64,
    /// From when each was due until it was sent.
    sent_late: Vec<Duration>,
    /// From when they were due, of those that were answered with 2xx.
    pub times: Vec<Duration>,
    /// Of these, before the loop ended.
    pub answered_in_time: u64,
    pub refused_429: u64,
    pub refused_503: u64,
    /// Of all that were refused.
    pub without_retry_after: u64,
    /// Other statuses, streams that were reset and connections that were lost.
    pub failed: u64,
}

/// An answer, as far as it matters here.
struct Answer {
    status: StatusCode,
    has_retry_after: bool,
}

impl Flood {
    pub async fn open(ingress: SocketAddr) -> Result<Self> {
        let mut senders = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(ingress).await?;
            stream.set_nodelay(true)?;
            let io = TokioIo::new(stream);
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            // Its error also reaches the calls that are in flight, which are counted as failed.
            tokio::spawn(connection);
            senders.push(sender);
        }
        let uri = format!("http://{ingress}{GREET_PATH}");
        Ok(Self { senders, uri, in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)) })
    }

    /// Keeps so many calls in flight and returns how many were answered per second.
    pub async fn closed_loop(&self, in_flight: usize, duration: Duration) -> Result<f64> {
        let begin = Instant::now();
        let mut callers = JoinSet::new();
        for number in 0..in_flight {
            let (mut sender, uri) = (self.sender(number), self.uri.clone());
            callers.spawn(async move {
                let mut calls = 0_u64;
                while begin.elapsed() < duration {
                    let answer = call(&mut sender, &uri).await?;
                    let status = answer.status;
                    ensure!(status.is_success(), "a call of the closed loop was answered {status}");
                    calls += 1;
                }
                Ok(calls)
            });
        }
        let mut calls = 0;
        while let Some(caller) = callers.join_next().await {
            calls += caller??;
        }
        Ok(calls as f64 / begin.elapsed().as_secs_f64())
    }

    /// Offers `rate` calls per second for `duration`, and looks every `pace` which are due. Calls may
    /// still be in flight afterwards.
    pub async fn open_loop(
        &self,
        rate: f64,
        pace: Duration,
        duration: Duration,
    ) -> Arc<Mutex<Tally>> {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let begin = Instant::now();
        let end = begin + duration;
        let pace = beat(pace);
        let mut offered = 0_usize;
        while Instant::now() < end {
            pace.notified().await;
            let due_count = due_count(rate, begin.elapsed().min(duration));
            while offered < due_count {
                let due = begin + Duration::from_secs_f64(offered as f64 / rate);
                self.send(offered, due, end, &tally);
                offered += 1;
            }
        }
        tally
    }

    /// Waits until nothing is in flight, for a bounded time, and returns how many still are.
    pub async fn wait_for_backlog(&self) -> usize {
        let all = self.in_flight.acquire_many(IN_FLIGHT_MAX as u32);
        // The semaphore is never closed, so only the time can be up.
        let _ = tokio::time::timeout(BACKLOG_TIME_MAX, all).await;
        IN_FLIGHT_MAX - self.in_flight.available_permits()
    }

    fn send(&self, number: usize, due: Instant, end: Instant, tally: &Arc<Mutex<Tally>>) {
        let Ok(permit) = Arc::clone(&self.in_flight).try_acquire_owned() else {
            locked(tally).unsent += 1;
            return;
        };
        locked(tally).count_sent(due);
        let (mut sender, uri, tally) = (self.sender(number), self.uri.clone(), Arc::clone(tally));
        tokio::spawn(async move {
            let answer = call(&mut sender, &uri).await;
            locked(&tally).count(&answer, due, end);
            drop(permit);
        });
    }

    fn sender(&self, number: usize) -> SendRequest<Full<Bytes>> {
        self.senders[number % self.senders.len()].clone()
    }
}

impl Tally {
    /// Returns by how much the given share of the calls was not sent later than it was due.
    pub fn sent_late(&self, share: f64) -> Option<Duration> {
        let mut late = self.sent_late.clone();
        late.sort_unstable();
        quantile(&late, share)
    }

    fn count_sent(&mut self, due: Instant) {
        self.sent += 1;
        self.sent_late.push(due.elapsed());
    }

    fn count(&mut self, answer: &Result<Answer>, due: Instant, end: Instant) {
        let Ok(Answer { status, has_retry_after }) = answer else {
            self.failed += 1;
            return;
        };
        match *status {
            status if status.is_success() => {
                let now = Instant::now();
                self.times.push(now.saturating_duration_since(due));
                self.answered_in_time += u64::from(now <= end);
                return;
            }
            StatusCode::TOO_MANY_REQUESTS => self.refused_429 += 1,
            StatusCode::SERVICE_UNAVAILABLE => self.refused_503 += 1,
            _ => {
                self.failed += 1;
                return;
            }
        }
        self.without_retry_after += u64::from(!has_retry_after);
    }
}

/// Locks it; nobody holds it for longer than counting takes.
pub fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().expect("no holder of this lock panics")
}

/// Wakes whoever waits for it, again and again, as long as it is held.
///
/// From a thread of its own: timers of the runtime are a millisecond apart.
fn beat(period: Duration) -> Arc<Notify> {
    let beat = Arc::new(Notify::new());
    let held = Arc::downgrade(&beat);
    thread::spawn(move || {
        while let Some(beat) = held.upgrade() {
            beat.notify_one();
            drop(beat);
            thread::sleep(period);
        }
    });
    beat
}

/// Returns how many calls are due after some time.
fn due_count(rate: f64, elapsed: Duration) -> usize {
    (rate * elapsed.as_secs_f64()) as usize
}

async fn call(sender: &mut SendRequest<Full<Bytes>>, uri: &str) -> Result<Answer> {
    let body = Full::new(Bytes::from_static(b"1"));
    let request = Request::post(uri).header("content-type", "application/json").body(body)?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let has_retry_after = response.headers().contains_key(RETRY_AFTER);
    let status = response.status();
    response.into_body().collect().await?;
    Ok(Answer { status, has_retry_after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let now = Instant::now();
        let (past, future) = (now - Duration::from_secs(1), now + Duration::from_secs(60));
        let answer = |status, has_retry_after| Ok(Answer { status, has_retry_after });
        let mut tally = Tally::default();
        for (answer, end) in [
            (answer(StatusCode::OK, false), future),
            (answer(StatusCode::ACCEPTED, false), past),
            (answer(StatusCode::TOO_MANY_REQUESTS, true), future),
            (answer(StatusCode::SERVICE_UNAVAILABLE, true), future),
            (answer(StatusCode::SERVICE_UNAVAILABLE, false), future),
            (answer(StatusCode::BAD_GATEWAY, true), future),
            (Err(anyhow::anyhow!("reset")), future),
        ] {
            tally.count(&answer, past, end);
        }
        assert_eq!((tally.times.len(), tally.answered_in_time), (2, 1));
        assert!(tally.times.iter().all(|time| *time >= Duration::from_secs(1)));
        assert_eq!((tally.refused_429, tally.refused_503, tally.without_retry_after), (1, 2, 1));
        assert_eq!(tally.failed, 2);
    }

    #[test]
    fn calls_are_due_by_the_clock() {
        for (rate, ms, due) in [(1000.0, 0, 0), (1000.0, 1, 1), (2500.0, 1000, 2500), (10.0, 99, 0)]
        {
            assert_eq!(due_count(rate, Duration::from_millis(ms)), due, "{rate}/s after {ms} ms");
        }
    }
}
