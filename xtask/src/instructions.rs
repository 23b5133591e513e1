//! `cargo xtask instructions`: the hot rules must not take more instructions than they did.
//!
//! Instructions are counted by callgrind, because time on a shared machine tells nothing and counts
//! repeat: to the last one in the same surroundings, to a thousandth in others. The work is that of
//! `crates/engine/benches/instructions`, built as the release is.
//!
//! - Owns: `xtask/instructions.txt`, the figures, and how far from them a count may be.
//! - Does not own: the cases.
//! - Invariant: a figure is changed only by `--update`, so that the change is seen in review.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Whether counts here can be compared with the figures, which are those of one architecture and libc.
pub const IS_COUNTED: bool =
    cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

/// How far above its figure a count may be, in per cent. On a processor without AVX2 copying and
/// comparing takes other instructions, which moves the counts by up to 1.5 per cent.
const ABOVE_PERCENT_MAX: f64 = 5.0;
/// The same when compiler, valgrind or libc are not those of the figures.
const ABOVE_PERCENT_MAX_WITH_OTHER_TOOLS: f64 = 15.0;
/// From how far below its figure on a count is reported, so that the figure follows.
const BELOW_PERCENT_REPORTED: f64 = 10.0;

/// What callgrind collects in: see `main.rs` of the cases.
const COUNTED_FUNCTION: &str = "instructions::counted*";

const FIGURES_PATH: &str = "xtask/instructions.txt";
const FIGURES_HEADER: &str =
    "# Instructions per operation of the cases of crates/engine/benches/instructions, and with what
# they were counted. `cargo xtask instructions --update` counts them anew: see docs/performance.md.
";

/// The committed figures.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    /// Versions of what decides the counts besides our code.
    tools: String,
    /// By case.
    instructions: BTreeMap<String, u64>,
}

/// What a comparison with the figures found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    /// Each fails the step.
    problems: Vec<String>,
    /// Each is to be acted on some time.
    reports: Vec<String>,
}

/// Counts every case and compares it with its figure, or writes the figures with `--update`.
pub fn run(arguments: &[String]) -> Result<()> {
    let update = match arguments {
        [] => false,
        [flag] if flag == "--update" => true,
        other => bail!("instructions takes only --update, not {other:?}"),
    };
    if !IS_COUNTED {
        println!("instructions: not counted, the figures are for Linux on x86_64 with glibc");
        return Ok(());
    }
    let measured = Figures { tools: tools()?, instructions: count_all()? };
    let path = workspace::root().join(FIGURES_PATH);
    if update {
        fs::write(&path, print(&measured))
            .with_context(|| format!("could not write {FIGURES_PATH}"))?;
        println!("instructions: {FIGURES_PATH} has {} figures", measured.instructions.len());
        return Ok(());
    }
    let text =
        fs::read_to_string(&path).with_context(|| format!("could not read {FIGURES_PATH}"))?;
    let figures = parse(&text)?;
    println!("{:24} {:>10} {:>10} {:>8}", "instructions of", "counted", "figure", "change");
    for (case, count) in &measured.instructions {
        let figure = figures.instructions.get(case);
        let change = figure.map(|figure| format!("{:+.1} %", percent_above(*figure, *count)));
        let figure = figure.map(u64::to_string).unwrap_or_default();
        println!("{case:24} {count:>10} {figure:>10} {:>8}", change.unwrap_or_default());
    }
    let findings = compare(&figures, &measured);
    for finding in findings.reports.iter().chain(&findings.problems) {
        println!("instructions: {finding}");
    }
    if !findings.problems.is_empty() {
        bail!(
            "{} case(s) are not within their figures. `callgrind_annotate {}/CASE.out` shows what \
             takes the instructions, the same file of an earlier commit what took them before. \
             Save what is not worth its cost; if it is worth it, run `cargo xtask instructions \
             --update` and commit {FIGURES_PATH} together with the cause, with the reason in the \
             message",
            findings.problems.len(),
            profiles()?.display(),
        );
    }
    Ok(())
}

/// Where the profile of each case is left for a look.
fn profiles() -> Result<PathBuf> {
    Ok(workspace::target_directory()?.join("instructions"))
}

/// Builds the cases and counts them one after the other.
fn count_all() -> Result<BTreeMap<String, u64>> {
    let program = build()?;
    let profiles = profiles()?;
    fs::create_dir_all(&profiles)
        .with_context(|| format!("could not create {}", profiles.display()))?;
    let cases = workspace::output(Command::new(&program))?;
    let counts = cases.lines().map(|case| {
        let count = count(&program, case, &profiles.join(format!("{case}.out")));
        Ok((case.to_owned(), count.with_context(|| format!("case {case}"))?))
    });
    counts.collect()
}

/// Builds the cases and returns their program.
fn build() -> Result<PathBuf> {
    let messages = workspace::output(workspace::cargo(&[
        "bench",
        "--package=reveille-engine",
        "--bench=instructions",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]))?;
    for message in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(message)?;
        if let Some(program) = message["executable"].as_str() {
            return Ok(program.into());
        }
    }
    bail!("cargo built no program of the cases");
}

/// Counts one case; returns the instructions per operation.
fn count(program: &Path, case: &str, profile: &Path) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={COUNTED_FUNCTION}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .arg(case);
    let repetitions = workspace::output(command)?;
    let repetitions: u64 = repetitions.trim().parse().context("the case printed no number")?;
    let text = fs::read_to_string(profile)
        .with_context(|| format!("could not read {}", profile.display()))?;
    let total = total(&text).context("the profile has no total")?;
    if total == 0 || repetitions == 0 {
        bail!("nothing was counted: is there a function {COUNTED_FUNCTION}, with its name?");
    }
    Ok(total / repetitions)
}

/// Finds the total of a profile of callgrind.
fn total(profile: &str) -> Option<u64> {
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "))?;
    total.trim().parse().ok()
}

/// Returns the versions of what decides the counts besides our code.
fn tools() -> Result<String> {
    let version = |tool: &str, argument: &str| {
        let mut command = Command::new(tool);
        command.arg(argument).current_dir(workspace::root());
        workspace::output(command)
    };
    let rustc = version("rustc", "--version")?;
    // Without commit and date.
    let rustc: Vec<&str> = rustc.split(' ').take(2).collect();
    let valgrind = version("valgrind", "--version")?;
    let libc = version("getconf", "GNU_LIBC_VERSION")?;
    Ok([rustc.join(" ").as_str(), valgrind.trim(), libc.trim()].join(", "))
}

/// Reads the file of figures: a line `tools: VERSIONS`, then lines `CASE INSTRUCTIONS`.
fn parse(text: &str) -> Result<Figures> {
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let tools = lines.next().and_then(|line| line.strip_prefix("tools: "));
    let tools = tools.context("the figures begin with `tools: `")?.to_owned();
    let instructions = lines.map(|line| {
        let pair = line.split_once(' ').and_then(|(case, count)| Some((case, count.parse().ok()?)));
        let (case, count) = pair.with_context(|| format!("no case and figure: {line:?}"))?;
        Ok((case.to_owned(), count))
    });
    Ok(Figures { tools, instructions: instructions.collect::<Result<_>>()? })
}

/// The text that [`parse`] reads.
fn print(figures: &Figures) -> String {
    let lines = figures.instructions.iter().map(|(case, count)| format!("{case} {count}\n"));
    format!("{FIGURES_HEADER}tools: {}\n{}", figures.tools, lines.collect::<String>())
}

/// Compares counts with the figures.
fn compare(figures: &Figures, measured: &Figures) -> Findings {
    let mut findings = Findings::default();
    let mut above_percent_max = ABOVE_PERCENT_MAX;
    let same_tools = figures.tools == measured.tools;
    if !same_tools {
        above_percent_max = ABOVE_PERCENT_MAX_WITH_OTHER_TOOLS;
        findings.reports.push(format!(
            "the figures are those of {}, here is {}: {above_percent_max} % above them is let \
             through; whoever moves the project to these tools runs --update",
            figures.tools, measured.tools
        ));
    }
    for (case, count) in &measured.instructions {
        let Some(figure) = figures.instructions.get(case) else {
            findings.problems.push(format!("{case} has no figure"));
            continue;
        };
        let above = percent_above(*figure, *count);
        if above > above_percent_max {
            findings.problems.push(format!(
                "{case} takes {count} instructions, {above:.1} % more than its figure of {figure}; \
                 {above_percent_max} % are let through"
            ));
        } else if above < -BELOW_PERCENT_REPORTED && same_tools {
            findings.reports.push(format!(
                "{case} takes {count} instructions, {:.1} % less than its figure of {figure}: run \
                 --update, so that the gain is kept",
                -above
            ));
        }
    }
    let cases = figures.instructions.keys();
    for case in cases.filter(|case| !measured.instructions.contains_key(*case)) {
        findings.problems.push(format!("{case} has a figure, and there is no such case"));
    }
    findings
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn percent_above(figure: u64, count: u64) -> f64 {
    (count as f64 - figure as f64) * 100.0 / figure as f64
}
