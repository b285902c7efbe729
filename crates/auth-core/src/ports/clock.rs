//! The clock.

use std::time::Duration;

use async_trait::async_trait;

use crate::time::{Timestamp, UnixTime};

/// The system clock. It may jump, also backwards, so code that measures an age must allow for that; the
/// [auth cache](crate::auth_cache) compares the absolute difference.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The current time.
    fn timestamp(&self) -> Timestamp;

    /// Waits until `duration` has passed on a monotonic clock.
    async fn sleep(&self, duration: Duration);

    /// The current time in whole seconds.
    fn now(&self) -> UnixTime {
        self.timestamp().unix()
    }
}
