//! The deployment under load: one service with a handler per scenario, on its own thread.
//!
//! Handlers do nothing but the durable operations their scenario is about. The ids of awakeables
//! leave through a channel instead of the network, so that only the server is measured.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    thread,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use reveille_endpoint::{Attempt, Endpoint, ServiceDef, Stop};
use tokio::{net::TcpListener, sync::mpsc::UnboundedSender};

/// Durable steps in one call of the scenario *steps*.
const STEPS: usize = 10;

/// What a call does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Answers at once.
    Greet,
    /// Takes [`STEPS`] durable steps, one after the other.
    Steps,
    /// Waits for an awakeable; timed from sending the answer to the caller's response.
    Answer,
}

impl Scenario {
    pub const ALL: [Self; 3] = [Self::Greet, Self::Steps, Self::Answer];

    /// The name on the command line, which is also the name of the handler.
    pub fn name(self) -> &'static str {
        match self {
            Self::Greet => "greet",
            Self::Steps => "steps",
            Self::Answer => "answer",
        }
    }
}

/// The name all handlers are called under.
pub const SERVICE: &str = "Bench";

/// The name of the endpoint's thread, by which its CPU time is found.
pub const THREAD: &str = "endpoint";

/// Where a handler hands over the id of its awakeable: the input of the call picks the channel.
#[derive(Clone, Default)]
pub struct Awakeables(Arc<Mutex<Vec<UnboundedSender<Handover>>>>);

/// An id on its way from a handler to the load generator.
pub struct Handover {
    /// The input of the call, which tells a repeated step of an earlier call from the current one.
    pub input: Bytes,
    pub id: String,
}

impl Awakeables {
    /// Registers a channel and returns its number, which a call's input starts with.
    pub fn register(&self, sender: UnboundedSender<Handover>) -> usize {
        let mut senders = self.0.lock().expect("no holder of this lock panics");
        senders.push(sender);
        senders.len() - 1
    }

    fn hand_over(&self, input: Bytes, id: String) {
        let number = std::str::from_utf8(&input).ok().and_then(|text| text.split(':').next());
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let senders = self.0.lock().expect("no holder of this lock panics");
        if let Some(sender) = number.and_then(|number| senders.get(number)) {
            // A closed channel belongs to a load that has ended; nobody waits for this id.
            let _ = sender.send(Handover { input, id });
        }
    }
}

/// The running endpoint.
pub struct Service {
    pub address: SocketAddr,
    pub awakeables: Awakeables,
}

/// Starts the endpoint on a free port; its thread ends with the process.
pub fn start() -> Result<Service> {
    let awakeables = Awakeables::default();
    let endpoint = endpoint(awakeables.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let serve = move || runtime.block_on(endpoint.serve(listener, std::future::pending()));
    thread::Builder::new().name(THREAD.into()).spawn(serve).context("no endpoint thread")?;
    Ok(Service { address, awakeables })
}

fn endpoint(awakeables: Awakeables) -> Endpoint {
    let answer = move |attempt: &mut Attempt| -> Result<Bytes, Stop> {
        let (id, answered) = attempt.awakeable();
        let input = attempt.input();
        let published = attempt.run("publish", || {
            awakeables.hand_over(input, id);
            Bytes::new()
        });
        attempt.wait(published)?;
        attempt.wait(answered)
    };
    let service = ServiceDef::service(SERVICE)
        .handler(Scenario::Greet.name(), |_| Ok(Bytes::from_static(b"\"Hello\"")))
        .handler(Scenario::Steps.name(), steps)
        .handler(Scenario::Answer.name(), answer);
    Endpoint::builder().service(service).build()
}

fn steps(attempt: &mut Attempt) -> Result<Bytes, Stop> {
    for _ in 0..STEPS {
        let step = attempt.run("step", || Bytes::from_static(b"1"));
        attempt.wait(step)?;
    }
    Ok(Bytes::from_static(b"10"))
}
