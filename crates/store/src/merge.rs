//! Rows that are newer than those of a store, laid over them.

use bytes::Bytes;

/// Lays rows over others, both in key order without repetition, and returns the first `limit`. Where both
/// have a key the one above counts, and `None` hides the row below.
///
/// For `limit` rows in the end there must be as many below as `limit` and the hidden ones together, if
/// there are that many at all.
pub fn lay_over(
    above: impl IntoIterator<Item = (Bytes, Option<Bytes>)>,
    below: Vec<(Bytes, Bytes)>,
    limit: usize,
) -> Vec<(Bytes, Bytes)> {
    let mut above = above.into_iter().peekable();
    if above.peek().is_none() {
        let mut below = below;
        below.truncate(limit);
        return below;
    }
    let mut merged = Vec::with_capacity(below.len());
    let mut below = below.into_iter().peekable();
    while merged.len() < limit {
        let key_below = below.peek().map(|(key, _)| key);
        let next = above.next_if(|(key, _)| key_below.is_none_or(|below| key <= below));
        let Some((key, value)) = next else {
            match below.next() {
                Some(row) => merged.push(row),
                None => break,
            }
            continue;
        };
        // The same row as it was.
        let _hidden = below.next_if(|(below, _)| *below == key);
        merged.extend(value.map(|value| (key, value)));
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    /// Rows as `a1 b2`, deleted ones as `a-`.
    fn laid_over(above: &str, below: &str, limit: usize) -> String {
        let above = above.split_whitespace().map(|row| {
            let (key, value) = row.split_at(1);
            (bytes(key), (value != "-").then(|| bytes(value)))
        });
        let below = below.split_whitespace().map(|row| row.split_at(1));
        let below = below.map(|(key, value)| (bytes(key), bytes(value))).collect();
        let rows = lay_over(above, below, limit);
        let rows = rows.iter().map(|(key, value)| {
            let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
            text(key) + &text(value)
        });
        rows.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_rows_above_count() {
        for (above, below, limit, expected) in [
            ("", "", 9, ""),
            ("", "a1 b1", 9, "a1 b1"),
            ("", "a1 b1", 1, "a1"),
            ("a2", "", 9, "a2"),
            ("b2", "a1 b1 c1", 9, "a1 b2 c1"),
            ("b-", "a1 b1 c1", 9, "a1 c1"),
            ("b-", "a1 c1", 9, "a1 c1"),
            ("a- b- d2", "a1 b1 c1", 1, "c1"),
            ("a- b- d2", "a1 b1 c1", 2, "c1 d2"),
            ("a2 c2 e2", "b1 d1", 9, "a2 b1 c2 d1 e2"),
            ("a2 c2 e2", "b1 d1", 0, ""),
        ] {
            assert_eq!(
                laid_over(above, below, limit),
                expected,
                "{above:?} over {below:?}, {limit}"
            );
        }
    }
}
