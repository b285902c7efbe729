//! Properties of a single limit, for arbitrary times of attempts.

use super::*;

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// Times of attempts, by a clock that may be moved back and forth.
fn moments() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![5 => 0..3_i64, 3 => 0..100_i64, 1 => -1_000..0_i64, 1 => 0..5_000_i64];
    prop::collection::vec(step, 1..200).prop_map(|steps| {
        let mut now = 1_000_000;
        steps
            .into_iter()
            .map(|step| {
                now += step;
                now
            })
            .collect()
    })
}

/// The times at which an attempt is allowed.
fn allowed(limit: &Limit, moments: &[i64]) -> Vec<i64> {
    let (mut counter, mut admitted) = (None, Vec::new());
    for now in moments {
        match limit.count(counter, at(*now)) {
            Ok(next) => {
                counter = Some(next);
                admitted.push(*now);
            }
            Err(delay) => assert!(delay.get() >= 1, "a delay of zero"),
        }
    }
    admitted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Within one window, and in any order of the times, exactly the maximum number of attempts is allowed.
    #[test]
    fn a_window_allows_exactly_its_maximum(most in 1..30_u32, offsets in prop::collection::vec(0..60_i64, 0..200)) {
        let limit = Limit::Window { most, window: Seconds::new(60) };
        let moments: Vec<_> = offsets.iter().map(|offset| 1_000 + offset).collect();
        prop_assert_eq!(allowed(&limit, &moments).len(), moments.len().min(most as usize));
    }

    /// Even if the clock is moved, no count exceeds the limit, and a new window starts only after the previous one has ended.
    #[test]
    fn a_window_ends_only_by_time(most in 1..10_u32, window in 1..500_u64, moments in moments()) {
        let limit = Limit::Window { most, window: Seconds::new(window) };
        let mut counter: Option<Counter> = None;
        for now in moments {
            match (limit.count(counter, at(now)), counter) {
                (Ok(next), before) => {
                    prop_assert!(next.count <= most && next.since <= at(now));
                    match before {
                        Some(before) if before.last_at > at(now).plus(Limit::MAX_SKEW) => {
                            prop_assert!(next.count == (before.count + 1).min(most) && next.since == at(now));
                        }
                        Some(before) if next.count == 1 => {
                            prop_assert!(at(now) >= before.since.plus(Seconds::new(window)));
                        }
                        Some(before) => prop_assert!(next.count == before.count + 1 && next.since <= before.since),
                        None => prop_assert_eq!(next.count, 1),
                    }
                    counter = Some(next);
                }
                (Err(delay), before) => {
                    prop_assert_eq!(before.map(|before| before.count), Some(most));
                    prop_assert!((1..=window).contains(&delay.get()));
                }
            }
        }
    }

    /// After the free attempts, each one is delayed as announced and at most by the maximum. After the delay, it is allowed.
    #[test]
    fn delays_double_up_to_the_maximum(free in 1..15_u32, first in 1..5_u64, longest in 5..200_u64, moments in moments()) {
        let (first_delay, max_delay, forget) = (Seconds::new(first), Seconds::new(longest), Seconds::new(4_000));
        let limit = Limit::Growing { free, first_delay, max_delay, forget };
        let mut counter: Option<Counter> = None;
        for now in moments {
            let before = counter.filter(|counter| at(now) < limit.expires_at(counter));
            match limit.count(counter, at(now)) {
                Ok(next) => {
                    let is_back = |before: &Counter| before.last_at > at(now).plus(Limit::MAX_SKEW);
                    if let Some(before) = before.filter(|before| before.count >= free && !is_back(before)) {
                        let doubled = first << (before.count - free).min(32);
                        let waited = now - before.last_at.seconds();
                        prop_assert!(waited >= doubled.min(longest) as i64, "allowed after {waited}");
                    }
                    prop_assert_eq!(next.count, before.map_or(1, |before| before.count + 1));
                    prop_assert_eq!(next.last_at, at(now));
                    counter = Some(next);
                }
                Err(delay) => {
                    prop_assert!(before.is_some_and(|before| before.count >= free), "free attempts have no delay");
                    prop_assert!((1..=longest).contains(&delay.get()));
                    let is_back = before.is_some_and(|before| before.last_at > at(now));
                    prop_assert!(is_back || limit.count(counter, at(now).plus(delay)).is_ok(), "allowed after the delay");
                }
            }
        }
    }

    /// Every count expires, however many attempts there were.
    #[test]
    fn every_count_expires(moments in moments()) {
        for limit in [ThrottlePolicy::default().password, ThrottlePolicy::default().second_factor] {
            let mut counter = None;
            for now in &moments {
                counter = limit.count(counter, at(*now)).ok().or(counter);
            }
            let latest = moments.iter().max().unwrap();
            let later = at(*latest + DAY as i64);
            prop_assert_eq!(limit.count(counter, later).map(|counter| counter.count), Ok(1));
        }
    }
}
