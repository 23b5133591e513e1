//! The demonstration: one call that waits for the user, told as a story in the terminal.
//!
//! - Owns: the order of what happens ([`Stage::play`]); the handler ([`approval`]), what it did
//!   ([`steps`]), the words ([`story`]), what is kept between runs ([`memory`]).
//! - Does not own: the wait. After a restart the same idempotency key finds the invocation again,
//!   wherever it stands; nothing here repairs or repeats it.
//! - Start at [`Stage::play`].

mod approval;
mod memory;
mod steps;
mod story;

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{client::Client, node::Node, signals::Signals};
use memory::Memory;
use steps::{StepKind, Steps};
use story::Scene;

/// What is to be reviewed.
const DOCUMENT: &str = "the release notes";

/// Longest time for what does not depend on a person.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything the demonstration needs besides the server.
pub struct Stage {
    data_dir: PathBuf,
    memory_path: PathBuf,
    memory: Memory,
    steps: Arc<Steps>,
    endpoint_address: SocketAddr,
    endpoint: JoinHandle<()>,
}

/// How the demonstration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The call has ended and its result was told.
    Told,
    /// A signal came first; the call still waits.
    Interrupted,
}

impl Stage {
    /// Starts the handlers. The store must be open: its lock also keeps a second one from here.
    pub fn set(data_dir: &Path) -> anyhow::Result<Stage> {
        let directory = data_dir.join("demo");
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let memory_path = directory.join("demo.json");
        let mut memory = Memory::load(&memory_path)?;
        let listener = memory.listen()?;
        memory.processes += 1;
        memory.save(&memory_path)?;

        let steps = Arc::new(Steps::open(&directory.join("steps.jsonl"))?);
        let endpoint_address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let handlers = approval::endpoint(Arc::clone(&steps))?;
        let endpoint =
            tokio::spawn(async move { handlers.serve(listener, std::future::pending()).await });
        let data_dir = data_dir.to_path_buf();
        Ok(Stage { data_dir, memory_path, memory, steps, endpoint_address, endpoint })
    }

    /// Tells the story until the call has ended or a signal arrives. With `answers` it answers the
    /// wait by itself, as soon as there is one.
    pub async fn play(
        &mut self,
        node: &Node,
        signals: &mut Signals,
        answers: bool,
    ) -> anyhow::Result<Ending> {
        let (ingress, admin) = (reachable(node.ingress_address()), reachable(node.admin_address()));
        tell(&story::opening(ingress, admin, self.endpoint_address, &self.data_dir));
        self.register(admin).await?;
        let (invocation, is_new) = self.call(ingress).await?;
        let document = DOCUMENT.to_owned();
        let scene = Scene { ingress, document, invocation };
        let has_ended = !is_new && has_ended(&scene).await?;
        tell(&story::invoked(&scene, self.memory.processes, is_new, has_ended));

        let (round, steps) = (self.memory.round, Arc::clone(&self.steps));
        let asked = patiently("the request for a review", steps.wait_for(round, StepKind::Ask));
        let id = tokio::select! {
            biased;
            id = asked => id?,
            result = result(&scene) => bail!("the call ended without asking: {}", result?),
            () = signals.first() => return Ok(Ending::Interrupted),
        };
        if !has_ended {
            tell(&story::waiting(&scene, &id));
            if answers {
                tell(&story::answering());
                answer(ingress, &id).await?;
            }
        }
        let result = tokio::select! {
            result = result(&scene) => result?,
            () = signals.first() => {
                tell(&story::interrupted());
                return Ok(Ending::Interrupted);
            }
        };
        tell(&story::answered(&result, &self.steps.of_round(round), self.memory.processes));
        let (status, receipt) = answer_again(ingress, &id).await?;
        tell(&story::second_answer(&scene, &id, status, &receipt));
        self.memory = Memory { round: round + 1, processes: 0, ..self.memory };
        self.memory.save(&self.memory_path)?;
        Ok(Ending::Told)
    }

    /// Says that the server goes on until a signal arrives.
    pub fn say_ending(&self) {
        tell(&story::ending());
    }

    /// Stops the handlers.
    pub fn clear(self) {
        self.endpoint.abort();
    }

    /// Registers the handlers. For an address that is known already this changes nothing.
    async fn register(&self, admin: SocketAddr) -> anyhow::Result<()> {
        let body = json!({"uri": format!("http://{}", self.endpoint_address)});
        let client = Client::at(admin)?;
        let answer = client.post("/deployments", &[], &body);
        patiently("the registration", answer).await?.success().context("cannot register")?;
        Ok(())
    }

    /// Calls the handler, or finds the call of an earlier run. Returns its id and whether it is new.
    async fn call(&self, ingress: SocketAddr) -> anyhow::Result<(String, bool)> {
        let path = format!("/restate/send/{}/{}", approval::SERVICE, approval::HANDLER);
        let round = self.memory.round;
        let headers = [("idempotency-key", &*format!("demo-{round}"))];
        let input = approval::Question { round, document: DOCUMENT.to_owned() };
        let input = serde_json::to_value(input)?;
        let answer =
            patiently("the call", Client::at(ingress)?.post(&path, &headers, &input)).await?;
        let body: Value = serde_json::from_slice(&answer.success().context("cannot call")?)?;
        let id = body["invocationId"].as_str().context("the answer to the call has no id")?;
        Ok((id.to_owned(), body["status"] == "Accepted"))
    }
}

/// Asks whether the call has ended.
async fn has_ended(scene: &Scene) -> anyhow::Result<bool> {
    let path = format!("/restate/invocation/{}/output", scene.invocation);
    let answer = patiently("the state", Client::at(scene.ingress)?.get(&path)).await?;
    Ok(answer.status.as_u16() != NOT_READY)
}

/// Status of the output of an invocation that has not ended.
const NOT_READY: u16 = 470;

/// Waits for the end of the call and returns its result as text.
async fn result(scene: &Scene) -> anyhow::Result<String> {
    let path = format!("/restate/invocation/{}/attach", scene.invocation);
    let answer = Client::at(scene.ingress)?.get(&path).await?;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    if !answer.status.is_success() {
        bail!("the call failed with status {}: {body}", answer.status);
    }
    Ok(serde_json::from_str(&body).unwrap_or(body))
}

async fn answer(ingress: SocketAddr, id: &str) -> anyhow::Result<()> {
    let path = format!("/restate/awakeables/{id}/resolve");
    let body = Value::from(story::ANSWER);
    let answer = patiently("the answer", Client::at(ingress)?.post(&path, &[], &body)).await?;
    answer.success().context("cannot answer")?;
    Ok(())
}

/// Sends another answer after the first and returns the status and the receipt it got.
async fn answer_again(ingress: SocketAddr, id: &str) -> anyhow::Result<(u16, String)> {
    let path = format!("/reveille/waits/{id}/resolve");
    let body = Value::from(story::LATE_ANSWER);
    let answer =
        patiently("the second answer", Client::at(ingress)?.post(&path, &[], &body)).await?;
    Ok((answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned()))
}

/// Bounds the wait for something that does not depend on a person.
async fn patiently<T>(
    what: &str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_) => Err(anyhow!(
            "{what} took longer than {} s; see why with --log-filter info",
            PATIENCE.as_secs()
        )),
    }
}

/// Returns an address that can be connected to: an unspecified one stands for this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::from((IpAddr::from(Ipv4Addr::LOCALHOST), address.port())),
        false => address,
    }
}

/// Prints a part of the story. It goes on when nobody reads it.
fn tell(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
