//! Limits for each client IP.

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
