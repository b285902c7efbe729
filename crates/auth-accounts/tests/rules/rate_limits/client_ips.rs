//! Limits for each client IP.

use super::*;

#[tokio::test]
async fn may_guess_at_many_accounts_but_not_without_end() {
    let service = service(policy());
    service.register("alice").await;
    guess_wrong(&service, "alice", 1).await;
    for number in 0..100 {
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
    for number in 0..99 {
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
        for number in 0..100 {
            let outcome = try_login_from(&service, &named(&format!("user{number}")), WRONG, one).await;
            assert!(is_wrong(&outcome), "{number}: {outcome:?}");
        }
        let outcome = try_login_from(&service, &named("another"), WRONG, other).await;
        assert_eq!(wait(&outcome).is_some(), are_one, "{one} {other}: {outcome:?}");
    }
}

/// Many users may share one client IP, and a stranger among them must not keep the others out.
#[tokio::test]
async fn with_too_many_failures_still_log_in_to_an_account_that_has_none() {
    let service = service(policy());
    for name in ["alice", "bob", "carol"] {
        service.register(name).await;
    }
    let carol = service.caller(&service.login("carol").await).await;
    let guess =
        async |name: &str, password: &str| try_login_from(&service, &named(name), password, "203.0.113.1").await;
    for number in 0..100 {
        assert!(is_wrong(&guess(&format!("user{number}"), WRONG).await), "{number}");
    }
    for _ in 0..3 {
        assert!(guess("alice", PASSWORD).await.is_ok());
    }
    // A wrong one, one that is not compared and one for nobody get one answer, and the next is not compared.
    let compared = service.hasher.verifications();
    for name in ["bob", "nobody"] {
        assert_eq!(wait(&guess(name, WRONG).await), Some(HOUR), "{name}");
    }
    assert_eq!(service.hasher.verifications(), compared + 2);
    for (name, password) in [("bob", PASSWORD), ("bob", WRONG), ("nobody", WRONG)] {
        assert_eq!(wait(&guess(name, password).await), Some(HOUR), "{name}");
    }
    assert_eq!(service.hasher.verifications(), compared + 2);
    // A failure under the other name counts as well.
    let by_email = LoginName::Email("carol@example.com".to_owned());
    assert!(is_wrong(&try_login_from(&service, &by_email, WRONG, "203.0.113.2").await));
    let shown = Reauthentication { client: from("203.0.113.1"), ..shown(PASSWORD) };
    let change = PasswordChange { shown, new: raw(NEW_PASSWORD) };
    let changed = service.logins.change_password(&carol, change).await;
    assert!(wait(&changed).is_some(), "also of a user who is logged in: {changed:?}");
    assert_eq!(wait(&guess("carol", PASSWORD).await), Some(HOUR));
    assert!(try_login_from(&service, &named("bob"), PASSWORD, "203.0.113.2").await.is_ok());
    assert!(guess("bob", PASSWORD).await.is_ok(), "a right one from elsewhere cleared the failure");
}

#[tokio::test]
async fn with_too_many_failures_are_compared_no_more_than_ten_times_as_often() {
    let service = service(with_accounts(|accounts| {
        let limit = Limit::Window { most: 3, window: Seconds::new(HOUR) };
        accounts.throttle = Some(ThrottlePolicy { failures_per_address: limit, ..ThrottlePolicy::default() });
    }));
    service.register("alice").await;
    for number in 0..100 {
        let _ = try_login_from(&service, &named(&format!("user{number}")), WRONG, "203.0.113.1").await;
    }
    assert_eq!(service.hasher.verifications(), 3 + 30);
    assert!(wait(&try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.1").await).is_some());
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
