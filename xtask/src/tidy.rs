//! `cargo xtask tidy`: the house rules that no lint can express, with the reason in each message.
//!
//! - Owns: the list of rules. The scanning of one source text is [`source`], what the documents
//!   claim is [`documents`], who may depend on whom is [`dependencies`], known excesses [`ratchet`].
//! - Invariant: limits only ever get stricter; the ratchet is lowered by `--tighten`, never raised.

mod dependencies;
mod documents;
mod ratchet;
mod source;
#[cfg(test)]
mod tests;

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// A file above this is on the ratchet or refused.
const FILE_LINES_SOFT_MAX: usize = 400;
/// A file above this is refused in any case.
const FILE_LINES_HARD_MAX: usize = 500;
/// A function above this, signature and braces included, is on the ratchet or refused.
const FUNCTION_LINES_MAX: usize = 70;

/// One text file of the repository, tracked or about to be.
struct TextFile {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

/// Runs every rule and prints all violations before failing.
pub fn run(arguments: &[String]) -> Result<()> {
    let tighten = match arguments {
        [] => false,
        [flag] if flag == "--tighten" => true,
        other => bail!("tidy takes only --tighten, not {other:?}"),
    };
    let files = text_files()?;
    let mut problems = Vec::new();
    let mut sizes = Vec::new();
    for file in &files {
        source::check_paths(&file.path, &file.text, &mut problems);
        if file.path.ends_with(".rs") {
            let code = source::blank_comments_and_strings(&file.text);
            source::check(&file.path, &file.text, &code, &mut problems);
            sizes.extend(source::oversized(&file.path, &file.text, &code, &mut problems));
        }
    }
    ratchet::check(&sizes, tighten, &mut problems)?;
    documents::check(&files, &mut problems);
    dependencies::check(&mut problems)?;
    for problem in &problems {
        println!("tidy: {problem}");
    }
    if !problems.is_empty() {
        bail!("{} violation(s) of the house rules", problems.len());
    }
    println!("tidy: {} files follow the house rules", files.len());
    Ok(())
}

/// Reads every file git tracks or would track; binary ones are left out.
fn text_files() -> Result<Vec<TextFile>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-co", "--exclude-standard", "-z"]).current_dir(workspace::root());
    let mut files = Vec::new();
    for path in workspace::output(git)?.split('\0').filter(|path| !path.is_empty()) {
        let absolute = workspace::root().join(path);
        // A tracked file that was deleted but not yet committed is still listed.
        if !absolute.is_file() {
            continue;
        }
        let bytes = fs::read(&absolute).with_context(|| format!("could not read {path}"))?;
        if bytes.contains(&0) {
            continue;
        }
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile { path: path.to_owned(), text });
        }
    }
    Ok(files)
}
