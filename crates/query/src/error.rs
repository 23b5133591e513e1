//! Why a query has no answer.

use reveille_engine::tx::EngineError;
use reveille_store::StoreError;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is no query of ours. Fix it; the message says where.
    #[error("{0}")]
    Invalid(String),
    /// It names a table, column or function that does not exist. `information_schema.columns` lists
    /// what does.
    #[error("{0}; see `information_schema.columns`")]
    Unknown(String),
    /// It would do something else than read.
    #[error("only queries are allowed, and this is not one: {0}")]
    NotAQuery(String),
    /// It took too long, or its answer is too large. Ask for less, or raise the limit named.
    #[error("{0}")]
    TooMuch(String),
    /// Its time is over.
    #[error("the time of the query is over")]
    Overdue,
    /// Whoever asked does not listen any more.
    #[error("the answer is not wanted any more")]
    Abandoned,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// SQLite failed in a way that is not the query's fault.
    #[error("the query failed: {0}")]
    Sqlite(rusqlite::Error),
}
