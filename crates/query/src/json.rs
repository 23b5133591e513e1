//! Answers as JSON.

use reveille_protocol::text::hex;
use rusqlite::{Rows, types::ValueRef};
use serde_json::Value;

use crate::{
    cell::Type,
    error::QueryError,
    run::{Column, Sink},
};

/// Size of the pieces that are handed on, in bytes.
const PIECE_BYTES: usize = 32 * 1024;

/// Writes `{"rows":[…]}`.
pub(crate) fn write(
    mut rows: Rows<'_>,
    columns: &[Column],
    sink: &mut Sink<'_>,
) -> Result<(), QueryError> {
    let names: Vec<String> =
        columns.iter().map(|column| Value::from(column.name.as_str()).to_string()).collect();
    let mut piece = b"{\"rows\":[".to_vec();
    let mut is_first = true;
    while let Some(row) = rows.next().map_err(QueryError::Sqlite)? {
        piece.push(if is_first { b'{' } else { b',' });
        if !is_first {
            piece.push(b'{');
        }
        is_first = false;
        let mut is_first_member = true;
        for (at, column) in columns.iter().enumerate() {
            let value = row.get_ref(at).map_err(QueryError::Sqlite)?;
            let Some(value) = json(value, column.ty) else { continue };
            if !is_first_member {
                piece.push(b',');
            }
            is_first_member = false;
            piece.extend(names[at].as_bytes());
            piece.push(b':');
            piece.extend(value.as_bytes());
        }
        piece.push(b'}');
        if piece.len() >= PIECE_BYTES {
            sink(std::mem::take(&mut piece))?;
        }
    }
    piece.extend(b"]}");
    sink(piece)
}

/// The JSON text of a value; nothing for NULL.
fn json(value: ValueRef<'_>, ty: Option<Type>) -> Option<String> {
    Some(match (value, ty) {
        (ValueRef::Null, _) => return None,
        (ValueRef::Integer(truth), Some(Type::Bool)) => (truth != 0).to_string(),
        (ValueRef::Integer(number), Some(Type::U64)) => number.cast_unsigned().to_string(),
        (ValueRef::Integer(number), _) => number.to_string(),
        // JSON has no infinity: SQLite's comes from arithmetic of the query only.
        (ValueRef::Real(number), _) => Value::from(number).to_string(),
        (ValueRef::Text(text), Some(Type::Texts | Type::Numbers)) => {
            String::from_utf8_lossy(text).into_owned()
        }
        (ValueRef::Text(text), _) => Value::from(String::from_utf8_lossy(text)).to_string(),
        (ValueRef::Blob(bytes), _) => format!("\"{}\"", hex(bytes)),
    })
}
