//! What an application keeps from one request to the next. Two applications in one process share none of it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The request IDs that an application has generated, and the warnings that it logs only once. `Default` is a new one.
#[derive(Debug)]
pub struct AppState {
    /// The first part of every request ID: when the application was made, and a random number.
    id_prefix: String,
    request_ids: AtomicU64,
    warned_of_proxy: AtomicBool,
}

impl AppState {
    /// A request ID that no other request has, neither of this application nor of another one.
    pub(crate) fn next_request_id(&self) -> String {
        format!("{}-{:x}", self.id_prefix, self.request_ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether this is the first time that the application has to warn of a proxy that it does not trust.
    pub(crate) fn is_first_proxy_warning(&self) -> bool {
        !self.warned_of_proxy.swap(true, Ordering::Relaxed)
    }
}

impl Default for AppState {
    fn default() -> Self {
        let made = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_millis()).unwrap_or_default();
        // Each `RandomState` has random keys of its own.
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            id_prefix: format!("{made:x}-{random:x}"),
            request_ids: AtomicU64::new(0),
            warned_of_proxy: AtomicBool::new(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_request_ids_are_equal() {
        let (one, other) = (AppState::default(), AppState::default());
        let ids = [one.next_request_id(), one.next_request_id(), other.next_request_id(), other.next_request_id()];
        assert!(ids.iter().enumerate().all(|(place, id)| !ids[..place].contains(id)), "{ids:?}");
    }
}
