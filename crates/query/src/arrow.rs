//! Answers as a stream of Arrow IPC.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{
        BooleanBuilder, DurationMillisecondBuilder, Float64Builder, Int64Builder,
        LargeBinaryBuilder, LargeStringBuilder, ListBuilder, TimestampMillisecondBuilder,
        UInt32Builder, UInt64Builder,
    },
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use reveille_protocol::text::hex;
use rusqlite::{Rows, types::Value};

use crate::{
    cell::Type,
    error::QueryError,
    run::{Column, Sink},
    text,
};

/// Rows of one batch.
const ROWS_PER_BATCH: usize = 1024;
const UTC: &str = "+00:00";

/// How a column is written: as its table declares it, or as its first value suggests.
#[derive(Clone, Copy)]
enum Form {
    Declared(Type),
    Integer,
    Real,
}

/// Writes the schema, a batch for every [`ROWS_PER_BATCH`] rows, and the end mark.
pub(crate) fn write(
    mut rows: Rows<'_>,
    columns: &[Column],
    sink: &mut Sink<'_>,
) -> Result<(), QueryError> {
    let mut batch = next_batch(&mut rows, columns.len())?;
    let forms: Vec<Form> =
        columns.iter().enumerate().map(|(at, column)| form(column, at, &batch)).collect();
    let fields = columns.iter().zip(&forms);
    let fields: Vec<Field> =
        fields.map(|(column, form)| Field::new(&column.name, form.data_type(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).map_err(failed)?;
    while !batch.is_empty() {
        let arrays: Vec<ArrayRef> =
            forms.iter().enumerate().map(|(at, form)| form.array(at, &batch)).collect();
        let record = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(failed)?;
        writer.write(&record).map_err(failed)?;
        sink(std::mem::take(writer.get_mut()))?;
        batch = next_batch(&mut rows, columns.len())?;
    }
    writer.finish().map_err(failed)?;
    sink(std::mem::take(writer.get_mut()))
}

fn next_batch(rows: &mut Rows<'_>, width: usize) -> Result<Vec<Vec<Value>>, QueryError> {
    let mut batch = Vec::new();
    while batch.len() < ROWS_PER_BATCH {
        let Some(row) = rows.next().map_err(QueryError::Sqlite)? else { break };
        let values = (0..width).map(|at| row.get(at)).collect::<Result<_, _>>();
        batch.push(values.map_err(QueryError::Sqlite)?);
    }
    Ok(batch)
}

fn failed(error: ArrowError) -> QueryError {
    QueryError::Invalid(format!("the result cannot be written as Arrow: {error}"))
}

fn form(column: &Column, at: usize, batch: &[Vec<Value>]) -> Form {
    if let Some(ty) = column.ty {
        return Form::Declared(ty);
    }
    let first = batch.iter().map(|row| &row[at]).find(|value| **value != Value::Null);
    match first {
        Some(Value::Integer(_)) => Form::Integer,
        Some(Value::Real(_)) => Form::Real,
        Some(Value::Blob(_)) => Form::Declared(Type::Binary),
        Some(Value::Text(_) | Value::Null) | None => Form::Declared(Type::Text),
    }
}

impl Form {
    fn data_type(self) -> DataType {
        let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
        match self {
            Form::Integer => DataType::Int64,
            Form::Real => DataType::Float64,
            Form::Declared(ty) => match ty {
                Type::Text => DataType::LargeUtf8,
                Type::U32 => DataType::UInt32,
                Type::U64 => DataType::UInt64,
                Type::Bool => DataType::Boolean,
                Type::Time => DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())),
                Type::Duration => DataType::Duration(TimeUnit::Millisecond),
                Type::Binary => DataType::LargeBinary,
                Type::Texts => list(DataType::LargeUtf8),
                Type::Numbers => list(DataType::UInt32),
            },
        }
    }

    fn array(self, at: usize, batch: &[Vec<Value>]) -> ArrayRef {
        let values = batch.iter().map(|row| &row[at]);
        match self {
            Form::Integer => {
                let mut builder = Int64Builder::new();
                values.for_each(|value| builder.append_option(integer(value)));
                Arc::new(builder.finish())
            }
            Form::Real => {
                let mut builder = Float64Builder::new();
                values.for_each(|value| builder.append_option(real(value)));
                Arc::new(builder.finish())
            }
            Form::Declared(ty) => declared(ty, values),
        }
    }
}

fn declared<'a>(ty: Type, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    match ty {
        Type::Text => {
            let mut builder = LargeStringBuilder::new();
            values.for_each(|value| builder.append_option(string(value)));
            Arc::new(builder.finish())
        }
        Type::U32 => {
            let mut builder = UInt32Builder::new();
            let narrow = |value| integer(value).and_then(|number| u32::try_from(number).ok());
            values.for_each(|value| builder.append_option(narrow(value)));
            Arc::new(builder.finish())
        }
        Type::U64 => {
            let mut builder = UInt64Builder::new();
            values.for_each(|value| builder.append_option(integer(value).map(i64::cast_unsigned)));
            Arc::new(builder.finish())
        }
        Type::Bool => {
            let mut builder = BooleanBuilder::new();
            values.for_each(|value| builder.append_option(integer(value).map(|truth| truth != 0)));
            Arc::new(builder.finish())
        }
        Type::Time => {
            let mut builder = TimestampMillisecondBuilder::new();
            let moment = |value| string(value).and_then(|text| text::parse_time(&text));
            values.for_each(|value| builder.append_option(moment(value)));
            Arc::new(builder.finish().with_timezone(UTC))
        }
        Type::Duration => {
            let mut builder = DurationMillisecondBuilder::new();
            let span = |value| string(value).and_then(|text| text::parse_duration(&text));
            values.for_each(|value| builder.append_option(span(value)));
            Arc::new(builder.finish())
        }
        Type::Binary => {
            let mut builder = LargeBinaryBuilder::new();
            values.for_each(|value| builder.append_option(binary(value)));
            Arc::new(builder.finish())
        }
        Type::Texts => {
            let mut builder = ListBuilder::new(LargeStringBuilder::new());
            for value in values {
                let list = list::<String>(value);
                list.iter().flatten().for_each(|item| builder.values().append_value(item));
                builder.append(list.is_some());
            }
            Arc::new(builder.finish())
        }
        Type::Numbers => {
            let mut builder = ListBuilder::new(UInt32Builder::new());
            for value in values {
                let list = list::<u32>(value);
                list.iter().flatten().for_each(|item| builder.values().append_value(*item));
                builder.append(list.is_some());
            }
            Arc::new(builder.finish())
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Real(number) => Some(*number),
        #[allow(clippy::cast_precision_loss, reason = "a column of reals with whole numbers in it")]
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Blob(bytes) => Some(hex(bytes)),
    }
}

fn binary(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Blob(bytes) => Some(bytes.clone()),
        Value::Text(text) => Some(text.clone().into_bytes()),
        _ => None,
    }
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Option<Vec<T>> {
    match value {
        Value::Text(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}
