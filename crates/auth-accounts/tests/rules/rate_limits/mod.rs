//! Rate limits for passwords: how many attempts are allowed, and which attempts count together.

mod client_ips;
mod limit;
mod registrations;
mod wrong_passwords;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use auth_accounts::account::LoginName;
use auth_accounts::password::{CheckedPassword, PasswordHash, PasswordPolicy, RawPassword};
use auth_accounts::ports::{Attempts, HashError, PasswordHasher, QueueShare, Verdict};
use auth_accounts::service::{Action, LoginService, PasswordChange, Ports, Reauthentication};
use auth_accounts::throttle::{Counter, Limit, ThrottlePolicy};
use auth_core::event::EventKind;
use auth_core::time::{Seconds, UnixTime};
use proptest::prelude::*;

use crate::fixture::*;

const WRONG: &str = "Wrong-horse-42";
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

fn delay<T>(outcome: &Result<T, AccountError>) -> Option<u64> {
    match outcome {
        Err(AccountError::Throttled { retry_after }) => Some(retry_after.get()),
        _ => None,
    }
}

fn is_wrong<T>(outcome: &Result<T, AccountError>) -> bool {
    matches!(outcome, Err(AccountError::BadCredentials))
}

async fn guess_wrong(service: &TestService, name: &str, times: usize) {
    for guess in 0..times {
        let outcome = service.try_login(name, WRONG).await;
        assert!(is_wrong(&outcome), "{name}, guess {guess}: {outcome:?}");
    }
}

/// A hasher that is overloaded or fails.
struct FailingHasher {
    calls: AtomicUsize,
    is_broken: bool,
}

#[async_trait]
impl PasswordHasher for FailingHasher {
    async fn hash(&self, _: &CheckedPassword, share: QueueShare) -> Result<PasswordHash, HashError> {
        // Only registrations are hashed here. They must leave half of the queue for logins.
        assert_eq!(share, QueueShare::Half);
        self.calls.fetch_add(1, Ordering::SeqCst);
        Err(self.error())
    }

    async fn verify(&self, _: &RawPassword, _: Option<&PasswordHash>) -> Result<Verdict, HashError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Err(self.error())
    }
}

impl FailingHasher {
    fn error(&self) -> HashError {
        match self.is_broken {
            true => HashError::Failed("out of memory".into()),
            false => HashError::Overloaded { retry_after: Seconds::new(1) },
        }
    }
}

#[tokio::test]
async fn guesses_that_were_not_hashed_are_refunded() {
    for is_broken in [false, true] {
        let service = service(policy());
        service.register("alice").await;
        let caller = service.caller(&service.login("alice").await).await;
        guess_wrong(&service, "alice", 9).await;
        let hasher = Arc::new(FailingHasher { calls: AtomicUsize::new(0), is_broken });
        let busy = LoginService::new(service.context_with(Ports { hasher: hasher.clone(), ..service.ports().clone() }));
        for _ in 0..20 {
            let outcome = busy.login(&named("alice"), &raw(PASSWORD), client()).await;
            match outcome {
                Err(AccountError::Overloaded { .. }) => assert!(!is_broken),
                Err(AccountError::Auth(AuthError::Crypto(_))) => assert!(is_broken),
                other => panic!("{other:?}"),
            }
            let change = PasswordChange { reauthentication: shown(PASSWORD), new: raw(NEW_PASSWORD) };
            let outcome = busy.change_password(&caller, change).await;
            assert!(
                matches!(outcome, Err(AccountError::Overloaded { .. } | AccountError::Auth(AuthError::Crypto(_)))),
                "{outcome:?}"
            );
        }
        assert_eq!(hasher.calls.load(Ordering::SeqCst), 40);
        guess_wrong(&service, "alice", 1).await;
        assert!(delay(&service.try_login("alice", WRONG).await).is_some(), "the first nine still count");
    }
}

#[tokio::test]
async fn guesses_are_refunded_if_the_storage_fails() {
    let Fixture { service, eventful, .. } = fixture(policy());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    guess_wrong(&service, "alice", 9).await;
    for _ in 0..20 {
        eventful.fail("find_for_login");
        let outcome = service.try_login("alice", PASSWORD).await;
        assert!(matches!(outcome, Err(AccountError::Auth(AuthError::Store(_)))), "{outcome:?}");
        eventful.fail("find_for_login");
        let change = PasswordChange { reauthentication: shown(PASSWORD), new: raw(NEW_PASSWORD) };
        let outcome = service.logins.change_password(&caller, change).await;
        assert!(matches!(outcome, Err(AccountError::Auth(AuthError::Store(_)))), "{outcome:?}");
    }
    assert!(service.try_login("alice", PASSWORD).await.is_ok(), "none of them counted");
}
