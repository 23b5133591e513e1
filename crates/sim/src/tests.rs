//! A handful of seeds, the regression seeds, and every mutant with a bounded number of seeds.

use crate::mutant::Mutant;
use crate::runner;

/// Seeds that found something once, one per line with the reason behind it.
const REGRESSIONS: &str = include_str!("../seeds.txt");

#[test]
fn seeds_hold_every_invariant() {
    let found = REGRESSIONS.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    for seed in found.chain(1..=40) {
        let run = runner::run(seed, Mutant::None, false);
        assert!(run.violation.is_none(), "seed {seed}: {:?}", run.violation);
    }
}

#[test]
fn a_seed_is_a_history() {
    for seed in [3, 4] {
        let (first, second) =
            (runner::run(seed, Mutant::None, true), runner::run(seed, Mutant::None, true));
        assert!(first.lines.len() > 500);
        assert_eq!(first.lines, second.lines);
    }
}

#[test]
fn every_mutant_is_caught() {
    for mutant in Mutant::ALL {
        assert!(runner::catch(*mutant, 400).is_some(), "{mutant:?} survives 400 seeds");
    }
}
