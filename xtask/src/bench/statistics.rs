//! Quantiles, medians and ratios: the arithmetic of reports.

/// Returns the smallest of sorted values that the given share of them does not exceed.
pub fn quantile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

/// Returns the value in the middle, or between the two in the middle; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { (values[middle - 1] + upper) / 2.0 } else { upper })
}

/// Returns how many times the second value the first one is; `None` where that means nothing.
pub fn ratio(first: Option<f64>, second: Option<f64>) -> Option<f64> {
    let (first, second) = (first?, second?);
    (first >= 0.0 && second > 0.0).then_some(first / second)
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

    #[test]
    fn medians() {
        let rows: [(&[f64], Option<f64>); 4] = [
            (&[], None),
            (&[3.0], Some(3.0)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 9.0, 2.0], Some(3.0)),
        ];
        for (values, expected) in rows {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn ratios_need_both_values() {
        let rows = [
            (Some(6.0), Some(2.0), Some(3.0)),
            (Some(0.0), Some(2.0), Some(0.0)),
            (Some(6.0), Some(0.0), None),
            (None, Some(2.0), None),
            (Some(6.0), None, None),
            (Some(6.0), Some(-2.0), None),
        ];
        for (first, second, expected) in rows {
            assert_eq!(ratio(first, second), expected, "{first:?} / {second:?}");
        }
    }
}
