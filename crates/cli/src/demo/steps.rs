//! What the handler did to the world: one line of a file per executed step.
//!
//! The file stands for the mail that a real handler would send. It shows which steps were executed
//! how often, over all processes, so the story can be checked against it.
//! - Invariant: a step is in memory only after its line is in the file.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::Mutex,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::sync::watch;

/// What a handler executes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Asked for a review; the detail is the id that answers it.
    Ask,
    /// Carried the verdict out; the detail says what was done.
    Finish,
}

/// One executed step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which wait of this directory, from 1.
    pub round: u64,
    /// What was done.
    pub kind: StepKind,
    /// See [`StepKind`].
    pub detail: String,
}

/// The file of steps, and a view that others can wait on.
pub struct Steps {
    file: Mutex<File>,
    done: watch::Sender<Vec<Step>>,
}

impl Steps {
    /// Opens the file, creating it when there is none.
    pub fn open(path: &Path) -> anyhow::Result<Steps> {
        let place = || format!("cannot open {}", path.display());
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)
            .with_context(place)?;
        let text = io::read_to_string(&file).with_context(place)?;
        if !text.is_empty() && !text.ends_with('\n') {
            // The process died while it wrote: that step counts as not executed and comes again.
            file.write_all(b"\n").with_context(place)?;
        }
        let steps = text.lines().filter_map(parse).collect();
        Ok(Steps { file: Mutex::new(file), done: watch::Sender::new(steps) })
    }

    /// Writes a step down. It is on disk when this returns.
    pub fn record(&self, step: Step) -> io::Result<()> {
        let mut file = self.file.lock().map_err(|_| io::Error::other("a writer panicked"))?;
        file.write_all(render(&step).as_bytes())?;
        file.sync_data()?;
        self.done.send_modify(|steps| steps.push(step));
        Ok(())
    }

    /// Returns every step of a round so far, in order.
    pub fn of_round(&self, round: u64) -> Vec<Step> {
        self.done.borrow().iter().filter(|step| step.round == round).cloned().collect()
    }

    /// Waits until the round has a step of this kind and returns its detail.
    pub async fn wait_for(&self, round: u64, kind: StepKind) -> anyhow::Result<String> {
        let matches = |step: &&Step| step.round == round && step.kind == kind;
        let mut receiver = self.done.subscribe();
        let steps = receiver.wait_for(|steps| steps.iter().any(|step| matches(&step))).await?;
        let step = steps.iter().find(matches).context("a step vanished")?;
        Ok(step.detail.clone())
    }
}

fn render(step: &Step) -> String {
    let kind = match step.kind {
        StepKind::Ask => "ask",
        StepKind::Finish => "finish",
    };
    format!("{}\n", json!({"round": step.round, "step": kind, "detail": step.detail}))
}

fn parse(line: &str) -> Option<Step> {
    let value: Value = serde_json::from_str(line).ok()?;
    let kind = match value["step"].as_str()? {
        "ask" => StepKind::Ask,
        "finish" => StepKind::Finish,
        _ => return None,
    };
    let detail = value["detail"].as_str()?.to_owned();
    Some(Step { round: value["round"].as_u64()?, kind, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_survive_and_a_torn_line_does_not_count() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("steps.jsonl");
        let ask = Step { round: 1, kind: StepKind::Ask, detail: "sign_1\n\"x\"".to_owned() };
        let finish = Step { round: 2, kind: StepKind::Finish, detail: "done".to_owned() };
        let steps = Steps::open(&path).expect("a new file");
        steps.record(ask.clone()).expect("a write");
        let torn = b"{\"round\":1,\"step\":\"fin";
        OpenOptions::new().append(true).open(&path).expect("open").write_all(torn).expect("write");

        let steps = Steps::open(&path).expect("a torn file");
        steps.record(finish.clone()).expect("a write after it");
        let steps = Steps::open(&path).expect("a mended file");
        assert_eq!(steps.of_round(1), std::slice::from_ref(&ask));
        assert_eq!(steps.of_round(2), [finish]);
        assert_eq!(steps.wait_for(1, StepKind::Ask).await.expect("known"), ask.detail);
    }
}
