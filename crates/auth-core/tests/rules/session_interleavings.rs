//! Random sequences of operations on the sessions of a user, checked against the invariants of sessions.

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

/// One operation. Numbers select one of the token pairs issued so far.
#[derive(Clone, Debug)]
enum Step {
    Login,
    /// Of any token ever issued, live or used.
    Refresh(usize),
    Logout(usize),
    Blacklist(usize),
    LogoutOthers,
    LogoutAll,
    Deactivate,
    Activate,
    /// By the operator, to the same password.
    SetPassword,
    Wait(u64),
    /// Sets the clock back.
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

/// The tokens and sessions observed so far, independently of the storage.
#[derive(Default)]
struct Observed {
    pairs: Vec<(SessionId, TokenPair)>,
    /// Sessions that were revoked.
    revoked: BTreeSet<SessionId>,
    /// The end of each session, as of its start.
    ends: BTreeMap<SessionId, i64>,
}

impl Observed {
    fn add(&mut self, service: &TestService, pair: TokenPair) {
        let claims = service.claims(&refresh_of(&pair));
        let id = SessionId::parse(claims["sid"].as_str().unwrap()).unwrap();
        self.ends.entry(id).or_insert(service.now().seconds() + SESSION_MAX_TTL as i64);
        for token in [refresh_of(&pair), access_of(&pair)] {
            let end = service.claims(&token)["exp"].as_i64().unwrap();
            assert!(end <= self.ends[&id], "a token of {id} expires at {end}, its session at {}", self.ends[&id]);
        }
        self.pairs.push((id, pair));
    }

    fn pick(&self, number: usize) -> Option<&(SessionId, TokenPair)> {
        (!self.pairs.is_empty()).then(|| &self.pairs[number % self.pairs.len()])
    }
}

async fn stored(service: &TestService, observed: &Observed) -> BTreeMap<SessionId, Session> {
    let mut sessions = BTreeMap::new();
    for id in observed.ends.keys() {
        sessions.insert(*id, service.store.find_session(*id).await.unwrap().unwrap().session);
    }
    sessions
}

/// Executes a step. Returns the session that it concerns, or `None` if it may concern all.
async fn execute(service: &TestService, observed: &mut Observed, step: &Step) -> Option<SessionId> {
    let chosen = match step {
        Step::Refresh(number) | Step::Logout(number) | Step::Blacklist(number) => Some(observed.pick(*number)?.clone()),
        _ => None,
    };
    match (step, chosen) {
        (Step::Login, _) => {
            if let Ok(pair) = service.try_login("alice", PASSWORD).await {
                observed.add(service, pair);
            }
        }
        (Step::Refresh(_), Some((id, pair))) => {
            if let Ok(next) = service.try_refresh(&pair).await {
                assert!(!observed.revoked.contains(&id), "{id} was refreshed after its revocation");
                observed.add(service, next);
            }
            return Some(id);
        }
        (Step::Logout(_), Some((id, pair))) => {
            if let Some(caller) = caller(service, observed).await {
                let _ = service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pair))).await;
            }
            return Some(id);
        }
        (Step::Blacklist(_), Some((id, pair))) => {
            let _ = service.tokens.blacklist(&refresh_of(&pair)).await;
            return Some(id);
        }
        (Step::LogoutOthers, _) => {
            if let Some(caller) = caller(service, observed).await {
                service.tokens.logout(&caller, LogoutRequest::Others).await.unwrap();
            }
        }
        (Step::LogoutAll, _) => {
            if let Some(caller) = caller(service, observed).await {
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

/// The caller of the latest access token that is still accepted.
async fn caller(service: &TestService, observed: &Observed) -> Option<auth_core::service::Caller> {
    for (_, pair) in observed.pairs.iter().rev() {
        if let Ok(caller) = service.tokens.authenticate(&access_of(pair)).await {
            return Some(caller);
        }
    }
    None
}

async fn check_invariants(service: &TestService, observed: &Observed) {
    let mut live: BTreeMap<SessionId, BTreeSet<String>> = BTreeMap::new();
    for (id, pair) in &observed.pairs {
        let tokens: [RawToken; 2] = [refresh_of(pair), access_of(pair)];
        for token in &tokens {
            if observed.revoked.contains(id) {
                assert!(service.tokens.verify(token).await.is_err(), "a token of {id} is valid after the revocation");
                assert!(
                    service.tokens.authenticate(token).await.is_err(),
                    "a token of {id} opens guarded routes after the revocation"
                );
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

/// A feed without change events: the cache is correct only if the services invalidate it themselves.
struct Silent;

#[async_trait]
impl InvalidationFeed for Silent {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        yield_now().await;
        Ok(Vec::new())
    }
}

/// A service with an auth cache that is up to date.
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
    let mut observed = Observed::default();
    observed.add(&service, service.login("alice").await);
    for step in &steps {
        let before = stored(&service, &observed).await;
        let touched = execute(&service, &mut observed, step).await;
        let after = stored(&service, &observed).await;
        if let Some(touched) = touched {
            for (id, session) in before.iter().filter(|(id, _)| **id != touched) {
                assert_eq!(after[id], *session, "{step:?} of {touched} touched {id}");
            }
        }
        observed.revoked.extend(after.iter().filter(|(_, session)| session.revoked_at.is_some()).map(|(id, _)| *id));
        check_invariants(&service, &observed).await;
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
    fn invariants_hold_for_every_sequence_of_steps(steps in steps(), policy in any_policy(), is_cached in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps, policy, is_cached));
    }
}
