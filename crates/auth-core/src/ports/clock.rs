//! Time.

use crate::time::{Timestamp, UnixTime};

/// The time of day. It may jump, also backwards: no rule takes it for a measure of elapsed time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn timestamp(&self) -> Timestamp;

    /// The present moment in whole seconds.
    fn now(&self) -> UnixTime {
        self.timestamp().unix()
    }
}
