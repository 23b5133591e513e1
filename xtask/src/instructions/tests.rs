//! When counts fail, and when they are only reported.

use super::{Figures, Findings, compare, parse, print, total};

const TOOLS: &str = "rustc 1.0.0, valgrind-3.0.0, glibc 2.0";

fn figures(tools: &str, instructions: &[(&str, u64)]) -> Figures {
    let instructions = instructions.iter().map(|(case, count)| ((*case).to_owned(), *count));
    Figures { tools: tools.to_owned(), instructions: instructions.collect() }
}

#[test]
fn counts_are_compared_with_their_figures() {
    let committed = figures(TOOLS, &[("a", 1000)]);
    for (tools, count, problems, reports) in [
        (TOOLS, 1000, vec![], vec![]),
        (TOOLS, 1050, vec![], vec![]),
        (
            TOOLS,
            1051,
            vec![
                "a takes 1051 instructions, 5.1 % more than its figure of 1000; 5 % are let through",
            ],
            vec![],
        ),
        (TOOLS, 900, vec![], vec![]),
        (
            TOOLS,
            899,
            vec![],
            vec![
                "a takes 899 instructions, 10.1 % less than its figure of 1000: run --update, so \
                 that the gain is kept",
            ],
        ),
    ] {
        let findings = compare(&committed, &figures(tools, &[("a", count)]));
        assert_eq!(findings.problems, problems, "{count}");
        assert_eq!(findings.reports, reports, "{count}");
    }
}

#[test]
fn other_tools_have_a_wider_margin_and_say_so() {
    let committed = figures(TOOLS, &[("a", 1000)]);
    for (count, problems) in [(800, 0), (1150, 0), (1151, 1)] {
        let findings = compare(&committed, &figures("rustc 1.1.0", &[("a", count)]));
        assert_eq!(findings.problems.len(), problems, "{count}: {findings:?}");
        assert_eq!(findings.reports.len(), 1, "{count}: {findings:?}");
        assert!(findings.reports[0].contains("here is rustc 1.1.0: 15 % above"), "{findings:?}");
    }
}

#[test]
fn every_case_has_a_figure_and_every_figure_a_case() {
    let findings = compare(&figures(TOOLS, &[("old", 1)]), &figures(TOOLS, &[("new", 1)]));
    let problems = ["new has no figure", "old has a figure, and there is no such case"];
    assert_eq!(
        findings,
        Findings { problems: problems.map(str::to_owned).into(), reports: vec![] }
    );
}

#[test]
fn the_file_of_figures_round_trips() {
    let some = figures(TOOLS, &[("a", 1), ("b-c", 23_456)]);
    assert_eq!(parse(&print(&some)).expect("it was printed"), some);
    for broken in ["", "a 1", "tools: x\na", "tools: x\na b"] {
        assert!(parse(broken).is_err(), "{broken:?}");
    }
}

#[test]
fn the_total_of_a_profile_is_found() {
    for (profile, expected) in [
        ("version: 1\nevents: Ir\nsummary: 12\n\nfn=(1) main\n1 12\n\ntotals: 12\n", Some(12)),
        ("version: 1\n", None),
    ] {
        assert_eq!(total(profile), expected);
    }
}
