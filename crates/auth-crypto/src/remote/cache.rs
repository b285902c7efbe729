//! The cached keys of another issuer, and the decision when to fetch them. Reads no clock.

use std::sync::Arc;

use tokio::time::Instant;

use crate::remote::key_set::KeySet;
use crate::remote::{KeySetError, RemoteOptions};

/// The cached keys of another issuer, and the state of the last fetch.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyCache {
    /// The last valid set, and when it was fetched.
    set: Option<(Arc<KeySet>, Instant)>,
    /// When the last fetch finished, or started if it has not finished.
    last_fetch_at: Option<Instant>,
    /// Number of finished fetches.
    pub(super) finished_fetches: u64,
    /// Why the last fetch failed.
    failure: Option<KeySetError>,
}

/// What is needed before a token can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The cached keys suffice.
    Nothing,
    /// The cached keys suffice, but should be fetched again for later tokens.
    Refresh,
    /// A fetch: the cached keys are missing or expired, or do not include the key ID of the token.
    Fetch,
}

impl KeyCache {
    /// Returns what is needed to verify a token. `kid` is its key ID, or `None` if the key ID is missing or that of an
    /// own key, and so does not cause a fetch.
    pub(super) fn need(&self, kid: Option<&str>, now: Instant, options: &RemoteOptions) -> Need {
        match self.usable(now, options) {
            None => Need::Fetch,
            Some((set, _)) if kid.is_some_and(|kid| !set.contains(kid)) => Need::Fetch,
            Some((_, fetched_at)) if now.saturating_duration_since(*fetched_at) > options.refresh_after => {
                Need::Refresh
            }
            Some(_) => Need::Nothing,
        }
    }

    /// Returns whether `min_interval` has passed since the last fetch.
    pub(super) fn may_fetch(&self, now: Instant, options: &RemoteOptions) -> bool {
        self.last_fetch_at
            .is_none_or(|last_fetch_at| now.saturating_duration_since(last_fetch_at) >= options.min_interval)
    }

    /// Returns the keys, or an error if there are none or they are older than `max_age`.
    pub(super) fn into_keys(self, now: Instant, options: &RemoteOptions) -> Result<Arc<KeySet>, KeySetError> {
        match self.usable(now, options) {
            Some((set, _)) => Ok(Arc::clone(set)),
            None => Err(self.failure.unwrap_or(KeySetError::Expired)),
        }
    }

    /// Returns the cached set and when it was fetched, unless it is older than `max_age`.
    fn usable(&self, now: Instant, options: &RemoteOptions) -> Option<&(Arc<KeySet>, Instant)> {
        self.set.as_ref().filter(|(_, fetched_at)| now.saturating_duration_since(*fetched_at) <= options.max_age)
    }

    /// Records the start of a fetch. The fetch counts as interrupted until it finishes.
    pub(super) fn begin_fetch(&mut self, now: Instant) {
        self.last_fetch_at = Some(now);
        self.failure = Some(KeySetError::Interrupted);
    }

    /// Records the result of a fetch. A failure keeps the cached set.
    pub(super) fn finish_fetch(&mut self, outcome: Result<KeySet, KeySetError>, now: Instant) {
        self.last_fetch_at = Some(now);
        self.finished_fetches = self.finished_fetches.wrapping_add(1);
        match outcome {
            Ok(set) => (self.set, self.failure) = (Some((Arc::new(set), now)), None),
            Err(error) => self.failure = Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OPTIONS: RemoteOptions = RemoteOptions {
        refresh_after: Duration::from_secs(100),
        max_age: Duration::from_secs(1000),
        min_interval: Duration::from_secs(10),
        fetch_timeout: Duration::from_secs(1),
        on_failure: None,
    };

    fn set() -> KeySet {
        let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a"}"#;
        KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn the_need_depends_on_the_age_of_the_keys_and_on_the_key_id() {
        let start = Instant::now();
        let mut cache = KeyCache::default();
        for kid in [None, Some("a")] {
            assert_eq!(cache.need(kid, start, &OPTIONS), Need::Fetch, "never fetched");
        }
        cache.finish_fetch(Ok(set()), start);
        for (age, without_kid, known_kid, unknown_kid) in [
            (0, Need::Nothing, Need::Nothing, Need::Fetch),
            (100, Need::Nothing, Need::Nothing, Need::Fetch),
            (101, Need::Refresh, Need::Refresh, Need::Fetch),
            (1000, Need::Refresh, Need::Refresh, Need::Fetch),
            (1001, Need::Fetch, Need::Fetch, Need::Fetch),
        ] {
            let now = start + Duration::from_secs(age);
            let need = |kid| cache.need(kid, now, &OPTIONS);
            assert_eq!((need(None), need(Some("a")), need(Some("b"))), (without_kid, known_kid, unknown_kid), "{age}");
            assert_eq!(cache.clone().into_keys(now, &OPTIONS).is_ok(), age <= 1000, "{age}");
        }
    }

    #[test]
    fn fetches_keep_their_distance_also_from_one_that_was_interrupted() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut cache = KeyCache::default();
        assert!(cache.may_fetch(start, &OPTIONS));
        cache.begin_fetch(start);
        assert_eq!((cache.may_fetch(after(9), &OPTIONS), cache.may_fetch(after(10), &OPTIONS)), (false, true));
        assert!(matches!(cache.clone().into_keys(start, &OPTIONS), Err(KeySetError::Interrupted)));
        for outcome in [Ok(set()), Err(KeySetError::NotKeySet)] {
            cache.finish_fetch(outcome, after(5));
            assert_eq!((cache.may_fetch(after(14), &OPTIONS), cache.may_fetch(after(15), &OPTIONS)), (false, true));
        }
        assert!(cache.clone().into_keys(after(5), &OPTIONS).is_ok(), "a failure keeps the cached keys");
        assert!(matches!(cache.into_keys(after(2000), &OPTIONS), Err(KeySetError::NotKeySet)));
    }

    #[test]
    fn the_largest_durations_do_not_overflow() {
        let forever = RemoteOptions {
            refresh_after: Duration::MAX,
            max_age: Duration::MAX,
            min_interval: Duration::MAX,
            ..OPTIONS
        };
        let now = Instant::now();
        let mut cache = KeyCache::default();
        cache.finish_fetch(Ok(set()), now);
        assert_eq!((cache.need(Some("a"), now, &forever), cache.may_fetch(now, &forever)), (Need::Nothing, false));
    }
}
