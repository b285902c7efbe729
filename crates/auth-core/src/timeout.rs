//! A time limit for work that a host supplies: it may hang or panic, and only its own request fails.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::ports::Clock;

/// Why work was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It reached its time limit.
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

/// Polls `work` for at most `limit`, and catches its panics. Work that never yields cannot be cancelled.
///
/// # Errors
/// [`Interruption`] if the work panics or reaches the limit.
pub async fn with_timeout<T>(
    clock: &dyn Clock,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Interruption> {
    let mut work = pin!(work);
    let mut timer = clock.sleep(limit);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Err(_) => Poll::Ready(Err(Interruption::Panicked)),
        Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
        Ok(Poll::Pending) => timer.as_mut().poll(context).map(|()| Err(Interruption::TimedOut)),
    })
    .await
}
