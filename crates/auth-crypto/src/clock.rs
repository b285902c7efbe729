//! The system clock.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use auth_core::ports::Clock;
use auth_core::time::Timestamp;

/// The system clock. Jumps when the system time is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn timestamp(&self) -> Timestamp {
        let micros = |distance: Duration| i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => micros(since),
            // Before 1970, as on a machine that has lost its clock battery.
            Err(before) => -micros(before.duration()),
        })
    }

    /// Measures `duration` with the monotonic clock. Requires a Tokio runtime with its timer enabled.
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_system_time_in_microseconds() {
        let system = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
        let earliest = system();
        let read = u128::try_from(SystemClock.timestamp().micros()).unwrap();
        assert!((earliest..=system()).contains(&read));
    }
}
