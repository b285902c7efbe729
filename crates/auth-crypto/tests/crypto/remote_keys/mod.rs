//! The service's own keys and those of another issuer, which are fetched. Time is paused: it moves when a test advances
//! it, or when every task waits.

mod expiry;
mod failures;
mod fetches;
mod key_selection;
mod source;

use std::time::Duration;

use tokio::task::yield_now;

const SECOND: Duration = Duration::from_secs(1);

/// Lets background tasks finish.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}
