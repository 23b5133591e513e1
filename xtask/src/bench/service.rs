//! The deployment under load: the handlers of all scenarios, on a thread of their own.
//!
//! Handlers do nothing but the durable operations their scenario is about. What the load generator
//! has to know of them leaves through a channel ([`Channels`]) instead of the network, so that only
//! the server is measured.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use reveille_endpoint::{Attempt, Endpoint, ServiceDef, Stop};
use tokio::{net::TcpListener, sync::mpsc::UnboundedSender};

use super::scenario::{CHAIN, OBJECT, SERVICE, STEPS, Scenario, WORKFLOW};

/// The name of the endpoint's thread, by which its CPU time is found.
pub const THREAD: &str = "endpoint";

/// The handler of [`WORKFLOW`] that runs once per key and waits.
pub const RUN: &str = "run";
/// The handler of [`WORKFLOW`] that resolves what the other one waits for.
pub const RESOLVE: &str = "resolve";
/// The handler of [`SERVICE`] that waits like that of the scenario *answer*.
pub const PARK: &str = "park";
/// The handler of [`SERVICE`] that is sent with a delay.
pub const TICK: &str = "tick";
/// The handler of [`OBJECT`] that counts in its state.
pub const ADD: &str = "add";
/// The handler of [`OBJECT`] that counts as well, and tells so.
pub const TALLY: &str = "tally";
/// The handler of [`OBJECT`] that waits like that of the scenario *answer*, and keeps the key busy.
pub const HOLD: &str = "hold";

/// Silence after which a handler that parks is asked to suspend. A server that does not do so of its
/// own accord keeps a request open for each, for a minute by default and for so many as it allows at a
/// time; then that would be what is measured. With no time at all it would suspend during the step.
const PARK_INACTIVITY_MS: u64 = 100;

const PROMISE: &str = "answer";
const STATE: &str = "count";

/// Ways from handlers to load generators: the input of a call, `CHANNEL:CALL`, picks one.
#[derive(Clone, Default)]
pub struct Channels(Arc<Mutex<Vec<UnboundedSender<Event>>>>);

/// What a handler tells the load generator.
pub struct Event {
    /// The input of the call, which tells a repeated attempt of an earlier call from the current one.
    pub input: Bytes,
    pub at: Instant,
    pub what: What,
}

/// What happened in a handler.
pub enum What {
    /// It waits for the awakeable with this id; it is empty where it waits for a promise.
    Waits(String),
    /// It ends with this result.
    Ends(Bytes),
}

impl Event {
    /// Returns the number of the call behind that of the channel.
    pub fn number(&self) -> Option<usize> {
        std::str::from_utf8(&self.input).ok()?.split_once(':')?.1.parse().ok()
    }
}

impl Channels {
    /// Registers a channel and returns its number, which a call's input starts with.
    pub fn register(&self, sender: UnboundedSender<Event>) -> usize {
        let mut senders = self.0.lock().expect("no holder of this lock panics");
        senders.push(sender);
        senders.len() - 1
    }

    fn tell(&self, input: Bytes, what: What) {
        let number = std::str::from_utf8(&input).ok().and_then(|text| text.split(':').next());
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let senders = self.0.lock().expect("no holder of this lock panics");
        if let Some(sender) = number.and_then(|number| senders.get(number)) {
            // A closed channel belongs to a load that has ended; nobody waits for this event.
            let _ = sender.send(Event { input, at: Instant::now(), what });
        }
    }
}

/// The running endpoint.
pub struct Service {
    pub address: SocketAddr,
    pub channels: Channels,
}

/// Starts the endpoint on a free port; its thread ends with the process.
pub fn start() -> Result<Service> {
    let channels = Channels::default();
    let endpoint = endpoint(&channels);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let serve = move || runtime.block_on(endpoint.serve(listener, std::future::pending()));
    thread::Builder::new().name(THREAD.into()).spawn(serve).context("no endpoint thread")?;
    Ok(Service { address, channels })
}

fn endpoint(channels: &Channels) -> Endpoint {
    let service = ServiceDef::service(SERVICE)
        .handler(Scenario::Greet.name(), |_| Ok(Bytes::from_static(b"\"Hello\"")))
        .handler(Scenario::Steps.name(), steps)
        .handler(Scenario::Chain.name(), chain)
        .handler(Scenario::Answer.name(), answer(channels.clone()))
        .handler(PARK, park(channels.clone()))
        .declare(|handler| handler.options.inactivity_timeout_ms = Some(PARK_INACTIVITY_MS))
        .handler(TICK, tick(channels.clone()));
    let object = ServiceDef::object(OBJECT)
        .handler(ADD, add)
        .handler(TALLY, tally(channels.clone()))
        .handler(HOLD, answer(channels.clone()));
    let workflow = ServiceDef::workflow(WORKFLOW)
        .handler(RUN, promise(channels.clone()))
        .shared_handler(RESOLVE, resolve);
    Endpoint::builder().service(service).service(object).service(workflow).build()
}

fn steps(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    for _ in 0..STEPS {
        let step = attempt.run("step", || Bytes::from_static(b"1"));
        attempt.wait(step)?;
    }
    Ok(Bytes::from_static(b"10"))
}

fn chain(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    for _ in 0..CHAIN {
        let call = attempt.call(SERVICE, "", Scenario::Greet.name(), Bytes::from_static(b"1"));
        attempt.wait(call)?;
    }
    Ok(Bytes::from_static(b"5"))
}

fn add(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let count = attempt.get_state(STATE)?.unwrap_or_default();
    let count = if count.is_empty() { 0 } else { number(&count)? };
    let next = Bytes::from((count + 1).to_string());
    attempt.set_state(STATE, next.clone());
    Ok(next)
}

/// Does the same as [`add`] and tells the count.
fn tally(channels: Channels) -> impl Fn(&mut Attempt) -> Result<Bytes, Stop> {
    move |attempt| {
        let count = add(attempt)?;
        channels.tell(attempt.input(), What::Ends(count.clone()));
        Ok(count)
    }
}

fn number(text: &[u8]) -> Result<u64, Stop> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Stop::terminal(500, "the state is no number"))
}

/// Waits for an awakeable after a durable step that made its id known, as an application does.
fn answer(channels: Channels) -> impl Fn(&mut Attempt) -> Result<Bytes, Stop> {
    move |attempt| {
        let (id, answered) = attempt.awakeable();
        publish(attempt, &channels, id)?;
        attempt.wait(answered)
    }
}

/// Does the same as [`answer`] and tells when it ends.
fn park(channels: Channels) -> impl Fn(&mut Attempt) -> Result<Bytes, Stop> {
    let answer = answer(channels.clone());
    move |attempt| {
        let answered = answer(attempt)?;
        channels.tell(attempt.input(), What::Ends(answered.clone()));
        Ok(answered)
    }
}

/// Tells when it runs.
fn tick(channels: Channels) -> impl Fn(&mut Attempt) -> Result<Bytes, Stop> {
    move |attempt| {
        channels.tell(attempt.input(), What::Ends(Bytes::new()));
        Ok(Bytes::new())
    }
}

/// Waits for a promise after the same durable step as [`answer`].
fn promise(channels: Channels) -> impl Fn(&mut Attempt) -> Result<Bytes, Stop> {
    move |attempt| {
        publish(attempt, &channels, String::new())?;
        let resolved = attempt.promise(PROMISE);
        attempt.wait(resolved)
    }
}

fn resolve(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    let content = attempt.input();
    let resolved = attempt.resolve_promise(PROMISE, content);
    attempt.wait(resolved)?;
    Ok(Bytes::from_static(b"true"))
}

fn publish(attempt: &mut Attempt, channels: &Channels, id: String) -> Result<(), Stop> {
    let input = attempt.input();
    let published = attempt.run("publish", || {
        channels.tell(input, What::Waits(id));
        Bytes::new()
    });
    attempt.wait(published)?;
    Ok(())
}
