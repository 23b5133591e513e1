//! The cells that events are counted in.
//!
//! - Invariant: recording is one or two relaxed atomic additions: no lock, no allocation, no clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Reads it.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that is what it is now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Replaces it.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Replaces it with a length.
    pub fn set_len(&self, len: usize) {
        self.set(len as u64);
    }

    /// Reads it.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the values of a histogram are, and where its buckets end.
#[derive(Debug)]
pub struct Scale {
    /// Upper ends of the buckets, in the unit that is recorded.
    pub bounds: &'static [u64],
    /// Recorded units in one unit that is shown.
    pub per_unit: f64,
}

/// Durations: recorded in microseconds, shown in seconds.
pub const DURATION: Scale = Scale {
    bounds: &[
        100,
        250,
        500,
        1_000,
        2_500,
        5_000,
        10_000,
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        60_000_000,
        600_000_000,
        3_600_000_000,
    ],
    per_unit: 1e6,
};

/// Sizes in bytes.
pub const SIZE: Scale = Scale {
    bounds: &[256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20],
    per_unit: 1.0,
};

/// How often values occurred, by size.
#[derive(Debug)]
pub struct Histogram {
    scale: &'static Scale,
    /// One per bound and one for what is above all of them.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// Starts empty.
    pub fn new(scale: &'static Scale) -> Histogram {
        let buckets = (0..=scale.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { scale, buckets, sum: AtomicU64::new(0) }
    }

    /// Records a value in the unit of the scale.
    pub fn record(&self, value: u64) {
        let bucket = self.scale.bounds.partition_point(|bound| *bound < value);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Records a duration.
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Adds what it holds to a total.
    pub fn add_to(&self, total: &mut Total) {
        for (sum, bucket) in total.buckets.iter_mut().zip(&self.buckets) {
            sum.1 += bucket.load(Ordering::Relaxed);
        }
        #[allow(
            clippy::cast_precision_loss,
            reason = "a sum that long is not read to its last unit"
        )]
        let sum = self.sum.load(Ordering::Relaxed) as f64;
        total.sum += sum / self.scale.per_unit;
    }
}

/// The sum of histograms of one scale, in the unit that is shown.
#[derive(Debug)]
pub struct Total {
    /// Upper ends and how many values are in each bucket.
    pub buckets: Vec<(f64, u64)>,
    /// Sum of all values.
    pub sum: f64,
}

impl Total {
    /// Adds up histograms of a scale.
    pub fn of<'h>(scale: &Scale, histograms: impl IntoIterator<Item = &'h Histogram>) -> Total {
        #[allow(clippy::cast_precision_loss, reason = "bounds are round numbers")]
        let ends = scale.bounds.iter().map(|bound| (*bound as f64 / scale.per_unit, 0));
        let buckets = ends.chain([(f64::MAX, 0)]).collect();
        let mut total = Total { buckets, sum: 0.0 };
        for histogram in histograms {
            histogram.add_to(&mut total);
        }
        total
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_first_bucket_that_holds_them() {
        let (one, other) = (Histogram::new(&SIZE), Histogram::new(&SIZE));
        for value in [0, 256, 257, 4 << 20] {
            one.record(value);
        }
        other.record((4 << 20) + 1);
        let total = Total::of(&SIZE, [&one, &other]);
        let counts: Vec<_> = total.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((total.count(), total.sum), (5, 514.0 + 8_388_608.0));
        let duration = Histogram::new(&DURATION);
        duration.record_duration(Duration::from_millis(1_500));
        assert!((Total::of(&DURATION, [&duration]).sum - 1.5).abs() < 1e-9);
    }
}
