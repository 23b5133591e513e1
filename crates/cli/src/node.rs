//! A running server with its embedded store: what `serve` and `demo` share.
//!
//! - Owns: the order of starting (settings, logs, store, runtime, server) and the texts that say what
//!   to do when a step fails.
//! - Does not own: serving (crate `server`), storing (crate `store`).

use std::{error::Error, io, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, anyhow};
use reveille_server::server::Server;
use reveille_store::{
    Store, StoreError,
    embedded::{EmbeddedOptions, EmbeddedStore},
};
use tokio::runtime::Runtime;

use crate::{
    config::{self, Flags, Settings},
    logging,
};

/// A server that runs in this process.
pub struct Node {
    server: Server,
}

impl Node {
    /// Starts the server. Must be called inside a tokio multi-thread runtime.
    pub async fn start(settings: &Settings, store: Arc<dyn Store>) -> anyhow::Result<Node> {
        let started = Server::start(settings.server.clone(), store).await;
        let server = started.map_err(|error| advise_start(&error))?;
        Ok(Node { server })
    }

    /// Returns where callers connect, with the real port.
    pub fn ingress_address(&self) -> SocketAddr {
        self.server.ingress_address
    }

    /// Returns where operators connect, with the real port.
    pub fn admin_address(&self) -> SocketAddr {
        self.server.admin_address
    }

    /// Returns where callers and where operators connect, as URLs without a slash at the end.
    pub fn urls(&self) -> (String, String) {
        let (ingress, admin) = self.server.schemes;
        let (ingress_address, admin_address) = (self.ingress_address(), self.admin_address());
        (format!("{ingress}://{ingress_address}"), format!("{admin}://{admin_address}"))
    }

    /// Waits until only a restart can help, and returns why.
    pub async fn failed(&mut self) -> String {
        self.server.failed().await
    }

    /// Stops gracefully: open requests end, everything is durable.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// Reads settings from all layers and starts logging.
pub fn prepare(defaults: Settings, flags: &Flags) -> anyhow::Result<Settings> {
    // Variables that are not text cannot be settings of ours: names of keys are ASCII, and a value
    // that is not UTF-8 shows up as one that its setter refuses.
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    let variables: Vec<_> =
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let loaded = config::load(defaults, flags, &variables)?;
    logging::start(&loaded.settings)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.settings)
}

/// Opens the store in the data directory, creating both when there is none.
pub fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let partitions_new = settings.partitions_new.unwrap_or_else(partitions_auto);
    let options = EmbeddedOptions { partitions_new, ..EmbeddedOptions::default() };
    match EmbeddedStore::open(&settings.data_dir, options) {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(advise(error)),
    }
}

/// One partition keeps one core busy; the other half of the cores serve connections.
fn partitions_auto() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores / 2).unwrap_or(u16::MAX).clamp(1, 64)
}

/// Builds the runtime. Nothing blocks its workers.
pub fn runtime() -> anyhow::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers(cores))
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// One worker per core. On two cores one is better: partition and committer have the other core, and two
/// workers with little to do wake each other in turn (measured: `docs/performance.md`).
fn workers(cores: usize) -> usize {
    if cores <= 2 { 1 } else { cores }
}

/// Adds to a failed `open` what the user can do about it. Errors about damage say it themselves.
fn advise(error: StoreError) -> anyhow::Error {
    let advice = match &error {
        StoreError::Locked { .. } => "stop that one first, or choose another --data-dir",
        StoreError::Version { .. } => {
            "use the version of reveille that wrote it, or choose another --data-dir"
        }
        StoreError::Io { .. } => "check that it exists, is writable and has space",
        _ => return anyhow!("cannot open the data directory: {error}"),
    };
    anyhow!("{error}; {advice}")
}

/// Adds to a failed start what the user can do about it.
fn advise_start(error: &(dyn Error + 'static)) -> anyhow::Error {
    let mut text = format!("cannot start the server: {error}");
    let mut is_taken = false;
    let mut cause = Some(error);
    while let Some(current) = cause {
        // Some errors show their cause themselves.
        let shown = current.to_string();
        if !text.contains(&shown) {
            text = format!("{text}: {shown}");
        }
        let io = current.downcast_ref::<io::Error>();
        is_taken |= io.is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        cause = current.source();
    }
    if is_taken {
        text += "; stop what listens there, or choose --ingress-address and --admin-address";
    }
    anyhow!(text)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn store_errors_say_what_to_do() {
        let path = PathBuf::from("data");
        let locked = StoreError::Locked { path: path.clone(), owner: "process 7".to_owned() };
        let version = StoreError::Version {
            path: path.clone(),
            found: "2".to_owned(),
            supported: "1".to_owned(),
        };
        let detail = "restore it from a backup".to_owned();
        let corrupt = StoreError::Corrupt { path: path.clone(), detail };
        let source = Arc::new(std::io::Error::other("no space left"));
        let io = StoreError::Io { action: "open", path, source };
        for (error, expected) in [
            (
                locked,
                "data is in use by process 7; stop that one first, or choose another --data-dir",
            ),
            (
                version,
                "data has format 2, this program supports format 1; use the version of reveille \
                 that wrote it, or choose another --data-dir",
            ),
            (corrupt, "cannot open the data directory: data is damaged: restore it from a backup"),
            (
                io,
                "cannot open data: no space left; check that it exists, is writable and has space",
            ),
        ] {
            assert_eq!(format!("{:#}", advise(error)), expected);
        }
    }

    #[test]
    fn a_failed_start_tells_the_cause_once_and_what_to_do() {
        #[derive(Debug)]
        struct StartError(&'static str, io::Error);
        impl std::fmt::Display for StartError {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.0)
            }
        }
        impl Error for StartError {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.1)
            }
        }
        let taken = || io::Error::from(io::ErrorKind::AddrInUse);
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let advice = "; stop what listens there, or choose --ingress-address and --admin-address";
        for (error, expected) in [
            (StartError("no port", taken()), format!("no port: address in use{advice}")),
            (StartError("address in use", taken()), format!("address in use{advice}")),
            (StartError("no port", denied), "no port: permission denied".to_owned()),
        ] {
            let expected = format!("cannot start the server: {expected}");
            assert_eq!(format!("{:#}", advise_start(&error)), expected);
        }
    }
}
