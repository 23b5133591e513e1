//! The user's terminal: results, notes, questions, progress.
//!
//! - Owns: standard input, output and error of a command, and what is known about them.
//! - Invariant: without a terminal nothing is coloured, wrapped or asked. Text of others never gets
//!   through as control characters.

use std::{
    ffi::OsString,
    io::{self, BufRead, IsTerminal as _, Write},
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reveille_server::text::time;
use serde::Serialize;

use super::{Usage, table::Table};

/// Fewer steps than this need no progress bar.
const PROGRESS_STEPS_MIN: usize = 16;

/// The user's terminal, or what stands in for it.
pub struct Terminal {
    /// Results.
    pub out: Box<dyn Write>,
    /// Notes, questions and progress.
    pub err: Box<dyn Write>,
    /// Answers.
    pub input: Box<dyn BufRead>,
    /// Columns, when the results are shown on a terminal.
    pub width: Option<usize>,
    /// True to colour results.
    pub has_colour: bool,
    /// True when a person can be asked.
    pub is_interactive: bool,
    /// The time that ages are counted from.
    pub now_ms: u64,
    /// The user's editor, as a command line.
    pub editor: Option<OsString>,
}

impl Terminal {
    /// The terminal of this process.
    pub fn of_process() -> Terminal {
        let (out, err) = (io::stdout(), io::stderr());
        let is_shown = out.is_terminal();
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let size = console::Term::stdout().size_checked();
        let editor = ["VISUAL", "EDITOR"].into_iter().find_map(std::env::var_os);
        Terminal {
            width: size.filter(|_| is_shown).map(|(_, columns)| usize::from(columns)),
            has_colour: is_shown && !is_plain,
            is_interactive: io::stdin().is_terminal() && err.is_terminal(),
            now_ms: time::now(),
            editor: editor.filter(|editor| !editor.is_empty()),
            out: Box::new(out),
            err: Box::new(err),
            // Not its lock: a value may be read from standard input as well.
            input: Box::new(io::BufReader::new(io::stdin())),
        }
    }

    /// Prints one line of the result.
    pub fn line(&mut self, text: &str) -> anyhow::Result<()> {
        writeln!(self.out, "{}", printable(text)).context("cannot write to standard output")
    }

    /// Prints bytes of the result as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.out.write_all(bytes).context("cannot write to standard output")
    }

    /// Prints the result as one JSON document.
    pub fn json(&mut self, document: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(document).context("cannot print JSON")?;
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Prints a table.
    pub fn table(&mut self, table: Table) -> anyhow::Result<()> {
        let text = table.render(self.width, self.has_colour);
        writeln!(self.out, "{text}").context("cannot write to standard output")
    }

    /// Tells something that is not part of the result.
    pub fn note(&mut self, text: &str) {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(self.err, "{}", printable(text));
    }

    /// Shows a table that is not part of the result.
    pub fn note_table(&mut self, table: Table) {
        let text = table.render(self.width, self.has_colour);
        // As above.
        let _ = writeln!(self.err, "{text}");
    }

    /// Asks yes or no; `assume_yes` is the user's answer in advance. Without a person it refuses.
    pub fn confirm(&mut self, question: &str, assume_yes: bool) -> anyhow::Result<bool> {
        if assume_yes {
            return Ok(true);
        }
        if !self.is_interactive {
            let text =
                format!("{question} There is nobody to ask here: say --yes if that is meant");
            return Err(Usage(text).into());
        }
        write!(self.err, "{} [y/N] ", printable(question)).and_then(|()| self.err.flush())?;
        let mut answer = String::new();
        self.input.read_line(&mut answer).context("cannot read the answer")?;
        let is_yes = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
        if !is_yes {
            self.note("Nothing was changed.");
        }
        Ok(is_yes)
    }

    /// Makes a progress bar, which shows only on a terminal and when it is worth it.
    pub fn progress(&self, steps: usize) -> ProgressBar {
        let is_shown = self.is_interactive && steps >= PROGRESS_STEPS_MIN;
        let target =
            if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(u64::try_from(steps).ok(), target);
        // The template is constant; if it were wrong, the plain bar would do.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len}, {eta} to go") {
            bar.set_style(style);
        }
        bar
    }
}

/// Replaces control characters, which could steer the terminal; line ends and tabs stay.
pub fn printable(text: &str) -> String {
    let is_harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_invisible(c);
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that reorder text, and those that [`super::table`] marks colours with.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2061}'..='\u{2064}')
}
