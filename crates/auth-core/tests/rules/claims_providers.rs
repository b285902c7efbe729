//! Claims of an application's own: when they are made, and what becomes of those that cannot be.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fixture::*;
use async_trait::async_trait;
use auth_core::AuthError;
use auth_core::account::{GroupName, User};
use auth_core::ports::{ClaimsEnricher, EnrichError, Sessions};
use auth_core::service::{Action, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{CustomClaims, ProfileClaim, SessionId, TokenKind};
use serde_json::json;

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
impl ClaimsEnricher for Scripted {
    async fn enrich(&self, user: &User, claims: &mut CustomClaims) -> Result<(), EnrichError> {
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

fn world_with(good: usize, then: Trouble) -> World {
    let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
    let mut world = world(TokenPolicy { accepted_kinds, ..policy() });
    world.tokens = world.tokens.enriched_by(Arc::new(Scripted { calls: AtomicUsize::new(0), good, then }));
    world
}

const ALL: [Trouble; 4] = [Trouble::Fails, Trouble::Panics, Trouble::Hangs, Trouble::WritesAReservedClaim];

/// Does something, while the clock goes on.
async fn in_time<T>(world: &World, work: impl Future<Output = T>) -> T {
    let ticking = async {
        loop {
            tokio::task::yield_now().await;
            world.clock.advance(Seconds::new(1));
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
    let world = world_with(usize::MAX, Trouble::Fails);
    world.register("alice").await.unwrap();
    let pair = world.login("alice").await;
    let next = world.refresh(&pair).await.unwrap();
    for (pair, call) in [(&pair, 0), (&next, 1)] {
        for token in [access_of(pair), refresh_of(pair)] {
            let claims = world.claims(&token);
            assert_eq!((&claims["call"], &claims["tenant"]), (&json!(call), &json!("alice")));
            // Those of the enrichers before are still there.
            assert_eq!(claims["role"], "user");
        }
    }
    world.act("alice", Action::Promote).await;
    let promoted = world.refresh(&next).await.unwrap();
    assert_eq!(world.claims(&access_of(&promoted))["role"], "admin");
}

#[tokio::test]
async fn of_the_account_are_those_that_it_has_now() {
    let mut world = world(policy());
    for claim in [ProfileClaim::Username, ProfileClaim::Groups] {
        world.tokens = world.tokens.enriched_by(Arc::new(claim));
    }
    let set_groups =
        |names: &[&str]| Action::SetGroups(names.iter().map(|name| GroupName::parse(name).unwrap()).collect());
    world.register("alice").await.unwrap();
    world.act("alice", set_groups(&["writers", "editors"])).await;
    let mut pair = world.login("alice").await;
    let (before, after) = (json!(["editors", "writers"]), json!(["owners"]));
    for (groups, then) in [(before, &["owners"][..]), (after, &[]), (json!([]), &[])] {
        for token in [access_of(&pair), refresh_of(&pair)] {
            let claims = world.claims(&token);
            assert_eq!((&claims["username"], &claims["groups"]), (&json!("alice"), &groups));
        }
        world.act("alice", set_groups(then)).await;
        pair = world.refresh(&pair).await.unwrap();
    }
}

#[tokio::test]
async fn that_cannot_be_made_fail_the_login_and_nothing_is_stored() {
    for trouble in ALL {
        let world = world_with(0, trouble);
        let user = world.register("alice").await.unwrap();
        world.event_kinds();
        let login = in_time(&world, world.try_login("alice", PASSWORD)).await;
        assert!(matches!(login, Err(AuthError::Unavailable(_))), "{trouble:?}: {login:?}");
        assert_eq!(world.store.sessions(), [], "{trouble:?}");
        assert_eq!(world.stored("alice").await.last_login, user.last_login, "{trouble:?}");
        assert_eq!(world.event_kinds(), [], "{trouble:?}: no login is recorded");
        let sliding = in_time(&world, world.try_login_sliding("alice")).await;
        assert!(matches!(sliding, Err(AuthError::Unavailable(_))), "{trouble:?}: {sliding:?}");
        assert_eq!(world.store.sessions(), [], "{trouble:?}");
    }
}

#[tokio::test]
async fn that_cannot_be_made_fail_the_refresh_and_the_old_token_stays_live() {
    for trouble in ALL {
        let world = world_with(1, trouble);
        world.register("alice").await.unwrap();
        let pair = world.login("alice").await;
        let id = SessionId::parse(world.claims(&refresh_of(&pair))["sid"].as_str().unwrap()).unwrap();
        let before = world.store.find_session(id).await.unwrap();
        let refreshed = in_time(&world, world.refresh(&pair)).await;
        assert!(matches!(refreshed, Err(AuthError::Unavailable(_))), "{trouble:?}: {refreshed:?}");
        assert_eq!(world.store.find_session(id).await.unwrap(), before, "{trouble:?}");
        assert!(world.tokens.verify(&refresh_of(&pair)).await.is_ok(), "{trouble:?}");
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
        let world = world_with(0, trouble);
        world.register("alice").await.unwrap();
        let Err(error) = in_time(&world, world.try_login("alice", PASSWORD)).await else { panic!("{trouble:?}") };
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), expected);
    }
}
