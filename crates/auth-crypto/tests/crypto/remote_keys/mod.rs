//! Own keys together with the fetched keys of another issuer. Time is paused: it advances when a test advances it, or
//! when every task is waiting.

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
