//! Tables as SQLite sees them: one module per table, rows read as SQLite asks for them.
//!
//! - Owns: the translation of SQLite's plans into [`Filter`]s.
//! - Invariant: a condition that was pushed down is checked by SQLite again, so a table may return
//!   more rows than asked for, never fewer.
#![allow(unsafe_code, reason = "the traits of virtual tables are unsafe to implement")]

use std::{
    borrow::Cow,
    ffi::{CStr, CString, c_int},
    marker::PhantomData,
};

use rusqlite::{
    Connection, Error, Result, ffi,
    types::ValueRef,
    vtab::{
        Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConnection, VTabCursor,
        sqlite3_vtab, sqlite3_vtab_cursor,
    },
};

use crate::{
    cell::Type,
    error::QueryError,
    moment,
    table::{Filter, Row, Rows, Table, World},
    tables,
};

/// What a whole table is guessed to cost, so that plans start from what is narrowed.
const COST_WHOLE: f64 = 1e6;
/// How much an equality on a key is guessed to narrow.
const COST_PER_KEY: f64 = 1e-3;

/// Makes every table known to a connection.
pub(crate) fn register(connection: &Connection, world: &World) -> Result<()> {
    const MODULE: Module<'static, Virtual> = Module::eponymous_only_module();
    for table in tables::ALL {
        let aux = (table, world.clone());
        connection.create_module(table.name, &MODULE, Some(aux))?;
    }
    Ok(())
}

/// A table of one connection. SQLite casts the pointer to it, so `base` must come first.
#[repr(C)]
struct Virtual {
    base: sqlite3_vtab,
    table: &'static Table,
    world: World,
}

/// A read of a table. SQLite casts the pointer to it, so `base` must come first.
#[repr(C)]
struct Cursor<'vtab> {
    base: sqlite3_vtab_cursor,
    table: &'static Table,
    world: World,
    rows: Option<Rows>,
    row: Option<Box<dyn Row>>,
    number: i64,
    phantom: PhantomData<&'vtab Virtual>,
}

// SAFETY: `repr(C)`, and the first field is the structure that SQLite expects.
unsafe impl<'vtab> VTab<'vtab> for Virtual {
    type Aux = (&'static Table, World);
    type Cursor = Cursor<'vtab>;

    fn connect(
        _connection: &mut VTabConnection,
        aux: Option<&Self::Aux>,
        _module_name: &[u8],
        _database_name: &[u8],
        _table_name: &[u8],
        _args: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let (table, world) = aux.cloned().ok_or_else(|| module("a table without its data"))?;
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|(name, ty)| match ty {
                Type::Time => format!("\"{name}\" {} COLLATE {}", ty.declared(), moment::COLLATION),
                _ => format!("\"{name}\" {}", ty.declared()),
            })
            .collect();
        let schema = CString::new(format!("CREATE TABLE x({})", columns.join(",")))?;
        Ok((Cow::Owned(schema), Virtual { base: sqlite3_vtab::default(), table, world }))
    }

    /// Takes every equality on a key; the names of those taken travel to the cursor as text.
    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let mut taken: Vec<&'static str> = Vec::new();
        for (constraint, mut usage) in info.constraints_and_usages() {
            let column = usize::try_from(constraint.column()).ok();
            let name =
                column.and_then(|column| self.table.columns.get(column)).map(|(name, _)| *name);
            let Some(name) = name.filter(|name| self.table.keys.contains(name)) else { continue };
            let is_equality =
                constraint.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ;
            if constraint.is_usable() && is_equality && !taken.contains(&name) {
                taken.push(name);
                usage.set_argv_index(c_int::try_from(taken.len()).unwrap_or(c_int::MAX));
            }
        }
        let keys = taken.len();
        info.set_idx_str(&taken.join(","));
        let narrowed = COST_PER_KEY.powi(i32::try_from(keys).unwrap_or(i32::MAX));
        info.set_estimated_cost(COST_WHOLE * narrowed);
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<Cursor<'vtab>> {
        Ok(Cursor {
            base: sqlite3_vtab_cursor::default(),
            table: self.table,
            world: self.world.clone(),
            rows: None,
            row: None,
            number: 0,
            phantom: PhantomData,
        })
    }
}

// SAFETY: `repr(C)`, and the first field is the structure that SQLite expects.
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(&mut self, _idx_num: c_int, idx_str: Option<&str>, args: &Filters<'_>) -> Result<()> {
        let names = idx_str.unwrap_or_default().split(',').filter(|name| !name.is_empty());
        let mut filter = Filter::default();
        self.rows = None;
        self.row = None;
        for (name, value) in names.zip(args.iter()) {
            let name = self.table.keys.iter().find(|key| **key == name);
            match (name, value) {
                (Some(name), ValueRef::Text(text)) => {
                    filter.0.insert(name, String::from_utf8_lossy(text).into_owned());
                }
                (Some(name), ValueRef::Integer(number)) => {
                    filter.0.insert(name, number.cast_unsigned().to_string());
                }
                // Nothing equals NULL, and a key is a text or a number.
                _ => return Ok(()),
            }
        }
        self.rows = Some((self.table.open)(&self.world, &filter));
        self.next()
    }

    fn next(&mut self) -> Result<()> {
        let row = self.rows.as_mut().and_then(Iterator::next);
        self.row = row.transpose().map_err(|error| user(&error))?;
        self.number += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.row.is_none()
    }

    fn column(&self, context: &mut Context, index: c_int) -> Result<()> {
        let column = usize::try_from(index).ok().and_then(|index| self.table.columns.get(index));
        let (Some((name, _)), Some(row)) = (column, &self.row) else {
            return Err(module("there is no such column"));
        };
        let cell = row.cell(name).map_err(|error| user(&error))?;
        context.set_result(cell.into_sqlite())
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.number)
    }
}

fn module(text: &str) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ERROR), Some(text.to_owned()))
}

/// An error of the store, as SQLite hands it through.
fn user(error: &QueryError) -> Error {
    let code = match error {
        QueryError::Overdue => ffi::SQLITE_INTERRUPT,
        _ => ffi::SQLITE_IOERR,
    };
    Error::SqliteFailure(ffi::Error::new(code), Some(error.to_string()))
}
