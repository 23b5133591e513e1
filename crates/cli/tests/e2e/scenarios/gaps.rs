//! Scenarios that an SDK has no means to tell, each with the reason.
//!
//! - Owns: the table. A scenario that is not in it runs with every SDK.
//! - Invariant: every row names a scenario that exists, and the run fails when one does not.

use crate::harness::{Scenario, Sdk};

/// SDK, the end of the scenario's path, and what the SDK lacks.
const GAPS: &[(Sdk, &str, &str)] = &[
    (
        Sdk::Python,
        "approval::rejected_by_a_handler_with_metadata",
        "`reject_awakeable` takes a message and a code",
    ),
    (Sdk::TypeScript, BY_REQUEST, ATTACHES_BY_ID),
    (Sdk::Python, BY_REQUEST, ATTACHES_BY_ID),
    (Sdk::Rust, BY_REQUEST, ATTACHES_BY_ID),
];

const BY_REQUEST: &str = "calls::attach_by_what_was_requested";
const ATTACHES_BY_ID: &str = "handlers attach by invocation id only";

/// Removes what `sdk` cannot tell.
pub fn without(sdk: Sdk, scenarios: Vec<Scenario>) -> Vec<Scenario> {
    for (_, name, _) in GAPS {
        let exists = scenarios.iter().any(|scenario| scenario.name.ends_with(name));
        assert!(exists, "there is no scenario {name}, so it is no gap");
    }
    let is_gap = |scenario: &Scenario| {
        GAPS.iter().any(|(of, name, _)| *of == sdk && scenario.name.ends_with(name))
    };
    scenarios.into_iter().filter(|scenario| !is_gap(scenario)).collect()
}
