//! The words of the demonstration. Pure functions from facts to text.

use std::{net::SocketAddr, path::Path};

use super::steps::{Step, StepKind};

/// What the demonstration sends when it answers by itself.
pub const ANSWER: &str = "Looks good!";

/// What it sends afterwards, to show that it does not count any more.
pub const LATE_ANSWER: &str = "Wait, no!";

/// What the story is about.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Where callers connect.
    pub ingress: SocketAddr,
    /// What is to be reviewed.
    pub document: String,
    /// The invocation.
    pub invocation: String,
}

/// Says what is running, and where.
pub fn opening(
    ingress: SocketAddr,
    admin: SocketAddr,
    endpoint: SocketAddr,
    data: &Path,
) -> String {
    format!(
        "\
A demonstration of waiting. All of this is one process:

  the server     ingress http://{}, admin http://{}
  the handlers   http://{endpoint}, service approval, handler ask
  the data       {}
",
        host(ingress),
        host(admin),
        data.display()
    )
}

/// Says that a new invocation was started, or what became of that of an earlier run.
pub fn invoked(scene: &Scene, processes: u64, is_new: bool, has_ended: bool) -> String {
    let Scene { document, invocation, .. } = scene;
    let what = if is_new {
        format!("The handler was called, and asks for a review of {document}.")
    } else if has_ended {
        "A call of an earlier run was answered, and has ended since.".to_owned()
    } else {
        let process = ordinal(processes);
        format!(
            "A call of an earlier run still waits. It goes on exactly where it was, in its {process} \
             process."
        )
    };
    format!("1. {what}\n\n   {invocation}\n")
}

/// Says how to answer the wait.
pub fn waiting(scene: &Scene, id: &str) -> String {
    let host = host(scene.ingress);
    format!(
        "\
2. Now it waits, parked: for seconds or for months. Answer it from another terminal:

   curl {host}/restate/awakeables/{id}/resolve --json '\"{ANSWER}\"'

   Or kill me, with Ctrl-C or kill -9, and run the same command again: the wait survives.
"
    )
}

/// Says that the answer came, and what the handler made of it. `steps` are those of this round.
pub fn answered(result: &str, steps: &[Step], processes: u64) -> String {
    let count = |kind| times(steps.iter().filter(|step| step.kind == kind).count() as u64);
    format!(
        "\
3. The answer woke the handler. It ended with:

   {result}

   It asked for the review {}, and carried the verdict out {}, over {}.
",
        count(StepKind::Ask),
        count(StepKind::Finish),
        match processes {
            1 => "1 process".to_owned(),
            count => format!("{count} processes"),
        },
    )
}

/// Says what a second answer got.
pub fn second_answer(scene: &Scene, id: &str, status: u16, receipt: &str) -> String {
    let host = host(scene.ingress);
    format!(
        "\
4. The first answer wins, and everyone else is told. I just sent a second one:

   curl {host}/reveille/waits/{id}/resolve --json '\"{LATE_ANSWER}\"'

   It got status {status} and this receipt:

   {}
",
        receipt.trim()
    )
}

/// Says how it goes on after the end.
pub fn ending() -> String {
    "\
The server goes on, so that you can try that yourself. Ctrl-C stops it; run the same command again
for a new wait.
"
    .to_owned()
}

/// Says that it answers by itself, as `--yes` asks.
pub fn answering() -> String {
    "   --yes was given, so I send that answer now.\n".to_owned()
}

/// Says that a signal arrived while the handler waits.
pub fn interrupted() -> String {
    "\nStopping. The handler still waits: run the same command again to go on.\n".to_owned()
}

/// Returns an address as one would type it on this machine.
fn host(address: SocketAddr) -> String {
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        return format!("localhost:{}", address.port());
    }
    address.to_string()
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

fn ordinal(number: u64) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}
