//! The stories, one module per topic; each is written once and told by every combination.
//!
//! Scenarios of one cluster run side by side, so each uses names and keys of its own.

mod approval;
mod calls;
mod cancel;
mod combinators;
mod completion;
mod flow;
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

use crate::harness::Scenario;

/// Every scenario.
pub fn all() -> Vec<Scenario> {
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
