//! Laws of a single limit, for any moments at which something is attempted.

use super::*;

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// Moments at which something is tried, as a clock shows them that may be set: back and forth.
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

/// The moments at which an attempt is allowed.
fn let_in(limit: &Limit, moments: &[i64]) -> Vec<i64> {
    let (mut counter, mut admitted) = (None, Vec::new());
    for now in moments {
        match limit.count(counter, at(*now)) {
            Ok(next) => {
                counter = Some(next);
                admitted.push(*now);
            }
            Err(wait) => assert!(wait.get() >= 1, "a wait of nothing"),
        }
    }
    admitted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Within less than a window of time, in whatever order its moments come, exactly so many are let in.
    #[test]
    fn a_window_lets_exactly_so_many_in(most in 1..30_u32, offsets in prop::collection::vec(0..60_i64, 0..200)) {
        let limit = Limit::Window { most, window: Seconds::new(60) };
        let moments: Vec<_> = offsets.iter().map(|offset| 1_000 + offset).collect();
        prop_assert_eq!(let_in(&limit, &moments).len(), moments.len().min(most as usize));
    }

    /// However the clock is set: no count is above the limit, and another window begins when the clock shows that the one
    /// before is over.
    #[test]
    fn a_window_ends_by_time_alone(most in 1..10_u32, window in 1..500_u64, moments in moments()) {
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
                (Err(wait), before) => {
                    prop_assert_eq!(before.map(|before| before.count), Some(most));
                    prop_assert!((1..=window).contains(&wait.get()));
                }
            }
        }
    }

    /// Past the free ones each waits, as long as it is told, and no longer than the cap; who waits is let in.
    #[test]
    fn a_row_waits_as_it_is_told(free in 1..15_u32, first in 1..5_u64, longest in 5..200_u64, moments in moments()) {
        let (first_wait, longest_wait, forget) = (Seconds::new(first), Seconds::new(longest), Seconds::new(4_000));
        let limit = Limit::Growing { free, first_wait, longest_wait, forget };
        let mut counter: Option<Counter> = None;
        for now in moments {
            let before = counter.filter(|counter| at(now) < limit.expires_at(counter));
            match limit.count(counter, at(now)) {
                Ok(next) => {
                    let is_back = |before: &Counter| before.last_at > at(now).plus(Limit::MAX_SKEW);
                    if let Some(before) = before.filter(|before| before.count >= free && !is_back(before)) {
                        let doubled = first << (before.count - free).min(32);
                        let waited = now - before.last_at.seconds();
                        prop_assert!(waited >= doubled.min(longest) as i64, "let in after {waited}");
                    }
                    prop_assert_eq!(next.count, before.map_or(1, |before| before.count + 1));
                    prop_assert_eq!(next.last_at, at(now));
                    counter = Some(next);
                }
                Err(wait) => {
                    prop_assert!(before.is_some_and(|before| before.count >= free), "the free ones do not wait");
                    prop_assert!((1..=longest).contains(&wait.get()));
                    let is_back = before.is_some_and(|before| before.last_at > at(now));
                    prop_assert!(is_back || limit.count(counter, at(now).plus(wait)).is_ok(), "who waits is let in");
                }
            }
        }
    }

    /// No count lasts for ever, however many attempts there were.
    #[test]
    fn no_count_stays_for_ever(moments in moments()) {
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
