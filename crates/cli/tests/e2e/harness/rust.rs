//! The programs with the Rust SDK, built like any other crate but in a workspace of their own.

use std::{
    fs,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::sdk::root;

/// The folder of the package.
pub fn directory() -> PathBuf {
    root().join("tests/sdk/rust")
}

/// Builds the programs and returns the executable; when nothing changed that is a matter of
/// milliseconds. `cargo xtask test` has built it into the same place before.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(cache).expect("create the cache directory");
        let lock = File::create(cache.join("sdk-rust.lock")).expect("create a lock file");
        lock.lock().expect("lock the build");
        let target = cache.join("sdk-rust");
        let output = Command::new("cargo")
            .args(["build", "--quiet", "--locked", "--target-dir"])
            .arg(&target)
            .current_dir(directory())
            .output()
            .expect("run cargo");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the programs with the Rust SDK: {said}");
        target.join("debug/reveille-sdk-rust")
    })
}
