//! The HTTP contract of the server as scripts: what each request is answered, in every state.
//!
//! A case of a script names the row it shows, sends requests and says what must come back. The same
//! scripts run in the tests against our server, and by hand against its peer (`cargo xtask compare`);
//! where both differ on purpose, the case holds both answers and the reason.
//!
//! ```text
//! case 2.5 unknown service                 starts a case: section, row
//! > POST /restate/call/nosuch/h            a request to the ingress; `> admin GET /x`, `> fixture GET /x`
//! ~ POST /query                            the same, repeated until the answer fits
//!   content-type: application/json         its header
//!   | {"a":1}                              a line of its body; with `|` alone the body is empty
//! < 404                                    the answer: its status, then what else must hold
//!   content-type: application/json         a header, to the letter; `…` stands for anything
//!   !x-restate-id                          a header that must not be there
//!   | whole body                           a line of the body, to the letter; `…` stands for anything
//!   empty                                  no body
//!   ingress the message                    an error of the ingress, with its headers and its shape
//!   invocation the message                 the failure of an invocation, likewise
//!   admin META0003 the message             an error of the admin API; `-` without a code, `…` with any
//!   text the message                       a plain text
//!   json /a/0/b = {"c":1}                  a member of the body; `…` within its strings
//!   json /a/b absent                       a member that must not be there
//!   let id = json /invocationId            keeps something for later lines, as {id}
//!   let id = header x-restate-id
//!   let wait = body
//! < peer 202                               what the peer answers instead
//!   why waits.md, part B                   and why ours differs
//! ```
//!
//! `{fresh}` is a word of its own in every run of a case, `{service}` the address of the deployment
//! that the cases call, `{fixture}` that of the [`fixture`], `{closed}` one that nobody listens at.
//! - Owns: the format, the runner, the deployment the cases call, the scripts.
//! - Does not own: starting servers (the end-to-end tests of crate `cli`, `xtask`).
//! - Invariant: a case depends on no other case.
//!
//! Start with [`run()`].

mod answer;
mod client;
pub mod fixture;
mod parse;
mod pattern;
mod run;
mod script;
mod setup;
#[cfg(test)]
mod tests;

pub use parse::parse;
pub use run::{Difference, Outcome, Report, Target, run};
pub use script::{Case, Listener, Script};

/// Every script there is, by file name.
pub const SCRIPTS: &[(&str, &str)] = &[
    ("routing", include_str!("../scripts/routing.txt")),
    ("calls", include_str!("../scripts/calls.txt")),
    ("inputs", include_str!("../scripts/inputs.txt")),
    ("idempotency", include_str!("../scripts/idempotency.txt")),
    ("workflows", include_str!("../scripts/workflows.txt")),
    ("results", include_str!("../scripts/results.txt")),
    ("awakeables", include_str!("../scripts/awakeables.txt")),
    ("discovery", include_str!("../scripts/discovery.txt")),
    ("deployments", include_str!("../scripts/deployments.txt")),
    ("kafka", include_str!("../scripts/kafka.txt")),
    ("admin", include_str!("../scripts/admin.txt")),
    ("life", include_str!("../scripts/life.txt")),
    ("retries", include_str!("../scripts/retries.txt")),
    ("retention", include_str!("../scripts/retention.txt")),
    ("state", include_str!("../scripts/state.txt")),
    ("scopes", include_str!("../scripts/scopes.txt")),
];

/// Parses every script; an error names file and line.
pub fn scripts() -> anyhow::Result<Vec<Script>> {
    SCRIPTS.iter().map(|(name, text)| parse(name, text)).collect()
}
