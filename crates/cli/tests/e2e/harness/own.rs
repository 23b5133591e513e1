//! The programs with our own SDK: a member of this workspace.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::sdk::root;

/// Builds the programs and returns the executable; when nothing changed that is a matter of
/// milliseconds. `cargo xtask test` has built it before.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let lock = File::create(cache.join("sdk-reveille.lock")).expect("create a lock file");
        lock.lock().expect("lock the build");
        let target = cache.parent().expect("a target directory");
        let output = Command::new("cargo")
            .args(["build", "--quiet", "--locked", "-p", "reveille-programs", "--target-dir"])
            .arg(target)
            .current_dir(root())
            .output()
            .expect("run cargo");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the programs with our own SDK: {said}");
        target.join("debug/reveille-programs")
    })
}
