//! Limits for each client IP.

use super::*;

#[tokio::test]
async fn get_100_failures_an_hour_over_all_accounts() {
    let service = service(policy());
    service.register("alice").await;
    guess_wrong(&service, "alice", 1).await;
    for number in 0..100 {
        let outcome = try_login_from(&service, &named(&format!("user{number}")), WRONG, "203.0.113.1").await;
        assert!(is_wrong(&outcome), "{number}: {outcome:?}");
    }
    let compared = service.hasher.verifications();
    let refused = try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.1").await;
    assert_eq!(delay(&refused), Some(HOUR));
    assert_eq!(service.hasher.verifications(), compared);
    assert!(
        try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.2").await.is_ok(),
        "other client IPs are not affected"
    );
    service.advance(HOUR);
    assert!(try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.1").await.is_ok());
}

#[tokio::test]
async fn right_passwords_neither_count_nor_reset_the_failures() {
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
    assert!(delay(&try_login_from(&service, &named("bob"), WRONG, "203.0.113.1").await).is_some());
}

#[tokio::test]
async fn in_one_ipv6_subnet_count_as_one() {
    for (one, other, is_one) in [
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
        assert_eq!(delay(&outcome).is_some(), is_one, "{one} {other}: {outcome:?}");
    }
}

/// Many users may share one client IP, and an attacker among them must not keep the others from logging in.
#[tokio::test]
async fn with_too_many_failures_can_log_in_to_accounts_without_failures() {
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
    // A wrong guess, an uncompared one and one for an unknown user get the same answer; further ones are not compared.
    let compared = service.hasher.verifications();
    for name in ["bob", "nobody"] {
        assert_eq!(delay(&guess(name, WRONG).await), Some(HOUR), "{name}");
    }
    assert_eq!(service.hasher.verifications(), compared + 2);
    for (name, password) in [("bob", PASSWORD), ("bob", WRONG), ("nobody", WRONG)] {
        assert_eq!(delay(&guess(name, password).await), Some(HOUR), "{name}");
    }
    assert_eq!(service.hasher.verifications(), compared + 2);
    // A failure under the other login name counts too.
    let by_email = LoginName::Email("carol@example.com".to_owned());
    assert!(is_wrong(&try_login_from(&service, &by_email, WRONG, "203.0.113.2").await));
    let shown = Reauthentication { client: from("203.0.113.1"), ..shown(PASSWORD) };
    let change = PasswordChange { reauthentication: shown, new: raw(NEW_PASSWORD) };
    let changed = service.logins.change_password(&carol, change).await;
    assert!(delay(&changed).is_some(), "also for a logged-in user: {changed:?}");
    assert_eq!(delay(&guess("carol", PASSWORD).await), Some(HOUR));
    assert!(try_login_from(&service, &named("bob"), PASSWORD, "203.0.113.2").await.is_ok());
    assert!(guess("bob", PASSWORD).await.is_ok(), "a right password from another client IP reset the failures");
}

#[tokio::test]
async fn exceptions_are_limited_to_ten_times_the_limit() {
    let service = service(with_accounts(|accounts| {
        let limit = Limit::Window { most: 3, window: Seconds::new(HOUR) };
        accounts.throttle = Some(ThrottlePolicy { failures_per_client_ip: limit, ..ThrottlePolicy::default() });
    }));
    service.register("alice").await;
    for number in 0..100 {
        let _ = try_login_from(&service, &named(&format!("user{number}")), WRONG, "203.0.113.1").await;
    }
    assert_eq!(service.hasher.verifications(), 3 + 30);
    assert!(delay(&try_login_from(&service, &named("alice"), PASSWORD, "203.0.113.1").await).is_some());
}

/// A guess that is refused for one limit key must not count for another one.
#[tokio::test]
async fn refused_guesses_do_not_count() {
    let service = service(policy());
    service.register("alice").await;
    guess_wrong(&service, "alice", 10).await;
    for _ in 0..500 {
        assert!(delay(&try_login_from(&service, &named("alice"), WRONG, "203.0.113.1").await).is_some());
    }
    assert!(is_wrong(&try_login_from(&service, &named("bob"), WRONG, "203.0.113.1").await));
}
