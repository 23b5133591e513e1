//! Whether many of a kind go on as fast as they began: the first tenth of them beside the last.
//!
//! - Owns: the figures of the tenths, and [`Watch`], which knows the CPU time of a server at moments
//!   that are only known afterwards. On a machine that does other things as well, CPU time tells more
//!   than rates do.
//! - Does not own: what the events are, nor their moments.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    figures::{Metric, Row},
    micros,
    park::CPU_EACH,
};
use crate::process::Server;

static ALL: Metric = Metric::compared("per_second", "per second", 0);
static FIRST: Metric = Metric::compared("first_tenth_per_second", "per second, first tenth", 0);
static LAST: Metric = Metric::compared("last_tenth_per_second", "per second, last tenth", 0);
static LAST_TO_FIRST: Metric =
    Metric::compared("last_to_first", "last tenth, in parts of the first", 2);
static CPU_FIRST: Metric =
    Metric::plain("first_tenth_server_cpu_us_each", "server CPU each, first tenth, us", 0);
static CPU_LAST: Metric =
    Metric::plain("last_tenth_server_cpu_us_each", "server CPU each, last tenth, us", 0);

/// How often the CPU time is read; the kernel counts it in steps of 10 ms.
const SAMPLE_PERIOD: Duration = Duration::from_millis(50);

/// The CPU time that a server had used, over some time.
pub struct Watch {
    /// In ascending order; at least one.
    samples: Vec<(Instant, Duration)>,
}

impl Watch {
    /// Watches the server while something is done.
    pub async fn over<T>(
        server: &Server,
        work: impl Future<Output = Result<T>>,
    ) -> Result<(T, Self)> {
        let sample = || Ok::<_, anyhow::Error>((Instant::now(), server.cpu_time()?));
        let mut samples = vec![sample()?];
        let mut work = pin!(work);
        let mut pace = tokio::time::interval(SAMPLE_PERIOD);
        loop {
            tokio::select! {
                done = &mut work => {
                    samples.push(sample()?);
                    return Ok((done?, Self { samples }));
                }
                _ = pace.tick() => samples.push(sample()?),
            }
        }
    }

    /// Returns the CPU time that was used between two moments, evenly between samples.
    fn between(&self, begin: Instant, end: Instant) -> Duration {
        self.at(end).saturating_sub(self.at(begin))
    }

    fn at(&self, moment: Instant) -> Duration {
        let next = self.samples.partition_point(|(at, _)| *at <= moment);
        let Some(&(before, used)) = next.checked_sub(1).and_then(|last| self.samples.get(last))
        else {
            return self.samples[0].1;
        };
        let Some(&(after, used_after)) = self.samples.get(next) else { return used };
        let share = (moment - before).as_secs_f64() / (after - before).as_secs_f64();
        used + used_after.saturating_sub(used).mul_f64(share)
    }
}

/// Adds how fast events followed each other since `begin`, and what each cost the server.
///
/// `ends` are their moments, at least one, sorted.
pub fn add_to(row: Row, watch: &Watch, begin: Instant, ends: &[Instant]) -> Row {
    let (first, last) = tenths(begin, ends);
    let all = Span { count: ends.len(), begin, end: last.end };
    row.with(&ALL, all.per_second())
        .with(&FIRST, first.per_second())
        .with(&LAST, last.per_second())
        .with(&LAST_TO_FIRST, last.per_second() / first.per_second())
        .with(&CPU_EACH, all.cpu_each(watch))
        .with(&CPU_FIRST, first.cpu_each(watch))
        .with(&CPU_LAST, last.cpu_each(watch))
}

/// So many events in a row.
#[derive(Debug, PartialEq)]
struct Span {
    count: usize,
    begin: Instant,
    end: Instant,
}

impl Span {
    fn per_second(&self) -> f64 {
        self.count as f64 / (self.end - self.begin).as_secs_f64()
    }

    /// In microseconds.
    fn cpu_each(&self, watch: &Watch) -> f64 {
        micros(watch.between(self.begin, self.end)) / self.count as f64
    }
}

/// Returns the first and the last tenth, each of one event at least.
fn tenths(begin: Instant, ends: &[Instant]) -> (Span, Span) {
    let count = (ends.len() / 10).max(1);
    let end_of = |events: usize| events.checked_sub(1).map_or(begin, |last| ends[last]);
    let span = |skipped| Span { count, begin: end_of(skipped), end: end_of(skipped + count) };
    (span(0), span(ends.len() - count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_of_many_and_of_few() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let even: Vec<Instant> = (1..=20).map(at).collect();
        for (ends, first, last) in [
            (&even[..], (2, 0, 2), (2, 18, 20)),
            (&[at(7)], (1, 0, 7), (1, 0, 7)),
            (&[at(1), at(5)], (1, 0, 1), (1, 1, 5)),
        ] {
            let [first, last] = [first, last].map(|(count, begin, end)| Span {
                count,
                begin: at(begin),
                end: at(end),
            });
            assert_eq!(tenths(begin, ends), (first, last), "{ends:?}");
        }
    }

    #[test]
    fn cpu_time_between_moments() {
        let begin = Instant::now();
        let ms = Duration::from_millis;
        let samples = [(100, 10), (200, 30), (300, 30)];
        let watch = Watch { samples: samples.map(|(at, used)| (begin + ms(at), ms(used))).into() };
        for (from, to, used) in
            [(100, 200, 20), (150, 200, 10), (150, 250, 10), (0, 150, 10), (0, 900, 20)]
        {
            let between = watch.between(begin + ms(from), begin + ms(to));
            assert_eq!(between, ms(used), "from {from} to {to} ms");
        }
    }
}
