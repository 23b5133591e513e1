//! Hints for names that do not exist: the nearest one that does.

/// Finds the known name that was probably meant, if one is near enough.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_ascii_lowercase().replace('_', "-");
    let suffix = format!(".{wanted}");
    known
        .map(|candidate| {
            let plain = candidate.to_ascii_lowercase().replace('_', "-");
            // A key that only lacks its section is as near as a typing error.
            let distance = if plain.ends_with(&suffix) { 1 } else { distance(&wanted, &plain) };
            (distance, candidate)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 4).max(2))
        .map(|(_, candidate)| candidate)
}

/// Counts the insertions, deletions and replacements that turn one text into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
