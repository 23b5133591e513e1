//! Quantiles: the arithmetic of reports.

/// Returns the smallest of sorted values that the given share of them does not exceed.
pub fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_elements() {
        let hundred: Vec<u32> = (1..=100).collect();
        let rows: [(&[u32], f64, Option<u32>); 7] = [
            (&[], 0.5, None),
            (&[7], 0.99, Some(7)),
            (&[1, 2, 3], 0.5, Some(2)),
            (&hundred, 0.0, Some(1)),
            (&hundred, 0.5, Some(50)),
            (&hundred, 0.99, Some(99)),
            (&hundred, 1.0, Some(100)),
        ];
        for (sorted, share, expected) in rows {
            assert_eq!(quantile(sorted, share), expected, "{share} of {sorted:?}");
        }
    }
}
