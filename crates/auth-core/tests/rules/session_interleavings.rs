//! Random interleavings of everything that can happen to the sessions of a user, checked against the invariants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use auth_accounts::password::{PasswordPolicy, RawPassword};
use auth_accounts::service::{Action, Ports};
use auth_core::StoreError;
use auth_core::auth_cache::{AuthCache, AuthCachePolicy, follow};
use auth_core::ports::{Change, Clock, InvalidationFeed, Sessions};
use auth_core::rotation::{OnRetry, RotationPolicy};
use auth_core::service::{LogoutRequest, TokenPair, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{RawToken, Session, SessionId};
use proptest::prelude::*;
use tokio::task::yield_now;

use crate::fixture::*;

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
    /// By an administrator, to the same one.
    SetPassword,
    Wait(u64),
    /// The clock is set back.
    GoBack(u64),
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
        1 => Just(Step::SetPassword),
        1 => (1..100_u64).prop_map(Step::GoBack),
        3 => prop_oneof![0..3_u64, Just(RETRY_WINDOW - 1), Just(RETRY_WINDOW), Just(REFRESH_TTL), 0..900_u64].prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// What has been seen so far, kept apart from the store.
#[derive(Default)]
struct CacheEntry {
    pairs: Vec<(SessionId, TokenPair)>,
    /// Sessions that have ended on purpose at some time.
    ended: BTreeSet<SessionId>,
    /// The end that each session had when it began.
    ends: BTreeMap<SessionId, i64>,
}

impl CacheEntry {
    fn add(&mut self, service: &TestService, pair: TokenPair) {
        let claims = service.claims(&refresh_of(&pair));
        let id = SessionId::parse(claims["sid"].as_str().unwrap()).unwrap();
        self.ends.entry(id).or_insert(service.now().seconds() + SESSION_MAX_TTL as i64);
        for token in [refresh_of(&pair), access_of(&pair)] {
            let end = service.claims(&token)["exp"].as_i64().unwrap();
            assert!(end <= self.ends[&id], "a token of {id} ends at {end}, its session at {}", self.ends[&id]);
        }
        self.pairs.push((id, pair));
    }

    fn pick(&self, number: usize) -> Option<&(SessionId, TokenPair)> {
        (!self.pairs.is_empty()).then(|| &self.pairs[number % self.pairs.len()])
    }
}

async fn stored(service: &TestService, seen: &CacheEntry) -> BTreeMap<SessionId, Session> {
    let mut sessions = BTreeMap::new();
    for id in seen.ends.keys() {
        sessions.insert(*id, service.store.find_session(*id).await.unwrap().unwrap().session);
    }
    sessions
}

/// Does one thing. Gives the session it is about, or `None` if it may concern all.
async fn take(service: &TestService, seen: &mut CacheEntry, step: &Step) -> Option<SessionId> {
    let chosen = match step {
        Step::Refresh(number) | Step::Logout(number) | Step::Blacklist(number) => Some(seen.pick(*number)?.clone()),
        _ => None,
    };
    match (step, chosen) {
        (Step::Login, _) => {
            if let Ok(pair) = service.try_login("alice", PASSWORD).await {
                seen.add(service, pair);
            }
        }
        (Step::Refresh(_), Some((id, pair))) => {
            if let Ok(next) = service.try_refresh(&pair).await {
                assert!(!seen.ended.contains(&id), "{id} has ended, and was refreshed");
                seen.add(service, next);
            }
            return Some(id);
        }
        (Step::Logout(_), Some((id, pair))) => {
            if let Some(caller) = caller(service, seen).await {
                let _ = service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pair))).await;
            }
            return Some(id);
        }
        (Step::Blacklist(_), Some((id, pair))) => {
            let _ = service.tokens.blacklist(&refresh_of(&pair)).await;
            return Some(id);
        }
        (Step::LogoutOthers, _) => {
            if let Some(caller) = caller(service, seen).await {
                service.tokens.logout(&caller, LogoutRequest::Others).await.unwrap();
            }
        }
        (Step::LogoutAll, _) => {
            if let Some(caller) = caller(service, seen).await {
                service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
            }
        }
        (Step::Deactivate, _) => service.act("alice", Action::Deactivate).await,
        (Step::Activate, _) => service.act("alice", Action::Activate).await,
        (Step::SetPassword, _) => {
            let password = PasswordPolicy::default().check(RawPassword::new(PASSWORD), &[]).unwrap();
            service.act("alice", Action::SetPassword(password)).await;
        }
        (Step::Wait(seconds), _) => service.advance(*seconds),
        (Step::GoBack(seconds), _) => service.clock.set(service.clock.now().minus(Seconds::new(*seconds))),
        _ => {}
    }
    None
}

/// The caller with the first access token that is still accepted.
async fn caller(service: &TestService, seen: &CacheEntry) -> Option<auth_core::service::Caller> {
    for (_, pair) in seen.pairs.iter().rev() {
        if let Ok(caller) = service.tokens.authenticate(&access_of(pair)).await {
            return Some(caller);
        }
    }
    None
}

async fn check_invariants(service: &TestService, seen: &CacheEntry) {
    let mut live: BTreeMap<SessionId, BTreeSet<String>> = BTreeMap::new();
    for (id, pair) in &seen.pairs {
        let tokens: [RawToken; 2] = [refresh_of(pair), access_of(pair)];
        for token in &tokens {
            if seen.ended.contains(id) {
                assert!(service.tokens.verify(token).await.is_err(), "{id} has ended, and a token of it is good");
                assert!(service.tokens.authenticate(token).await.is_err(), "{id} has ended, and opens a route");
            }
        }
        if service.tokens.verify(&tokens[0]).await.is_ok() {
            live.entry(*id).or_default().insert(tokens[0].expose().to_owned());
        }
    }
    for (id, tokens) in live {
        assert_eq!(tokens.len(), 1, "{id} has more than one live refresh token");
    }
}

/// A feed that never has anything to say: what is remembered is right only if the services themselves note what they do.
struct Silent;

#[async_trait]
impl InvalidationFeed for Silent {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        yield_now().await;
        Ok(Vec::new())
    }
}

/// A service with an auth cache, which already follows its feed.
async fn cached(policy: TokenPolicy) -> TestService {
    let auth_cache = Arc::new(AuthCache::new(AuthCachePolicy::default()));
    let service = builder(policy).ports(|ports| Ports { auth_cache: Some(auth_cache.clone()), ..ports }).build();
    let (clock, followed) = (service.clock.clone(), auth_cache.clone());
    tokio::spawn(async move { follow(&followed, &mut Silent, clock.as_ref(), |_| ()).await });
    while auth_cache.staleness().is_some() {
        yield_now().await;
    }
    service
}

async fn run(steps: Vec<Step>, policy: TokenPolicy, is_cached: bool) {
    let service = if is_cached { cached(policy).await } else { service(policy) };
    service.register("alice").await;
    let mut seen = CacheEntry::default();
    seen.add(&service, service.login("alice").await);
    for step in &steps {
        let before = stored(&service, &seen).await;
        let touched = take(&service, &mut seen, step).await;
        let after = stored(&service, &seen).await;
        if let Some(touched) = touched {
            for (id, session) in before.iter().filter(|(id, _)| **id != touched) {
                assert_eq!(after[id], *session, "{step:?} of {touched} touched {id}");
            }
        }
        seen.ended.extend(after.iter().filter(|(_, session)| session.revoked_at.is_some()).map(|(id, _)| *id));
        check_invariants(&service, &seen).await;
        yield_now().await;
    }
}

fn any_policy() -> impl Strategy<Value = TokenPolicy> {
    (prop::bool::ANY, prop::bool::ANY).prop_map(|(replay, adopt)| {
        let on_retry = if replay { OnRetry::Replay } else { OnRetry::Refuse };
        let rotation = RotationPolicy { on_retry, ..policy().rotation };
        TokenPolicy { rotation, adopt_external_tokens: adopt, ..policy() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(steps in steps(), policy in any_policy(), is_cached in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps, policy, is_cached));
    }
}
