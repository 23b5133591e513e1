//! The silence of one attempt: when it is reported as idle and when it is given up.
//!
//! | stream | silence is reported | given up |
//! |---|---|---|
//! | bidirectional, open | `hold` and `inactivity` after the last frame of either direction | never |
//! | bidirectional, half-closed | no | `abort` after the half-close |
//! | request/response | no | `inactivity + abort` after the last frame |
//!
//! - Owns: the deadlines.
//! - Does not own: the timer ([`super::attempt`] keeps one sleep and asks here what it is for).

use std::time::Duration;

use reveille_engine::effect::AttemptStart;
use tokio::time::Instant;

/// Timeouts longer than this are as good as none, and no clock overflows.
const DEADLINE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// What a deadline means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Report the attempt as idle for the first time.
    Hold,
    /// Report the attempt as idle for good.
    Inactivity,
    /// Reset the stream.
    Abort,
}

/// What is known about the silence.
#[derive(Debug)]
pub(super) struct Quiet {
    hold: Duration,
    inactivity: Duration,
    abort: Duration,
    bidirectional: bool,
    last_frame: Instant,
    half_closed: Option<Instant>,
    /// What this silence was reported as.
    reported: Option<Due>,
}

impl Quiet {
    /// Starts a silence now.
    pub(super) fn new(start: &AttemptStart, bidirectional: bool) -> Quiet {
        let timeout = |milliseconds| Duration::from_millis(milliseconds).min(DEADLINE_MAX);
        Quiet {
            hold: timeout(start.hold_timeout_ms),
            inactivity: timeout(start.inactivity_timeout_ms),
            abort: timeout(start.abort_timeout_ms),
            bidirectional,
            last_frame: Instant::now(),
            half_closed: None,
            reported: None,
        }
    }

    /// The request is on its way: the silence starts now, and so does the one after a half-close
    /// that came before.
    pub(super) fn restart(&mut self) {
        self.frame();
        if let Some(at) = &mut self.half_closed {
            *at = self.last_frame;
        }
    }

    /// A frame went either way.
    pub(super) fn frame(&mut self) {
        self.last_frame = Instant::now();
        self.reported = None;
    }

    /// The request was half-closed.
    pub(super) fn half_closed(&mut self) {
        self.half_closed.get_or_insert_with(Instant::now);
    }

    /// A report was sent; the same one again needs a frame in between.
    pub(super) fn reported(&mut self, due: Due) {
        self.reported = Some(due);
    }

    /// The next deadline.
    pub(super) fn deadline(&self) -> Option<(Instant, Due)> {
        match self.half_closed {
            _ if !self.bidirectional => {
                Some((self.last_frame + self.inactivity + self.abort, Due::Abort))
            }
            Some(at) => Some((at + self.abort, Due::Abort)),
            None => match self.reported {
                None if self.hold < self.inactivity => {
                    Some((self.last_frame + self.hold, Due::Hold))
                }
                None | Some(Due::Hold) => {
                    Some((self.last_frame + self.inactivity, Due::Inactivity))
                }
                Some(Due::Inactivity | Due::Abort) => None,
            },
        }
    }
}
