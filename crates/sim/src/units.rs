//! Limits of scopes and limit keys: how many run at a time, as the durable records say.
//!
//! - Owns: the rules that were ever in force, units in use by level, [`Units::check`], and that
//!   nobody queues who would fit.
//! - Does not own: the counters of the engine, with which [`reveille_engine::check`] compares.
//! - Invariant: a step may use the rules in force at its time, and is durable later.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use reveille_engine::command::Millis;
use reveille_engine::keys::{self, tag};
use reveille_engine::level::Levels;
use reveille_engine::record::{InvocationRecord, Status};
use reveille_engine::rules::{Rule, Rules};
use reveille_engine::tx::{EngineError, View};

use crate::trace::{Checked, invariant, violation};
use crate::world::World;

/// Scopes of the workload.
pub const SCOPES: &[&str] = &["s", "s", "t", "u"];

/// Limit keys of the workload; the empty one is none.
pub const LIMIT_KEYS: &[&str] = &["", "a", "a/x", "a/y", "b", "c/x"];

/// Patterns of the workload.
const PATTERNS: &[&str] = &["*", "s", "*/*", "s/a", "s/*", "s/*/*", "t/a/x"];

/// Invocations of a crowd.
const CROWD: usize = 24;

/// Time in which those of a crowd that queued are let in.
const CROWD_MS: Millis = 100;

/// What is known of limits and usage.
pub struct Units {
    /// Every set of rules with the time from which it was in force.
    history: Vec<(Millis, Arc<Rules>)>,
    used: BTreeMap<Vec<String>, u32>,
    /// Levels that a batch has changed: usage before it, time of the earliest start.
    touched: BTreeMap<Vec<String>, (u32, Millis)>,
}

impl Default for Units {
    fn default() -> Units {
        // In the beginning there are no rules.
        let history = vec![(0, Arc::default())];
        Units { history, used: BTreeMap::new(), touched: BTreeMap::new() }
    }
}

impl Units {
    /// New rules are in force.
    pub fn on_rules(&mut self, now: Millis, rules: Arc<Rules>) {
        self.history.push((now, rules));
    }

    /// A record has changed.
    pub fn on_change(
        &mut self,
        before: Option<&InvocationRecord>,
        after: Option<&InvocationRecord>,
    ) {
        let held = before.is_some_and(holds);
        let holds = after.is_some_and(holds);
        let record = if holds { after } else { before };
        let Some(record) = record.filter(|_| held != holds) else { return };
        let Some(levels) = Levels::of(record) else { return };
        for level in levels.iter() {
            let used = self.used.entry(owned(level)).or_default();
            let touched = self.touched.entry(owned(level)).or_insert((*used, Millis::MAX));
            if holds {
                touched.1 = touched.1.min(record.modified_at);
                *used += 1;
            } else {
                *used = used.saturating_sub(1);
            }
        }
    }

    /// After a batch: nobody was let in beyond a limit.
    pub fn check(&mut self) -> Checked {
        for (level, (before, since)) in std::mem::take(&mut self.touched) {
            let used = self.used.get(&level).copied().unwrap_or(0);
            let names: Vec<&str> = level.iter().map(String::as_str).collect();
            let limit = self.limit_since(&names, since);
            if used > before && limit.is_some_and(|limit| used > limit) {
                let text = format!("{used} run in {level:?}, the limit is {limit:?}");
                return violation(invariant::LIMIT, text);
            }
        }
        Ok(())
    }

    /// The highest limit in force since a time; `None` without one.
    fn limit_since(&self, level: &[&str], since: Millis) -> Option<u32> {
        let first = self.history.iter().rposition(|(at, _)| *at < since).unwrap_or(0);
        let mut highest = 0;
        for (_, rules) in &self.history[first..] {
            highest = highest.max(rules.limit(level)?.concurrency);
        }
        Some(highest)
    }

    /// True when a level has no unit left under the rules of now.
    fn is_full(&self, level: &[&str]) -> bool {
        let limit = self.history.last().and_then(|(_, rules)| rules.limit(level));
        let used = self.used.get(&owned(level)).copied().unwrap_or(0);
        limit.is_some_and(|limit| used >= limit.concurrency)
    }
}

impl World {
    /// An operator replaces the rules; partitions hear of it a little later.
    pub fn change_rules(&mut self) {
        self.coverage.hit("rules changed");
        let mut rules = Rules::default();
        for pattern in PATTERNS {
            if self.rng.one_in(2) {
                let concurrency = self.rng.pick(&[None, Some(1), Some(1), Some(2), Some(3)]);
                let disabled = self.rng.one_in(5);
                let rule = Rule { concurrency, disabled, ..Rule::default() };
                rules.by_pattern.insert((*pattern).to_owned(), rule);
            }
        }
        self.set_rules(rules);
    }

    /// Puts rules in force.
    pub fn set_rules(&mut self, rules: Rules) {
        let rules = Arc::new(rules);
        Arc::make_mut(&mut self.schema).rules = Arc::clone(&rules);
        self.observer.units.on_rules(self.now, rules);
        let mutant = self.mutant;
        for at in self.everywhere() {
            if let Some((driver, _)) = self.driver(at) {
                driver.on_rules(mutant);
            }
            self.plan_turn(at);
        }
    }

    /// Many come at once to scopes that let in one at a time; then all limits go.
    pub fn crowd(&mut self) -> Checked {
        self.say(|| "a crowd comes".to_owned());
        let rule = Rule { concurrency: Some(1), ..Rule::default() };
        let by_pattern = BTreeMap::from([("*".to_owned(), rule)]);
        self.set_rules(Rules { version: 1, by_pattern });
        for _ in 0..CROWD {
            self.invoke();
        }
        self.run_until(self.now + 8)?;
        self.set_rules(Rules::default());
        self.run_until(self.now + CROWD_MS)
    }

    /// At rest, whoever queues is kept back by a full level.
    pub fn check_queues(&self) -> Checked {
        for (id, lives) in &self.observer.lives {
            let Some(life) = lives.last().filter(|life| life.is_open()) else { continue };
            let Some(levels) = Levels::of(&life.record) else { continue };
            let full = levels.iter().any(|level| self.observer.units.is_full(level));
            if life.record.status() == Status::Limited && !full {
                let text = format!("{id} queues for units that are free");
                return violation(invariant::NOT_LOST, text);
            }
        }
        Ok(())
    }
}

/// True when somebody queues for units.
pub fn has_queue(view: &dyn View) -> Result<bool, EngineError> {
    let (start, end) = keys::table(tag::LIMITED);
    Ok(!view.scan(&start, &end, 1)?.is_empty())
}

/// Where an `Admit` begins that looks at everybody.
pub fn beginning() -> Bytes {
    Bytes::new()
}

fn holds(record: &InvocationRecord) -> bool {
    matches!(record.status(), Status::Running | Status::BackingOff)
}

fn owned(level: &[&str]) -> Vec<String> {
    level.iter().map(|name| (*name).to_owned()).collect()
}
