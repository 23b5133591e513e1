//! Axes: from a value to its place, and the values that are written beside them.
//!
//! Invariant: a share is between 0 and 1 for every value that the axis was made of.

/// The heads of the numbers that ticks are.
const HEADS: [f64; 3] = [1.0, 2.0, 5.0];
/// Ticks of a linear axis, about.
const TICKS: f64 = 5.0;
/// Decades after which a logarithmic axis has no ticks but powers of ten.
const DECADES_WITH_ALL_TICKS: f64 = 3.0;

/// One direction of a panel.
pub struct Axis {
    pub ticks: Vec<f64>,
    begin: f64,
    end: f64,
    is_logarithmic: bool,
}

impl Axis {
    /// From zero to a tick that no value exceeds.
    pub fn linear(values: impl Iterator<Item = f64>) -> Self {
        let max = values.fold(0.0, f64::max);
        let step = if max > 0.0 { tick_at_least(max / TICKS) } else { 1.0 };
        let steps = (max / step).ceil().max(1.0);
        let ticks = (0..=steps as u32).map(|number| f64::from(number) * step).collect();
        Self { ticks, begin: 0.0, end: steps * step, is_logarithmic: false }
    }

    /// From a tick that no value falls below to one that none exceeds; for values above zero.
    pub fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        let values = values.filter(|value| *value > 0.0);
        let (min, max) = values.fold((f64::INFINITY, 0.0), |(min, max): (f64, f64), value| {
            (min.min(value), max.max(value))
        });
        if max <= 0.0 {
            return Self { ticks: vec![1.0, 10.0], begin: 1.0, end: 10.0, is_logarithmic: true };
        }
        let (first, last) = (min.log10().floor() as i32, max.log10().ceil() as i32);
        let heads =
            if f64::from(last - first) > DECADES_WITH_ALL_TICKS { &HEADS[..1] } else { &HEADS };
        let decades = first..=last;
        let ticks =
            decades.flat_map(|decade| heads.iter().map(move |head| head * 10_f64.powi(decade)));
        let all: Vec<f64> = ticks.collect();
        let begin = all.iter().copied().rfind(|tick| *tick <= min).unwrap_or(min);
        let end = all.iter().copied().find(|tick| *tick >= max && *tick > begin).unwrap_or(max);
        let ticks = all.into_iter().filter(|tick| (begin..=end).contains(tick)).collect();
        Self { ticks, begin, end, is_logarithmic: true }
    }

    /// With a tick at each value, at logarithmic distances.
    pub fn at(values: impl Iterator<Item = f64>) -> Self {
        let mut ticks: Vec<f64> = values.collect();
        ticks.sort_unstable_by(f64::total_cmp);
        ticks.dedup();
        let (begin, end) = (ticks.first().copied(), ticks.last().copied());
        Self { ticks, begin: begin.unwrap_or(1.0), end: end.unwrap_or(1.0), is_logarithmic: true }
    }

    /// Returns where a value stands between begin and end; in the middle if they are the same.
    pub fn share(&self, value: f64) -> f64 {
        let place = |value: f64| if self.is_logarithmic { value.ln() } else { value };
        let length = place(self.end) - place(self.begin);
        if length > 0.0 { (place(value) - place(self.begin)) / length } else { 0.5 }
    }
}

/// Returns the smallest 1, 2 or 5 times a power of ten that is no smaller.
fn tick_at_least(value: f64) -> f64 {
    let power = 10_f64.powi(value.log10().floor() as i32);
    let heads = HEADS.into_iter().chain([10.0]);
    heads.map(|head| head * power).find(|tick| *tick >= value).unwrap_or(10.0 * power)
}

/// Writes a tick without digits that mean nothing.
pub fn label(tick: f64) -> String {
    let text = format!("{tick:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> String {
        axis.ticks.iter().map(|tick| label(*tick)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_enclose_the_values() {
        let rows: [(&[f64], &str, &str); 5] = [
            (&[0.3, 0.9], "0 0.2 0.4 0.6 0.8 1", "0.2 0.5 1"),
            (&[1500.0, 9000.0], "0 2000 4000 6000 8000 10000", "1000 2000 5000 10000"),
            (&[5.0], "0 1 2 3 4 5", "5 10"),
            (&[0.05, 420.0], "0 100 200 300 400 500", "0.01 0.1 1 10 100 1000"),
            (&[], "0 1", "1 10"),
        ];
        for (values, linear, logarithmic) in rows {
            assert_eq!(labels(&Axis::linear(values.iter().copied())), linear, "{values:?}");
            assert_eq!(
                labels(&Axis::logarithmic(values.iter().copied())),
                logarithmic,
                "{values:?}"
            );
        }
    }

    #[test]
    fn shares_are_places_between_the_ends() {
        let connections = Axis::at([1.0, 64.0, 8.0, 8.0].into_iter());
        assert_eq!(labels(&connections), "1 8 64");
        let linear = Axis::linear([10.0].into_iter());
        let alone = Axis::at([16.0].into_iter());
        let rows = [
            (&connections, 1.0, 0.0),
            (&connections, 8.0, 0.5),
            (&linear, 2.0, 0.2),
            (&alone, 16.0, 0.5),
        ];
        for (axis, value, expected) in rows {
            assert!((axis.share(value) - expected).abs() < 1e-9, "{value}");
        }
    }
}
