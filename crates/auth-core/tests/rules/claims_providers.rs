//! Claims providers: when they are called, and what their failures do.

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

/// A claims provider that succeeds `successes` times and then has a fault.
struct Scripted {
    calls: AtomicUsize,
    successes: usize,
    then: Fault,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
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
            _ if call < self.successes => Ok(()),
            Fault::Fails => Err("the directory is unreachable".into()),
            Fault::Panics => panic!("a fault of the host"),
            Fault::Hangs => pending().await,
            Fault::WritesAReservedClaim => Ok(claims.insert("exp", 1)?),
        }
    }
}

fn service_with(successes: usize, then: Fault) -> TestService {
    let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
    let builder = builder(TokenPolicy { accepted_kinds, ..policy() });
    builder.claims_provider(Arc::new(Scripted { calls: AtomicUsize::new(0), successes, then })).build()
}

const ALL: [Fault; 4] = [Fault::Fails, Fault::Panics, Fault::Hangs, Fault::WritesAReservedClaim];

/// Runs `work` while the clock advances.
async fn with_running_clock<T>(service: &TestService, work: impl Future<Output = T>) -> T {
    let ticking = async {
        loop {
            tokio::task::yield_now().await;
            service.clock.advance(Seconds::new(1));
        }
    };
    tokio::select! {
        biased;
        result = work => result,
        () = ticking => unreachable!(),
    }
}

#[tokio::test]
async fn claims_providers_are_called_at_each_refresh() {
    let service = service_with(usize::MAX, Fault::Fails);
    service.register("alice").await;
    let pair = service.login("alice").await;
    let next = service.refresh(&pair).await;
    for (pair, call) in [(&pair, 0), (&next, 1)] {
        for token in [access_of(pair), refresh_of(pair)] {
            let claims = service.claims(&token);
            assert_eq!((&claims["call"], &claims["tenant"]), (&json!(call), &json!("alice")));
            // The claims of earlier providers are kept.
            assert_eq!(claims["role"], "user");
        }
    }
    service.act("alice", Action::Promote).await;
    let promoted = service.refresh(&next).await;
    assert_eq!(service.claims(&access_of(&promoted))["role"], "admin");
}

#[tokio::test]
async fn profile_claims_are_those_of_the_account_now() {
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
async fn a_faulty_provider_fails_the_login_and_nothing_is_stored() {
    for fault in ALL {
        let service = service_with(0, fault);
        let user = service.register("alice").await;
        service.take_event_kinds();
        let login = with_running_clock(&service, service.try_login("alice", PASSWORD)).await;
        assert!(matches!(login, Err(AccountError::Auth(AuthError::Unavailable(_)))), "{fault:?}: {login:?}");
        assert_eq!(service.store.sessions(), [], "{fault:?}");
        assert_eq!(service.user("alice").await.last_login, user.last_login, "{fault:?}");
        assert_eq!(service.take_event_kinds(), [], "{fault:?}: no login is recorded");
        let sliding = with_running_clock(&service, service.try_login_sliding("alice")).await;
        assert!(matches!(sliding, Err(AccountError::Auth(AuthError::Unavailable(_)))), "{fault:?}: {sliding:?}");
        assert_eq!(service.store.sessions(), [], "{fault:?}");
    }
}

#[tokio::test]
async fn a_faulty_provider_fails_the_refresh_and_the_old_token_stays_live() {
    for fault in ALL {
        let service = service_with(1, fault);
        service.register("alice").await;
        let pair = service.login("alice").await;
        let id = SessionId::parse(service.claims(&refresh_of(&pair))["sid"].as_str().unwrap()).unwrap();
        let before = service.store.find_session(id).await.unwrap();
        let refreshed = with_running_clock(&service, service.try_refresh(&pair)).await;
        assert!(matches!(refreshed, Err(AuthError::Unavailable(_))), "{fault:?}: {refreshed:?}");
        assert_eq!(service.store.find_session(id).await.unwrap(), before, "{fault:?}");
        assert!(service.tokens.verify(&refresh_of(&pair)).await.is_ok(), "{fault:?}");
    }
}

#[tokio::test]
async fn the_error_has_the_fault_of_the_provider_as_its_source() {
    for (fault, expected) in [
        (Fault::Fails, "the directory is unreachable"),
        (Fault::Panics, "it panicked"),
        (Fault::Hangs, "it took too long"),
        (Fault::WritesAReservedClaim, "the claim \"exp\" is written by the service itself"),
    ] {
        let service = service_with(0, fault);
        service.register("alice").await;
        let Err(error) = with_running_clock(&service, service.try_login("alice", PASSWORD)).await else {
            panic!("{fault:?}")
        };
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), expected);
    }
}
