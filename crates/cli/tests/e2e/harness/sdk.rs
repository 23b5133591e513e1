//! The SDKs whose programs are served: one set of programs in several languages.
//!
//! - Owns: what is started for each SDK, and which of its files have to be there for that.
//! - Does not own: what the programs cannot do in one of the languages; see `scenarios/gaps.rs`.
//! - Invariant: preparing is idempotent and guarded by a file lock, since several test processes
//!   may arrive at once.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{
    node::{example_directory, node},
    own, python, rust,
};

/// An SDK, with the programs written with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// `examples/typescript`.
    TypeScript,
    /// `tests/sdk/python`.
    Python,
    /// `tests/sdk/rust`.
    Rust,
    /// Our own: `tests/sdk/reveille`.
    Reveille,
}

/// What has to be started to serve the programs.
pub struct Program {
    pub executable: PathBuf,
    pub arguments: &'static [&'static str],
    pub directory: PathBuf,
}

impl Sdk {
    /// Prepares the programs if that has not been done, and says how to start them. Blocks.
    pub fn program(self) -> Program {
        match self {
            Self::TypeScript => Program {
                executable: node().to_owned(),
                arguments: &["src/app.ts"],
                directory: example_directory(),
            },
            Self::Python => Program {
                executable: python::python().to_owned(),
                arguments: &["app.py"],
                directory: python::directory(),
            },
            Self::Rust => Program {
                executable: rust::program().to_owned(),
                arguments: &[],
                directory: rust::directory(),
            },
            Self::Reveille => Program {
                executable: own::program().to_owned(),
                arguments: &[],
                directory: root().to_owned(),
            },
        }
    }

    /// The message of the failure that a cancelled handler sees; each SDK has its own.
    pub fn cancelled(self) -> &'static str {
        match self {
            Self::TypeScript | Self::Reveille => "Cancelled",
            Self::Python | Self::Rust => "cancelled",
        }
    }

    /// The status of a handler that completes a promise of a workflow again: it fails, unless the
    /// SDK does not look at the result.
    pub fn second_completion(self) -> u16 {
        match self {
            Self::TypeScript | Self::Python | Self::Reveille => 409,
            Self::Rust => 200,
        }
    }

    /// What the deployments of this SDK call themselves.
    pub fn announces(self) -> &'static str {
        match self {
            Self::TypeScript => "restate-sdk-typescript/1.17.2",
            Self::Python => "restate-sdk-python/1.3.0",
            Self::Rust => "restate-sdk-rust/0.13.0",
            Self::Reveille => concat!("reveille-sdk-rust/", env!("CARGO_PKG_VERSION")),
        }
    }
}

impl fmt::Display for Sdk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
