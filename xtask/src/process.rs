//! The server under test as a child process, and what the kernel says about its cost.
//!
//! Owns: the process, which dies with [`Server`], and its data directory, which dies with
//! [`DataDirectory`]. Linux only: the figures come from `/proc`.

use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::workspace;

/// The kernel counts CPU time in these on every architecture Linux exposes to user space.
const CLOCK_TICKS_PER_SECOND: u64 = 100;

/// A server that was started for one benchmark.
pub struct Server {
    child: Child,
    /// What starts it, placeholders replaced.
    command: String,
    pub ingress: SocketAddr,
    pub admin: SocketAddr,
}

impl Server {
    /// Starts `command`, or the release build of this repository's server when there is none.
    ///
    /// Placeholders in a command: `{data}`, `{ingress}`, `{ingress_port}`, `{admin}`,
    /// `{admin_port}`. The command replaces a shell, so that its process id is the server's;
    /// variables are set with `env NAME=VALUE command`.
    pub fn start(command: Option<&str>, data: &Path) -> Result<Self> {
        let (ingress, admin) = free_addresses()?;
        let own = command.is_none().then(own_command).transpose()?;
        let command = command.or(own.as_deref()).unwrap_or_default();
        let command = command
            .replace("{data}", &data.display().to_string())
            .replace("{ingress}", &ingress.to_string())
            .replace("{ingress_port}", &ingress.port().to_string())
            .replace("{admin}", &admin.to_string())
            .replace("{admin_port}", &admin.port().to_string());
        Ok(Self { child: spawn(&command)?, command, ingress, admin })
    }

    /// Kills the process as a crash would, starts it again over the same data and returns when
    /// that was. What the kernel counts starts anew with the process.
    pub fn kill_and_restart(&mut self) -> Result<Instant> {
        self.child.kill().context("the server had ended before it was killed")?;
        self.child.wait()?;
        let begin = Instant::now();
        self.child = spawn(&self.command)?;
        Ok(begin)
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the CPU time the process has used so far, in steps of 10 ms.
    pub fn cpu_time(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // The command name stands in parentheses and may hold spaces; the rest counts from there.
        let (_, fields) = stat.rsplit_once(')').context("unexpected /proc/PID/stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |at: usize| -> Result<u64> {
            let field = fields.get(at).context("short /proc/PID/stat")?;
            field.parse().context("no number in /proc/PID/stat")
        };
        // Fields 14 and 15 of the manual page: user and system time.
        Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / CLOCK_TICKS_PER_SECOND))
    }

    /// Returns the resident memory of the process.
    pub fn resident_bytes(&self) -> Result<u64> {
        Ok(number_after(&self.proc("status")?, "VmRSS:")? * 1024)
    }

    /// Returns the most resident memory that the process ever had.
    pub fn resident_bytes_peak(&self) -> Result<u64> {
        Ok(number_after(&self.proc("status")?, "VmHWM:")? * 1024)
    }

    /// Returns how many bytes the process has caused to be written to disks (`write_bytes`: whole
    /// pages as they become dirty, so a page that is flushed and appended to again counts twice).
    pub fn written_bytes(&self) -> Result<u64> {
        number_after(&self.proc("io")?, "write_bytes:")
    }

    /// Returns the size of the program that runs.
    pub fn program_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/exe", self.child.id());
        Ok(fs::metadata(&path).with_context(|| format!("could not read {path}"))?.len())
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("could not read {path}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the server has already ended, and then there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the CPU time that the threads of this process called `thread` have used so far, or with
/// `None` all of them.
pub fn own_cpu_time(thread: Option<&str>) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        let name = fs::read_to_string(task.join("comm"))?;
        if thread.is_some_and(|thread| thread != name.trim_end()) {
            continue;
        }
        // Nanoseconds on a processor come first.
        let times = fs::read_to_string(task.join("schedstat"))?;
        let nanoseconds = times.split(' ').next().context("empty schedstat")?;
        total += Duration::from_nanos(nanoseconds.parse().context("no number in schedstat")?);
    }
    Ok(total)
}

/// Builds the release of this repository's server and returns the command that starts it.
pub fn own_command() -> Result<String> {
    workspace::run(workspace::cargo(&["build", "--release", "-p", "reveille-cli"]))?;
    let program = workspace::target_directory()?.join("release/reveille");
    let flags = "--data-dir '{data}' --ingress-address {ingress} --admin-address {admin}";
    Ok(format!("'{}' serve {flags}", program.display()))
}

fn spawn(command: &str) -> Result<Child> {
    let mut shell = Command::new("sh");
    // The report is all that goes to the standard output; errors of the server stay visible.
    shell.args(["-c", &format!("exec {command}")]).stdout(Stdio::null());
    shell.spawn().with_context(|| format!("could not start {command}"))
}

/// Returns the first number behind `label`, which starts a line of a file of `/proc`.
fn number_after(text: &str, label: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let number = line.and_then(|line| line.split_whitespace().next());
    let number = number.with_context(|| format!("the server has ended: no {label} in /proc"))?;
    number.parse().with_context(|| format!("{label} is followed by no number"))
}

/// Returns two addresses nobody listens on. Another process could take them before the server
/// does; a benchmark may then be started again.
fn free_addresses() -> Result<(SocketAddr, SocketAddr)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?, second.local_addr()?))
}

/// A fresh directory on the disk cargo builds on, removed at the end.
pub struct DataDirectory(PathBuf);

/// Creates the data directory. Not below the system's temporary directory: that may be memory,
/// where durability costs nothing.
pub fn data_directory() -> Result<DataDirectory> {
    let path = workspace::target_directory()?.join(format!("server-{}", std::process::id()));
    fs::create_dir_all(&path).with_context(|| format!("could not create {}", path.display()))?;
    Ok(DataDirectory(path))
}

impl DataDirectory {
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns what the files in it occupy on the disk.
    pub fn occupied_bytes(&self) -> Result<u64> {
        occupied_bytes(&self.0)
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            println!("could not remove {}: {error}", self.0.display());
        }
    }
}

fn occupied_bytes(directory: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => total += occupied_bytes(&entry.path())?,
            // The kernel counts in blocks of 512 bytes, whatever those of the file system are.
            Ok(metadata) => total += metadata.blocks() * 512,
            // The server removes files meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_proc_files() {
        let status = "Name:\tserver\nVmHWM:\t  5000 kB\nVmRSS:\t  4096 kB\n";
        assert_eq!(number_after(status, "VmRSS:").expect("a number"), 4096);
        assert_eq!(number_after("write_bytes: 0\n", "write_bytes:").expect("a number"), 0);
        assert!(number_after(status, "VmSwap:").is_err(), "a process that ended has no memory");
        assert!(number_after(status, "Name:").is_err(), "a name is no number");
    }
}
