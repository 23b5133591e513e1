//! The environment layer: `REVEILLE_` + upper-cased key path, `__` between levels, `_` for `-`.
//!
//! - Invariant: a variable with our prefix is either known or an error.

use anyhow::{Context as _, bail};

use super::{Settings, hint, table::KEYS};

/// What the name of every variable of ours begins with.
pub const PREFIX: &str = "REVEILLE_";

/// Names the settings file.
pub const FILE_VARIABLE: &str = "REVEILLE_CONFIG";

/// Variables of the commands that talk to a server. One environment may serve both.
pub const COMMAND_VARIABLES: [&str; 5] = [
    "REVEILLE_ADMIN_URL",
    "REVEILLE_ADMIN_TOKEN",
    "REVEILLE_CA_FILE",
    "REVEILLE_INGRESS_URL",
    "REVEILLE_INGRESS_TOKEN",
];

/// What names begin with in the configuration of the peer.
const PEER_PREFIX: &str = "RESTATE_";

/// Applies every `REVEILLE_*` variable.
pub fn apply(settings: &mut Settings, variables: &[(String, String)]) -> anyhow::Result<()> {
    for (name, text) in variables {
        let is_other = name == FILE_VARIABLE || COMMAND_VARIABLES.contains(&&**name);
        if !name.starts_with(PREFIX) || is_other {
            continue;
        }
        let Some(key) = KEYS.iter().find(|key| key.variable() == *name) else {
            let known: Vec<String> = names().collect();
            bail!(match hint::nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("unknown environment variable {name}: did you mean {near}?"),
                None => format!(
                    "unknown environment variable {name}: docs/configuration.md lists them all"
                ),
            });
        };
        (key.set)(settings, text).with_context(|| format!("{name}={}", key.shown(text)))?;
    }
    Ok(())
}

/// Finds variables of the peer that have a counterpart here, which is not set.
pub fn warnings(variables: &[(String, String)]) -> Vec<String> {
    let is_set = |name: &str| variables.iter().any(|(other, _)| other == name);
    let counterpart = |name: &str| {
        let ours = format!("{PREFIX}{}", name.strip_prefix(PEER_PREFIX)?);
        (names().any(|known| known == ours) && !is_set(&ours)).then_some(ours)
    };
    let pairs = variables.iter().filter_map(|(name, _)| Some((name, counterpart(name)?)));
    pairs.map(|(name, ours)| format!("{name} is not read: rename it to {ours}")).collect()
}

fn names() -> impl Iterator<Item = String> {
    KEYS.iter().map(|key| key.variable()).chain([FILE_VARIABLE.to_owned()])
}
