//! A process that commits is killed at random moments; what it acknowledged must be there.
//!
//! The test runs itself once more as the child that is killed: then a variable of the environment
//! names the directory.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use super::{acquire, check_rows, commit, open};

const DIRECTORY: &str = "REVEILLE_STORE_TEST_DIRECTORY";
const ROUNDS: u64 = 10;

#[test]
fn acknowledged_rows_survive_kill_9() {
    if let Some(directory) = env::var_os(DIRECTORY) {
        commit_until_killed(Path::new(&directory));
    }
    let directory = tempfile::tempdir().expect("temporary directory");
    let mut last_before = 0;
    for round in 0..ROUNDS {
        // Any spread will do: the child runs on while its lines are read, so moments differ anyway.
        let lines = (round * 7919 + 13) % 97;
        let acked = run_and_kill(directory.path(), lines).unwrap_or(last_before);
        let store = open(directory.path()).expect("open after the kill");
        let (_, last) = acquire(&store).expect("acquire");
        assert!(last >= acked, "round {round}: {acked} acknowledged, {last} found");
        check_rows(&store, last, &format!("round {round}")).expect("read");
        store.close().expect("close");
        last_before = last;
    }
    assert!(last_before >= ROUNDS, "the child got somewhere");
}

/// Runs the child, kills it after some of its lines, and returns the last number it acknowledged.
fn run_and_kill(directory: &Path, lines: u64) -> Option<u64> {
    let mut child = Command::new(env::current_exe().expect("own path"))
        .args(["--exact", "kill::acknowledged_rows_survive_kill_9", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the child");
    let output = BufReader::new(child.stdout.take().expect("the child's output"));
    let mut acked = None;
    let mut seen = 0;
    for line in output.lines() {
        let line = line.expect("a line of the child");
        let number = line.strip_prefix("acked ").and_then(|number| number.parse().ok());
        seen += u64::from(number.is_some());
        acked = number.or(acked);
        if seen == lines + 1 {
            child.kill().expect("kill");
        }
    }
    let status = child.wait().expect("wait");
    assert!(!status.success() && status.code().is_none(), "the child ended by itself: {status}");
    acked
}

fn commit_until_killed(directory: &Path) -> ! {
    let store = open(directory).expect("open in the child");
    let (epochs, last) = acquire(&store).expect("acquire in the child");
    let mut output = io::stdout();
    let mut seq = last;
    loop {
        seq += 1;
        commit(&store, epochs, seq).expect("commit in the child");
        // One write, so that a killed child cannot leave half a number behind.
        output.write_all(format!("\nacked {seq}\n").as_bytes()).expect("tell the parent");
        output.flush().expect("tell the parent");
    }
}
