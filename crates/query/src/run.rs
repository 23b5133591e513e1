//! One query, from its text to its answer.
//!
//! - Owns: the connection, what it may do, how long it may take.
//! - Invariant: whatever the text says, nothing but the tables is read, and nothing is written.

use std::{
    cell::Cell as Counter,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, Error, ErrorCode, Statement,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
};

use crate::{
    arrow, cell::Type, error::QueryError, functions, json, lexer, memory, moment, table::World,
    vtab,
};

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `{"rows":[{column: value, …}, …]}`; columns without a value are left out.
    Json,
    /// A stream of Arrow IPC.
    Arrow,
}

/// Bounds of one query.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may take.
    pub time: Duration,
    /// How large its answer may be, in bytes.
    pub answer_bytes: usize,
}

/// Operations of SQLite between two looks at the clock.
const STEPS_PER_CHECK: i32 = 1000;

/// Longest text, blob and row that SQLite makes, in bytes: the largest payload, in hexadecimal digits.
const VALUE_BYTES_MAX: i32 = 64 << 20;

/// Longest query, in bytes.
const QUERY_BYTES_MAX: i32 = 1 << 20;

/// A column of the result.
pub(crate) struct Column {
    pub name: String,
    /// Known when it is a column of a table, or a condition.
    pub ty: Option<Type>,
}

/// Takes the pieces of an answer, in order.
pub(crate) type Sink<'a> = dyn FnMut(Vec<u8>) -> Result<(), QueryError> + 'a;

/// Runs a query and hands the pieces of its answer to `sink`. Blocks.
///
/// Fails before the first piece when the text is at fault; later only when a limit is reached or the
/// store cannot be read.
pub fn run(
    world: &World,
    text: &str,
    format: Format,
    limits: Limits,
    mut sink: impl FnMut(Vec<u8>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let translated = lexer::translate(text)?;
    let deadline = Instant::now() + limits.time;
    let world = World { deadline: Some(deadline), ..world.clone() };
    let connection = connect(&world, deadline).map_err(|error| explain(error, limits.time))?;
    let explain = |error| explain(error, limits.time);
    let mut statement = connection.prepare(&translated.text).map_err(explain)?;
    if statement.column_count() == 0 {
        return Err(QueryError::NotAQuery("it has no result".to_owned()));
    }
    let columns = columns(&statement, &translated.conditions);
    let sent = Counter::new(0_usize);
    let mut bounded = |piece: Vec<u8>| {
        sent.set(sent.get() + piece.len());
        if sent.get() > limits.answer_bytes {
            return Err(QueryError::TooMuch(format!(
                "the answer is larger than {} bytes (`admin.query.answer-size-limit`); ask for fewer \
                 rows or columns",
                limits.answer_bytes
            )));
        }
        sink(piece)
    };
    let rows = statement.query([]).map_err(explain)?;
    let done = match format {
        Format::Json => json::write(rows, &columns, &mut bounded),
        Format::Arrow => arrow::write(rows, &columns, &mut bounded),
    };
    done.map_err(|error| match error {
        QueryError::Sqlite(error) => explain(error),
        QueryError::Overdue => overdue(limits.time),
        other => other,
    })
}

fn connect(world: &World, deadline: Instant) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    // What is sorted stays in memory, within the bound of `memory`: files would hold payloads outside
    // of the data directory, and could fill a disk. `LIKE` minds the case, as users expect of it.
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA case_sensitive_like = ON;")?;
    // A name in double quotes that is no column is a mistake, not a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, QUERY_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    moment::register(&connection)?;
    vtab::register(&connection, world)?;
    functions::register(&connection, world.now_ms)?;
    connection.authorizer(Some(authorize))?;
    connection.progress_handler(STEPS_PER_CHECK, Some(move || Instant::now() > deadline))?;
    Ok(connection)
}

/// Allows reading, and nothing else.
fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        AuthAction::Function { function_name } if function_name != "load_extension" => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

fn columns(
    statement: &Statement<'_>,
    conditions: &std::collections::BTreeSet<String>,
) -> Vec<Column> {
    let columns = statement.columns();
    let typed = columns.into_iter().map(|column| {
        let declared = column.decl_type().and_then(Type::from_declared);
        let is_condition = conditions.contains(&column.name().to_ascii_lowercase());
        let ty = declared.or(is_condition.then_some(Type::Bool));
        Column { name: column.name().to_owned(), ty }
    });
    typed.collect()
}

/// Turns an error of SQLite into what its reader can do about it.
fn explain(error: Error, time: Duration) -> QueryError {
    let Error::SqliteFailure(failure, message) = &error else {
        return match error {
            Error::SqlInputError { msg, .. } => unknown_or_invalid(msg),
            error => QueryError::Invalid(error.to_string()),
        };
    };
    let text = message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::OperationInterrupted => overdue(time),
        ErrorCode::AuthorizationForStatementDenied => QueryError::NotAQuery(text),
        ErrorCode::TooBig => QueryError::TooMuch(format!(
            "a value or a row would be larger than {VALUE_BYTES_MAX} bytes, which is the most that a \
             query makes; leave out `raw`, `value` and the like"
        )),
        ErrorCode::OutOfMemory => QueryError::TooMuch(format!(
            "the queries that run now need more than {} bytes of memory together \
             (`admin.query.memory-limit`); sort or group fewer rows and columns",
            memory::limit()
        )),
        ErrorCode::SystemIoFailure => QueryError::Sqlite(error),
        _ => unknown_or_invalid(text),
    }
}

fn overdue(time: Duration) -> QueryError {
    QueryError::TooMuch(format!(
        "the query took longer than {} s (`admin.query.timeout`), the time that its client needs to \
         read the answer included; narrow it, by `id` for example",
        time.as_secs_f64()
    ))
}

/// SQLite tells by its text alone that a name is unknown.
fn unknown_or_invalid(text: String) -> QueryError {
    let is_unknown = ["no such table", "no such column", "no such function"]
        .iter()
        .any(|start| text.starts_with(start));
    match is_unknown {
        true => QueryError::Unknown(text),
        false => QueryError::Invalid(text),
    }
}
