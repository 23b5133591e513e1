//! SQL over what a store holds: invocations, journals, state, promises, waits.
//!
//! A query runs in an SQLite of its own, in memory, whose tables are views of one snapshot of the
//! store: rows are read when SQLite asks for them, and only in the key range that its conditions
//! leave. So a query sees one moment, costs what it reads, and hinders no partition.
//!
//! ```text
//! text -> lexer (dialect) -> SQLite -> vtab -> tables -> rows of the snapshot
//!                               |
//!                               '--> json, arrow (answers)
//! ```
//!
//! - Owns: tables and columns, the dialect, limits of a query, both forms of an answer.
//! - Does not own: what rows mean (crate `engine`), the route (crate `server`).
//! - Invariant: nothing can be written; no secret of an awakeable is in any column.
//!
//! Start with [`run()`]; the tables are listed in [`tables::ALL`].

mod arrow;
mod cell;
mod error;
mod functions;
mod json;
mod lexer;
mod memory;
mod moment;
mod run;
mod table;
pub mod tables;
mod text;
mod vtab;

#[cfg(test)]
mod tests;

pub use error::QueryError;
pub use memory::limit_memory;
pub use run::{Format, Limits, run};
pub use table::{Attempts, Catalog, DeploymentRow, ServiceRow, World};
