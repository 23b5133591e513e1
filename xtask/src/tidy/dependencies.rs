//! Which way the arrows between crates go, and that the engine is pure.
//!
//! The picture in README.md and ARCHITECTURE.md is this table. Only normal dependencies count: tests may use
//! more.

use anyhow::{Context, Result};

use crate::workspace;

/// Crate and the crates of ours it may depend on.
const ARROWS: [(&str, &[&str]); 13] = [
    ("reveille-protocol", &[]),
    ("reveille-store", &[]),
    ("reveille-engine", &["reveille-protocol"]),
    ("reveille-endpoint", &["reveille-protocol"]),
    ("reveille-macros", &[]),
    (
        "reveille",
        &[
            "reveille-server",
            "reveille-engine",
            "reveille-store",
            "reveille-protocol",
            "reveille-macros",
        ],
    ),
    ("reveille-programs", &["reveille"]),
    ("reveille-query", &["reveille-engine", "reveille-store", "reveille-protocol"]),
    (
        "reveille-server",
        &["reveille-query", "reveille-engine", "reveille-store", "reveille-protocol"],
    ),
    ("reveille-cli", &["reveille-server", "reveille-store", "reveille-protocol", "reveille"]),
    (
        "reveille-sim",
        &["reveille-server", "reveille-engine", "reveille-store", "reveille-protocol"],
    ),
    ("reveille-contract", &["reveille-endpoint", "reveille-protocol"]),
    ("xtask", &["reveille", "reveille-contract", "reveille-endpoint", "reveille-protocol"]),
];

/// What the engine must never reach, even indirectly: runtimes, I/O, storage and randomness.
const IMPURE: [&str; 6] = ["tokio", "hyper", "lsm-tree", "rand", "getrandom", "mio"];

/// Checks the arrows and the purity of the engine.
pub fn check(problems: &mut Vec<String>) -> Result<()> {
    let metadata = workspace::metadata()?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    for package in packages {
        check_arrows(package, problems);
    }
    let tree = ["tree", "-p", "reveille-engine", "-e", "normal", "--prefix", "none"];
    let tree = workspace::output(workspace::cargo(&tree))?;
    for line in tree.lines() {
        let name = line.split(' ').next().unwrap_or_default();
        if IMPURE.contains(&name) {
            problems.push(format!("reveille-engine reaches {name}: the engine must stay pure"));
        }
    }
    Ok(())
}

/// Checks one package of `cargo metadata` against [`ARROWS`].
pub fn check_arrows(package: &serde_json::Value, problems: &mut Vec<String>) {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
        problems.push(format!("{name} has no row in the table of xtask/src/tidy/dependencies.rs"));
        return;
    };
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    for dependency in dependencies.filter(|dependency| dependency["kind"].is_null()) {
        let target = dependency["name"].as_str().unwrap_or_default();
        if target.starts_with("reveille") && !allowed.contains(&target) {
            problems.push(format!("{name} must not depend on {target}: arrows point down only"));
        }
    }
}
