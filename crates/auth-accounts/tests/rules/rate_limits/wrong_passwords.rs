//! Limits for each user: how many wrong passwords, and how long the delays are.

use super::*;

#[tokio::test]
async fn are_delayed_after_the_tenth_with_growing_delays() {
    let service = service(policy());
    service.register("alice").await;
    guess_wrong(&service, "alice", 10).await;
    let mut delays = Vec::new();
    for _ in 0..14 {
        let refused = service.try_login("alice", WRONG).await;
        let seconds = delay(&refused).unwrap_or_else(|| panic!("not throttled: {refused:?}"));
        delays.push(seconds);
        service.advance(seconds - 1);
        assert_eq!(delay(&service.try_login("alice", WRONG).await), Some(1), "not a second earlier");
        service.advance(1);
        guess_wrong(&service, "alice", 1).await;
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_800, 1_800, 1_800]);
    service.advance(1_800);
    assert!(service.try_login("alice", PASSWORD).await.is_ok(), "the account was never locked");
}

#[tokio::test]
async fn get_the_same_answer_as_right_ones_during_a_delay() {
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
            answers.push((delay(&refused), service.take_event_kinds(), format!("{refused:?}")));
        }
        assert_eq!(service.hasher.verifications(), compared, "{name}");
        assert_eq!(service.store.calls() - calls, 3, "{name}: the count is read, the account is not");
    }
    assert_eq!(answers[0].0, Some(1));
    assert_eq!(answers[0].1, [EventKind::AttemptThrottled]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn are_counted_together_for_all_spellings_of_a_login_name() {
    let service = service(policy());
    service.register("alice").await;
    let guess = async |name: LoginName| try_login_from(&service, &name, WRONG, "192.0.2.7").await;
    let email = |text: &str| LoginName::Email(text.to_owned());
    let spellings = [named("alice"), named("ALICE"), named(" alice "), named("ａｌｉｃｅ"), named("al\u{200B}ice")];
    for name in spellings.iter().cycle().take(10) {
        assert!(is_wrong(&guess(name.clone()).await), "{name:?}");
    }
    for name in spellings {
        assert_eq!(delay(&guess(name.clone()).await), Some(1), "{name:?}");
    }
    for text in ["alice@example.com", "Alice@EXAMPLE.com"].into_iter().cycle().take(10) {
        assert!(is_wrong(&guess(email(text)).await), "{text}");
    }
    assert_eq!(delay(&guess(email("alice@example.com")).await), Some(1));
}

/// Guesses at one login name count for the other, but an attacker does not learn that both belong to one account (SEC-121).
#[tokio::test]
async fn are_counted_for_both_login_names_without_revealing_the_link() {
    for (one, other, unknown_name) in [
        (named("alice"), LoginName::Email("alice@example.com".to_owned()), "unknown@example.com"),
        (LoginName::Email("alice@example.com".to_owned()), named("alice"), "unknown"),
    ] {
        let service = service(policy());
        service.register("alice").await;
        for _ in 0..10 {
            assert!(is_wrong(&try_login_from(&service, &one, WRONG, "192.0.2.7").await));
        }
        let unknown = match &other {
            LoginName::Email(_) => LoginName::Email(unknown_name.to_owned()),
            LoginName::Username(_) => named(unknown_name),
        };
        service.take_event_kinds();
        for password in [PASSWORD, WRONG] {
            let hashed = service.hasher.verifications();
            assert!(is_wrong(&try_login_from(&service, &other, password, "192.0.2.7").await), "{other:?}");
            let of_account = service.hasher.verifications() - hashed;
            assert!(is_wrong(&try_login_from(&service, &unknown, password, "192.0.2.7").await));
            assert_eq!(service.hasher.verifications() - hashed - of_account, of_account, "the same work");
        }
        // After the delay, the right password is accepted with either login name, and resets both counts.
        service.advance(DAY);
        assert!(try_login_from(&service, &other, PASSWORD, "192.0.2.7").await.is_ok());
    }
}

#[tokio::test]
async fn for_an_unknown_email_address_are_counted_for_it() {
    let service = service(policy());
    let guess =
        async |text: &str| try_login_from(&service, &LoginName::Email(text.to_owned()), WRONG, "192.0.2.7").await;
    for text in ["Nobody@example.com", "nobody@EXAMPLE.com"].into_iter().cycle().take(10) {
        assert!(is_wrong(&guess(text).await), "{text}");
    }
    assert_eq!(delay(&guess("nobody@example.com").await), Some(1));
    assert!(is_wrong(&guess("somebody@example.com").await));
    for _ in 0..10 {
        assert!(is_wrong(&guess("no address").await));
    }
    assert_eq!(delay(&guess("NO ADDRESS").await), Some(1));
}

#[tokio::test]
async fn are_reset_by_a_right_one_and_after_a_day() {
    let service = service(policy());
    service.register("alice").await;
    for _ in 0..3 {
        guess_wrong(&service, "alice", 9).await;
        service.login("alice").await;
    }
    guess_wrong(&service, "alice", 10).await;
    service.advance(DAY - 1);
    guess_wrong(&service, "alice", 1).await;
    assert_eq!(delay(&service.try_login("alice", PASSWORD).await), Some(2));
    service.advance(DAY);
    guess_wrong(&service, "alice", 10).await;
    assert_eq!(delay(&service.try_login("alice", PASSWORD).await), Some(1));
}

#[tokio::test]
async fn for_one_account_do_not_affect_another() {
    let service = service(policy());
    service.register("alice").await;
    service.register("bob").await;
    guess_wrong(&service, "alice", 10).await;
    assert!(service.try_login("bob", PASSWORD).await.is_ok());
    assert!(delay(&service.try_login("alice", PASSWORD).await).is_some(), "the login of bob resets nothing for alice");
}

#[tokio::test]
async fn are_limited_to_ten_under_concurrency() {
    let Fixture { service, eventful, .. } = fixture(policy());
    service.register("alice").await;
    eventful.yield_at_each_call();
    let (threads, mut guesses) = (tokio::task::LocalSet::new(), tokio::task::JoinSet::new());
    for _ in 0..50 {
        let logins = service.logins.clone();
        let guess = async move { logins.login(&named("alice"), &raw(WRONG), client()).await };
        guesses.spawn_local_on(guess, &threads);
    }
    let outcomes = threads.run_until(guesses.join_all()).await;
    assert_eq!(outcomes.iter().filter(|outcome| is_wrong(outcome)).count(), 10);
    assert_eq!(outcomes.iter().filter(|outcome| delay(outcome).is_some()).count(), 40);
    assert_eq!(service.hasher.verifications(), 10, "exactly ten were compared");
}

#[tokio::test]
async fn of_logged_in_users_count_as_at_a_login() {
    let service = service(policy());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    guess_wrong(&service, "alice", 5).await;
    for _ in 0..5 {
        let refused = change_password(&service, &caller, WRONG, NEW_PASSWORD).await;
        assert!(matches!(refused, Err(AccountError::WrongPassword)), "{refused:?}");
    }
    let compared = service.hasher.verifications();
    assert_eq!(delay(&service.try_login("alice", PASSWORD).await), Some(1));
    assert_eq!(delay(&change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await), Some(1));
    let enrolment =
        service.second_factors.enrol(&caller.user, auth_accounts::second_factor::Method::Totp, shown(PASSWORD)).await;
    assert_eq!(delay(&enrolment), Some(1));
    assert_eq!(service.hasher.verifications(), compared);
}

#[tokio::test]
async fn at_concurrent_password_changes_are_limited_to_ten() {
    let Fixture { service, eventful, .. } = fixture(policy());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    let compared = service.hasher.verifications();
    eventful.yield_at_each_call();
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (logins, caller) = (service.logins.clone(), caller.clone());
        let change = PasswordChange { reauthentication: shown(WRONG), new: raw(NEW_PASSWORD) };
        guesses.spawn(async move { logins.change_password(&caller, change).await });
    }
    guesses.join_all().await;
    assert_eq!(service.hasher.verifications() - compared, 10);
}

#[tokio::test]
async fn do_not_affect_open_sessions() {
    let service = service(policy());
    service.register("alice").await;
    let pair = service.login("alice").await;
    guess_wrong(&service, "alice", 10).await;
    assert!(delay(&service.try_login("alice", WRONG).await).is_some());
    assert!(service.tokens.authenticate(&access_of(&pair)).await.is_ok());
    assert!(service.try_refresh(&pair).await.is_ok());
}

#[tokio::test]
async fn are_counted_across_processes() {
    let service = service(policy());
    service.register("alice").await;
    guess_wrong(&service, "alice", 10).await;
    let restarted = LoginService::new(service.context());
    assert!(delay(&restarted.login(&named("alice"), &raw(PASSWORD), client()).await).is_some());
}

#[tokio::test]
async fn are_not_counted_without_a_rate_limit() {
    let service = service(with_accounts(|accounts| accounts.throttle = None));
    service.register("alice").await;
    guess_wrong(&service, "alice", 100).await;
    for number in 0..100 {
        service.accounts.request_reset(&email("alice@example.com"), &from(&format!("192.0.2.{number}"))).await.unwrap();
    }
    assert_eq!(service.deliver_emails().await.len(), 100);
    assert!(service.try_login("alice", PASSWORD).await.is_ok());
    assert_eq!(service.store.prune_attempts(UnixTime::MAX, u32::MAX).await.unwrap(), 0, "nothing is stored");
}

#[tokio::test]
async fn store_no_login_name() {
    let service = service(policy());
    service.register("alice").await;
    guess_wrong(&service, "alice", 1).await;
    assert!(!format!("{:?}", service.store).contains("password alice"));
    assert!(format!("{:?}", service.store).contains("LimitKey(\"password "), "the limit key is stored");
}
