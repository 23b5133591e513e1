//! Values of columns, and what type a column has.

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, Value};

use crate::text;

/// Type of a column, which decides its form in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// 32 bits without sign.
    U32,
    /// 64 bits without sign.
    U64,
    /// True or false.
    Bool,
    /// A moment, in milliseconds.
    Time,
    /// A span, in milliseconds.
    Duration,
    /// Bytes.
    Binary,
    /// A list of texts.
    Texts,
    /// A list of numbers of 32 bits.
    Numbers,
}

impl Type {
    const ALL: [Type; 9] = [
        Type::Text,
        Type::U32,
        Type::U64,
        Type::Bool,
        Type::Time,
        Type::Duration,
        Type::Binary,
        Type::Texts,
        Type::Numbers,
    ];

    /// The name SQLite is told. It must not hold `INT`, `CHAR` and the like where SQLite should leave
    /// values alone.
    pub fn declared(self) -> &'static str {
        match self {
            Type::Text => "TEXT",
            Type::U32 => "INTEGER_U32",
            Type::U64 => "INTEGER_U64",
            Type::Bool => "BOOLEAN",
            Type::Time => "TIMESTAMP",
            Type::Duration => "DURATION",
            Type::Binary => "BLOB",
            Type::Texts => "LIST_TEXT",
            Type::Numbers => "LIST_U32",
        }
    }

    /// The type with this declared name.
    pub fn from_declared(name: &str) -> Option<Type> {
        Type::ALL.into_iter().find(|ty| ty.declared().eq_ignore_ascii_case(name))
    }

    /// The name in `information_schema.columns`, as Arrow calls it.
    pub fn arrow_name(self) -> &'static str {
        match self {
            Type::Text => "LargeUtf8",
            Type::U32 => "UInt32",
            Type::U64 => "UInt64",
            Type::Bool => "Boolean",
            Type::Time => "Timestamp(Millisecond, Some(\"+00:00\"))",
            Type::Duration => "Duration(Millisecond)",
            Type::Binary => "LargeBinary",
            Type::Texts => "List(LargeUtf8)",
            Type::Numbers => "List(UInt32)",
        }
    }
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// A number; above `i64::MAX` it wraps in SQLite and comes back whole.
    Number(u64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
    /// A moment, in milliseconds since 1970.
    Time(u64),
    /// A span, in milliseconds.
    Duration(u64),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of numbers.
    Numbers(Vec<u32>),
}

impl Cell {
    /// A text, or nothing.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    /// What a filled cell of an optional value is.
    pub fn some<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell) -> Cell {
        value.map_or(Cell::Null, cell)
    }

    /// The value for SQLite.
    pub fn into_sqlite(self) -> ToSqlOutput<'static> {
        ToSqlOutput::Owned(match self {
            Cell::Null => Value::Null,
            Cell::Number(number) => Value::Integer(number.cast_signed()),
            Cell::Bool(truth) => Value::Integer(i64::from(truth)),
            Cell::Text(text) => Value::Text(text),
            Cell::Binary(bytes) => Value::Blob(bytes.to_vec()),
            Cell::Time(at) => Value::Text(text::time(at)),
            Cell::Duration(span) => Value::Text(text::duration(span)),
            Cell::Texts(list) => Value::Text(serde_json::Value::from(list).to_string()),
            Cell::Numbers(list) => Value::Text(serde_json::Value::from(list).to_string()),
        })
    }
}
