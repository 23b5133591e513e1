//! Settings: where every value comes from and what it may be.
//!
//! Layers, weakest first: defaults, the TOML file, `REVEILLE_*` environment variables, flags. Every
//! layer hands text to the same setter of the same table, so a value is checked in one way only.
//! - Owns: the key table ([`table::KEYS`]), the layers, the value formats, the hints.
//! - Does not own: what a setting does (crate `server`) or what its default is there.
//! - Invariant: a key that is not in the table is an error, never ignored.
//! - Start at [`load`], then [`table::KEYS`].

mod environment;
mod file;
mod flags;
mod hint;
mod table;
mod value;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Context as _;
use reveille_server::config::ServerConfig;

#[cfg(test)]
pub use environment::COMMAND_VARIABLES;
pub use flags::Flags;

/// Everything that can be set, after all layers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Settings of the server itself.
    pub server: ServerConfig,
    /// Directory of the embedded store; created when it does not exist.
    pub data_dir: PathBuf,
    /// Partitions of a store that is created; one that exists keeps its own number.
    pub partitions_new: Option<u16>,
    /// Which log lines are written, in the syntax of `tracing-subscriber`.
    pub log_filter: String,
    /// How log lines are written.
    pub log_format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            server: ServerConfig::default(),
            data_dir: PathBuf::from("./reveille-data"),
            partitions_new: None,
            log_filter: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

/// Settings with what the user should hear about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Sentences to log as warnings once logging works.
    pub warnings: Vec<String>,
}

/// Puts the layers on top of `defaults`. `variables` is the environment.
///
/// The error says where the bad value stands, what is wrong with it and what would be right.
pub fn load(
    defaults: Settings,
    flags: &Flags,
    variables: &[(String, String)],
) -> anyhow::Result<Loaded> {
    let mut settings = defaults;
    if let Some((origin, path)) = file_path(flags, variables) {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {path}, the settings file named by {origin}"))?;
        file::apply(&mut settings, &path, &text)?;
    }
    environment::apply(&mut settings, variables)?;
    flags.apply(&mut settings)?;
    Ok(Loaded { settings, warnings: environment::warnings(variables) })
}

/// Finds the settings file: the flag wins over the variable. There is no file by default, so that
/// the directory a server is started in never changes what it does.
fn file_path(flags: &Flags, variables: &[(String, String)]) -> Option<(&'static str, String)> {
    if let Some(path) = &flags.config_file {
        return Some(("--config-file", path.clone()));
    }
    let (_, path) = variables.iter().find(|(name, _)| name == environment::FILE_VARIABLE)?;
    Some((environment::FILE_VARIABLE, path.clone()))
}
