//! Runs scripts against a server and reports what was answered otherwise.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    answer::Answer,
    client,
    pattern::{Variables, fill},
    script::{Case, Expected, Listener, Request, Script, Step},
};

/// How long an answer may take to become what is expected, in steps that are repeated.
const POLL_TIMEOUT: Duration = Duration::from_secs(15);
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// The server that is asked.
pub struct Target {
    /// Where callers connect.
    pub ingress: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// The stand-in beside the server.
    pub fixture: SocketAddr,
    /// What `{name}` stands for in every case.
    pub variables: BTreeMap<String, String>,
    /// True for the peer: then its own answers are expected where a case has them.
    pub peer: bool,
}

/// What became of every case.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order of the scripts.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// The cases that were answered otherwise, one text each.
    pub fn failures(&self) -> Vec<String> {
        let failed = self.outcomes.iter().filter_map(|outcome| {
            let difference = outcome.difference.as_ref()?;
            Some(format!("{}\n  line {}: {}", outcome.title, difference.line, difference.text))
        });
        failed.collect()
    }
}

/// What became of one case.
#[derive(Debug)]
pub struct Outcome {
    /// File, section and name.
    pub title: String,
    /// The first answer that was not as expected; nothing of the case was done after it.
    pub difference: Option<Difference>,
    /// Reasons of answers in which the server differs from its peer on purpose.
    pub deliberate: Vec<String>,
    /// The answers, with what differs from run to run masked.
    pub answers: Vec<String>,
}

/// An answer that was not as expected.
#[derive(Debug)]
pub struct Difference {
    /// Line of the request.
    pub line: usize,
    /// What differs, and the answer.
    pub text: String,
}

/// Runs every case of the scripts whose file, section or name contains one of the texts that `filter`
/// lists with commas, one case after the other.
pub async fn run(scripts: &[Script], target: &Target, filter: &str) -> Report {
    let mut report = Report::default();
    for script in scripts {
        for case in &script.cases {
            let title = format!("{}.txt {} {}", script.name, case.section, case.name);
            if filter.split(',').any(|text| title.contains(text)) {
                report.outcomes.push(run_case(title, case, target).await);
            }
        }
    }
    report
}

async fn run_case(title: String, case: &Case, target: &Target) -> Outcome {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let mut outcome =
        Outcome { title, difference: None, deliberate: Vec::new(), answers: Vec::new() };
    let mut variables = target.variables.clone();
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    variables.insert("fresh".to_owned(), format!("n{}x{run}", std::process::id()));
    for step in &case.steps {
        let expected = match &step.peer {
            Some((_, why)) if !target.peer => {
                outcome.deliberate.push(why.clone());
                &step.answer
            }
            Some((expected, _)) => expected,
            None => &step.answer,
        };
        match run_step(step, expected, target, &mut variables).await {
            Ok(answer) => outcome.answers.push(mask(&answer, &variables)),
            Err(text) => {
                outcome.difference = Some(Difference { line: step.line, text });
                break;
            }
        }
    }
    outcome
}

async fn run_step(
    step: &Step,
    expected: &Expected,
    target: &Target,
    variables: &mut Variables,
) -> Result<Answer, String> {
    let started = Instant::now();
    let answer = loop {
        let answer = send(&step.request, target, variables).await;
        let answer = answer.map_err(|error| format!("{error:#}"))?;
        match answer.compare(expected, variables) {
            Ok(()) => break answer,
            Err(_) if step.poll && started.elapsed() < POLL_TIMEOUT => {
                // Pacing: the state is asked for until it is there; this only spares the processor.
                tokio::time::sleep(POLL_PAUSE).await;
            }
            Err(difference) => return Err(format!("{difference}\n    {}", show(&answer))),
        }
    };
    for (name, source) in &expected.lets {
        let value =
            answer.read(source).map_err(|error| format!("{error}\n    {}", show(&answer)))?;
        variables.insert(name.clone(), value);
    }
    Ok(answer)
}

async fn send(request: &Request, target: &Target, variables: &Variables) -> Result<Answer> {
    let address = match request.listener {
        Listener::Ingress => target.ingress,
        Listener::Admin => target.admin,
        Listener::Fixture => target.fixture,
    };
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), fill(value, variables)))
        .collect();
    let (path, body) = (fill(&request.path, variables), fill(&request.body, variables));
    client::send(address, &request.method, &path, &headers, body).await
}

fn show(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.text())
}

/// Status and body with the values of variables, and other text that differs between runs, taken out.
fn mask(answer: &Answer, variables: &Variables) -> String {
    let mut text = show(answer);
    for (name, value) in variables.iter().filter(|(_, value)| value.len() > 3) {
        text = text.replace(value.as_str(), &format!("{{{name}}}"));
    }
    let mut masked = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "_-:.".contains(c))) {
        let is_time = word.starts_with("20") && word.contains('T') && word.contains(':');
        let is_id = ["inv_1", "dp_1", "sign_1", "sub_1"].iter().any(|mark| word.starts_with(mark));
        match word.char_indices().last() {
            Some((at, end)) if is_time || is_id => {
                masked.push_str(if is_time { "(time)" } else { "(id)" });
                if !end.is_ascii_alphanumeric() {
                    masked.push_str(&word[at..]);
                }
            }
            _ => masked.push_str(word),
        }
    }
    masked
}
