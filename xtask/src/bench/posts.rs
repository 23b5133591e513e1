//! Many different requests, each sent once.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
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

/// Posts a request for every number, with one in flight on each of so many connections. Any answer
/// but 2xx is an error.
pub async fn post_all(
    target: &Target,
    numbers: Range<usize>,
    connections: usize,
    post: impl Fn(usize) -> Post + Send + Sync + 'static,
) -> Result<()> {
    let turn = Arc::new(AtomicUsize::new(numbers.start));
    let post = Arc::new(post);
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(target.ingress).await?;
        let (turn, post) = (Arc::clone(&turn), Arc::clone(&post));
        workers.spawn(async move {
            loop {
                let number = turn.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return Ok::<_, anyhow::Error>(());
                }
                let Post { path, body, idempotency_key } = post(number);
                let header = idempotency_key.as_deref().map(|key| ("idempotency-key", key));
                let answer = connection.request(Method::POST, &path, header.as_slice(), body);
                answer.await?.expect_success(&path)?;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}
