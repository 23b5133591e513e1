//! Calls over a few HTTP/2 connections, as many in flight as it takes.
//!
//! - Owns: the connections, one task for each while it is used, and the schedule of the open loop.
//! - Invariant: in the open loop a call is due at a moment that depends on no answer, and its time
//!   counts from then on. What exceeds the streams that the server allows is counted and not sent.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{
    io::Interest,
    net::TcpStream,
    sync::{Mutex, Notify},
    task::JoinSet,
    time::timeout,
};

use super::{fields::Answer, stand::GREET_PATH, tally::Tally, wire::Wire};

const CONNECTIONS: usize = 4;
/// Read in one go at least.
const READ_BYTES: usize = 64 << 10;
/// The longest wait for the answers to what was sent.
const BACKLOG_TIME_MAX: Duration = Duration::from_secs(60);

/// The load generator.
pub struct Flood {
    links: Vec<Arc<Mutex<Link>>>,
}

/// One connection.
struct Link {
    stream: TcpStream,
    wire: Wire,
}

/// What one connection offers.
#[derive(Clone, Copy)]
struct Schedule {
    begin: Instant,
    end: Instant,
    /// Calls of all connections.
    per_second: f64,
    /// Which of so many connections it is: their calls are due in turn.
    number: usize,
    connections: usize,
}

impl Flood {
    pub async fn open(ingress: SocketAddr) -> Result<Self> {
        let mut links = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            links.push(Arc::new(Mutex::new(Link::open(ingress).await?)));
        }
        Ok(Self { links })
    }

    /// Keeps so many calls in flight, or as many as the server allows, and returns how many were answered
    /// per second.
    pub async fn closed_loop(&self, in_flight: usize, duration: Duration) -> Result<f64> {
        let begin = Instant::now();
        let mut callers = JoinSet::new();
        for (number, link) in self.links.iter().enumerate() {
            let mut link = Arc::clone(link).lock_owned().await;
            let share = (in_flight + number) / self.links.len();
            callers.spawn(async move { link.closed_loop(share, begin + duration).await });
        }
        let mut calls = 0;
        while let Some(caller) = callers.join_next().await {
            calls += caller??;
        }
        Ok(calls as f64 / begin.elapsed().as_secs_f64())
    }

    /// Offers `per_second` calls for `duration`, looks every `pace` which are due, and then waits for a
    /// bounded time until all are answered.
    pub async fn open_loop(
        &self,
        per_second: f64,
        pace: Duration,
        duration: Duration,
    ) -> Result<Tally> {
        let begin = Instant::now();
        let connections = self.links.len();
        let mut callers = JoinSet::new();
        let beats: Vec<_> = self.links.iter().map(|_| Arc::new(Notify::new())).collect();
        beat(pace, beats.iter().map(Arc::downgrade).collect());
        for (number, (link, beat)) in self.links.iter().zip(beats).enumerate() {
            let mut link = Arc::clone(link).lock_owned().await;
            let end = begin + duration;
            let schedule = Schedule { begin, end, per_second, number, connections };
            callers.spawn(async move { link.open_loop(schedule, beat).await });
        }
        let mut tally = Tally::default();
        while let Some(caller) = callers.join_next().await {
            tally.add(caller??);
        }
        Ok(tally)
    }
}

impl Schedule {
    /// Returns how many calls of this connection are due.
    fn due_count(&self, now: Instant) -> usize {
        let elapsed = now.min(self.end).saturating_duration_since(self.begin).as_secs_f64();
        let all = (elapsed * self.per_second) as usize;
        (all + self.connections - 1 - self.number) / self.connections
    }

    /// Returns when one of them is due.
    fn due(&self, count: usize) -> Instant {
        let place = count * self.connections + self.number + 1;
        self.begin + Duration::from_secs_f64(place as f64 / self.per_second)
    }
}

impl Link {
    /// Connects, and waits for what the server has to say first.
    async fn open(ingress: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(ingress).await?;
        stream.set_nodelay(true)?;
        let mut link = Self { stream, wire: Wire::new(ingress, GREET_PATH) };
        while !link.wire.is_ready() {
            link.exchange(|_, _, _| ())?;
            link.ready().await?;
        }
        Ok(link)
    }

    async fn closed_loop(&mut self, in_flight: usize, end: Instant) -> Result<u64> {
        let (mut calls, mut refused) = (0, None);
        loop {
            let now = Instant::now();
            while now < end && self.wire.in_flight() < in_flight && self.wire.call(now)? {}
            let before = calls;
            self.exchange(|_, answer, _| {
                calls += 1;
                if answer.is_none_or(|answer| !answer.status.is_success()) {
                    refused = Some(answer);
                }
            })?;
            ensure!(refused.is_none(), "a call of the closed loop was answered {refused:?}");
            if calls == before {
                if now >= end && self.wire.in_flight() == 0 {
                    return Ok(calls);
                }
                self.ready().await?;
            }
        }
    }

    async fn open_loop(&mut self, schedule: Schedule, beat: Arc<Notify>) -> Result<Tally> {
        let (mut tally, mut offered, end) = (Tally::default(), 0, schedule.end);
        while Instant::now() < end {
            let now = Instant::now();
            while offered < schedule.due_count(now) {
                let due = schedule.due(offered);
                match self.wire.call(due)? {
                    true => tally.count_sent(due, now),
                    false => tally.unsent += 1,
                }
                offered += 1;
            }
            self.exchange(|due, answer, now| tally.count(answer, due, now, end))?;
            tokio::select! {
                ready = self.ready() => ready?,
                () = beat.notified() => {}
            }
        }
        drop(beat);
        let backlog = async {
            while self.wire.in_flight() > 0 {
                self.exchange(|due, answer, now| tally.count(answer, due, now, end))?;
                self.ready().await?;
            }
            Ok::<_, anyhow::Error>(())
        };
        if let Ok(ended) = timeout(BACKLOG_TIME_MAX, backlog).await {
            ended?;
        }
        tally.backlog = end.elapsed();
        tally.unanswered = self.wire.in_flight() as u64;
        Ok(tally)
    }

    /// Waits until something can be sent or received.
    async fn ready(&mut self) -> io::Result<()> {
        let interest = match self.wire.outgoing().is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        self.stream.ready(interest).await?;
        Ok(())
    }

    /// Sends and receives as much as goes at once.
    fn exchange(&mut self, mut ended: impl FnMut(Instant, Option<Answer>, Instant)) -> Result<()> {
        let out = self.wire.outgoing();
        if !out.is_empty()
            && let Some(sent) = if_ready(self.stream.try_write(out))?
        {
            out.drain(..sent);
        }
        let read = self.wire.incoming();
        read.reserve(READ_BYTES);
        if let Some(received) = if_ready(self.stream.try_read_buf(read))? {
            ensure!(received > 0, "the server closed the connection");
            let now = Instant::now();
            self.wire.receive(|due, answer| ended(due, answer, now))?;
        }
        Ok(())
    }
}

fn if_ready(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        done => done.map(Some),
    }
}

/// Wakes whoever waits for these, again and again, as long as one is held.
///
/// From a thread of its own: timers of the runtime are a millisecond apart.
fn beat(period: Duration, beats: Vec<Weak<Notify>>) {
    thread::spawn(move || {
        loop {
            let held = beats.iter().filter_map(Weak::upgrade);
            if held.map(|beat| beat.notify_one()).count() == 0 {
                break;
            }
            thread::sleep(period);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_due_by_the_clock_on_each_connection_in_turn() {
        let begin = Instant::now();
        let end = begin + Duration::from_millis(100);
        let schedule = |number| Schedule { begin, end, per_second: 1000.0, number, connections: 3 };
        for (ms, counts) in [(0, [0, 0, 0]), (1, [1, 0, 0]), (5, [2, 2, 1]), (200, [34, 33, 33])] {
            let now = begin + Duration::from_millis(ms);
            assert_eq!([0, 1, 2].map(|number| schedule(number).due_count(now)), counts, "{ms} ms");
        }
        assert_eq!(schedule(2).due(1), begin + Duration::from_millis(6));
    }
}
