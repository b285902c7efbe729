//! Work of an application's own, within bounds: it may hang or panic, and harms only the request that it belongs to.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::ports::Clock;

/// Why work came to no end of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It took too long.
    TimedOut,
    /// It panicked.
    Panicked,
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "it took too long",
            Self::Panicked => "it panicked",
        })
    }
}

impl Error for Interruption {}

/// Does work for so long at most. What never yields cannot be interrupted.
pub async fn within<T>(clock: &dyn Clock, limit: Duration, work: impl Future<Output = T>) -> Result<T, Interruption> {
    let mut work = pin!(work);
    let mut alarm = clock.sleep(limit);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Err(_) => Poll::Ready(Err(Interruption::Panicked)),
        Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
        Ok(Poll::Pending) => alarm.as_mut().poll(context).map(|()| Err(Interruption::TimedOut)),
    })
    .await
}
