//! Limits for each user: how many wrong passwords, and how long the delays are.

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
        let logins = service.logins.clone();
        let guess = async move { logins.login(&named("alice"), &raw(WRONG), client()).await };
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
        assert!(matches!(refused, Err(AccountError::WrongPassword)), "{refused:?}");
    }
    let compared = service.hasher.verifications();
    assert_eq!(wait(&service.try_login("alice", PASSWORD).await), Some(1));
    assert_eq!(wait(&change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await), Some(1));
    let enrolment =
        service.second_factors.enrol(&caller.user, auth_accounts::second_factor::Method::Totp, shown(PASSWORD)).await;
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
        let (logins, caller) = (service.logins.clone(), caller.clone());
        let change = PasswordChange { shown: shown(WRONG), new: raw(NEW_PASSWORD) };
        guesses.spawn(async move { logins.change_password(&caller, change).await });
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
    let restarted = LoginService::new(service.context());
    assert!(wait(&restarted.login(&named("alice"), &raw(PASSWORD), client()).await).is_some());
}

#[tokio::test]
async fn are_not_counted_where_nobody_wants_it() {
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
async fn leave_no_name_in_the_storage() {
    let service = service(policy());
    service.register("alice").await;
    guess_wrong(&service, "alice", 1).await;
    assert!(!format!("{:?}", service.store).contains("password alice"));
    assert!(format!("{:?}", service.store).contains("LimitKey(\"password "), "which is where it would stand");
}
