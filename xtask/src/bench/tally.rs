//! What became of the calls of an open loop.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::{fields::Answer, statistics::quantile};

/// Counts of calls, and their times.
#[derive(Default)]
pub struct Tally {
    pub sent: u64,
    pub unsent: u64,
    /// From when each was due until it was sent.
    sent_late: Vec<Duration>,
    /// From when they were due, of those that were answered with 2xx.
    pub times: Vec<Duration>,
    /// Of these, before the loop ended.
    pub answered_in_time: u64,
    pub refused_429: u64,
    pub refused_503: u64,
    /// Of all that were refused.
    pub without_retry_after: u64,
    /// Other statuses, streams that were reset and connections that were lost.
    pub failed: u64,
    /// How long it took after the loop until the last one was answered.
    pub backlog: Duration,
    /// Those that never were.
    pub unanswered: u64,
}

impl Tally {
    /// Returns by how much the given share of the calls was not sent later than it was due.
    pub fn sent_late(&self, share: f64) -> Option<Duration> {
        let mut late = self.sent_late.clone();
        late.sort_unstable();
        quantile(&late, share)
    }

    pub fn count_sent(&mut self, due: Instant, now: Instant) {
        self.sent += 1;
        self.sent_late.push(now.saturating_duration_since(due));
    }

    /// Counts a call that ended; it has no answer if it was reset.
    pub fn count(&mut self, answer: Option<Answer>, due: Instant, now: Instant, end: Instant) {
        let Some(Answer { status, has_retry_after }) = answer else {
            self.failed += 1;
            return;
        };
        match status {
            status if status.is_success() => {
                self.times.push(now.saturating_duration_since(due));
                self.answered_in_time += u64::from(now <= end);
                return;
            }
            StatusCode::TOO_MANY_REQUESTS => self.refused_429 += 1,
            StatusCode::SERVICE_UNAVAILABLE => self.refused_503 += 1,
            _ => {
                self.failed += 1;
                return;
            }
        }
        self.without_retry_after += u64::from(!has_retry_after);
    }

    /// Adds what became of the calls of another connection.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.unsent += other.unsent;
        self.sent_late.extend(other.sent_late);
        self.times.extend(other.times);
        self.answered_in_time += other.answered_in_time;
        self.refused_429 += other.refused_429;
        self.refused_503 += other.refused_503;
        self.without_retry_after += other.without_retry_after;
        self.failed += other.failed;
        self.backlog = self.backlog.max(other.backlog);
        self.unanswered += other.unanswered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let now = Instant::now();
        let (past, future) = (now - Duration::from_secs(1), now + Duration::from_secs(60));
        let answer = |status, has_retry_after| Some(Answer { status, has_retry_after });
        let mut tally = Tally::default();
        for (answer, end) in [
            (answer(StatusCode::OK, false), future),
            (answer(StatusCode::ACCEPTED, false), past),
            (answer(StatusCode::TOO_MANY_REQUESTS, true), future),
            (answer(StatusCode::SERVICE_UNAVAILABLE, true), future),
            (answer(StatusCode::SERVICE_UNAVAILABLE, false), future),
            (answer(StatusCode::BAD_GATEWAY, true), future),
            (None, future),
        ] {
            let mut one = Tally::default();
            one.count_sent(past, now);
            one.count(answer, past, now, end);
            tally.add(one);
        }
        assert_eq!(tally.sent, 7);
        assert_eq!(tally.sent_late(1.0), Some(Duration::from_secs(1)));
        assert_eq!(tally.times, [Duration::from_secs(1); 2]);
        assert_eq!(tally.answered_in_time, 1);
        assert_eq!((tally.refused_429, tally.refused_503, tally.without_retry_after), (1, 2, 1));
        assert_eq!(tally.failed, 2);
    }
}
