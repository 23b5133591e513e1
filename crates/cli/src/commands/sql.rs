//! `reveille sql`: a query of one's own over what the server knows.

use std::io::Read as _;

use anyhow::Context as _;

use crate::operator::{
    self, Connection, Exit, Terminal, Usage,
    rows::Rows,
    session::Format,
    table::{Cell, Table, shown},
};

/// Largest query that is read from standard input.
const QUERY_BYTES_MAX: u64 = 1 << 20;

/// Arguments of `sql`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The query; - or nothing reads it from standard input
    query: Option<String>,
    /// Print comma-separated values with a line of headings
    #[arg(long, conflicts_with_all = ["json", "quiet"])]
    csv: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the query. No rows are an answer like any other.
pub fn run(arguments: &Arguments, terminal: Terminal) -> anyhow::Result<Exit> {
    operator::run(&arguments.connection, terminal, async |session| {
        let given = arguments.query.clone().filter(|query| query != "-");
        let query = match given {
            Some(query) => query,
            None => {
                if session.terminal.is_interactive {
                    session.terminal.note("Type a query, then end it with Ctrl-D.");
                }
                let mut text = String::new();
                let read = (&mut session.terminal.input).take(QUERY_BYTES_MAX);
                std::io::BufReader::new(read)
                    .read_to_string(&mut text)
                    .context("cannot read the query")?;
                text
            }
        };
        if query.trim().is_empty() {
            return Err(
                Usage("the query is empty: try \"SELECT * FROM sys_invocation\"".into()).into()
            );
        }
        let rows = session.query(&query).await?;
        match session.format {
            _ if arguments.csv => session.terminal.bytes(csv(&rows).as_bytes())?,
            Format::Json => session.terminal.json(&rows.rows)?,
            Format::Ids => {
                for row in &rows.rows {
                    let first = row.0.first().map(|(_, value)| shown(value)).unwrap_or_default();
                    session.terminal.line(&first)?;
                }
            }
            Format::Text if rows.rows.is_empty() => session.terminal.note("No rows."),
            Format::Text => session.terminal.table(table(&rows))?,
        }
        Ok(Exit::Done)
    })
}

fn table(rows: &Rows) -> Table {
    let columns = rows.columns();
    let mut table = Table::named(&columns);
    for row in &rows.rows {
        table.cells(columns.iter().map(|column| Cell::from(row.get(column))).collect());
    }
    table
}

/// RFC 4180: fields with separators in quotes, quotes doubled, lines ended by CR LF.
fn csv(rows: &Rows) -> String {
    let columns = rows.columns();
    let line = |fields: Vec<String>| format!("{}\r\n", fields.join(","));
    let mut text = line(columns.iter().map(|column| csv_field(column)).collect());
    for row in &rows.rows {
        text += &line(columns.iter().map(|column| csv_field(&shown(row.get(column)))).collect());
    }
    text
}

fn csv_field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
