//! Running seeds: one with its trace, many with figures, and mutants until each is caught.

use std::time::Instant;

use crate::coverage::Coverage;
use crate::mutant::Mutant;
use crate::trace::{Checked, Violation};
use crate::world::{Event, World};

/// How long clients and faults stir, in milliseconds of virtual time.
const ACTIVE_MS: u64 = 8_000;

/// What became of one seed.
pub struct Run {
    /// The first violation, if any.
    pub violation: Option<Violation>,
    /// The trace, if it was wanted.
    pub lines: Vec<String>,
    /// What was reached.
    pub coverage: Coverage,
    /// Invocations that were created.
    pub invocations: usize,
    /// Events that happened.
    pub steps: u64,
}

/// Runs one seed.
pub fn run(seed: u64, mutant: Mutant, traced: bool) -> Run {
    let mut world = match World::new(seed, mutant, traced) {
        Ok(world) => world,
        Err(violation) => {
            return Run {
                violation: Some(violation),
                lines: Vec::new(),
                coverage: Coverage::default(),
                invocations: 0,
                steps: 0,
            };
        }
    };
    let violation = live(&mut world).err();
    for status in &world.observer.statuses {
        world.coverage.hit(crate::coverage::status(*status));
    }
    Run {
        violation,
        lines: world.trace.lines,
        coverage: world.coverage,
        invocations: world.observer.lives.values().map(Vec::len).sum(),
        steps: world.steps,
    }
}

fn live(world: &mut World) -> Checked {
    let actions = world.rng.between(40, 220);
    for _ in 0..actions {
        let at = world.rng.below(ACTIVE_MS);
        world.plan(at, Event::Client);
    }
    let first = world.rng.below(1000);
    world.plan(first, Event::Fault);
    world.run_until(world.now + ACTIVE_MS)?;
    world.finale()
}

/// Runs one seed and prints its whole trace.
pub fn trace(seed: u64) -> bool {
    let run = run(seed, Mutant::None, true);
    for line in &run.lines {
        println!("{line}");
    }
    match run.violation {
        Some(violation) => {
            println!("seed {seed} breaks \"{}\": {}", violation.invariant, violation.detail);
            false
        }
        None => {
            println!("seed {seed}: {} invocations, {} events", run.invocations, run.steps);
            true
        }
    }
}

/// Runs many seeds and prints figures; stops at the first violation.
pub fn seeds(from: u64, count: u64) -> bool {
    let began = Instant::now();
    let mut coverage = Coverage::default();
    let (mut invocations, mut steps) = (0, 0);
    for seed in from..from + count {
        let run = run(seed, Mutant::None, false);
        coverage.add(&run.coverage);
        invocations += run.invocations;
        steps += run.steps;
        if let Some(violation) = run.violation {
            report(seed, &violation);
            return false;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{count} seeds, {invocations} invocations, {steps} events in {seconds:.1} s \
         ({:.0} seeds/s)",
        f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds
    );
    let shown: Vec<String> =
        coverage.hits.iter().map(|(what, count)| format!("{what} {count}")).collect();
    println!("coverage: {}", shown.join(", "));
    let holes = coverage.holes();
    if count >= SEEDS_FOR_COVERAGE && !holes.is_empty() {
        println!("never reached: {}", holes.join(", "));
        return false;
    }
    true
}

/// Seeds after which everything must have been reached.
pub const SEEDS_FOR_COVERAGE: u64 = 500;

fn report(seed: u64, violation: &Violation) {
    let again = run(seed, Mutant::None, true);
    let first = again.lines.len().saturating_sub(60);
    for line in &again.lines[first..] {
        println!("{line}");
    }
    println!("seed {seed} breaks \"{}\": {}", violation.invariant, violation.detail);
    println!("the whole trace: cargo sim -- {seed}");
}

/// The first seed that catches a mutant, with what it broke.
pub fn catch(mutant: Mutant, seeds_max: u64) -> Option<(u64, Violation)> {
    (1..=seeds_max).find_map(|seed| run(seed, mutant, false).violation.map(|found| (seed, found)))
}

/// Shows that every mutant is caught.
pub fn mutants(seeds_max: u64) -> bool {
    let mut all = true;
    for mutant in Mutant::ALL {
        match catch(*mutant, seeds_max) {
            Some((seed, found)) => {
                let detail: String = found.detail.chars().take(100).collect();
                println!("{mutant:?}: caught by seed {seed}, \"{}\": {detail}", found.invariant);
            }
            None => {
                println!("{mutant:?}: survived {seeds_max} seeds");
                all = false;
            }
        }
    }
    all
}
