//! The flag layer: the few settings that are worth a flag. The others live in file and environment.

use anyhow::Context as _;

use super::{Settings, table};

/// Settings as flags. Values are checked by the table of settings, not here.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// TOML file with settings [env: REVEILLE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<String>,
    /// Directory of the embedded store
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Where callers connect [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub ingress_address: Option<String>,
    /// Where operators connect [default: 127.0.0.1:9070]
    #[arg(long, value_name = "ADDRESS")]
    pub admin_address: Option<String>,
    /// Partitions of a new store [default: half of the cores]
    #[arg(long, value_name = "COUNT")]
    pub partitions: Option<String>,
    /// Which log lines are written, such as warn,reveille_server=debug
    #[arg(long, value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// How log lines are written: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

impl Flags {
    /// Applies the flags that were given.
    pub fn apply(&self, settings: &mut Settings) -> anyhow::Result<()> {
        let rows = [
            ("--data-dir", "base-dir", &self.data_dir),
            ("--ingress-address", "ingress.bind-address", &self.ingress_address),
            ("--admin-address", "admin.bind-address", &self.admin_address),
            ("--partitions", "default-num-partitions", &self.partitions),
            ("--log-filter", "log-filter", &self.log_filter),
            ("--log-format", "log-format", &self.log_format),
        ];
        for (flag, path, text) in rows {
            let Some(text) = text else { continue };
            let key = table::find(path).with_context(|| format!("{flag} has no setting"))?;
            (key.set)(settings, text).with_context(|| format!("{flag} {text}"))?;
        }
        Ok(())
    }
}
