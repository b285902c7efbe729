//! Own keys and those of another issuer: what causes a fetch, and what is answered meanwhile. Time stands still except
//! where a test moves it, or everybody waits.

mod expiry;
mod failures;
mod fetches;
mod key_selection;
mod source;

use std::time::Duration;

use tokio::task::yield_now;

const SECOND: Duration = Duration::from_secs(1);

/// Lets the tasks that nobody waits for come to their end.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}
