//! Limits for registrations, for each client IP. They apply before anything is hashed or looked up.

use auth_accounts::account::{AccountFault, NewUser};
use auth_accounts::service::{AccountService, NewAccount};
use auth_conformance::new_user;
use auth_core::user::User;

use super::*;

async fn register_from(service: &AccountService, name: &str, client_ip: &str) -> Result<User, AccountError> {
    let NewUser { username, first_name, last_name, .. } = new_user(name);
    let email = email(&format!("{name}@example.com"));
    let password = PasswordPolicy::default().check(raw(PASSWORD), &[]).unwrap();
    service.register(NewAccount { username, email, first_name, last_name, password }, &from(client_ip)).await
}

fn too_many<T>(outcome: &Result<T, AccountError>) -> Option<u64> {
    match outcome {
        Err(AccountError::TooManyRegistrations { retry_after }) => Some(retry_after.get()),
        _ => None,
    }
}

#[tokio::test]
async fn are_limited_to_twenty_an_hour_for_each_client_ip() {
    let service = service(policy());
    for number in 0..20 {
        let registered = register_from(&service.accounts, &format!("user{number}"), "203.0.113.1").await;
        assert!(registered.is_ok(), "{number}: {registered:?}");
    }
    service.take_event_kinds();
    let refused = register_from(&service.accounts, "another", "203.0.113.1").await;
    assert_eq!(too_many(&refused), Some(HOUR), "{refused:?}");
    assert_eq!(service.take_event_kinds(), [EventKind::AttemptThrottled]);
    assert!(
        register_from(&service.accounts, "another", "203.0.113.2").await.is_ok(),
        "other client IPs are not affected"
    );
    assert!(service.try_login("user0", PASSWORD).await.is_ok(), "logins are not affected");
    service.advance(HOUR);
    assert!(register_from(&service.accounts, "later", "203.0.113.1").await.is_ok());
}

/// Otherwise an attacker could find out without limits which login names are taken.
#[tokio::test]
async fn that_fail_because_a_login_name_is_taken_count() {
    let service = service(policy());
    service.register("alice").await;
    for number in 0..20 {
        let refused = register_from(&service.accounts, "alice", "203.0.113.1").await;
        assert!(matches!(refused, Err(AccountError::Account(AccountFault::Taken(_)))), "{number}: {refused:?}");
    }
    assert!(too_many(&register_from(&service.accounts, "alice", "203.0.113.1").await).is_some());
}

#[tokio::test]
async fn from_one_ipv6_subnet_are_counted_together() {
    let service = service(policy());
    for number in 0..20 {
        let registered =
            register_from(&service.accounts, &format!("user{number}"), &format!("2001:db8::{number}")).await;
        assert!(registered.is_ok(), "{number}: {registered:?}");
    }
    assert!(too_many(&register_from(&service.accounts, "another", "2001:db8::ffff:1").await).is_some());
    assert!(register_from(&service.accounts, "another", "2001:db8:0:1::1").await.is_ok());
}

#[tokio::test]
async fn are_counted_before_hashing_and_refunded_if_hashing_fails() {
    let service = service(policy());
    let hasher = Arc::new(FailingHasher { calls: AtomicUsize::new(0), is_broken: false });
    let ports = Ports { hasher: hasher.clone(), ..service.ports().clone() };
    let busy = AccountService::new(service.context_with(ports));
    for number in 0..40 {
        let refused = register_from(&busy, &format!("user{number}"), "203.0.113.1").await;
        assert!(matches!(refused, Err(AccountError::Overloaded { .. })), "{number}: {refused:?}");
    }
    assert_eq!(hasher.calls.load(Ordering::SeqCst), 40);
    for number in 0..20 {
        assert!(register_from(&service.accounts, &format!("user{number}"), "203.0.113.1").await.is_ok(), "{number}");
    }
    assert!(too_many(&register_from(&busy, "another", "203.0.113.1").await).is_some());
    assert_eq!(hasher.calls.load(Ordering::SeqCst), 40, "the limit applies before hashing");
}

#[tokio::test]
async fn are_unlimited_without_limits() {
    let service = service(with_accounts(|accounts| accounts.throttle = None));
    for number in 0..40 {
        assert!(register_from(&service.accounts, &format!("user{number}"), "203.0.113.1").await.is_ok(), "{number}");
    }
}
