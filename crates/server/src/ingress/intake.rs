//! How many calls and sends may be on their way at the same time.
//!
//! Beyond what the server can do, more requests make everything slower and take memory, so further ones
//! are refused at once, and what was taken goes on at full speed. A call that has waited for a while waits
//! for its handler, not for the server: it does not count any more, however many of them there are.
//!
//! - Owns: the places, and for how long a request has one.
//! - Does not own: whether the server falls behind ([`super::overload`]); answers to waits, which let go
//!   of what waits, and questions: they are always taken.
//! - Invariant: a request that is refused has not reached a partition.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::IngressError;
use super::overload::Overload;
use crate::limits;
use crate::partition::Partitions;

/// The places of one server. Clones share them.
#[derive(Clone, Debug)]
pub struct Intake {
    places: Arc<Semaphore>,
    max: usize,
    counted: Duration,
    overload: Overload,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub struct Place {
    permit: OwnedSemaphorePermit,
    counted: Duration,
}

impl Intake {
    /// Makes `max` places.
    pub fn new(max: usize) -> Intake {
        Intake::counting(max, limits::INTAKE_COUNTED)
    }

    fn counting(max: usize, counted: Duration) -> Intake {
        let max = max.min(Semaphore::MAX_PERMITS);
        let (places, overload) = (Arc::new(Semaphore::new(max)), Overload::new(max));
        Intake { places, max, counted, overload }
    }

    /// Refuses a request before anything is spent on it: if it would find no place, or if the server
    /// falls behind.
    pub fn check(&self, partitions: &Partitions) -> Result<(), IngressError> {
        let open = self.open();
        if open == self.max {
            Err(self.refusal())
        } else if self.overload.refuses(open, partitions) {
            Err(IngressError::Overloaded)
        } else {
            Ok(())
        }
    }

    /// How many places are taken.
    pub(super) fn open(&self) -> usize {
        self.max - self.places.available_permits()
    }

    /// Takes a place.
    pub fn enter(&self) -> Result<Place, IngressError> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.refusal())?;
        Ok(Place { permit, counted: self.counted })
    }

    fn refusal(&self) -> IngressError {
        IngressError::RequestsTooMany { max: self.max }
    }
}

impl Place {
    /// Keeps the place until the request is answered, or has waited for [`limits::INTAKE_COUNTED`].
    pub async fn during<T>(self, mut request: Pin<&mut impl Future<Output = T>>) -> T {
        if let Ok(output) = tokio::time::timeout(self.counted, request.as_mut()).await {
            return output;
        }
        drop(self.permit);
        request.await
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_request_has_its_place_until_it_is_answered_or_has_waited_for_long() {
        let intake = Intake::counting(2, Duration::from_millis(20));
        let partitions = Partitions::new(Vec::new());
        let first = intake.enter().expect("a place");
        let second = intake.enter().expect("a place");
        let refused = IngressError::RequestsTooMany { max: 2 };
        assert_eq!(intake.enter().expect_err("both are taken"), refused);
        assert_eq!(intake.check(&partitions), Err(refused));

        assert_eq!(first.during(pin!(ready(7))).await, 7);
        let third = intake.enter().expect("that of the first");
        assert!(intake.check(&partitions).is_err());

        let waiting = tokio::spawn(async { second.during(pin!(pending::<()>())).await });
        // It still waits when its place is free.
        let _fourth =
            Arc::clone(&intake.places).acquire_owned().await.expect("they are not closed");
        assert!(!waiting.is_finished());
        waiting.abort();
        drop(third);
    }
}
