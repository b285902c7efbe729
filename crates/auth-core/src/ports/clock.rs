//! Time.

use std::time::Duration;

use async_trait::async_trait;

use crate::time::{Timestamp, UnixTime};

/// The time of day. It may jump, also backwards: whatever measures an age with it has to bear that, as the
/// [views](crate::auth_cache) do by the distance to either side.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment.
    fn timestamp(&self) -> Timestamp;

    /// Waits for so long, by a clock that does not jump.
    async fn sleep(&self, duration: Duration);

    /// The present moment in whole seconds.
    fn now(&self) -> UnixTime {
        self.timestamp().unix()
    }
}
