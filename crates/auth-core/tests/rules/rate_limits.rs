//! Limits of attempts at passwords: how many are let in, and who is counted as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fixture::*;
use async_trait::async_trait;
use auth_core::AuthError;
use auth_core::account::LoginName;
use auth_core::event::EventKind;
use auth_core::password::{CheckedPassword, PasswordHash, PasswordPolicy, RawPassword};
use auth_core::ports::{Attempts, HashError, PasswordHasher, Verdict};
use auth_core::service::{Action, PasswordChange, Ports, TokenService};
use auth_core::throttle::{Counter, Limit, ThrottlePolicy};
use auth_core::time::{Seconds, UnixTime};
use proptest::prelude::*;

const WRONG: &str = "Wrong-horse-42";
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

fn wait<T>(outcome: &Result<T, AuthError>) -> Option<u64> {
    match outcome {
        Err(AuthError::Throttled { retry_after }) => Some(retry_after.get()),
        _ => None,
    }
}

fn is_wrong<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::BadCredentials))
}

async fn guess_wrong(service: &TestService, name: &str, times: usize) {
    for guess in 0..times {
        let outcome = service.try_login(name, WRONG).await;
        assert!(is_wrong(&outcome), "{name}, guess {guess}: {outcome:?}");
    }
}

mod wrong_passwords {
    use super::*;

    #[tokio::test]
    async fn are_ten_and_then_wait_for_longer_and_longer() {
        let service = service(policy());
        service.register("alice").await;
        guess_wrong(&service, "alice", 10).await;
        let mut waits = Vec::new();
        for _ in 0..14 {
            let refused = service.try_login("alice", WRONG).await;
            let seconds = wait(&refused).unwrap_or_else(|| panic!("not throttled: {refused:?}"));
            waits.push(seconds);
            service.advance(seconds - 1);
            assert_eq!(wait(&service.try_login("alice", WRONG).await), Some(1), "not a second earlier");
            service.advance(1);
            guess_wrong(&service, "alice", 1).await;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_800, 1_800, 1_800]);
        service.advance(1_800);
        assert!(service.try_login("alice", PASSWORD).await.is_ok(), "the account was never locked");
    }

    #[tokio::test]
    async fn and_right_ones_get_the_same_answer_while_they_wait_and_nothing_is_hashed() {
        let service = service(policy());
        service.register("alice").await;
        service.register("inactive").await;
        service.act("inactive", Action::Deactivate).await;
        let mut answers = Vec::new();
        for (name, right) in [("alice", PASSWORD), ("inactive", PASSWORD), ("nobody", "Any-horse-42")] {
            guess_wrong(&service, name, 10).await;
            service.events.taken();
            let (compared, calls) = (service.hasher.verifications(), service.store.calls());
            for password in [right, WRONG, ""] {
                let refused = service.try_login(name, password).await;
                answers.push((wait(&refused), service.take_event_kinds(), format!("{refused:?}")));
            }
            assert_eq!(service.hasher.verifications(), compared, "{name}");
            assert_eq!(service.store.calls() - calls, 3, "{name}: the count is asked, the account is not");
        }
        assert_eq!(answers[0].0, Some(1));
        assert_eq!(answers[0].1, [EventKind::AttemptThrottled]);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }

    #[tokio::test]
    async fn of_all_spellings_of_a_name_are_counted_together() {
        let service = service(policy());
        service.register("alice").await;
        let guess = async |name: LoginName| try_login_from(&service, &name, WRONG, "192.0.2.7").await;
        let email = |text: &str| LoginName::Email(text.to_owned());
        let spellings = [named("alice"), named("ALICE"), named(" alice "), named("ａｌｉｃｅ"), named("al\u{200B}ice")];
        for name in spellings.iter().cycle().take(10) {
            assert!(is_wrong(&guess(name.clone()).await), "{name:?}");
        }
        for name in spellings {
            assert_eq!(wait(&guess(name.clone()).await), Some(1), "{name:?}");
        }
        for text in ["alice@example.com", "Alice@EXAMPLE.com"].into_iter().cycle().take(10) {
            assert!(is_wrong(&guess(email(text)).await), "{text}");
        }
        assert_eq!(wait(&guess(email("alice@example.com")).await), Some(1));
    }

    /// Guesses by one name count for the other; but who tries both does not learn that they belong together.
    #[tokio::test]
    async fn of_an_account_are_counted_together_and_its_other_name_does_not_tell() {
        for (one, other, strangers) in [
            (named("alice"), LoginName::Email("alice@example.com".to_owned()), "stranger@example.com"),
            (LoginName::Email("alice@example.com".to_owned()), named("alice"), "stranger"),
        ] {
            let service = service(policy());
            service.register("alice").await;
            for _ in 0..10 {
                assert!(is_wrong(&try_login_from(&service, &one, WRONG, "192.0.2.7").await));
            }
            let stranger = match &other {
                LoginName::Email(_) => LoginName::Email(strangers.to_owned()),
                LoginName::Username(_) => named(strangers),
            };
            service.take_event_kinds();
            for password in [PASSWORD, WRONG] {
                let hashed = service.hasher.verifications();
                assert!(is_wrong(&try_login_from(&service, &other, password, "192.0.2.7").await), "{other:?}");
                let of_account = service.hasher.verifications() - hashed;
                assert!(is_wrong(&try_login_from(&service, &stranger, password, "192.0.2.7").await));
                assert_eq!(service.hasher.verifications() - hashed - of_account, of_account, "the same work");
            }
            // Once the wait is over, the right one counts under any name, and for all of them.
            service.advance(DAY);
            assert!(try_login_from(&service, &other, PASSWORD, "192.0.2.7").await.is_ok());
        }
    }

    #[tokio::test]
    async fn of_an_unknown_address_are_counted_by_the_address() {
        let service = service(policy());
        let guess =
            async |text: &str| try_login_from(&service, &LoginName::Email(text.to_owned()), WRONG, "192.0.2.7").await;
        for text in ["Nobody@example.com", "nobody@EXAMPLE.com"].into_iter().cycle().take(10) {
            assert!(is_wrong(&guess(text).await), "{text}");
        }
        assert_eq!(wait(&guess("nobody@example.com").await), Some(1));
        assert!(is_wrong(&guess("somebody@example.com").await));
        for _ in 0..10 {
            assert!(is_wrong(&guess("no address").await));
        }
        assert_eq!(wait(&guess("NO ADDRESS").await), Some(1));
    }

    #[tokio::test]
    async fn are_forgotten_with_a_right_one_or_after_a_day() {
        let service = service(policy());
        service.register("alice").await;
        for _ in 0..3 {
            guess_wrong(&service, "alice", 9).await;
            service.login("alice").await;
        }
        guess_wrong(&service, "alice", 10).await;
        service.advance(DAY - 1);
        guess_wrong(&service, "alice", 1).await;
        assert_eq!(wait(&service.try_login("alice", PASSWORD).await), Some(2));
        service.advance(DAY);
        guess_wrong(&service, "alice", 10).await;
        assert_eq!(wait(&service.try_login("alice", PASSWORD).await), Some(1));
    }

    #[tokio::test]
    async fn of_one_account_are_not_those_of_another() {
        let service = service(policy());
        service.register("alice").await;
        service.register("bob").await;
        guess_wrong(&service, "alice", 10).await;
        assert!(service.try_login("bob", PASSWORD).await.is_ok());
        assert!(wait(&service.try_login("alice", PASSWORD).await).is_some(), "which forgives nothing of alice's");
    }

    #[tokio::test]
    async fn at_once_are_no_more_than_ten() {
        let Fixture { service, eventful, .. } = fixture(policy());
        service.register("alice").await;
        eventful.yield_at_each_call();
        let (threads, mut guesses) = (tokio::task::LocalSet::new(), tokio::task::JoinSet::new());
        for _ in 0..50 {
            let tokens = service.tokens.clone();
            let guess = async move { tokens.login(&named("alice"), &raw(WRONG), client()).await };
            guesses.spawn_local_on(guess, &threads);
        }
        let outcomes = threads.run_until(guesses.join_all()).await;
        assert_eq!(outcomes.iter().filter(|outcome| is_wrong(outcome)).count(), 10);
        assert_eq!(outcomes.iter().filter(|outcome| wait(outcome).is_some()).count(), 40);
        assert_eq!(service.hasher.verifications(), 10, "exactly ten were compared");
    }

    #[tokio::test]
    async fn shown_by_somebody_who_is_logged_in_count_as_those_at_a_login() {
        let service = service(policy());
        service.register("alice").await;
        let caller = service.caller(&service.login("alice").await).await;
        guess_wrong(&service, "alice", 5).await;
        for _ in 0..5 {
            let refused = change_password(&service, &caller, WRONG, NEW_PASSWORD).await;
            assert!(matches!(refused, Err(AuthError::WrongPassword)), "{refused:?}");
        }
        let compared = service.hasher.verifications();
        assert_eq!(wait(&service.try_login("alice", PASSWORD).await), Some(1));
        assert_eq!(wait(&change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await), Some(1));
        let enrolment =
            service.second_factors.enrol(&caller.user, auth_core::second_factor::Method::Totp, shown(PASSWORD)).await;
        assert_eq!(wait(&enrolment), Some(1));
        assert_eq!(service.hasher.verifications(), compared);
    }

    #[tokio::test]
    async fn at_changes_at_once_are_no_more_than_ten() {
        let Fixture { service, eventful, .. } = fixture(policy());
        service.register("alice").await;
        let caller = service.caller(&service.login("alice").await).await;
        let compared = service.hasher.verifications();
        eventful.yield_at_each_call();
        let mut guesses = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (tokens, caller) = (service.tokens.clone(), caller.clone());
            let change = PasswordChange { old: raw(WRONG), new: raw(NEW_PASSWORD), client: client() };
            guesses.spawn(async move { tokens.change_password(&caller, change, &PasswordPolicy::default()).await });
        }
        guesses.join_all().await;
        assert_eq!(service.hasher.verifications() - compared, 10);
    }

    #[tokio::test]
    async fn touch_no_session_that_is_open() {
        let service = service(policy());
        service.register("alice").await;
        let pair = service.login("alice").await;
        guess_wrong(&service, "alice", 10).await;
        assert!(wait(&service.try_login("alice", WRONG).await).is_some());
        assert!(service.tokens.authenticate(&access_of(&pair)).await.is_ok());
        assert!(service.try_refresh(&pair).await.is_ok());
    }

    #[tokio::test]
    async fn are_known_to_a_new_process() {
        let service = service(policy());
        service.register("alice").await;
        guess_wrong(&service, "alice", 10).await;
        let restarted = TokenService::new(service.ports().clone(), policy());
        assert!(wait(&restarted.login(&named("alice"), &raw(PASSWORD), client()).await).is_some());
    }

    #[tokio::test]
    async fn are_not_counted_where_nobody_wants_it() {
        let service = service(with_accounts(|accounts| accounts.throttle = None));
        service.register("alice").await;
        guess_wrong(&service, "alice", 100).await;
        for number in 0..100 {
            service
                .accounts
                .request_reset(&email("alice@example.com"), &from(&format!("192.0.2.{number}")))
                .await
                .unwrap();
        }
        assert_eq!(service.deliver_emails().await.len(), 100);
        assert!(service.try_login("alice", PASSWORD).await.is_ok());
        assert_eq!(service.store.prune_attempts(UnixTime::MAX, u32::MAX).await.unwrap(), 0, "nothing is stored");
    }

    #[tokio::test]
    async fn leave_no_name_in_the_storage() {
        let service = service(policy());
        service.register("alice").await;
        guess_wrong(&service, "alice", 1).await;
        assert!(!format!("{:?}", service.store).contains("password alice"));
        assert!(format!("{:?}", service.store).contains("Bucket(\"password "), "which is where it would stand");
    }
}

mod addresses {
    use super::*;

    #[tokio::test]
    async fn may_guess_at_many_accounts_but_not_without_end() {
        let service = service(policy());
        service.register("alice").await;
        for number in 0..300 {
            let outcome = try_login_from(&service, &named(&format!("user{number}")), WRONG, "203.0.113.1").await;
            assert!(is_wrong(&outcome), "{number}: {outcome:?}");
        }
        let compared = service.hasher.verifications();
        let refused = try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.1").await;
        assert_eq!(wait(&refused), Some(HOUR));
        assert_eq!(service.hasher.verifications(), compared);
        assert!(try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.2").await.is_ok(), "others are let in");
        service.advance(HOUR);
        assert!(try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.1").await.is_ok());
    }

    #[tokio::test]
    async fn are_not_used_up_by_right_passwords_nor_given_back_by_them() {
        let service = service(policy());
        service.register("alice").await;
        for number in 0..299 {
            let outcome = try_login_from(&service, &named(&format!("user{number}")), WRONG, "203.0.113.1").await;
            assert!(is_wrong(&outcome), "{number}: {outcome:?}");
            if number % 10 == 0 {
                assert!(try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.1").await.is_ok());
            }
        }
        for _ in 0..20 {
            assert!(try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.1").await.is_ok());
        }
        assert!(is_wrong(&try_login_from(&service, &named("bob"), WRONG, "203.0.113.1").await));
        assert!(wait(&try_login_from(&service, &named("bob"), WRONG, "203.0.113.1").await).is_some());
    }

    #[tokio::test]
    async fn of_one_subnet_are_one() {
        for (one, other, are_one) in [
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:203.0.113.1", "203.0.113.1", true),
            ("203.0.113.1", "203.0.113.2", false),
        ] {
            let service = service(policy());
            for number in 0..300 {
                let outcome = try_login_from(&service, &named(&format!("user{number}")), WRONG, one).await;
                assert!(is_wrong(&outcome), "{number}: {outcome:?}");
            }
            let outcome = try_login_from(&service, &named("another"), WRONG, other).await;
            assert_eq!(wait(&outcome).is_some(), are_one, "{one} {other}: {outcome:?}");
        }
    }

    /// What a refused bucket says must not count in another one: a throttled account costs its callers nothing.
    #[tokio::test]
    async fn are_not_charged_for_what_was_not_looked_at() {
        let service = service(policy());
        service.register("alice").await;
        guess_wrong(&service, "alice", 10).await;
        for _ in 0..500 {
            assert!(wait(&try_login_from(&service, &named("alice"), WRONG, "203.0.113.1").await).is_some());
        }
        assert!(is_wrong(&try_login_from(&service, &named("bob"), WRONG, "203.0.113.1").await));
    }
}

/// A hasher that is busy, or broken, until it is told otherwise.
struct Troubled {
    calls: AtomicUsize,
    is_broken: bool,
}

#[async_trait]
impl PasswordHasher for Troubled {
    async fn hash(&self, _: &CheckedPassword) -> Result<PasswordHash, HashError> {
        Err(self.trouble())
    }

    async fn verify(&self, _: &RawPassword, _: Option<&PasswordHash>) -> Result<Verdict, HashError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Err(self.trouble())
    }
}

impl Troubled {
    fn trouble(&self) -> HashError {
        match self.is_broken {
            true => HashError::Failed("out of memory".into()),
            false => HashError::Overloaded { retry_after: Seconds::new(1) },
        }
    }
}

#[tokio::test]
async fn what_nobody_compared_does_not_count_nor_forgive() {
    for is_broken in [false, true] {
        let service = service(policy());
        service.register("alice").await;
        let caller = service.caller(&service.login("alice").await).await;
        guess_wrong(&service, "alice", 9).await;
        let hasher = Arc::new(Troubled { calls: AtomicUsize::new(0), is_broken });
        let busy = TokenService::new(Ports { hasher: hasher.clone(), ..service.ports().clone() }, policy());
        for _ in 0..20 {
            let outcome = busy.login(&named("alice"), &raw(PASSWORD), client()).await;
            match outcome {
                Err(AuthError::Overloaded { .. }) => assert!(!is_broken),
                Err(AuthError::Crypto(_)) => assert!(is_broken),
                other => panic!("{other:?}"),
            }
            let change = PasswordChange { old: raw(PASSWORD), new: raw(NEW_PASSWORD), client: client() };
            let outcome = busy.change_password(&caller, change, &PasswordPolicy::default()).await;
            assert!(matches!(outcome, Err(AuthError::Overloaded { .. } | AuthError::Crypto(_))), "{outcome:?}");
        }
        assert_eq!(hasher.calls.load(Ordering::SeqCst), 40);
        guess_wrong(&service, "alice", 1).await;
        assert!(wait(&service.try_login("alice", WRONG).await).is_some(), "the nine before still count");
    }
}

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

/// Those that were let in.
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

    /// From any moment on there is an end to it, however often somebody tried.
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
