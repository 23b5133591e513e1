//! What is printed, and the same as JSON.
//!
//! Owns the layout. With two servers a cell shows both medians and, where that means something, the
//! ratio between them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    figures::{Cell, Combined, Metric},
    micros,
    scenario::Scenario,
};

/// Everything that was measured.
pub struct Report {
    /// Of the disk alone: p50 of a 4 KiB append and fdatasync.
    pub floor: Duration,
    pub names: Vec<String>,
    pub rounds: usize,
    pub rows: Vec<Combined>,
}

impl Report {
    /// Returns the tables.
    pub fn text(&self) -> String {
        let mut text =
            format!("floor: 4 KiB append + fdatasync p50 {:.0} us\n", micros(self.floor));
        let names = self.names.join(" / ");
        let runs =
            if self.rounds == 1 { String::new() } else { format!(", medians of {}", self.rounds) };
        text += &format!("{names}{runs}; CPU, bytes written and flushes are per call\n");
        let is_load = |row: &&Combined| Scenario::named(row.scenario).is_some();
        let (loads, trials): (Vec<_>, Vec<_>) = self.rows.iter().partition(is_load);
        if !loads.is_empty() {
            text += &aligned(&self.table(&loads));
        }
        if !trials.is_empty() {
            text += if loads.is_empty() { "" } else { "\n" };
            text += &aligned(&self.list(&trials));
        }
        text
    }

    /// One line per figure, for rows whose metrics differ.
    fn list(&self, rows: &[&Combined]) -> Vec<Vec<String>> {
        let mut head = vec!["trial".to_owned(), "count".to_owned(), "figure".to_owned()];
        head.push(self.names.join(" / "));
        head.extend((self.names.len() > 1).then(|| "ratio".to_owned()));
        let mut list = vec![head];
        for row in rows {
            for cell in &row.cells {
                let metric = cell.metric;
                let mut line = vec![row.scenario.to_owned(), row.at.to_string()];
                line.extend([metric.header.to_owned(), self.medians(metric, Some(cell))]);
                line.extend(self.has_ratio(metric).then(|| ratio(Some(cell))));
                list.push(line);
            }
        }
        list
    }

    /// One line per setting, one column per metric.
    fn table(&self, rows: &[&Combined]) -> Vec<Vec<String>> {
        let mut metrics: Vec<&Metric> = Vec::new();
        for cell in rows.iter().flat_map(|row| &row.cells) {
            if !metrics.contains(&cell.metric) {
                metrics.push(cell.metric);
            }
        }
        let mut head = vec!["scenario".to_owned(), "conns".to_owned()];
        for metric in &metrics {
            head.push(metric.header.to_owned());
            head.extend(self.has_ratio(metric).then(|| "ratio".to_owned()));
        }
        let mut table = vec![head];
        for row in rows {
            let mut line = vec![row.scenario.to_owned(), row.at.to_string()];
            for metric in &metrics {
                let cell = row.cell(metric);
                line.push(self.medians(metric, cell));
                line.extend(self.has_ratio(metric).then(|| ratio(cell)));
            }
            table.push(line);
        }
        table
    }

    fn has_ratio(&self, metric: &Metric) -> bool {
        self.names.len() > 1 && metric.is_compared
    }

    fn medians(&self, metric: &Metric, cell: Option<&Cell>) -> String {
        let median = |server| metric.show(cell.and_then(|cell| cell.median(server)));
        (0..self.names.len()).map(median).collect::<Vec<_>>().join(" / ")
    }

    /// Returns the medians, the values of all rounds and the ratios.
    pub fn json(&self) -> Value {
        json!({
            "fdatasync_p50_us": micros(self.floor),
            "servers": self.names,
            "rounds": self.rounds,
            "rows": self.rows.iter().map(|row| self.row_json(row)).collect::<Vec<_>>(),
        })
    }

    fn row_json(&self, row: &Combined) -> Value {
        let figures: Map<String, Value> = row
            .cells
            .iter()
            .map(|cell| {
                let medians: Vec<_> =
                    (0..self.names.len()).map(|server| cell.median(server)).collect();
                let mut figure = json!({ "medians": medians, "runs": cell.runs });
                if self.has_ratio(cell.metric) {
                    figure["ratio"] = json!(cell.ratio());
                }
                (cell.metric.key.to_owned(), figure)
            })
            .collect();
        json!({ "scenario": row.scenario, "at": row.at, "figures": figures })
    }
}

fn ratio(cell: Option<&Cell>) -> String {
    cell.and_then(Cell::ratio).map_or("n/a".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Pads the columns; the first one is text and stands on the left.
fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |at: usize| table.iter().filter_map(|line| line.get(at)).map(|cell| cell.len()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or_default()).collect();
    let mut text = String::new();
    for line in table {
        let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::figures::{CALLS_PER_SECOND, RESIDENT, Row, combine},
        *,
    };

    fn report(runs: &[Vec<Row>]) -> Report {
        let names = ["ours", "theirs"].iter().take(runs.len()).map(|name| (*name).to_owned());
        let floor = Duration::from_micros(120);
        Report { floor, names: names.collect(), rounds: 1, rows: combine(runs) }
    }

    fn row(calls: f64) -> Row {
        Row::new("greet", 16).with(&CALLS_PER_SECOND, calls).with(&RESIDENT, (2 << 20) as f64)
    }

    #[test]
    fn two_servers_stand_beside_each_other() {
        let text = report(&[vec![row(100.0)], vec![row(40.0)]]).text();
        let table: Vec<&str> = text.lines().skip(2).collect();
        let expected = [
            "scenario  conns   calls/s  ratio    RSS MiB",
            "greet        16  100 / 40   2.50  2.0 / 2.0",
        ];
        assert_eq!(table, expected);
    }

    #[test]
    fn one_server_stands_alone() {
        let text = report(&[vec![row(100.0)]]).text();
        let table: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            table,
            ["scenario  conns  calls/s  RSS MiB", "greet        16      100      2.0"]
        );
    }

    #[test]
    fn trials_have_a_line_for_each_figure() {
        let row = |calls| Row { scenario: "idle", ..row(calls) };
        let text = report(&[vec![row(100.0)], vec![row(40.0)]]).text();
        let list: Vec<&str> = text.lines().skip(2).collect();
        let expected = [
            "trial  count   figure  ours / theirs  ratio",
            "idle      16  calls/s       100 / 40   2.50",
            "idle      16  RSS MiB      2.0 / 2.0",
        ];
        assert_eq!(list, expected);
    }

    #[test]
    fn json_has_medians_runs_and_ratios() {
        let json = report(&[vec![row(100.0), row(300.0)], vec![row(50.0)]]).json();
        let figure = &json["rows"][0]["figures"]["calls_per_second"];
        let expected =
            json!({ "medians": [200.0, 50.0], "runs": [[100.0, 300.0], [50.0]], "ratio": 4.0 });
        assert_eq!(figure, &expected);
        assert!(json["rows"][0]["figures"]["resident_bytes"].get("ratio").is_none());
    }
}
