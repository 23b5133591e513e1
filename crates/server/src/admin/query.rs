//! `POST /query`: SQL over invocations, journals, state and the like (crate `reveille-query`).
//!
//! - Owns: both forms of an answer, the number of queries that run at the same time, statuses.
//! - Invariant: a query reads a snapshot of the store on a thread that may block; no partition and no
//!   task waits for it. It ends when its client is gone.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::Response,
};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use reveille_query::{Attempts, Format, Limits, QueryError, World, limit_memory, run};
use reveille_store::Store;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
    time::{Instant, timeout, timeout_at},
};
use tracing::warn;

use super::{
    Admin,
    route::{JSON, Route},
};
use crate::{config::ServerConfig, limits, metrics::seldom::Seldom, text::time};

/// What queries need: where to read, and how much of it.
#[derive(Clone)]
pub struct Queries {
    store: Arc<dyn Store>,
    attempts: Arc<dyn Attempts>,
    limits: Limits,
    places: Arc<Semaphore>,
    slow: Arc<Seldom>,
}

impl Queries {
    /// Queries over a store, within the limits that are configured. That of memory holds for the whole
    /// process.
    pub fn new(
        store: Arc<dyn Store>,
        attempts: Arc<dyn Attempts>,
        config: &ServerConfig,
    ) -> Queries {
        limit_memory(config.query_memory_limit);
        let limits = Limits {
            time: Duration::from_millis(config.query_timeout_ms),
            answer_bytes: config.query_answer_size_limit,
        };
        let places = Arc::new(Semaphore::new(limits::QUERIES_AT_ONCE));
        Queries { store, attempts, limits, places, slow: Arc::default() }
    }
}

/// A query.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Query")]
struct Request {
    /// One `SELECT`; `docs/sql.md` lists the tables.
    query: String,
}

/// Why a query has no answer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueryProblem")]
struct Problem {
    /// What went wrong, and what to do about it.
    message: String,
}

/// An answer as JSON.
#[derive(JsonSchema)]
#[schemars(rename = "QueryAnswer")]
// Written in pieces by crate `query`.
#[expect(dead_code, reason = "only its schema is used")]
struct Rows {
    /// Each row with its columns by name.
    rows: Vec<serde_json::Map<String, serde_json::Value>>,
}

const ARROW: &str = "application/vnd.apache.arrow.stream";

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/query", "query", query)
            .says("query", "Asks for invocations, journals, state and the like in SQL")
            .header("accept", "`application/json` for JSON; Arrow IPC otherwise.")
            .body::<Request>()
            .answer::<Rows>(200, "The rows, as JSON")
            .content(200, ARROW, "or as a stream of Arrow IPC.")
            .answer::<Problem>(400, "The text is no query that is taken, or asks for too much.")
            .answer::<Problem>(500, "A name is unknown, the query took too long, or failed.")
            .answer::<Problem>(503, "As many queries are running as may; try again."),
    ]
}

/// `POST /query`.
async fn query(
    State(admin): State<Admin>,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Response {
    let format = format(&headers);
    let Queries { store, attempts, limits, places, slow } = admin.queries;
    // Those who wait are connections, which are bounded.
    let Ok(Ok(place)) = timeout(limits.time, places.acquire_owned()).await else {
        let message = format!(
            "{} queries have been running for {} s, which is as many as may at the same time; try again",
            limits::QUERIES_AT_ONCE,
            limits.time.as_secs_f64()
        );
        return problem(StatusCode::SERVICE_UNAVAILABLE, message);
    };
    let catalog = admin.registry.catalog();
    let (sender, mut pieces) = mpsc::channel(limits::QUERY_PIECES);
    // Room for the error that may end the answer, kept free from the start: a client that does not
    // read must not take an answer that was cut off for a whole one.
    let Ok(last) = sender.clone().try_reserve_owned() else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "there is no room".to_owned());
    };
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let begun = Instant::now();
        let world = store
            .snapshot()
            .map(|snapshot| World::new(snapshot, Arc::new(catalog), attempts, time::now()));
        let done = world
            .map_err(QueryError::from)
            .and_then(|world| answer(&world, &request.query, format, limits, &sender));
        say_if_slow(&slow, begun);
        if let Err(error) = done {
            last.send(Err(error));
        }
    });
    // The first piece comes once the text has been understood and its first rows are read.
    let first = match pieces.recv().await {
        Some(Ok(piece)) => piece,
        Some(Err(error)) => return problem(status(&error), error.to_string()),
        None => {
            let message = "the query ended without an answer, see the log".to_owned();
            return problem(StatusCode::INTERNAL_SERVER_ERROR, message);
        }
    };
    let body = StreamBody::new(Pieces { first: Some(first), rest: pieces });
    let content_type = match format {
        Format::Json => JSON,
        Format::Arrow => ARROW,
    };
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

/// Says that a query was slow, without its text, which may name keys.
fn say_if_slow(slow: &Seldom, begun: Instant) {
    let took = begun.elapsed();
    if took >= limits::SLOW_QUERY
        && let Some(more) = slow.allow(begun.into_std())
    {
        let took_ms = took.as_millis();
        warn!(took_ms, more, "a query was slow, or its client slow to read the answer");
    }
}

/// JSON if it is asked for by name; Arrow otherwise, as tools expect.
fn format(headers: &HeaderMap) -> Format {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let names_json = accept.split(',').any(|range| {
        range.split(';').next().is_some_and(|range| range.trim() == "application/json")
    });
    if names_json { Format::Json } else { Format::Arrow }
}

type Piece = Result<Vec<u8>, QueryError>;

fn answer(
    world: &World,
    text: &str,
    format: Format,
    limits: Limits,
    sender: &mpsc::Sender<Piece>,
) -> Result<(), QueryError> {
    let deadline = Instant::now() + limits.time;
    let runtime = Handle::current();
    // A client that does not read holds a place and a snapshot, so its time is bounded, too.
    let send = |piece| match runtime.block_on(timeout_at(deadline, sender.send(Ok(piece)))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(QueryError::Abandoned),
        Err(_) => Err(QueryError::Overdue),
    };
    let done = run(world, text, format, limits, send);
    if let Err(error) = &done
        && matches!(error, QueryError::Store(_) | QueryError::Engine(_) | QueryError::Sqlite(_))
    {
        warn!(%error, "a query failed");
    }
    done
}

fn status(error: &QueryError) -> StatusCode {
    match error {
        QueryError::Invalid(_) | QueryError::NotAQuery(_) | QueryError::TooMuch(_) => {
            StatusCode::BAD_REQUEST
        }
        // The peer's status for a name that it does not know.
        QueryError::Unknown(_)
        | QueryError::Overdue
        | QueryError::Store(_)
        | QueryError::Engine(_)
        | QueryError::Sqlite(_)
        | QueryError::Abandoned => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn problem(status: StatusCode, message: String) -> Response {
    use axum::response::IntoResponse as _;
    (status, Json(Problem { message })).into_response()
}

/// The pieces of an answer as the body's stream. One that fails after its first piece is cut off.
struct Pieces {
    first: Option<Vec<u8>>,
    rest: mpsc::Receiver<Piece>,
}

impl futures_core::Stream for Pieces {
    type Item = Result<Frame<Bytes>, QueryError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return std::task::Poll::Ready(Some(Ok(Frame::data(first.into()))));
        }
        let polled = self.rest.poll_recv(context);
        polled.map(|piece| piece.map(|piece| piece.map(|piece| Frame::data(piece.into()))))
    }
}
