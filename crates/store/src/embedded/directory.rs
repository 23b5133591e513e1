//! The directory of an embedded store: its lock and its `format` file.
//!
//! - Owns: `reveille.lock`, `format`, the names of the other files.
//! - Invariant: `format` says `ready` only after everything else was created; until then nothing was
//!   acknowledged, and a creation that was interrupted starts afresh.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{PARTITIONS_MAX, StoreError};

/// The directory of the log.
pub(super) const LOG: &str = "log";
/// The directory of the tables.
pub(super) const TABLES: &str = "tables";
/// The side file of the last acknowledged commit number.
pub(super) const ACKED: &str = "acked";

const LOCK: &str = "reveille.lock";
const FORMAT: &str = "format";
const FORMAT_NEW: &str = "format.new";
const MAGIC: &str = "reveille store";
/// Version 1 had its rows in another engine, with journals of its own.
const VERSION: u32 = 2;
/// A format file is five short lines; anything longer is not one.
const FORMAT_BYTES_MAX: u64 = 4096;

/// What the `format` file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) partition_count: u16,
    /// Whether the store was completely created before.
    pub(super) ready: bool,
}

/// The locked `reveille.lock` file. The lock ends with the file handle, also when a process dies.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a child that was forked just now, until that becomes
        // another program. If this fails, the close is what is left.
        let _closed_next = self.file.unlock();
    }
}

impl Lock {
    /// Creates the directory if need be and locks it for this process.
    pub(super) fn acquire(directory: &Path) -> Result<Lock, StoreError> {
        create_private(directory).map_err(failed("create", directory))?;
        let path = directory.join(LOCK);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                (&file).take(200).read_to_string(&mut owner).map_err(failed("read", &path))?;
                return Err(StoreError::Locked {
                    path: directory.to_owned(),
                    owner: describe_owner(&owner),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let text = format!("pid {}\nstarted {}\n", process::id(), seconds_since_1970());
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(text.as_bytes()))
            .map_err(failed("write", &path))?;
        Ok(Lock { file })
    }
}

/// Creates a directory that only its owner may enter: payloads and the key of awakeable secrets are
/// in it. One that exists is left as it is.
fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Reads the format of a directory, or starts to create a store with `partitions_new` partitions.
pub(super) fn prepare(directory: &Path, partitions_new: u16) -> Result<Format, StoreError> {
    let path = directory.join(FORMAT);
    let found = match File::open(&path) {
        Ok(file) => Some(read_format(&path, file)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("open", &path)(error)),
    };
    if let Some(format) = found.filter(|format| format.ready) {
        return Ok(format);
    }
    let mut existing = Vec::new();
    for content in [LOG, TABLES].map(|name| directory.join(name)) {
        if content.try_exists().map_err(failed("look for", &content))? {
            existing.push(content);
        }
    }
    if found.is_none() && !existing.is_empty() {
        let detail = "the file is missing, but the directory holds a store; put the file back from \
                      a backup, or choose another directory";
        return Err(StoreError::Corrupt { path, detail: detail.to_owned() });
    }
    let format = Format { partition_count: partitions_new, ready: false };
    write_format(directory, format)?;
    for content in existing {
        fs::remove_dir_all(&content).map_err(failed("remove", &content))?;
    }
    Ok(format)
}

/// Marks a store that was just created as ready.
pub(super) fn finish(directory: &Path, format: Format) -> Result<(), StoreError> {
    if format.ready {
        return Ok(());
    }
    write_format(directory, Format { ready: true, ..format })
}

/// Turns a failure of the operating system into the error for `path`.
pub(super) fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| {
        if is_full(&source) {
            return StoreError::Full;
        }
        StoreError::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }
}

/// Describes a file that is not what was written.
pub(super) fn damaged(path: &Path, what: &str) -> StoreError {
    let detail = format!(
        "it cannot be read ({what}); nothing was changed. Check the disk, then restore the directory \
         from a backup"
    );
    StoreError::Corrupt { path: path.to_owned(), detail }
}

/// Says whether an error means that the disk, or the user's share of it, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn describe_owner(text: &str) -> String {
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name).map(str::trim)).map(str::to_owned)
    };
    let started = field("started ").and_then(|started| started.parse::<u64>().ok());
    match (field("pid "), started) {
        (Some(pid), Some(started)) => {
            let age = seconds_since_1970().saturating_sub(started);
            format!("process {pid}, which opened it {age} s ago")
        }
        _ => "another process".to_owned(),
    }
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

fn write_format(directory: &Path, format: Format) -> Result<(), StoreError> {
    let state = if format.ready { "ready" } else { "creating" };
    let mut text =
        format!("{MAGIC}\nversion {VERSION}\npartitions {}\n{state}\n", format.partition_count);
    let checksum = crc32fast::hash(text.as_bytes());
    text += &format!("crc {checksum:08x}\n");
    let (path, path_new) = (directory.join(FORMAT), directory.join(FORMAT_NEW));
    File::create(&path_new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(failed("write", &path_new))?;
    fs::rename(&path_new, &path).map_err(failed("replace", &path))?;
    sync_directory(directory)
}

fn read_format(path: &Path, file: File) -> Result<Format, StoreError> {
    let mut bytes = Vec::new();
    file.take(FORMAT_BYTES_MAX).read_to_end(&mut bytes).map_err(failed("read", path))?;
    let damaged = |detail: &str| StoreError::Corrupt {
        path: PathBuf::from(path),
        detail: format!("{detail}; the rows may be fine: put the file back from a backup"),
    };
    let text = str::from_utf8(&bytes).map_err(|_| damaged("it is not text"))?;
    let body_length = text.rfind("crc ").ok_or_else(|| damaged("its checksum is missing"))?;
    let (body, checksum) = text.split_at(body_length);
    if checksum != format!("crc {:08x}\n", crc32fast::hash(body.as_bytes())) {
        return Err(damaged("its checksum is wrong"));
    }
    let lines: Vec<&str> = body.lines().collect();
    let [magic, version, rest @ ..] = lines.as_slice() else {
        return Err(damaged("lines are missing"));
    };
    if *magic != MAGIC || *version != format!("version {VERSION}") {
        return Err(StoreError::Version {
            path: path.to_owned(),
            found: format!("{magic}, {version}"),
            supported: format!("{MAGIC}, version {VERSION}"),
        });
    }
    let [partitions, state] = rest else {
        return Err(damaged("lines are missing"));
    };
    let partition_count = partitions
        .strip_prefix("partitions ")
        .and_then(|count| count.parse().ok())
        .filter(|count| (1..=PARTITIONS_MAX).contains(count))
        .ok_or_else(|| damaged("its number of partitions is wrong"))?;
    Ok(Format { partition_count, ready: *state == "ready" })
}

/// Makes the names in a directory durable.
#[cfg(unix)]
pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("sync", directory))
}

/// Other systems make a rename durable by themselves, and cannot sync a directory.
#[cfg(not(unix))]
pub(super) fn sync_directory(_directory: &Path) -> Result<(), StoreError> {
    Ok(())
}
