//! What a step says of the rows that it writes.

use bytes::Bytes;

use crate::memory::Rows;
use crate::schema::Schema;
use crate::tx::{Context, Tx};

use super::world::SECRET_KEY;

/// Does to one row what the words say, and shows what is left: `+` for a fresh row, `=` for one that is
/// written, `-` for one that is deleted.
fn left_of(words: &str) -> &'static str {
    let schema = Schema::default();
    let context = Context {
        now: 0,
        schema: &schema,
        partition: 0,
        partitions: 1,
        secret_key: &SECRET_KEY,
        hold_ms: 0,
    };
    let rows = Rows::default();
    let mut tx = Tx::new(&rows, &context);
    for word in words.split_whitespace() {
        let key = Bytes::from_static(b"key");
        match word {
            "create" => tx.create(key, Bytes::new()),
            "write" => tx.write(key, Bytes::new()),
            "note" => tx.note_absent(key),
            "delete" => tx.delete(key),
            _ => panic!("{word} is not done to rows"),
        }
    }
    match &*tx.finish().writes {
        [] => "",
        [write] if write.value.is_none() => "-",
        [write] if write.fresh => "+",
        [_] => "=",
        writes => panic!("{} writes of one row", writes.len()),
    }
}

#[test]
fn what_is_known_of_a_row_at_first_stays_known() {
    for (words, expected) in [
        ("write", "="),
        ("delete", "-"),
        ("create", "+"),
        ("create write", "+"),
        ("note", ""),
        ("note write", "+"),
        ("create delete", ""),
        ("note write delete", ""),
        ("create delete create", "+"),
        // It may have been there before the step.
        ("write delete", "-"),
        ("delete create", "="),
        ("delete note write", "="),
        ("write note", "="),
    ] {
        assert_eq!(left_of(words), expected, "{words}");
    }
}
