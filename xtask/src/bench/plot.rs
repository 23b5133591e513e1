//! The picture: throughput and latency against concurrency, as SVG.
//!
//! One row per scenario, throughput on the left and latency on the right. The axes of latency and of
//! connections are logarithmic, so that one connection and a hundred can be read alike.
//! - Owns: the layout. Axes and their ticks are those of [`axis`].
//! - Invariant: whatever a server is called, the document stays well-formed ([`escape`]).

mod axis;

use std::fmt::Write as _;

use self::axis::Axis;
use super::{
    figures::{CALLS_PER_SECOND, Combined, Metric, P50, P99},
    report::Report,
    scenario::Scenario,
};

/// Of each panel, its axes and labels included.
const PANEL: (f64, f64) = (460.0, 260.0);
/// What labels take of it, on the left, on top and at the bottom; on the right there is a margin.
const LEFT: f64 = 70.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 46.0;
const RIGHT: f64 = 16.0;
/// Above all panels, for the legend.
const LEGEND: f64 = 40.0;
const LEGEND_ENTRY: f64 = 212.0;

/// Distinguishable without seeing red and green apart; one for each server.
const COLORS: [&str; 2] = ["#0072b2", "#d55e00"];
const DASHES: &str = "6 4";

/// A line in a panel.
struct Series {
    color: &'static str,
    is_dashed: bool,
    /// Connections and value.
    points: Vec<(f64, f64)>,
}

/// Where in the document a panel stands, and what it says.
struct Panel<'a> {
    corner: (f64, f64),
    title: &'a str,
    unit: &'a str,
    series: Vec<Series>,
}

/// Returns the picture of all scenarios of the table.
pub fn svg(report: &Report) -> String {
    let scenarios: Vec<Scenario> = Scenario::ALL
        .into_iter()
        .filter(|scenario| report.rows.iter().any(|row| row.scenario == scenario.name()))
        .collect();
    let (width, height) = (2.0 * PANEL.0, LEGEND + PANEL.1 * scenarios.len() as f64);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    legend(&mut out, &report.names);
    for (number, scenario) in scenarios.into_iter().enumerate() {
        let rows = report.rows.iter().filter(|row| row.scenario == scenario.name());
        let rows: Vec<&Combined> = rows.collect();
        let top = LEGEND + PANEL.1 * number as f64;
        let throughput = lines(report, &rows, &[(&CALLS_PER_SECOND, 1.0)]);
        let (left, right) = ((0.0, top), (PANEL.0, top));
        let title = format!("{}: throughput", scenario.name());
        panel(
            &mut out,
            &Panel { corner: left, title: &title, unit: "calls/s", series: throughput },
        );
        let latency = lines(report, &rows, &[(&P50, 1e-3), (&P99, 1e-3)]);
        let title = format!("{}: latency", scenario.name());
        panel(&mut out, &Panel { corner: right, title: &title, unit: "ms", series: latency });
    }
    out.push_str("</svg>\n");
    out
}

/// Returns a line for each server and metric, whose values are multiplied by its factor.
fn lines(report: &Report, rows: &[&Combined], metrics: &[(&Metric, f64)]) -> Vec<Series> {
    let mut series = Vec::new();
    for (server, color) in (0..report.names.len()).zip(COLORS) {
        for (number, (metric, factor)) in metrics.iter().enumerate() {
            let point =
                |row: &&Combined| Some((row.at as f64, row.cell(metric)?.median(server)? * factor));
            let mut points: Vec<_> = rows.iter().filter_map(point).collect();
            points.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
            series.push(Series { color, is_dashed: number > 0, points });
        }
    }
    series
}

fn legend(out: &mut String, names: &[String]) {
    let (middle, mut left) = (LEGEND / 2.0, LEFT);
    for (name, color) in names.iter().zip(COLORS) {
        for (what, dashes) in [("throughput, p50", "none"), ("p99", DASHES)] {
            let (end, text) = (left + 24.0, left + 30.0);
            let _ = writeln!(
                out,
                "<path d=\"M{left} {middle}H{end}\" stroke=\"{color}\" stroke-width=\"2\" \
                 stroke-dasharray=\"{dashes}\"/>\n<text x=\"{text}\" y=\"{}\">{}: {what}</text>",
                middle + 4.0,
                escape(name)
            );
            left += LEGEND_ENTRY;
        }
    }
}

fn panel(out: &mut String, panel: &Panel<'_>) {
    let (left, top) = (panel.corner.0 + LEFT, panel.corner.1 + TOP);
    let (right, bottom) = (panel.corner.0 + PANEL.0 - RIGHT, panel.corner.1 + PANEL.1 - BOTTOM);
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let across = Axis::at(points().map(|point| point.0));
    let values = points().map(|point| point.1);
    let up = if panel.unit == "ms" { Axis::logarithmic(values) } else { Axis::linear(values) };
    let x = |value: f64| left + (right - left) * across.share(value);
    let y = |value: f64| bottom - (bottom - top) * up.share(value);
    let mut text = |x: f64, y: f64, attributes: &str, text: &str| {
        let _ =
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{}</text>", escape(text));
    };
    text(left, top - 14.0, "font-weight=\"bold\"", panel.title);
    text((left + right) / 2.0, bottom + 34.0, "text-anchor=\"middle\"", "connections");
    let (unit_x, unit_y) = (panel.corner.0 + 16.0, (top + bottom) / 2.0);
    let turned = format!("text-anchor=\"middle\" transform=\"rotate(-90 {unit_x} {unit_y})\"");
    text(unit_x, unit_y, &turned, panel.unit);
    for &tick in &up.ticks {
        text(left - 6.0, y(tick) + 4.0, "text-anchor=\"end\"", &axis::label(tick));
    }
    for &tick in &across.ticks {
        text(x(tick), bottom + 16.0, "text-anchor=\"middle\"", &axis::label(tick));
    }
    for &tick in &up.ticks {
        let _ = writeln!(out, "<path d=\"M{left} {:.1}H{right}\" stroke=\"#dddddd\"/>", y(tick));
    }
    let _ = writeln!(
        out,
        "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#333333\"/>"
    );
    for Series { color, is_dashed, points } in &panel.series {
        let points: Vec<_> = points.iter().map(|point| (x(point.0), y(point.1))).collect();
        let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dashes = if *is_dashed { DASHES } else { "none" };
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>",
            path.join(" ")
        );
        for (x, y) in points {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
        }
    }
}

/// Writes text so that it is nothing but text in a document.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no way to write these.
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::figures::{Row, combine},
        *,
    };

    #[test]
    fn text_stays_text() {
        let rows = [
            ("plain", "plain"),
            ("a<b>&\"c'", "a&lt;b&gt;&amp;&quot;c&#39;"),
            ("&amp;", "&amp;amp;"),
            ("bell\u{7}", "bell\u{fffd}"),
            ("größer", "größer"),
        ];
        for (text, expected) in rows {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn a_picture_has_axes_units_legend_and_both_servers() {
        let row = |at, calls: f64| {
            Row::new("greet", at)
                .with(&CALLS_PER_SECOND, calls)
                .with(&P50, 1e6 / calls)
                .with(&P99, 4e6 / calls)
        };
        let runs = [vec![row(1, 1500.0), row(64, 9000.0)], vec![row(1, 300.0), row(64, 2000.0)]];
        let report = Report {
            floor: Duration::ZERO,
            names: vec!["new".to_owned(), "<old>".to_owned()],
            rounds: 1,
            rows: combine(&runs),
        };
        let svg = svg(&report);
        for text in ["greet: throughput", "greet: latency", "calls/s", "ms", "connections", "64"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text} is missing");
        }
        for text in ["new: throughput, p50", "new: p99", "&lt;old&gt;: p99"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text} is missing");
        }
        // Two servers: a line of throughput, of p50 and of p99 each, with two points.
        assert_eq!(svg.matches("<polyline").count(), 6);
        assert_eq!(svg.matches("<circle").count(), 12);
        assert_eq!(svg.matches("NaN").count() + svg.matches("inf").count(), 0);
    }
}
