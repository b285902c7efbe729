//! Claims providers: when they are called, and what happens if one fails.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use auth_accounts::service::Action;
use auth_core::ports::{ClaimsError, ClaimsProvider, Sessions};
use auth_core::service::TokenPolicy;
use auth_core::time::Seconds;
use auth_core::token::{CustomClaims, ProfileClaim, SessionId, TokenKind};
use auth_core::user::{GroupName, User};
use serde_json::json;

use crate::fixture::*;

/// Does one thing after it has been right for a while.
struct Scripted {
    calls: AtomicUsize,
    good: usize,
    then: Trouble,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Fails,
    Panics,
    Hangs,
    WritesAReservedClaim,
}

#[async_trait]
impl ClaimsProvider for Scripted {
    async fn add_claims(&self, user: &User, claims: &mut CustomClaims) -> Result<(), ClaimsError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        claims.insert("call", call)?;
        claims.insert("tenant", user.username.as_str())?;
        match self.then {
            _ if call < self.good => Ok(()),
            Trouble::Fails => Err("the directory is away".into()),
            Trouble::Panics => panic!("a fault of the application"),
            Trouble::Hangs => pending().await,
            Trouble::WritesAReservedClaim => Ok(claims.insert("exp", 1)?),
        }
    }
}

fn service_with(good: usize, then: Trouble) -> TestService {
    let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
    let builder = builder(TokenPolicy { accepted_kinds, ..policy() });
    builder.claims_provider(Arc::new(Scripted { calls: AtomicUsize::new(0), good, then })).build()
}

const ALL: [Trouble; 4] = [Trouble::Fails, Trouble::Panics, Trouble::Hangs, Trouble::WritesAReservedClaim];

/// Does something, while the clock goes on.
async fn in_time<T>(service: &TestService, work: impl Future<Output = T>) -> T {
    let ticking = async {
        loop {
            tokio::task::yield_now().await;
            service.clock.advance(Seconds::new(1));
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        () = ticking => unreachable!(),
    }
}

#[tokio::test]
async fn are_made_anew_at_each_refresh() {
    let service = service_with(usize::MAX, Trouble::Fails);
    service.register("alice").await;
    let pair = service.login("alice").await;
    let next = service.refresh(&pair).await;
    for (pair, call) in [(&pair, 0), (&next, 1)] {
        for token in [access_of(pair), refresh_of(pair)] {
            let claims = service.claims(&token);
            assert_eq!((&claims["call"], &claims["tenant"]), (&json!(call), &json!("alice")));
            // Those of the claims_providers before are still there.
            assert_eq!(claims["role"], "user");
        }
    }
    service.act("alice", Action::Promote).await;
    let promoted = service.refresh(&next).await;
    assert_eq!(service.claims(&access_of(&promoted))["role"], "admin");
}

#[tokio::test]
async fn of_the_account_are_those_that_it_has_now() {
    let builder = builder(policy()).claims_provider(Arc::new(ProfileClaim::Username));
    let service = builder.claims_provider(Arc::new(ProfileClaim::Groups)).build();
    let set_groups =
        |names: &[&str]| Action::SetGroups(names.iter().map(|name| GroupName::parse(name).unwrap()).collect());
    service.register("alice").await;
    service.act("alice", set_groups(&["writers", "chief editors"])).await;
    let mut pair = service.login("alice").await;
    let (before, after) = (json!(["chief editors", "writers"]), json!(["owners"]));
    for (groups, then) in [(before, &["owners"][..]), (after, &[]), (json!([]), &[])] {
        for token in [access_of(&pair), refresh_of(&pair)] {
            let claims = service.claims(&token);
            assert_eq!((&claims["username"], &claims["groups"]), (&json!("alice"), &groups));
        }
        service.act("alice", set_groups(then)).await;
        pair = service.refresh(&pair).await;
    }
}

#[tokio::test]
async fn that_cannot_be_made_fail_the_login_and_nothing_is_stored() {
    for trouble in ALL {
        let service = service_with(0, trouble);
        let user = service.register("alice").await;
        service.take_event_kinds();
        let login = in_time(&service, service.try_login("alice", PASSWORD)).await;
        assert!(matches!(login, Err(AccountError::Auth(AuthError::Unavailable(_)))), "{trouble:?}: {login:?}");
        assert_eq!(service.store.sessions(), [], "{trouble:?}");
        assert_eq!(service.user("alice").await.last_login, user.last_login, "{trouble:?}");
        assert_eq!(service.take_event_kinds(), [], "{trouble:?}: no login is recorded");
        let sliding = in_time(&service, service.try_login_sliding("alice")).await;
        assert!(matches!(sliding, Err(AccountError::Auth(AuthError::Unavailable(_)))), "{trouble:?}: {sliding:?}");
        assert_eq!(service.store.sessions(), [], "{trouble:?}");
    }
}

#[tokio::test]
async fn that_cannot_be_made_fail_the_refresh_and_the_old_token_stays_live() {
    for trouble in ALL {
        let service = service_with(1, trouble);
        service.register("alice").await;
        let pair = service.login("alice").await;
        let id = SessionId::parse(service.claims(&refresh_of(&pair))["sid"].as_str().unwrap()).unwrap();
        let before = service.store.find_session(id).await.unwrap();
        let refreshed = in_time(&service, service.try_refresh(&pair)).await;
        assert!(matches!(refreshed, Err(AuthError::Unavailable(_))), "{trouble:?}: {refreshed:?}");
        assert_eq!(service.store.find_session(id).await.unwrap(), before, "{trouble:?}");
        assert!(service.tokens.verify(&refresh_of(&pair)).await.is_ok(), "{trouble:?}");
    }
}

#[tokio::test]
async fn say_why_they_could_not_be_made() {
    for (trouble, expected) in [
        (Trouble::Fails, "the directory is away"),
        (Trouble::Panics, "it panicked"),
        (Trouble::Hangs, "it took too long"),
        (Trouble::WritesAReservedClaim, "the claim \"exp\" is written by the service itself"),
    ] {
        let service = service_with(0, trouble);
        service.register("alice").await;
        let Err(error) = in_time(&service, service.try_login("alice", PASSWORD)).await else { panic!("{trouble:?}") };
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), expected);
    }
}
