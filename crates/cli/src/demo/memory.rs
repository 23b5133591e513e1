//! What the demonstration remembers between two runs on the same directory.
//!
//! The wait itself is not in here: that is what the server remembers. Only the name of the current
//! round is, which is the idempotency key that finds the invocation again, and the port of the
//! endpoint, which the server has registered.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

/// First choice for the port of the endpoint.
const ENDPOINT_PORT: u16 = 9081;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Which wait of this directory is or comes next, from 1.
    pub round: u64,
    /// Processes that worked on this round, this one included.
    pub processes: u64,
    /// Port of the endpoint; `None` until one was chosen.
    pub endpoint_port: Option<u16>,
}

impl Memory {
    /// Reads the file; without one this is the first run.
    pub fn load(path: &Path) -> anyhow::Result<Memory> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Memory { round: 1, processes: 0, endpoint_port: None });
            }
            Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
        };
        let damaged = || {
            let path = path.display();
            anyhow!("{path} is damaged: remove its directory, or choose another --data-dir")
        };
        parse(&text).ok_or_else(damaged)
    }

    /// Writes the file, so that a crash leaves the old or the new one.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let text = json!({
            "round": self.round,
            "processes": self.processes,
            "endpoint_port": self.endpoint_port,
        });
        let write = |new: &PathBuf| -> std::io::Result<()> {
            fs::write(new, text.to_string())?;
            fs::File::open(new)?.sync_all()?;
            fs::rename(new, path)
        };
        write(&path.with_extension("new"))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Binds the port of the endpoint. The first run may take any; later runs need the same one,
    /// because the server has registered it.
    pub fn listen(&mut self) -> anyhow::Result<TcpListener> {
        let bind = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let listener = match self.endpoint_port {
            Some(port) => bind(port).with_context(|| {
                format!(
                    "the demonstration needs port {port} again, where its first run had its \
                     handlers; free it, or choose another directory with --data-dir"
                )
            })?,
            None => bind(ENDPOINT_PORT)
                .or_else(|_| bind(0))
                .context("cannot find a free port for the handlers")?,
        };
        listener.set_nonblocking(true).context("cannot use the port of the handlers")?;
        self.endpoint_port = Some(listener.local_addr()?.port());
        Ok(listener)
    }
}

fn parse(text: &str) -> Option<Memory> {
    let value: Value = serde_json::from_str(text).ok()?;
    let endpoint_port = match &value["endpoint_port"] {
        Value::Null => None,
        port => Some(port.as_u64()?.try_into().ok()?),
    };
    let (round, processes) = (value["round"].as_u64()?, value["processes"].as_u64()?);
    Some(Memory { round, processes, endpoint_port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("demo.json");
        let mut memory = Memory::load(&path).expect("no file");
        assert_eq!(memory, Memory { round: 1, processes: 0, endpoint_port: None });
        memory.save(&path).expect("a write");
        assert_eq!(Memory::load(&path).expect("a file"), memory);

        let listener = memory.listen().expect("a free port");
        memory.save(&path).expect("a write");
        let mut again = Memory::load(&path).expect("a file");
        assert_eq!(again, memory);
        let error = again.listen().expect_err("the port is taken");
        assert!(format!("{error:#}").contains("choose another directory"), "{error:#}");
        drop(listener);
        again.listen().expect("the same port again");

        fs::write(&path, "{\"round\":1}").expect("a write");
        let error = Memory::load(&path).expect_err("damaged");
        assert!(format!("{error:#}").contains("demo.json is damaged"), "{error:#}");
    }
}
