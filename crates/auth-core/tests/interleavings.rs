//! Random interleavings of everything that can happen to the sessions of an account, checked for what must always
//! hold.

#![allow(clippy::unwrap_used, reason = "a test that cannot set its stage has failed")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use auth_core::ports::Sessions;
use auth_core::rotation::{OnRetry, RotationPolicy};
use auth_core::service::{Action, LogoutRequest, TokenPair, TokenPolicy};
use auth_core::token::{RawToken, Session, SessionId};
use proptest::prelude::*;
use world::*;

/// One thing that happens. Numbers choose among the tokens issued so far.
#[derive(Clone, Debug)]
enum Step {
    Login,
    /// Of any token ever issued: the live one, or a replay of a spent one.
    Refresh(usize),
    Logout(usize),
    Blacklist(usize),
    LogoutOthers,
    LogoutAll,
    Deactivate,
    Activate,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Login),
        8 => any::<usize>().prop_map(Step::Refresh),
        1 => any::<usize>().prop_map(Step::Logout),
        1 => any::<usize>().prop_map(Step::Blacklist),
        1 => Just(Step::LogoutOthers),
        1 => Just(Step::LogoutAll),
        1 => Just(Step::Deactivate),
        2 => Just(Step::Activate),
        3 => prop_oneof![0..3_u64, Just(RETRY_WINDOW - 1), Just(RETRY_WINDOW), Just(REFRESH_TTL), 0..900_u64].prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// What has been seen so far, kept apart from the store.
#[derive(Default)]
struct Seen {
    pairs: Vec<(SessionId, TokenPair)>,
    /// Sessions that have ended on purpose at some time.
    ended: BTreeSet<SessionId>,
    /// The end that each session had when it began.
    ends: BTreeMap<SessionId, i64>,
}

impl Seen {
    fn add(&mut self, world: &World, pair: TokenPair) {
        let claims = world.claims(&refresh_of(&pair));
        let id = SessionId::parse(claims["sid"].as_str().unwrap()).unwrap();
        self.ends.entry(id).or_insert(world.now() + SESSION_MAX_TTL as i64);
        for token in [refresh_of(&pair), access_of(&pair)] {
            let end = world.claims(&token)["exp"].as_i64().unwrap();
            assert!(end <= self.ends[&id], "a token of {id} ends at {end}, its session at {}", self.ends[&id]);
        }
        self.pairs.push((id, pair));
    }

    fn pick(&self, number: usize) -> Option<&(SessionId, TokenPair)> {
        (!self.pairs.is_empty()).then(|| &self.pairs[number % self.pairs.len()])
    }
}

async fn stored(world: &World, seen: &Seen) -> BTreeMap<SessionId, Session> {
    let mut sessions = BTreeMap::new();
    for id in seen.ends.keys() {
        sessions.insert(*id, world.store.find_session(*id).await.unwrap().unwrap().session);
    }
    sessions
}

/// Does one thing. Gives the session it is about, or `None` if it may concern all.
async fn take(world: &World, seen: &mut Seen, step: &Step) -> Option<SessionId> {
    let chosen = match step {
        Step::Refresh(number) | Step::Logout(number) | Step::Blacklist(number) => Some(seen.pick(*number)?.clone()),
        _ => None,
    };
    match (step, chosen) {
        (Step::Login, _) => {
            if let Ok(pair) = world.try_login("alice", PASSWORD).await {
                seen.add(world, pair);
            }
        }
        (Step::Refresh(_), Some((id, pair))) => {
            if let Ok(next) = world.refresh(&pair).await {
                assert!(!seen.ended.contains(&id), "{id} has ended, and was refreshed");
                seen.add(world, next);
            }
            return Some(id);
        }
        (Step::Logout(_), Some((id, pair))) => {
            if let Some(caller) = caller(world, seen).await {
                let _ = world.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pair))).await;
            }
            return Some(id);
        }
        (Step::Blacklist(_), Some((id, pair))) => {
            let _ = world.tokens.blacklist(&refresh_of(&pair)).await;
            return Some(id);
        }
        (Step::LogoutOthers, _) => {
            if let Some(caller) = caller(world, seen).await {
                world.tokens.logout(&caller, LogoutRequest::Others).await.unwrap();
            }
        }
        (Step::LogoutAll, _) => {
            if let Some(caller) = caller(world, seen).await {
                world.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
            }
        }
        (Step::Deactivate, _) => world.act("alice", Action::Deactivate).await,
        (Step::Activate, _) => world.act("alice", Action::Activate).await,
        (Step::Wait(seconds), _) => world.advance(*seconds),
        _ => {}
    }
    None
}

/// Whoever still has a good access token.
async fn caller(world: &World, seen: &Seen) -> Option<auth_core::service::Caller> {
    for (_, pair) in seen.pairs.iter().rev() {
        if let Ok(caller) = world.tokens.authenticate(&access_of(pair)).await {
            return Some(caller);
        }
    }
    None
}

async fn check_invariants(world: &World, seen: &Seen) {
    let mut live: BTreeMap<SessionId, BTreeSet<String>> = BTreeMap::new();
    for (id, pair) in &seen.pairs {
        let tokens: [RawToken; 2] = [refresh_of(pair), access_of(pair)];
        for token in &tokens {
            if seen.ended.contains(id) {
                assert!(world.tokens.verify(token).await.is_err(), "{id} has ended, and a token of it is good");
                assert!(world.tokens.authenticate(token).await.is_err(), "{id} has ended, and opens a route");
            }
        }
        if world.tokens.verify(&tokens[0]).await.is_ok() {
            live.entry(*id).or_default().insert(tokens[0].expose().to_owned());
        }
    }
    for (id, tokens) in live {
        assert_eq!(tokens.len(), 1, "{id} has more than one live refresh token");
    }
}

async fn run(steps: Vec<Step>, policy: TokenPolicy) {
    let world = world(policy);
    world.register("alice").await.unwrap();
    let mut seen = Seen::default();
    seen.add(&world, world.login("alice").await);
    for step in &steps {
        let before = stored(&world, &seen).await;
        let touched = take(&world, &mut seen, step).await;
        let after = stored(&world, &seen).await;
        if let Some(touched) = touched {
            for (id, session) in before.iter().filter(|(id, _)| **id != touched) {
                assert_eq!(after[id], *session, "{step:?} of {touched} touched {id}");
            }
        }
        seen.ended.extend(after.iter().filter(|(_, session)| session.revoked_at.is_some()).map(|(id, _)| *id));
        check_invariants(&world, &seen).await;
    }
}

fn any_policy() -> impl Strategy<Value = TokenPolicy> {
    (prop::bool::ANY, prop::bool::ANY).prop_map(|(replay, adopt)| {
        let on_retry = if replay { OnRetry::Replay } else { OnRetry::Refuse };
        let rotation = RotationPolicy { on_retry, ..policy().rotation };
        TokenPolicy { rotation, adopt_foreign_tokens: adopt, ..policy() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(steps in steps(), policy in any_policy()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps, policy));
    }
}
