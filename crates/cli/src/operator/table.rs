//! Tables for people: columns without borders, fitted to the terminal, statuses in colour.
//!
//! The library under it measures characters. Colours are marked in the cells by invisible operators
//! (U+2061 to U+2064, of width 0) and become escape sequences once the layout is done; its own way of
//! colouring would bring a terminal library along.
//! - Invariant: text of others is harmless ([`super::terminal::printable`]), so marks are only ours.

use comfy_table::{ColumnConstraint, ContentArrangement, Table as Layout, Width, presets};
use serde_json::Value;

use super::terminal::printable;

/// Narrowest terminal that is fitted to.
const WIDTH_MIN: usize = 40;

/// Widest column with text when the terminal is narrow.
const TEXT_WIDTH_MAX: u16 = 60;

/// What a text in colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Needs attention.
    Red,
    /// Well.
    Green,
    /// Waits for something.
    Yellow,
}

const END: char = '\u{2064}';

const MARKS: [(Colour, char, &str); 3] = [
    (Colour::Red, '\u{2061}', "\u{1b}[31m"),
    (Colour::Green, '\u{2062}', "\u{1b}[32m"),
    (Colour::Yellow, '\u{2063}', "\u{1b}[33m"),
];

/// One cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    colour: Option<Colour>,
    rest: String,
}

impl Cell {
    /// The status of an invocation, in its colour.
    pub fn status(status: &str) -> Cell {
        let colour = match status {
            "backing-off" | "paused" | "failed" => Some(Colour::Red),
            "running" | "ready" | "succeeded" | "added" => Some(Colour::Green),
            "suspended" | "pending" | "scheduled" => Some(Colour::Yellow),
            _ => None,
        };
        Cell { text: printable(status), colour, rest: String::new() }
    }

    /// Adds text without colour.
    pub fn followed_by(self, text: &str) -> Cell {
        Cell { rest: self.rest + &printable(text), ..self }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell { text: printable(text), ..Cell::default() }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::from(&*text)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Cell {
        Cell { text: number.to_string(), ..Cell::default() }
    }
}

impl From<&Value> for Cell {
    fn from(value: &Value) -> Cell {
        Cell::from(shown(value))
    }
}

/// A JSON value as text: strings without quotes, null as nothing.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A table under construction.
pub struct Table {
    layout: Layout,
    /// Columns that are never wrapped: ids, which people copy.
    whole: Vec<usize>,
    columns: usize,
}

impl Table {
    /// A table with these headings. Columns whose heading is in capital letters are never wrapped.
    pub fn new(headings: &[&str]) -> Table {
        let mut layout = Layout::new();
        layout.load_style(presets::NOTHING);
        layout.set_header(headings.iter().map(|heading| heading.to_uppercase()));
        let is_whole = |heading: &str| heading.chars().all(|c| !c.is_lowercase());
        let whole = (0..headings.len()).filter(|at| is_whole(headings[*at])).collect();
        Table { layout, whole, columns: headings.len() }
    }

    /// A table whose headings stay as they are, and whose columns may all be wrapped.
    pub fn named(names: &[&str]) -> Table {
        let mut layout = Layout::new();
        layout.load_style(presets::NOTHING);
        layout.set_header(names.iter().map(|name| printable(name)));
        Table { layout, whole: Vec::new(), columns: names.len() }
    }

    /// Names and values, one per line.
    pub fn fields() -> Table {
        let mut layout = Layout::new();
        layout.load_style(presets::NOTHING);
        Table { layout, whole: vec![0], columns: 2 }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.cells(cells.into());
    }

    /// Adds a row of any length.
    pub fn cells(&mut self, cells: Vec<Cell>) {
        self.layout.add_row(cells.into_iter().map(marked));
    }

    /// Adds a name with its value, unless that is empty.
    pub fn field(&mut self, name: &str, value: impl Into<Cell>) {
        let value = value.into();
        if !value.text.is_empty() {
            self.row([name.into(), value]);
        }
    }

    /// Lays it out, within `width` columns if there is one.
    pub fn render(mut self, width: Option<usize>, has_colour: bool) -> String {
        if let Some(width) = width {
            let width = u16::try_from(width.max(WIDTH_MIN)).unwrap_or(u16::MAX);
            self.layout.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        for at in 0..self.columns {
            let Some(column) = self.layout.column_mut(at) else { continue };
            column.set_padding((0, if at + 1 == self.columns { 0 } else { 2 }));
            if width.is_some() && self.whole.contains(&at) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            } else if width.is_some() && at + 1 < self.columns {
                let most = Width::Fixed(TEXT_WIDTH_MAX);
                column.set_constraint(ColumnConstraint::UpperBoundary(most));
            }
        }
        let laid_out = self.layout.to_string();
        let lines = laid_out.lines().map(|line| unmark(line, has_colour));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn marked(cell: Cell) -> String {
    let mark = cell.colour.and_then(|colour| MARKS.iter().find(|(other, ..)| *other == colour));
    match mark {
        Some((_, mark, _)) => format!("{mark}{}{END}{}", cell.text, cell.rest),
        None => cell.text + &cell.rest,
    }
}

fn unmark(line: &str, has_colour: bool) -> String {
    let mut text = line.trim_end().to_owned();
    for (_, mark, escape) in MARKS {
        text = text.replace(mark, if has_colour { escape } else { "" });
    }
    text.replace(END, if has_colour { "\u{1b}[0m" } else { "" })
}
