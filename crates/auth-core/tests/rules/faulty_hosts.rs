//! Storages that violate their contract: their wrong results lead to errors, and no token is issued.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use auth_conformance::{MemoryStore, session_id};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::error::ErrorKind;
use auth_core::ports::{Adoption, Blacklist, Sessions, Swap, TokenUsers};
use auth_core::service::{Caller, LogoutRequest, TokenPair, TokenPolicy, TokenPorts, TokenService};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{
    Authentication, Generation, NextGeneration, RawToken, RevokeReason, Session, SessionId, SessionOfUser, Subject,
    TokenFault, TokenId,
};
use auth_core::user::{User, UserId};
use serde_json::json;

use crate::fixture::*;

/// A violation of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    FindsAnotherUser,
    FindsSessionOfAnotherUser,
    FindsAnotherSession,
    ChangesUserOfSession,
    GivesSessionToAnotherUser,
    ChangesIdOfSession,
    AlwaysFails,
    StoresNoSession,
    StoresNoAdoptedSession,
    LosesEveryRace,
}

/// The faults that the service can detect before it issues a token.
const WRONG_SESSIONS: [Fault; 4] = [
    Fault::FindsSessionOfAnotherUser,
    Fault::FindsAnotherSession,
    Fault::ChangesUserOfSession,
    Fault::ChangesIdOfSession,
];

/// The storage of a host, in memory, with a fault.
struct FaultyStore {
    inner: Arc<MemoryStore>,
    fault: Fault,
}

impl FaultyStore {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn answer(&self) -> Result<(), StoreError> {
        if self.has(Fault::AlwaysFails) { Err(StoreError::unavailable("connection refused")) } else { Ok(()) }
    }

    async fn found(&self, session: Option<Session>) -> Option<SessionOfUser> {
        self.inner.find_session(session?.id).await.unwrap()
    }

    /// The session that this storage returns instead of the requested one.
    async fn instead_of(&self, found: SessionOfUser) -> Option<SessionOfUser> {
        let sessions = self.inner.sessions();
        let is_own = |session: &Session| session.user_id == found.user.id;
        let of_another = self.found(sessions.iter().find(|session| !is_own(session)).cloned()).await;
        let another = sessions.iter().find(|session| is_own(session) && session.id != found.session.id);
        match self.fault {
            Fault::FindsSessionOfAnotherUser => of_another,
            Fault::FindsAnotherSession => self.found(another.cloned()).await,
            Fault::ChangesUserOfSession => of_another.map(|other| {
                let session = Session { id: found.session.id, ..other.session };
                SessionOfUser { session, user: found.user }
            }),
            Fault::GivesSessionToAnotherUser => of_another.map(|other| {
                let session = Session { id: found.session.id, ..other.session };
                SessionOfUser { session, user: other.user }
            }),
            Fault::ChangesIdOfSession => {
                let session = Session { id: session_id(9), ..found.session };
                Some(SessionOfUser { session, user: found.user })
            }
            _ => Some(found),
        }
    }
}

#[async_trait]
impl TokenUsers for FaultyStore {
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        self.answer()?;
        let subject = if self.has(Fault::FindsAnotherUser) { &Subject::Username("bob".to_owned()) } else { subject };
        self.inner.find_by_subject(subject).await
    }
}

#[async_trait]
impl Sessions for FaultyStore {
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        self.answer()?;
        if self.has(Fault::StoresNoSession) {
            Ok(true)
        } else {
            self.inner.start(session, user, last_login, effects).await
        }
    }

    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError> {
        self.answer()?;
        if self.has(Fault::StoresNoAdoptedSession) {
            return Ok(Adoption::Present);
        }
        self.inner.adopt(session, jti, issued_at).await
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        self.answer()?;
        match self.inner.find_session(id).await? {
            Some(found) => Ok(self.instead_of(found).await),
            None => Ok(None),
        }
    }

    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        effects: &Effects,
    ) -> Result<Swap, StoreError> {
        self.answer()?;
        if self.has(Fault::LosesEveryRace) {
            Ok(Swap::LostRace)
        } else {
            self.inner.advance(id, from, next, effects).await
        }
    }

    async fn revoke(
        &self,
        id: SessionId,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        self.answer()?;
        self.inner.revoke(id, reason, effects, now).await
    }

    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError> {
        self.answer()?;
        self.inner.revoke_all(user, keep, reason, effects, now).await
    }

    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.answer()?;
        self.inner.end_surplus(user, keep, most, now).await
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.answer()?;
        self.inner.prune_sessions(now, limit).await
    }
}

#[async_trait]
impl Blacklist for FaultyStore {
    async fn refuse(
        &self,
        jti: &TokenId,
        expires_at: UnixTime,
        reason: &str,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        self.answer()?;
        self.inner.refuse(jti, expires_at, reason, effects).await
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        self.answer()?;
        self.inner.is_refused(jti).await
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        self.answer()?;
        self.inner.prune_blacklist(now, limit).await
    }
}

/// A service on a correct storage with two sessions of alice and one of bob, and a service on the same data with a
/// fault.
struct Host {
    correct: TestService,
    faulty: TokenService,
    alice: TokenPair,
    caller: Caller,
}

impl Host {
    async fn with(fault: Fault, policy: TokenPolicy) -> Self {
        let correct = service(policy.clone());
        let alice = correct.login("alice").await;
        correct.login("alice").await;
        correct.login("bob").await;
        let caller = correct.caller(&alice).await;
        let store = Arc::new(FaultyStore { inner: correct.store.clone(), fault });
        let ports = TokenPorts { store, ..correct.tokens.ports().clone() };
        Self { faulty: TokenService::new(ports, policy), correct, alice, caller }
    }

    /// An externally issued refresh token for this user.
    fn external_token(&self, user: &UserId) -> RawToken {
        let now = self.correct.now().seconds();
        self.correct.forge(json!({
            "token_type": "refresh", "exp": now + 300, "iat": now, "jti": "of-another-issuer", "user_id": user.to_string(),
        }))
    }

    /// The result of each use of a token of alice's session, without the issued tokens.
    async fn uses(&self) -> [(&'static str, Result<(), AuthError>); 4] {
        let (access, refresh) = (access_of(&self.alice), refresh_of(&self.alice));
        let logout = LogoutRequest::One(refresh.clone());
        [
            ("refresh", self.faulty.refresh(&refresh).await.map(drop)),
            ("authenticate", self.faulty.authenticate(&access).await.map(drop)),
            ("logout", self.faulty.logout(&self.caller, logout).await),
            ("blacklist", self.faulty.blacklist(&refresh).await),
        ]
    }
}

fn kind<T>(outcome: &Result<T, AuthError>) -> Option<ErrorKind> {
    outcome.as_ref().err().map(AuthError::kind)
}

#[tokio::test]
async fn a_storage_that_returns_a_wrong_session_is_an_internal_error() {
    for policy in [policy(), simplejwt_policy()] {
        for fault in WRONG_SESSIONS {
            let host = Host::with(fault, policy.clone()).await;
            let before = host.correct.store.sessions();
            for (name, outcome) in host.uses().await {
                assert_eq!(kind(&outcome), Some(ErrorKind::Internal), "{fault:?}: {name}");
            }
            assert_eq!(kind(&host.faulty.live_session(&host.caller).await), Some(ErrorKind::Internal), "{fault:?}");
            assert_eq!(
                kind(&host.faulty.verify(&refresh_of(&host.alice)).await),
                Some(ErrorKind::Internal),
                "{fault:?}"
            );
            let (mut before, mut after) = (before, host.correct.store.sessions());
            before.sort_by_key(|session| session.id);
            after.sort_by_key(|session| session.id);
            assert_eq!(after, before, "{fault:?}: no session is rotated or revoked");
        }
    }
}

/// The result is consistent, but the session is not that of the user whom the token names.
#[tokio::test]
async fn a_token_is_refused_if_its_session_is_that_of_another_user() {
    let host = Host::with(Fault::GivesSessionToAnotherUser, policy()).await;
    for (name, outcome) in host.uses().await {
        assert_eq!(fault(outcome), Some(TokenFault::BadClaim), "{name}");
    }
    assert_eq!(fault(host.faulty.live_session(&host.caller).await), Some(TokenFault::Revoked));
    assert!(host.correct.store.sessions().iter().all(|session| session.revoked_at.is_none()));
}

#[tokio::test]
async fn a_storage_that_returns_a_wrong_user_is_an_internal_error() {
    let host = Host::with(Fault::FindsAnotherUser, simplejwt_policy()).await;
    let alice = host.caller.user.id.clone();
    let external_token = host.external_token(&alice);
    assert_eq!(kind(&host.faulty.refresh(&external_token).await), Some(ErrorKind::Internal));
    assert_eq!(kind(&host.faulty.blacklist(&external_token).await), Some(ErrorKind::Internal));
    let now = host.correct.now().seconds();
    let claims = json!({"token_type": "access", "exp": now + 60, "iat": now, "jti": "a", "user_id": alice.to_string()});
    let access = host.correct.forge(claims);
    assert_eq!(kind(&host.faulty.authenticate(&access).await), Some(ErrorKind::Internal));
    assert_eq!(host.correct.store.sessions().len(), 3, "nothing is adopted");
    // The token of a session that was pruned.
    host.correct.store.prune_sessions(UnixTime::MAX, u32::MAX).await.unwrap();
    for (name, outcome) in host.uses().await {
        assert_eq!(kind(&outcome), Some(ErrorKind::Internal), "{name}");
    }
}

#[tokio::test]
async fn a_storage_that_always_fails_is_unavailable() {
    let host = Host::with(Fault::AlwaysFails, simplejwt_policy()).await;
    let before = host.correct.store.sessions().len();
    let unavailable = Some(ErrorKind::Unavailable);
    for (name, outcome) in host.uses().await {
        assert_eq!(kind(&outcome), unavailable, "{name}");
    }
    let (user, authentication) = (&host.caller.user, Authentication::by_password(host.correct.now()));
    assert_eq!(kind(&host.faulty.start_session(user, &authentication, client()).await), unavailable);
    assert_eq!(kind(&host.faulty.refresh(&host.external_token(&user.id)).await), unavailable);
    assert_eq!(kind(&host.faulty.logout(&host.caller, LogoutRequest::All).await), unavailable);
    assert_eq!(kind(&host.faulty.verify(&access_of(&host.alice)).await), unavailable);
    assert_eq!(host.correct.store.sessions().len(), before);
}

/// The service cannot detect that the session was not stored, but its tokens are refused when they are used.
#[tokio::test]
async fn tokens_of_a_session_that_was_not_stored_are_refused() {
    let host = Host::with(Fault::StoresNoSession, policy()).await;
    let authentication = Authentication::by_password(host.correct.now());
    let pair = host.faulty.start_session(&host.caller.user, &authentication, client()).await.unwrap();
    let unknown = Some(TokenFault::UnknownSession);
    assert_eq!(fault(host.faulty.refresh(&refresh_of(&pair)).await), unknown);
    assert_eq!(fault(host.faulty.authenticate(&access_of(&pair)).await), unknown);
    assert_eq!(host.correct.store.sessions().len(), 3);
}

#[tokio::test]
async fn no_token_is_issued_if_the_adopted_session_is_not_stored() {
    let host = Host::with(Fault::StoresNoAdoptedSession, simplejwt_policy()).await;
    let refreshed = host.faulty.refresh(&host.external_token(&host.caller.user.id)).await;
    assert_eq!(fault(refreshed), Some(TokenFault::UnknownSession));
    assert_eq!(host.correct.store.sessions().len(), 3);
}

#[tokio::test]
async fn no_token_is_issued_if_every_race_is_lost() {
    let host = Host::with(Fault::LosesEveryRace, policy()).await;
    assert_eq!(kind(&host.faulty.refresh(&refresh_of(&host.alice)).await), Some(ErrorKind::Unavailable));
    assert_eq!(kind(&host.correct.tokens.refresh(&refresh_of(&host.alice)).await), None, "the token is unused");
}
