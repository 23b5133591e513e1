//! The file layer: TOML, checked key by key against the table.
//!
//! - Invariant: an error names the file and the line.

use anyhow::{Context as _, anyhow, bail};
use toml::de::{DeTable, DeValue};

use super::{
    Settings, hint,
    table::{self, KEYS},
};

/// Applies every key of a file. `name` is its path, for errors.
pub fn apply(settings: &mut Settings, name: &str, text: &str) -> anyhow::Result<()> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line(text, span.start));
        anyhow!("{name}:{line}: {}", error.message())
    })?;
    let file = File { name, text };
    file.table(settings, "", document.get_ref())
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn table(&self, settings: &mut Settings, path: &str, table: &DeTable) -> anyhow::Result<()> {
        for (key, value) in table {
            let path = match path {
                "" => key.get_ref().to_string(),
                section => format!("{section}.{}", key.get_ref()),
            };
            let at = format!("{}:{}", self.name, line(self.text, key.span().start));
            self.value(settings, &at, &path, value.get_ref())?;
        }
        Ok(())
    }

    fn value(
        &self,
        settings: &mut Settings,
        at: &str,
        path: &str,
        value: &DeValue,
    ) -> anyhow::Result<()> {
        let key = table::find(path);
        match (value, key) {
            (DeValue::Table(_) | DeValue::Array(_), Some(key)) => {
                bail!("{at}: {path} is a single value such as {:?}", key.default)
            }
            (DeValue::Table(table), None) if !table.is_empty() => self.table(settings, path, table),
            (_, Some(key)) => {
                let text = scalar(value);
                (key.set)(settings, &text)
                    .with_context(|| format!("{at}: {path} = {:?}", key.shown(&text)))
            }
            (_, None) => bail!("{at}: {}", unknown(path)),
        }
    }
}

/// Says what is wrong with a path that is not in the table.
fn unknown(path: &str) -> String {
    let section = format!("{path}.");
    if let Some(inside) = KEYS.iter().find(|key| key.path.starts_with(&section)) {
        return format!("{path} is a section with keys such as {}", inside.path);
    }
    match hint::nearest(path, KEYS.iter().map(|key| key.path)) {
        Some(near) => format!("unknown key {path}: did you mean {near}?"),
        None => format!("unknown key {path}: docs/configuration.md lists them all"),
    }
}

/// Returns a single value as text, as the other layers would write it.
fn scalar(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => String::new(),
    }
}

/// Returns the line of a byte offset, from 1.
fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
