//! The answer to a query: rows whose columns keep the order of the query.
//!
//! A JSON map of the library sorts its keys; the user asked for columns in an order. The server leaves out
//! what is null, so the order is put together from all rows.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap as _,
};
use serde_json::Value;

/// The answer to a query.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Rows {
    /// Rows in their order.
    pub rows: Vec<Row>,
}

/// Columns with their values, in the order of the query; nulls are missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row(pub Vec<(String, Value)>);

impl Row {
    /// Returns a column; null when it is missing.
    pub fn get(&self, column: &str) -> &Value {
        self.0.iter().find(|(name, _)| name == column).map_or(&Value::Null, |(_, value)| value)
    }

    /// Returns a text column; empty when it is missing.
    pub fn text(&self, column: &str) -> &str {
        self.get(column).as_str().unwrap_or_default()
    }

    /// Returns a number; 0 when it is missing.
    pub fn number(&self, column: &str) -> u64 {
        self.get(column).as_u64().unwrap_or_default()
    }
}

impl Rows {
    /// Returns all columns in the order of the query.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = Vec::new();
        for row in &self.rows {
            let mut next = 0;
            for (name, _) in &row.0 {
                match columns.iter().position(|column| column == name) {
                    Some(at) => next = at + 1,
                    // Its neighbour to the left is known: it belongs behind that.
                    None => {
                        columns.insert(next, name);
                        next += 1;
                    }
                }
            }
        }
        columns
    }

    /// Returns a text column of every row.
    pub fn texts(&self, column: &str) -> Vec<String> {
        self.rows.iter().map(|row| row.text(column).to_owned()).collect()
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Row(columns))
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_the_order_of_the_query() {
        for (text, expected) in [
            (r#"{"rows":[]}"#, vec![]),
            (r#"{"rows":[{"z":1,"a":2}]}"#, vec!["z", "a"]),
            (r#"{"rows":[{"z":1,"b":2},{"z":1,"y":3,"b":2},{"c":1}]}"#, vec!["c", "z", "y", "b"]),
        ] {
            let rows: Rows = serde_json::from_str(text).expect("rows");
            assert_eq!(rows.columns(), expected, "{text}");
        }
        let rows: Rows = serde_json::from_str(r#"{"rows":[{"z":"x","a":2}]}"#).expect("rows");
        assert_eq!(serde_json::to_string(&rows.rows).expect("JSON"), r#"[{"z":"x","a":2}]"#);
        assert_eq!((rows.rows[0].text("z"), rows.rows[0].number("a")), ("x", 2));
        assert_eq!(*rows.rows[0].get("none"), Value::Null);
    }
}
