//! A clock that tests set.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::ports::Clock;
use auth_core::time::{Seconds, Timestamp};
use tokio::sync::Notify;

use crate::BEGINNING;

/// A clock that shows the time it was set to, at first [`BEGINNING`].
///
/// ```
/// use auth_conformance::{FixedClock, at};
/// use auth_core::ports::Clock;
/// use auth_core::time::Seconds;
/// let clock = FixedClock::default();
/// clock.advance(Seconds::new(90));
/// assert_eq!(clock.now(), at(90));
/// ```
#[derive(Debug)]
pub struct FixedClock {
    micros: AtomicI64,
    moved: Notify,
}

impl FixedClock {
    /// A clock set to `moment`.
    pub fn new(moment: impl Into<Timestamp>) -> Self {
        Self { micros: AtomicI64::new(moment.into().micros()), moved: Notify::new() }
    }

    /// Sets the clock to `moment`, which may be earlier than the current time.
    pub fn set(&self, moment: impl Into<Timestamp>) {
        self.micros.store(moment.into().micros(), Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Seconds) {
        let micros = i64::try_from(duration.get()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        self.micros.fetch_add(micros, Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::new(BEGINNING)
    }
}

#[async_trait]
impl Clock for FixedClock {
    fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }

    /// Returns when the clock has been moved forward by `duration`.
    async fn sleep(&self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let until = self.micros.load(Ordering::SeqCst).saturating_add(micros);
        loop {
            let moved = self.moved.notified();
            if self.micros.load(Ordering::SeqCst) >= until {
                return;
            }
            moved.await;
        }
    }
}
