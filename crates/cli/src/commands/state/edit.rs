//! `reveille state edit`: the state as JSON in the user's editor.

use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::{Place, State, changed};
use crate::operator::{Exit, Session, Usage, payload};

/// Edits a copy in a file for the user alone; an empty or unchanged file changes nothing.
pub async fn run(session: &mut Session, place: &Place) -> anyhow::Result<Exit> {
    let Some(editor) = session.terminal.editor.clone() else {
        let text = "no editor: set VISUAL or EDITOR, or use `reveille state set`";
        return Err(Usage(text.to_owned()).into());
    };
    let mut state = State::read(session, place).await?;
    let before = state.to_json();
    let directory = tempfile::Builder::new().prefix("reveille-state-").tempdir();
    let directory = directory.context("cannot create a directory for the editor")?;
    let path = directory.path().join("state.json");
    let text = serde_json::to_string_pretty(&before)? + "\n";
    std::fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    open(&editor.to_string_lossy(), &path)?;
    let edited = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let after: Map<String, Value> = serde_json::from_slice(&edited).map_err(|error| {
        // The work is not to be lost with the directory.
        let kept = directory.keep().join("state.json");
        anyhow::anyhow!("{error}; nothing was changed, the text is in {}", kept.display())
    })?;
    if after == before {
        session.terminal.note("Nothing was changed.");
        return Ok(Exit::Nothing);
    }
    state.entries = merged(&state.entries, &before, &after)?;
    state.write(session, place).await?;
    changed(session, place, &format!("Replaced the state of {}", place.shown()))
}

/// The new entries; those that look as before keep their bytes.
fn merged(
    entries: &BTreeMap<String, Vec<u8>>,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Result<BTreeMap<String, Vec<u8>>, Usage> {
    let bytes = |(name, value): (&String, &Value)| {
        let kept = entries.get(name).filter(|_| before.get(name) == Some(value));
        let bytes = kept.map_or_else(|| payload::from_json(value), |kept| Ok(kept.clone()));
        bytes.map(|bytes| (name.clone(), bytes))
    };
    after.iter().map(bytes).collect()
}

/// Runs an editor, whose command line may have arguments.
fn open(editor: &str, path: &Path) -> anyhow::Result<()> {
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let status = Command::new(program).args(words).arg(path).status();
    let status = status.with_context(|| format!("cannot start the editor '{editor}'"))?;
    anyhow::ensure!(
        status.success(),
        "the editor '{editor}' ended with {status}: nothing was changed"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_edited_keeps_its_bytes() {
        let entries = BTreeMap::from([
            ("spaced".to_owned(), b"{ \"a\" : 1 }".to_vec()),
            ("edited".to_owned(), b"{ \"b\" : 1 }".to_vec()),
            ("removed".to_owned(), b"1".to_vec()),
        ]);
        let object = |value: Value| value.as_object().cloned().expect("an object");
        let before = object(json!({"spaced": {"a": 1}, "edited": {"b": 1}, "removed": 1}));
        let after = object(json!({"spaced": {"a": 1}, "edited": {"b": 2}, "new": {"$text": "x"}}));
        let expected = BTreeMap::from([
            ("spaced".to_owned(), b"{ \"a\" : 1 }".to_vec()),
            ("edited".to_owned(), b"{\"b\":2}".to_vec()),
            ("new".to_owned(), b"x".to_vec()),
        ]);
        assert_eq!(merged(&entries, &before, &after).expect("entries"), expected);
    }
}
