//! Durable handlers in Rust: services, objects and workflows that wait without costing anything.
//!
//! So far only the replay machine, on which contexts and the endpoint will stand.

// Its users are still to come.
#[allow(dead_code, unused_imports)]
mod vm;
