//! HTTP/2 connections to deployments: as many as their limits on concurrent streams ask for.
//!
//! Attempts live long, so one connection per deployment would make the attempt above the peer's
//! stream limit wait for good. hyper's own client is not used here because it runs two more tasks
//! per request and cannot reset a stream with CANCEL once the response has begun.
//! - Owns: the connections, how many streams are open on each, and the queue for a free stream.
//! - Does not own: what is sent on a stream ([`super::exchange`]).
//! - Invariant: `inflight` of a connection is the number of living [`Slot`]s of it, and the queue
//!   is empty, or every connection is full, or a connection is being opened.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Ping, PingPong, SendStream};
use http::Request;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::gather::Gather;
use crate::limits;

use super::connect::{self, Address};
use super::http1::Http1Origin;
use super::outbound::Outbound;
use crate::tls::Stream;
use crate::tls::client::Alpn;

/// When connections are checked and closed, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionTimes {
    /// See [`limits::PING_INTERVAL_MS`].
    pub(super) ping_interval_ms: u64,
    /// See [`limits::PING_TIMEOUT_MS`].
    pub(super) ping_timeout_ms: u64,
    /// See [`limits::CONNECTION_IDLE_MS`].
    pub(super) idle_ms: u64,
}

impl Default for ConnectionTimes {
    fn default() -> ConnectionTimes {
        ConnectionTimes {
            ping_interval_ms: limits::PING_INTERVAL_MS,
            ping_timeout_ms: limits::PING_TIMEOUT_MS,
            idle_ms: limits::CONNECTION_IDLE_MS,
        }
    }
}

/// The connections to all deployments.
pub(super) struct Pool {
    runtime: Handle,
    times: ConnectionTimes,
    outbound: Outbound,
    http2: Mutex<HashMap<Address, Arc<Origin>>>,
    http1: Mutex<HashMap<Address, Arc<Http1Origin>>>,
}

impl Pool {
    /// Makes a pool without connections; their tasks will run on `runtime`.
    pub(super) fn new(runtime: Handle, times: ConnectionTimes, outbound: Outbound) -> Pool {
        Pool { runtime, times, outbound, http2: Mutex::default(), http1: Mutex::default() }
    }

    /// Finds the HTTP/2 connections to an address.
    pub(super) fn http2(&self, address: &Address) -> Arc<Origin> {
        let mut origins = locked(&self.http2);
        if let Some(origin) = origins.get(address) {
            return origin.clone();
        }
        let origin = Arc::new(Origin {
            address: address.clone(),
            runtime: self.runtime.clone(),
            times: self.times,
            outbound: self.outbound.clone(),
            state: Mutex::default(),
        });
        origins.insert(address.clone(), origin.clone());
        origin
    }

    /// Finds the HTTP/1.1 connections to an address.
    pub(super) fn http1(&self, address: &Address) -> Arc<Http1Origin> {
        let mut origins = locked(&self.http1);
        if let Some(origin) = origins.get(address) {
            return origin.clone();
        }
        let origin = Arc::new(Http1Origin::new(address.clone(), self.outbound.clone()));
        origins.insert(address.clone(), origin.clone());
        origin
    }
}

/// The connections to one address.
pub(super) struct Origin {
    address: Address,
    runtime: Handle,
    times: ConnectionTimes,
    outbound: Outbound,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connections: Vec<Conn>,
    /// Connections that are being opened.
    connecting: usize,
    /// Who waits for a stream, longest first.
    waiters: VecDeque<oneshot::Sender<Result<Lease, String>>>,
    next_id: u64,
}

struct Conn {
    id: u64,
    sender: SendRequest<Bytes>,
    /// Changed under the lock only; the connection itself looks at it.
    inflight: Arc<AtomicUsize>,
    /// The peer takes no new streams; the connection goes when the open ones end.
    refusing: bool,
    idle_since: Instant,
}

impl Conn {
    fn has_room(&self) -> bool {
        let max = self.sender.current_max_send_streams().min(limits::STREAMS_PER_CONNECTION);
        !self.refusing && self.inflight.load(Ordering::Relaxed) < max
    }
}

/// The right to open one stream.
pub(super) struct Lease {
    slot: Slot,
    sender: SendRequest<Bytes>,
}

/// One place among the streams of a connection; free again when dropped.
pub(super) struct Slot {
    /// `None` once the place was given back.
    origin: Option<Arc<Origin>>,
    connection: u64,
}

impl Lease {
    /// Opens the stream. On failure nothing was sent, and the connection is not used again.
    pub(super) fn open(
        mut self,
        request: Request<()>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>, Slot), h2::Error> {
        match self.sender.send_request(request, false) {
            Ok((response, stream)) => Ok((response, stream, self.slot)),
            Err(error) => {
                self.slot.refuse();
                Err(error)
            }
        }
    }
}

impl Slot {
    /// Takes the connection out of use: its peer accepts no more streams.
    pub(super) fn refuse(&self) {
        if let Some(origin) = &self.origin {
            origin.lock().connection(self.connection, |connection| connection.refusing = true);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(origin) = self.origin.take() {
            let mut state = origin.lock();
            state.give_back(self.connection);
            origin.serve(&mut state);
        }
    }
}

impl State {
    fn connection(&mut self, id: u64, change: impl FnOnce(&mut Conn)) {
        if let Some(connection) = self.connections.iter_mut().find(|it| it.id == id) {
            change(connection);
        }
    }

    fn give_back(&mut self, id: u64) {
        self.connection(id, |connection| {
            connection.inflight.fetch_sub(1, Ordering::Relaxed);
            connection.idle_since = Instant::now();
        });
    }
}

impl Origin {
    /// Waits for a free stream, opening a connection when there is none. Fair: first come, first
    /// served. The error says why there is no connection.
    pub(super) async fn acquire(self: &Arc<Origin>) -> Result<Lease, String> {
        let receiver = {
            let mut state = self.lock();
            if state.waiters.is_empty()
                && let Some(lease) = self.lease(&mut state)
            {
                return Ok(lease);
            }
            // Attempts that gave up while they waited must not fill the queue.
            if state.waiters.len().is_multiple_of(limits::STREAMS_PER_CONNECTION) {
                state.waiters.retain(|waiter| !waiter.is_closed());
            }
            let (sender, receiver) = oneshot::channel();
            state.waiters.push_back(sender);
            self.serve(&mut state);
            receiver
        };
        receiver.await.unwrap_or_else(|_closed| Err("The server is stopping.".to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Takes a free stream of the first connection that has one, so that the last can fall idle.
    fn lease(self: &Arc<Origin>, state: &mut State) -> Option<Lease> {
        let connection = state.connections.iter_mut().find(|connection| connection.has_room())?;
        connection.inflight.fetch_add(1, Ordering::Relaxed);
        let slot = Slot { origin: Some(self.clone()), connection: connection.id };
        Some(Lease { slot, sender: connection.sender.clone() })
    }

    /// Hands free streams to those who wait, and opens connections for the rest.
    fn serve(self: &Arc<Origin>, state: &mut State) {
        while let Some(waiter) = state.waiters.pop_front() {
            if waiter.is_closed() {
                continue;
            }
            let Some(lease) = self.lease(state) else {
                state.waiters.push_front(waiter);
                break;
            };
            if let Err(Ok(mut lease)) = waiter.send(Ok(lease)) {
                // Its drop would lock the state that is locked here.
                lease.slot.origin = None;
                state.give_back(lease.slot.connection);
            }
        }
        let open = state.connections.len();
        while open + state.connecting < limits::CONNECTIONS_PER_DEPLOYMENT
            && state.waiters.len() > state.connecting * limits::STREAMS_PER_CONNECTION
        {
            state.connecting += 1;
            self.runtime.spawn(connect_and_drive(self.clone()));
        }
    }

    fn opened(self: &Arc<Origin>, sender: SendRequest<Bytes>, inflight: Arc<AtomicUsize>) -> u64 {
        let mut state = self.lock();
        state.connecting -= 1;
        let id = state.next_id;
        state.next_id += 1;
        let idle_since = Instant::now();
        state.connections.push(Conn { id, sender, inflight, refusing: false, idle_since });
        self.serve(&mut state);
        id
    }

    /// No connection came about: everyone who waits hears why, and retries by policy.
    fn failed(&self, cause: &str) {
        let mut state = self.lock();
        state.connecting -= 1;
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        for waiter in waiters {
            // One that is gone was aborted.
            let _gone = waiter.send(Err(cause.to_owned()));
        }
    }

    fn closed(self: &Arc<Origin>, id: u64) {
        let mut state = self.lock();
        state.connections.retain(|connection| connection.id != id);
        self.serve(&mut state);
    }

    /// Forgets a connection that was unused for long: it closes when its last sender is gone.
    /// Returns false while it is merely unused, so that nobody needs to know whether it lives.
    fn retire(&self, id: u64) -> bool {
        let mut state = self.lock();
        let Some(index) = state.connections.iter().position(|connection| connection.id == id)
        else {
            return true;
        };
        let connection = &state.connections[index];
        if connection.inflight.load(Ordering::Relaxed) > 0 {
            return true;
        }
        if connection.idle_since.elapsed() >= Duration::from_millis(self.times.idle_ms) {
            state.connections.swap_remove(index);
        }
        false
    }

    /// Returns when the peer of a connection no longer answers.
    async fn keep_alive(&self, id: u64, mut pings: PingPong) {
        loop {
            tokio::time::sleep(Duration::from_millis(self.times.ping_interval_ms)).await;
            if !self.retire(id) {
                continue;
            }
            let timeout = Duration::from_millis(self.times.ping_timeout_ms);
            match tokio::time::timeout(timeout, pings.ping(Ping::opaque())).await {
                Ok(Ok(_pong)) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

/// The task of one connection, from the socket to its end.
async fn connect_and_drive(origin: Arc<Origin>) {
    let Opened { sender, mut connection, pings } =
        match open(&origin.address, &origin.outbound).await {
            Ok(opened) => opened,
            Err(cause) => return origin.failed(&cause),
        };
    let inflight = Arc::<AtomicUsize>::default();
    let id = origin.opened(sender, Arc::clone(&inflight));
    let mut gather = Gather::default();
    let driving = poll_fn(|cx| {
        let streams = inflight.load(Ordering::Relaxed);
        gather.poll(streams, cx, |cx| Pin::new(&mut connection).poll(cx))
    });
    tokio::select! {
        ended = driving => {
            if let Err(error) = ended {
                tracing::debug!(address = ?origin.address, %error, "connection lost");
            }
        }
        () = origin.keep_alive(id, pings) => {
            tracing::debug!(address = ?origin.address, "deployment answers no pings");
        }
    }
    origin.closed(id);
}

struct Opened {
    sender: SendRequest<Bytes>,
    connection: h2::client::Connection<Stream, Bytes>,
    pings: PingPong,
}

/// Opens a connection and waits until the peer has said how many streams it allows: one above that
/// would wait in the connection for another to end, whatever other connections have room.
async fn open(address: &Address, outbound: &Outbound) -> Result<Opened, String> {
    let socket = address.connect(outbound, Alpn::Http2).await.map_err(|failure| failure.cause)?;
    let failed = |error: h2::Error| format!("Cannot connect: {error}");
    let (sender, mut connection) = connect::http2(socket).await.map_err(failed)?;
    let mut pings = connection.ping_pong().expect("nobody took the pings of a new connection");
    // Its settings come before everything else, so before the answer to a ping.
    let timeout = Duration::from_millis(limits::CONNECT_TIMEOUT_MS);
    let settled = tokio::time::timeout(timeout, pings.ping(Ping::opaque()));
    tokio::select! {
        ended = &mut connection => {
            let closed = || "Cannot connect: the deployment closed the connection".to_owned();
            return Err(ended.map_or_else(failed, |()| closed()));
        }
        settled = settled => match settled {
            Ok(answered) => answered.map_err(failed)?,
            Err(_elapsed) => {
                return Err("Cannot connect: the deployment does not speak HTTP/2".to_owned());
            }
        },
    };
    Ok(Opened { sender, connection, pings })
}

/// Locks a mutex whose holders never panic half-way.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
