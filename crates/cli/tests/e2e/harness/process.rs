//! One child process whose output goes to a file, killed when dropped.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use super::eventually;

/// How many lines of a log a failing test shows.
const TAIL_LINES: usize = 40;

/// A running child. Dropping it sends SIGKILL.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; stdout and stderr are appended to `log`.
    pub fn start<S: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: &[S],
        variables: &[(String, String)],
        directory: &Path,
        log: &Path,
    ) -> Self {
        let out = File::options().create(true).append(true).open(log).expect("open a log file");
        let mut command = Command::new(&program);
        // The server refuses variables that it does not know, and ours are not for it.
        for (inherited, _) in env::vars_os().filter(|(key, _)| is_setting(key)) {
            command.env_remove(inherited);
        }
        let child = command
            .args(args)
            .envs(variables.iter().map(|(key, value)| (key, value)))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("share a log file"))
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", program.as_ref()));
        Self { child, log: log.to_owned() }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill a child");
        self.child.wait().expect("wait for a killed child");
    }

    /// Sends SIGTERM; the process decides how it ends.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(status.expect("run kill").success(), "SIGTERM was not delivered");
    }

    /// Returns how the process ended, or nothing while it runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("look after a child")
    }

    /// Waits until the process ended by itself.
    pub async fn exit(&mut self) -> ExitStatus {
        eventually("the process ends", async || self.exited()).await
    }

    /// Everything the process wrote so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of the output, for people.
    pub fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

fn is_setting(key: &OsStr) -> bool {
    key.to_str().is_some_and(|key| key.starts_with("REVEILLE_"))
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the child is gone already, and that is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
