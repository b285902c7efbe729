//! State of an application that outlives a request. Two applications in one process share none of it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The counter of generated request IDs, and the warnings that are logged only once per application.
#[derive(Debug)]
pub struct AppState {
    /// Prefix of every request ID: the time at which the application was created, and a random number.
    id_prefix: String,
    request_ids: AtomicU64,
    warned_of_proxy: AtomicBool,
}

impl AppState {
    /// Returns a new request ID, unique across all applications.
    pub(crate) fn next_request_id(&self) -> String {
        format!("{}-{:x}", self.id_prefix, self.request_ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns `true` the first time it is called, so that the warning about an untrusted proxy is logged once.
    pub(crate) fn is_first_proxy_warning(&self) -> bool {
        !self.warned_of_proxy.swap(true, Ordering::Relaxed)
    }
}

impl Default for AppState {
    fn default() -> Self {
        let created = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_millis()).unwrap_or_default();
        // Each `RandomState` has its own random keys.
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            id_prefix: format!("{created:x}-{random:x}"),
            request_ids: AtomicU64::new(0),
            warned_of_proxy: AtomicBool::new(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_unique() {
        let (one, other) = (AppState::default(), AppState::default());
        let ids = [one.next_request_id(), one.next_request_id(), other.next_request_id(), other.next_request_id()];
        assert!(ids.iter().enumerate().all(|(place, id)| !ids[..place].contains(id)), "{ids:?}");
    }
}
