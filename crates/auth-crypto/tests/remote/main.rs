//! Own keys and those of another issuer: what causes a fetch, and what is answered meanwhile. Time stands still except
//! where a test moves it, or everybody waits.

// Clippy knows test functions only, not what they share.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod ages;
mod choice;
mod faults;
mod fetches;
mod source;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use tokio::task::yield_now;

const SECOND: Duration = Duration::from_secs(1);

/// Lets the tasks that nobody waits for come to their end.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}
