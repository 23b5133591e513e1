//! Handlers that wait, as many as one likes: parking them, and answering them all.
//!
//! - Owns: the ids of their awakeables, and how often each handler ended with which result.
//! - Invariant: a handler counts as ended only with the answer that was meant for it, its own number;
//!   any other is an error. What is kept per handler is its id and a byte.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    connection::Connection,
    load::Target,
    posts::{Post, post_all},
    scenario::SERVICE,
    service::{Event, PARK, What},
    stand::within,
};

/// The longest time without any handler getting further.
const PROGRESS_TIME_MAX: Duration = Duration::from_secs(60);

/// Handlers that wait or have waited; their numbers count from 0.
pub struct Crowd {
    target: Target,
    events: UnboundedReceiver<Event>,
    channel: usize,
    /// Shared by those who answer. Empty until a handler waits.
    ids: Vec<Arc<str>>,
    /// How often each has ended.
    ends: Vec<u8>,
}

impl Crowd {
    pub fn new(target: Target) -> Self {
        let (sender, events) = unbounded_channel();
        let channel = target.channels.register(sender);
        Self { target, events, channel, ids: Vec::new(), ends: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns how many handlers ended more than once, because an attempt was repeated.
    pub fn repeated(&self) -> usize {
        self.ends.iter().filter(|ends| **ends > 1).count()
    }

    /// Sends further handlers until there are `count`, and returns how long it took until the last
    /// one waited.
    pub async fn park(&mut self, count: usize, connections: usize) -> Result<Duration> {
        let first = self.len();
        self.ids.resize(count, Arc::from(""));
        self.ends.resize(count, 0);
        let (channel, path) = (self.channel, format!("/{SERVICE}/{PARK}/send"));
        let begin = Instant::now();
        let send = move |number| Post {
            path: path.clone(),
            body: Bytes::from(format!("{channel}:{number}")),
            idempotency_key: None,
        };
        let sent = post_all(&self.target, first..count, connections, send);
        let ids = &mut self.ids;
        let waiting = async {
            let mut missing = count - first;
            while missing > 0 {
                let event = next(&mut self.events).await?;
                let (Some(number), What::Waits(id)) = (event.number(), event.what) else {
                    continue;
                };
                missing -= usize::from(ids[number].is_empty());
                ids[number] = id.into();
            }
            Ok(begin.elapsed())
        };
        let (_, elapsed) = tokio::try_join!(sent, waiting)?;
        Ok(elapsed)
    }

    /// Answers one handler, again until that succeeds, and returns when it was accepted; then waits
    /// until the handler has ended.
    pub async fn answer_first(&mut self) -> Result<Instant> {
        let path = format!("/restate/awakeables/{}/resolve", self.ids[0]);
        let accepted = async {
            loop {
                let mut connection = Connection::open_when_up(self.target.ingress).await;
                match connection.call(&path, Bytes::from_static(b"0")).await {
                    Ok(_) => return Ok(Instant::now()),
                    // A server that has just started may refuse for a while; that is measured.
                    Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                }
            }
        };
        let accepted = within(PROGRESS_TIME_MAX, "no answer was accepted", accepted).await?;
        wait_for_ends(&mut self.events, &mut self.ends, 1).await?;
        Ok(accepted)
    }

    /// Answers all handlers but the first, and returns how long it took until the last one ended.
    pub async fn answer_others(&mut self, connections: usize) -> Result<Duration> {
        let begin = Instant::now();
        let ids = std::mem::take(&mut self.ids);
        let count = ids.len();
        let answer = move |number: usize| Post {
            path: format!("/restate/awakeables/{}/resolve", ids[number]),
            body: Bytes::from(number.to_string()),
            idempotency_key: None,
        };
        let sent = post_all(&self.target, 1..count, connections, answer);
        let ended = wait_for_ends(&mut self.events, &mut self.ends, count - 1);
        tokio::try_join!(sent, ended)?;
        Ok(begin.elapsed())
    }

    /// Takes the ends that nobody waited for: those of repeated attempts.
    pub fn take_late_ends(&mut self) -> Result<()> {
        while let Ok(event) = self.events.try_recv() {
            note_end(&event, &mut self.ends)?;
        }
        Ok(())
    }
}

/// Waits until so many handlers have ended that had not.
async fn wait_for_ends(
    events: &mut UnboundedReceiver<Event>,
    ends: &mut [u8],
    mut missing: usize,
) -> Result<()> {
    while missing > 0 {
        let event = next(events).await?;
        missing -= usize::from(note_end(&event, ends)?);
    }
    Ok(())
}

/// Counts the end of a handler; true if it was its first.
fn note_end(event: &Event, ends: &mut [u8]) -> Result<bool> {
    let (Some(number), What::Ends(result)) = (event.number(), &event.what) else {
        return Ok(false);
    };
    let result = std::str::from_utf8(result).ok().and_then(|result| result.parse().ok());
    ensure!(result == Some(number), "handler {number} was given the answer of another: {result:?}");
    ends[number] = ends[number].saturating_add(1);
    Ok(ends[number] == 1)
}

/// Returns what the next handler tells; an error if none does for a while.
pub async fn next(events: &mut UnboundedReceiver<Event>) -> Result<Event> {
    let event = async { events.recv().await.context("the endpoint is gone") };
    within(PROGRESS_TIME_MAX, "no handler got further", event).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(input: &'static str, what: What) -> Event {
        Event { input: Bytes::from_static(input.as_bytes()), at: Instant::now(), what }
    }

    #[test]
    fn ends_count_once_each_and_with_their_own_answer_only() {
        let ends = |text: &'static str| What::Ends(Bytes::from_static(text.as_bytes()));
        let mut counts = [0; 3];
        let rows = [
            (event("7:1", ends("1")), Some(true)),
            (event("7:1", ends("1")), Some(false)),
            (event("7:2", What::Waits("id".to_owned())), Some(false)),
            (event("7:0", ends("0")), Some(true)),
            (event("7:2", ends("1")), None),
            (event("7:2", ends("yes")), None),
        ];
        for (event, is_first) in rows {
            assert_eq!(note_end(&event, &mut counts).ok(), is_first, "{:?}", event.input);
        }
        assert_eq!(counts, [1, 2, 0], "the wrong answers did not count");
    }
}
