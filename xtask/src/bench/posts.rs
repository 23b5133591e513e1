//! Many different requests, each sent once, and when each was under way.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::Result;
use bytes::Bytes;
use http::Method;
use tokio::task::JoinSet;

use super::{connection::Connection, load::Target};

/// One of them.
pub struct Post {
    pub path: String,
    pub body: Bytes,
    pub idempotency_key: Option<String>,
}

/// When one was under way: from before it was made until its answer was read.
pub struct Sent {
    pub number: usize,
    pub begin: Instant,
    pub end: Instant,
}

/// Posts a request for every number, with one in flight on each of so many connections, and returns
/// when each was, in no order. Any answer but 2xx is an error.
pub async fn post_all(
    target: &Target,
    numbers: Range<usize>,
    connections: usize,
    post: impl Fn(usize) -> Post + Send + Sync + 'static,
) -> Result<Vec<Sent>> {
    let turn = Arc::new(AtomicUsize::new(numbers.start));
    let post = Arc::new(post);
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(target.ingress).await?;
        let (turn, post) = (Arc::clone(&turn), Arc::clone(&post));
        workers.spawn(async move {
            let mut sent = Vec::new();
            loop {
                let number = turn.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return Ok::<_, anyhow::Error>(sent);
                }
                let begin = Instant::now();
                let Post { path, body, idempotency_key } = post(number);
                let header = idempotency_key.as_deref().map(|key| ("idempotency-key", key));
                let answer = connection.request(Method::POST, &path, header.as_slice(), body);
                answer.await?.expect_success(&path)?;
                sent.push(Sent { number, begin, end: Instant::now() });
            }
        });
    }
    let mut sent = Vec::new();
    while let Some(worker) = workers.join_next().await {
        sent.extend(worker??);
    }
    Ok(sent)
}
