//! What was measured, as data: rows of figures, and their medians over all rounds.
//!
//! - Owns: the metrics of the load ([`Metric`]), rows ([`Row`]) and what becomes of them when rounds
//!   and servers are put together ([`combine`]).
//! - Does not own: how they are shown ([`super::report`], [`super::plot`]).
//! - Invariant: figures of different servers meet in one row only if scenario, setting and metric are
//!   the same.

use super::statistics;

/// A kind of figure, in the unit that its key ends with.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// Its name in JSON, with the unit.
    pub key: &'static str,
    /// Its name in tables, with the unit there.
    pub header: &'static str,
    /// What is divided by to show it.
    pub scale: f64,
    pub decimals: usize,
    /// Whether the ratio between two servers is shown.
    pub is_compared: bool,
}

impl Metric {
    /// One whose ratio between servers is shown.
    pub const fn compared(key: &'static str, header: &'static str, decimals: usize) -> Self {
        Self { key, header, scale: 1.0, decimals, is_compared: true }
    }

    /// One that explains the others.
    pub const fn plain(key: &'static str, header: &'static str, decimals: usize) -> Self {
        Self { key, header, scale: 1.0, decimals, is_compared: false }
    }

    /// Shows it in units of 2^20.
    pub const fn in_mebi(self) -> Self {
        Self { scale: (1 << 20) as f64, ..self }
    }

    pub fn show(&self, value: Option<f64>) -> String {
        match value {
            Some(value) => format!("{:.*}", self.decimals, value / self.scale),
            None => "n/a".to_owned(),
        }
    }
}

pub static CALLS_PER_SECOND: Metric = Metric::compared("calls_per_second", "calls/s", 0);
pub static P50: Metric = Metric::compared("p50_us", "p50 us", 0);
pub static P99: Metric = Metric::compared("p99_us", "p99 us", 0);
pub static SERVER_CPU: Metric = Metric::compared("server_cpu_us_per_call", "server CPU us", 0);
pub static ENDPOINT_CPU: Metric = Metric::plain("endpoint_cpu_us_per_call", "endpoint us", 1);
pub static LOAD_CPU: Metric = Metric::plain("load_cpu_us_per_call", "load us", 1);
pub static RESIDENT: Metric = Metric::plain("resident_bytes", "RSS MiB", 1).in_mebi();
pub static WRITTEN: Metric = Metric::plain("written_bytes_per_call", "written B", 0);
pub static COMMITS: Metric = Metric::plain("commits_per_call", "commits", 2);
pub static FLUSHES: Metric = Metric::plain("flushes_per_call", "fdatasyncs", 2);

/// What one server did at one setting in one round.
#[derive(Clone, Debug)]
pub struct Row {
    pub scenario: &'static str,
    /// The setting: connections, or a number of invocations.
    pub at: u64,
    pub figures: Vec<(&'static Metric, f64)>,
}

impl Row {
    pub fn new(scenario: &'static str, at: u64) -> Self {
        Self { scenario, at, figures: Vec::new() }
    }

    pub fn with(mut self, metric: &'static Metric, value: f64) -> Self {
        self.figures.push((metric, value));
        self
    }

    /// Adds a figure if this server has it.
    pub fn with_optional(mut self, metric: &'static Metric, value: Option<f64>) -> Self {
        self.figures.extend(value.map(|value| (metric, value)));
        self
    }
}

/// What all servers did at one setting.
#[derive(Debug)]
pub struct Combined {
    pub scenario: &'static str,
    pub at: u64,
    pub cells: Vec<Cell>,
}

/// One metric at one setting.
#[derive(Debug)]
pub struct Cell {
    pub metric: &'static Metric,
    /// By server: the value of each round that has one.
    pub runs: Vec<Vec<f64>>,
}

impl Cell {
    /// Returns the median of the rounds of a server.
    pub fn median(&self, server: usize) -> Option<f64> {
        statistics::median(&self.runs[server])
    }

    /// Returns the first server's median in multiples of the second's.
    pub fn ratio(&self) -> Option<f64> {
        if self.runs.len() < 2 {
            return None;
        }
        statistics::ratio(self.median(0), self.median(1))
    }
}

impl Combined {
    /// Returns the cell of a metric that at least one server has.
    pub fn cell(&self, metric: &Metric) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.metric == metric)
    }
}

/// Puts the rows of all rounds together; the first index is the server. The order is that in which
/// settings and metrics were seen first.
pub fn combine(runs: &[Vec<Row>]) -> Vec<Combined> {
    let mut all: Vec<Combined> = Vec::new();
    for (server, rows) in runs.iter().enumerate() {
        for row in rows {
            let same =
                |combined: &Combined| (combined.scenario, combined.at) == (row.scenario, row.at);
            let at = all.iter().position(same).unwrap_or_else(|| {
                all.push(Combined { scenario: row.scenario, at: row.at, cells: Vec::new() });
                all.len() - 1
            });
            let cells = &mut all[at].cells;
            for &(metric, value) in &row.figures {
                let at = cells.iter().position(|cell| cell.metric == metric).unwrap_or_else(|| {
                    cells.push(Cell { metric, runs: vec![Vec::new(); runs.len()] });
                    cells.len() - 1
                });
                cells[at].runs[server].push(value);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_become_medians_and_servers_ratios() {
        let row = |calls, p50| {
            Row::new("greet", 16).with(&CALLS_PER_SECOND, calls).with_optional(&P50, p50)
        };
        let ours = vec![row(90.0, None), row(110.0, None), Row::new("greet", 64).with(&P50, 7.0)];
        let theirs = vec![row(50.0, Some(8.0)), row(50.0, Some(6.0))];
        let combined = combine(&[ours, theirs]);
        let shown: Vec<_> = combined
            .iter()
            .flat_map(|row| row.cells.iter().map(move |cell| (row, cell)))
            .map(|(row, cell)| {
                let median = |server| cell.metric.show(cell.median(server));
                let ratio = cell.ratio();
                (row.at, cell.metric.key, median(0), median(1), ratio)
            })
            .collect();
        let expected = [
            (16, "calls_per_second", "100".to_owned(), "50".to_owned(), Some(2.0)),
            (16, "p50_us", "n/a".to_owned(), "7".to_owned(), None),
            (64, "p50_us", "7".to_owned(), "n/a".to_owned(), None),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn one_server_has_no_ratio() {
        let combined = combine(&[vec![Row::new("greet", 1).with(&RESIDENT, (3 << 20) as f64)]]);
        let cell = combined[0].cell(&RESIDENT).expect("it was measured");
        assert_eq!((cell.metric.show(cell.median(0)).as_str(), cell.ratio()), ("3.0", None));
    }
}
