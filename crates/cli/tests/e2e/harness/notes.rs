//! What the example programs wrote down: announced reviews, and steps that really ran.
//!
//! Both files only grow, so each look reads only what is new.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use serde_json::Value;

/// The notes of one service, in two files of JSON lines.
pub struct Notes {
    reviews: PathBuf,
    runs: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    reviews_read: u64,
    runs_read: u64,
    /// The latest awakeable id by name.
    announcements: HashMap<String, String>,
    /// Executions by key and step.
    executions: HashMap<(String, String), usize>,
    /// Steps by key, in the order of their execution.
    steps: HashMap<String, Vec<String>>,
}

impl Notes {
    pub fn new(directory: &Path) -> Self {
        let (reviews, runs) = (directory.join("reviews.log"), directory.join("runs.log"));
        Self { reviews, runs, seen: Mutex::default() }
    }

    pub fn review_log(&self) -> String {
        self.reviews.to_str().expect("a readable path").to_owned()
    }

    pub fn run_log(&self) -> String {
        self.runs.to_str().expect("a readable path").to_owned()
    }

    /// The latest id announced for `name`.
    pub fn announcement(&self, name: &str) -> Option<String> {
        self.look().announcements.get(name).cloned()
    }

    /// How often `step` of `key` was executed.
    pub fn times_ran(&self, key: &str, step: &str) -> usize {
        let seen = self.look();
        seen.executions.get(&(key.to_owned(), step.to_owned())).copied().unwrap_or(0)
    }

    /// The steps of `key` in the order in which they were executed.
    pub fn steps(&self, key: &str) -> Vec<String> {
        self.look().steps.get(key).cloned().unwrap_or_default()
    }

    fn look(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for line in new_lines(&self.reviews, &mut seen.reviews_read) {
            if let (Some(name), Some(id)) = (text(&line, "name"), text(&line, "id")) {
                seen.announcements.insert(name, id);
            }
        }
        for line in new_lines(&self.runs, &mut seen.runs_read) {
            if let (Some(key), Some(step)) = (text(&line, "key"), text(&line, "step")) {
                seen.steps.entry(key.clone()).or_default().push(step.clone());
                *seen.executions.entry((key, step)).or_default() += 1;
            }
        }
        seen
    }
}

fn text(line: &Value, member: &str) -> Option<String> {
    line[member].as_str().map(str::to_owned)
}

/// Reads the complete lines behind `offset` and moves it; a file that is missing has none.
fn new_lines(path: &Path, offset: &mut u64) -> Vec<Value> {
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(*offset)).expect("seek in a log");
    file.read_to_end(&mut bytes).expect("read a log");
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    *offset += complete as u64;
    // A line may be half written for good when its writer was killed.
    bytes[..complete]
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}
