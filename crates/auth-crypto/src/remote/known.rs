//! What is known of another issuer at one moment, and whether that is enough. No clock is read here.

use std::sync::Arc;

use tokio::time::Instant;

use crate::remote::key_set::KeySet;
use crate::remote::{KeySetError, RemoteOptions};

/// What is known of another issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The last good set, and when it came.
    set: Option<(Arc<KeySet>, Instant)>,
    /// The last sign of life of a fetch: its end, or its start if it has none yet.
    tried_at: Option<Instant>,
    /// How many fetches have come to an end.
    pub(super) finished: u64,
    /// Why the last fetch was none.
    failure: Option<KeySetError>,
}

/// What a token needs before it can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The keys at hand.
    Nothing,
    /// The keys at hand; for the next one it is time to fetch them again.
    Refresh,
    /// A fetch: there are no keys, or not the one it names.
    Fetch,
}

impl Known {
    /// What a token needs that names this key, which is not one of our own; `None`: the name of the key decides
    /// nothing.
    pub(super) fn need(&self, kid: Option<&str>, now: Instant, options: &RemoteOptions) -> Need {
        match self.usable(now, options) {
            None => Need::Fetch,
            Some((set, _)) if kid.is_some_and(|kid| !set.contains(kid)) => Need::Fetch,
            Some((_, came_at)) if now.saturating_duration_since(*came_at) > options.refresh_after => Need::Refresh,
            Some(_) => Need::Nothing,
        }
    }

    /// Whether the last fetch is long enough ago.
    pub(super) fn may_fetch(&self, now: Instant, options: &RemoteOptions) -> bool {
        self.tried_at.is_none_or(|tried_at| now.saturating_duration_since(tried_at) >= options.min_interval)
    }

    /// The keys, if they are not too old, or why there are none.
    pub(super) fn into_keys(self, now: Instant, options: &RemoteOptions) -> Result<Arc<KeySet>, KeySetError> {
        match self.usable(now, options) {
            Some((set, _)) => Ok(Arc::clone(set)),
            None => Err(self.failure.unwrap_or(KeySetError::TooOld)),
        }
    }

    fn usable(&self, now: Instant, options: &RemoteOptions) -> Option<&(Arc<KeySet>, Instant)> {
        self.set.as_ref().filter(|(_, came_at)| now.saturating_duration_since(*came_at) <= options.max_age)
    }

    /// A fetch begins. Should nothing more be heard of it, it was interrupted.
    pub(super) fn begin(&mut self, now: Instant) {
        self.tried_at = Some(now);
        self.failure = Some(KeySetError::Interrupted);
    }

    /// A fetch ends. Only a good set takes the place of the one before.
    pub(super) fn finish(&mut self, outcome: Result<KeySet, KeySetError>, now: Instant) {
        self.tried_at = Some(now);
        self.finished = self.finished.wrapping_add(1);
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
    fn what_a_token_needs_depends_on_the_age_of_the_keys_and_on_the_one_it_names() {
        let start = Instant::now();
        let mut known = Known::default();
        for kid in [None, Some("a")] {
            assert_eq!(known.need(kid, start, &OPTIONS), Need::Fetch, "never fetched");
        }
        known.finish(Ok(set()), start);
        for (age, unnamed, named, unknown) in [
            (0, Need::Nothing, Need::Nothing, Need::Fetch),
            (100, Need::Nothing, Need::Nothing, Need::Fetch),
            (101, Need::Refresh, Need::Refresh, Need::Fetch),
            (1000, Need::Refresh, Need::Refresh, Need::Fetch),
            (1001, Need::Fetch, Need::Fetch, Need::Fetch),
        ] {
            let now = start + Duration::from_secs(age);
            let need = |kid| known.need(kid, now, &OPTIONS);
            assert_eq!((need(None), need(Some("a")), need(Some("b"))), (unnamed, named, unknown), "{age}");
            assert_eq!(known.clone().into_keys(now, &OPTIONS).is_ok(), age <= 1000, "{age}");
        }
    }

    #[test]
    fn fetches_keep_their_distance_also_from_one_that_was_interrupted() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut known = Known::default();
        assert!(known.may_fetch(start, &OPTIONS));
        known.begin(start);
        assert_eq!((known.may_fetch(after(9), &OPTIONS), known.may_fetch(after(10), &OPTIONS)), (false, true));
        assert!(matches!(known.clone().into_keys(start, &OPTIONS), Err(KeySetError::Interrupted)));
        for outcome in [Ok(set()), Err(KeySetError::NotKeySet)] {
            known.finish(outcome, after(5));
            assert_eq!((known.may_fetch(after(14), &OPTIONS), known.may_fetch(after(15), &OPTIONS)), (false, true));
        }
        assert!(known.clone().into_keys(after(5), &OPTIONS).is_ok(), "a failure keeps the keys");
        assert!(matches!(known.into_keys(after(2000), &OPTIONS), Err(KeySetError::NotKeySet)));
    }

    #[test]
    fn the_largest_options_are_no_overflow() {
        let forever = RemoteOptions {
            refresh_after: Duration::MAX,
            max_age: Duration::MAX,
            min_interval: Duration::MAX,
            ..OPTIONS
        };
        let now = Instant::now();
        let mut known = Known::default();
        known.finish(Ok(set()), now);
        assert_eq!((known.need(Some("a"), now, &forever), known.may_fetch(now, &forever)), (Need::Nothing, false));
    }
}
