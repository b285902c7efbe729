//! The time of day, as the machine has it.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use auth_core::ports::Clock;
use auth_core::time::Timestamp;

/// The clock of the machine. It jumps when the machine's clock is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn timestamp(&self) -> Timestamp {
        let micros = |distance: Duration| i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => micros(since),
            // A machine without a battery may start before 1970.
            Err(before) => -micros(before.duration()),
        })
    }

    /// By the machine's monotonic clock. Needs a Tokio runtime with its timer enabled.
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_machine_in_microseconds() {
        let machine = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
        let earliest = machine();
        let read = u128::try_from(SystemClock.timestamp().micros()).unwrap();
        assert!((earliest..=machine()).contains(&read));
    }
}
