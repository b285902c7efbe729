//! A clock that stands still until it is told the time.

use std::sync::atomic::{AtomicI64, Ordering};

use auth_core::ports::Clock;
use auth_core::time::{Seconds, Timestamp};

use crate::BEGINNING;

/// A clock that shows what it was set to; [`BEGINNING`] at first.
///
/// ```
/// use auth_conformance::{FixedClock, at};
/// use auth_core::{ports::Clock, time::Seconds};
/// let clock = FixedClock::default();
/// clock.advance(Seconds::new(90));
/// assert_eq!(clock.now(), at(90));
/// ```
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that shows this moment.
    pub fn new(moment: impl Into<Timestamp>) -> Self {
        Self(AtomicI64::new(moment.into().micros()))
    }

    /// Shows this moment from now on, which may be earlier than the one before.
    pub fn set(&self, moment: impl Into<Timestamp>) {
        self.0.store(moment.into().micros(), Ordering::SeqCst);
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Seconds) {
        let micros = i64::try_from(duration.get()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new(BEGINNING)
    }
}

impl Clock for FixedClock {
    fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}
