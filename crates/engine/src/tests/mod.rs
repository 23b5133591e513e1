//! Engine tests: scripts against expected effects.
//!
//! [`check`] runs a script (`script.rs`) and compares one line of effects per line of the script.
//! After every step the rows are checked ([`crate::check`]); at the end everything is killed, purged
//! and found gone. `UPDATE_EXPECT=1 cargo test` rewrites expectations: read the difference.
//! - Owns: the language and the scripts, one file per subject.
//! - Start with `lifecycle.rs`.

mod frame;
mod model;
mod schema;
mod script;
mod show;
mod world;
mod writes;

mod awakeables;
mod codec;
mod commands;
mod deployments;
mod events;
mod fencing;
mod joins;
mod lifecycle;
mod limits;
mod locks;
mod matrix;
mod memory;
mod operators;
mod parking;
mod partitions;
mod pausing;
mod promises;
mod random;
mod replay;
mod restarts;
mod retention;
mod retries;
mod rows;
mod runs;
mod scopes;
mod signals;
mod state;
mod state_edits;
mod subscriptions;
mod suspension;
mod traces;
mod units;
mod waits;

pub(crate) use frame::tree;

use expect_test::Expect;

use world::World;

/// Runs a script. Its effects are shown line by line, `-` where there are none.
pub fn check(text: &str, expected: Expect) {
    check_after("", text, expected);
}

/// Runs a script after another one whose effects are not shown.
pub fn check_after(before: &str, text: &str, expected: Expect) {
    let mut world = World::new();
    for line in before.lines() {
        run_line(&mut world, line);
    }
    let mut lines = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let effects = run_line(&mut world, line);
        lines += &if effects.is_empty() { "-".to_owned() } else { effects.join(" ") };
        lines.push('\n');
    }
    expected.assert_eq(&lines);
    world.forget_everything();
}

fn run_line(world: &mut World, line: &str) -> Vec<String> {
    for statement in line.split(';').map(str::trim) {
        script::statement(world, statement);
    }
    std::mem::take(&mut world.output)
}
