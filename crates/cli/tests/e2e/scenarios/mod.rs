//! The stories, one module per topic; each is written once and told by every combination.
//!
//! Scenarios of one cluster run side by side, so each uses names and keys of its own.

mod approval;
mod calls;
mod cancel;
mod combinators;
mod completion;
mod flow;
mod gaps;
mod ingress;
mod listing;
mod mailbox;
mod malformed;
mod object;
mod operator;
mod receipts;
mod secrets;
mod steps;
mod suspension;
mod workflow;
mod workflow_end;

use crate::harness::{Scenario, Sdk};

/// Every scenario that the programs of an SDK can tell.
pub fn of(sdk: Sdk) -> Vec<Scenario> {
    gaps::without(sdk, all())
}

/// Every scenario.
fn all() -> Vec<Scenario> {
    [
        approval::all(),
        calls::all(),
        cancel::all(),
        combinators::all(),
        completion::all(),
        flow::all(),
        ingress::all(),
        listing::all(),
        mailbox::all(),
        malformed::all(),
        object::all(),
        operator::all(),
        receipts::all(),
        secrets::all(),
        steps::all(),
        suspension::all(),
        workflow::all(),
        workflow_end::all(),
    ]
    .concat()
}
