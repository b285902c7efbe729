//! Rate limits: counting, refusing, refunding and pruning attempts.

use std::collections::HashMap;
use std::sync::Arc;

use auth_accounts::ports::Store;
use auth_accounts::throttle::{Admission, Attempt, Counter, Limit, LimitKey, Reduction};
use auth_core::ports::Randomness;
use auth_core::time::{Seconds, UnixTime};
use macro_rules_attribute::apply;

use crate::{SeededRandomness, at};

const HOUR: Limit = Limit::Window { most: 2, window: Seconds::new(3_600) };
const MINUTE: Limit = Limit::Window { most: 3, window: Seconds::new(60) };
const GROWING: Limit =
    Limit::Growing { free: 2, first_delay: Seconds::new(1), max_delay: Seconds::new(4), forget: Seconds::new(100) };

fn limit_key(name: &str) -> LimitKey {
    LimitKey::new(name)
}

fn of(name: &str, limit: Limit) -> Attempt {
    Attempt { limit_key: limit_key(name), limit }
}

async fn admitted(store: &dyn Store, attempts: &[Attempt], seconds: i64) -> Admission {
    store.admit(attempts, at(seconds)).await.unwrap()
}

/// How many more attempts are allowed at this time.
async fn left(store: &dyn Store, name: &str, limit: Limit, seconds: i64) -> usize {
    for number in 0..100 {
        if admitted(store, &[of(name, limit)], seconds).await != Admission::Admitted {
            return number;
        }
    }
    panic!("100 attempts were allowed");
}

const fn refused(seconds: u64) -> Admission {
    Admission::Refused(Seconds::new(seconds))
}

#[apply(account_case!)]
async fn a_window_allows_a_limited_number_of_attempts(store: Arc<dyn Store>) {
    for (seconds, expected) in [
        (0, Admission::Admitted),
        (20, Admission::Admitted),
        (59, Admission::Admitted),
        (59, refused(1)),
        (59, refused(1)),
        (60, Admission::Admitted),
        (119, Admission::Admitted),
        (119, Admission::Admitted),
        (119, refused(1)),
        (120, Admission::Admitted),
    ] {
        assert_eq!(admitted(&*store, &[of("a", MINUTE)], seconds).await, expected, "{seconds}");
    }
    assert_eq!(admitted(&*store, &[], 120).await, Admission::Admitted);
}

#[apply(account_case!)]
async fn the_delay_grows_with_each_attempt(store: Arc<dyn Store>) {
    for (seconds, expected) in [
        (0, Admission::Admitted),
        (0, Admission::Admitted),
        (0, refused(1)),
        (1, Admission::Admitted),
        (1, refused(2)),
        (2, refused(1)),
        (3, Admission::Admitted),
        (3, refused(4)),
        (7, Admission::Admitted),
        (7, refused(4)),
        (106, Admission::Admitted),
        (106, refused(4)),
        (206, Admission::Admitted),
        (206, Admission::Admitted),
        (206, refused(1)),
    ] {
        assert_eq!(admitted(&*store, &[of("a", GROWING)], seconds).await, expected, "{seconds}");
    }
}

/// After any sequence of attempts, even if the clock was set back.
#[apply(account_case!)]
async fn admits_exactly_what_the_limit_allows(store: Arc<dyn Store>) {
    let chance = SeededRandomness::new(1);
    let mut counters: HashMap<&str, Option<Counter>> = HashMap::new();
    let mut now = 0;
    for _ in 0..300 {
        let mut bytes = [0; 3];
        chance.fill(&mut bytes);
        now += i64::from(bytes[0] % 16) * [1, 1, 1, 8, -3][usize::from(bytes[1]) % 5];
        let (name, limit) = [("hour", HOUR), ("minute", MINUTE), ("row", GROWING)][usize::from(bytes[2]) % 3];
        let counter = counters.entry(name).or_default();
        if bytes[2] > 220 {
            let how = if bytes[2] > 240 { Reduction::Reset } else { Reduction::Refund };
            store.reduce(&[(limit_key(name), how)]).await.unwrap();
            let one_less = |counter: Counter| Counter { count: counter.count - 1, ..counter };
            *counter = counter.filter(|_| how == Reduction::Refund).map(one_less).filter(|counter| counter.count > 0);
            continue;
        }
        let expected = match limit.count(*counter, at(now)) {
            Ok(counted) => {
                *counter = Some(counted);
                Admission::Admitted
            }
            Err(wait) => Admission::Refused(wait),
        };
        assert_eq!(admitted(&*store, &[of(name, limit)], now).await, expected, "{name} at {now}");
    }
}

#[apply(account_case!)]
async fn counts_an_attempt_for_all_limit_keys_or_for_none(store: Arc<dyn Store>) {
    let all = [of("a", MINUTE), of("b", HOUR), of("c", GROWING)];
    assert_eq!(admitted(&*store, &all, 0).await, Admission::Admitted);
    assert_eq!(admitted(&*store, &all[1..2], 0).await, Admission::Admitted);
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
        let attempts = order.map(|place| all[place].clone());
        assert_eq!(admitted(&*store, &attempts, 1).await, refused(3_599), "{order:?}");
    }
    assert_eq!(left(&*store, "a", MINUTE, 1).await, 2, "a refused attempt is counted for no key");
    assert_eq!(left(&*store, "c", GROWING, 1).await, 1);
}

#[apply(account_case!)]
async fn returns_the_longest_delay(store: Arc<dyn Store>) {
    left(&*store, "minute", MINUTE, 0).await;
    left(&*store, "hour", HOUR, 0).await;
    left(&*store, "row", GROWING, 0).await;
    let (minute, hour, row) = (of("minute", MINUTE), of("hour", HOUR), of("row", GROWING));
    for (attempts, expected) in [
        (vec![minute.clone(), row.clone()], 60),
        (vec![row.clone(), of("free", HOUR), minute.clone()], 60),
        (vec![minute.clone(), hour.clone(), row.clone()], 3_600),
        (vec![hour, minute, row.clone()], 3_600),
        (vec![of("free", HOUR), row], 1),
    ] {
        assert_eq!(admitted(&*store, &attempts, 0).await, refused(expected), "{attempts:?}");
    }
    assert_eq!(left(&*store, "free", HOUR, 0).await, 2);
}

#[apply(account_case!)]
async fn refunds_one_attempt(store: Arc<dyn Store>) {
    let one = |name| (limit_key(name), Reduction::Refund);
    for name in ["a", "b"] {
        assert_eq!(left(&*store, name, MINUTE, 0).await, 3);
    }
    store.reduce(&[one("a"), one("never counted")]).await.unwrap();
    assert_eq!(left(&*store, "a", MINUTE, 10).await, 1);
    assert_eq!(left(&*store, "b", MINUTE, 10).await, 0);
    assert_eq!(left(&*store, "a", MINUTE, 59).await, 0, "the window starts with the first attempt");
    assert_eq!(left(&*store, "never counted", MINUTE, 0).await, 3);
    // When all attempts are refunded, the delay starts from the beginning.
    assert_eq!(left(&*store, "row", GROWING, 0).await, 2);
    store.reduce(&[one("row"), one("row")]).await.unwrap();
    assert_eq!(left(&*store, "row", GROWING, 0).await, 2);
}

/// The next attempt starts a new window.
#[apply(account_case!)]
async fn refunding_the_only_attempt_removes_the_count(store: Arc<dyn Store>) {
    assert_eq!(admitted(&*store, &[of("a", MINUTE)], 0).await, Admission::Admitted);
    for _ in 0..2 {
        store.reduce(&[(limit_key("a"), Reduction::Refund)]).await.unwrap();
    }
    assert_eq!(left(&*store, "a", MINUTE, 50).await, 3);
    assert_eq!(admitted(&*store, &[of("a", MINUTE)], 60).await, refused(50));
}

#[apply(account_case!)]
async fn resets_a_count(store: Arc<dyn Store>) {
    for name in ["a", "b", "c"] {
        assert_eq!(left(&*store, name, MINUTE, 0).await, 3);
    }
    let limit_keys =
        [(limit_key("a"), Reduction::Reset), (limit_key("b"), Reduction::Refund), (limit_key("x"), Reduction::Reset)];
    store.reduce(&limit_keys).await.unwrap();
    store.reduce(&[]).await.unwrap();
    assert_eq!(left(&*store, "a", MINUTE, 50).await, 3);
    assert_eq!(admitted(&*store, &[of("a", MINUTE)], 60).await, refused(50), "the window starts again");
    assert_eq!(left(&*store, "b", MINUTE, 50).await, 1);
    assert_eq!(left(&*store, "c", MINUTE, 50).await, 0);
}

#[apply(account_case!)]
async fn limit_keys_are_compared_exactly(store: Arc<dyn Store>) {
    let (long, longer) = ("x".repeat(LimitKey::MAX_LEN - 1), "x".repeat(LimitKey::MAX_LEN));
    let names = ["a", "A", "a ", " a", "aa", "a%", "_", "%", "'a'", "\\", "a:1", "a:10", &long, &longer];
    for name in names {
        assert_eq!(left(&*store, name, HOUR, 0).await, 2, "{name:?}");
    }
    store.reduce(&[(limit_key("a"), Reduction::Reset)]).await.unwrap();
    for name in names {
        assert_eq!(left(&*store, name, HOUR, 0).await, if name == "a" { 2 } else { 0 }, "{name:?}");
    }
}

#[apply(account_case!)]
async fn prunes_only_expired_counts(store: Arc<dyn Store>) {
    for (name, limit, seconds) in
        [("old", MINUTE, 39), ("now", MINUTE, 40), ("row", GROWING, 0), ("old row", GROWING, -1), ("hour", HOUR, 0)]
    {
        assert_ne!(left(&*store, name, limit, seconds).await, 0);
    }
    // A later attempt extends the lifetime of a growing delay, but not that of a window.
    assert_eq!(admitted(&*store, &[of("old row", GROWING)], 0).await, Admission::Admitted);
    assert_eq!(store.prune_attempts(at(100), 10).await.unwrap(), 1);
    assert_eq!(store.prune_attempts(at(100), 10).await.unwrap(), 0);
    assert_eq!(left(&*store, "hour", HOUR, 100).await, 0);
    assert_eq!(store.prune_attempts(at(101), 10).await.unwrap(), 3);
    assert_eq!(left(&*store, "old", MINUTE, 41).await, 3, "a pruned count starts again at zero");
    assert_eq!(store.prune_attempts(UnixTime::MAX, 10).await.unwrap(), 2);
}

#[apply(account_case!)]
async fn prunes_no_more_counts_than_the_limit(store: Arc<dyn Store>) {
    for number in 0..7 {
        assert_eq!(admitted(&*store, &[of(&number.to_string(), HOUR)], 0).await, Admission::Admitted);
    }
    for (limit, expected) in [(0, 0), (3, 3), (3, 3), (u32::MAX, 1), (3, 0)] {
        assert_eq!(store.prune_attempts(at(10_000_000), limit).await.unwrap(), expected);
    }
}
