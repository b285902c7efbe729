//! How a session continues when all others of its user end.

use crate::error::AuthError;
use crate::ports::{KeptSession, ReplacedSession};
use crate::rotation::{OnRefresh, OnRetry, RotationPolicy};
use crate::service::{Caller, Issued, TokenPair, TokenService};
use crate::token::{Generation, Session, SessionId, SessionOfUser, TokenFault};
use crate::user::User;

/// How a session continues when all others of its user end, and its new tokens: as the next generation, or as another
/// session in its place. Whoever else held a token of it is locked out. A caller whose token belongs to no session has the
/// default, which is empty.
#[derive(Clone, Debug, Default)]
pub struct Continuation {
    /// The next generation of the session, for a write that ends all others.
    pub keep: Option<KeptSession>,
    /// The session that replaces it, for the same write.
    pub replace: Option<ReplacedSession>,
    /// The tokens to issue once that write has succeeded.
    pub issued: Option<Issued>,
}

impl TokenService {
    /// The caller's session, if their token belongs to one, as long as a refresh would continue it: it has not ended, its user
    /// is active, and it started with more than one factor where that is required. `None` for a token of no session, which
    /// shows no factor.
    ///
    /// # Errors
    /// [`TokenFault::Revoked`] if a refresh would be refused; [`AuthError::NoActiveAccount`].
    pub async fn live_session(&self, caller: &Caller) -> Result<Option<SessionOfUser>, AuthError> {
        let Some(id) = caller.session else {
            self.check_factor(&caller.user, "")?;
            return Ok(None);
        };
        let found = self.stored_session(id).await?;
        let own = found.filter(|found| found.session.revoked_at.is_none() && found.user.id == caller.user.id);
        let own = own.ok_or(TokenFault::Revoked)?;
        self.check_active(&own.user)?;
        self.check_factor(&own.user, &own.session.amr)?;
        Ok(Some(own))
    }

    /// Whether another generation shuts out whoever holds an older token of a session. It does not where a spent refresh
    /// token may still be exchanged, or where tokens have no generation: there the session has to end, and another one begins
    /// in its place.
    fn spends_for_good(&self) -> bool {
        let RotationPolicy { on_retry, on_refresh, .. } = self.policy.rotation;
        let is_spent = on_retry == OnRetry::Refuse && on_refresh != OnRefresh::KeepAndRotate;
        is_spent && self.has_generations_only()
    }

    /// How a session can continue when all others of its user end: as another generation, or as another session. Stores
    /// nothing: that is up to the write that ends the others.
    ///
    /// # Errors
    /// [`TokenFault::Expired`] after the last generation; those of a claims provider or of the signer.
    pub async fn continuation(&self, found: SessionOfUser) -> Result<Continuation, AuthError> {
        if self.spends_for_good() {
            let (kept, pair) = self.rotated(&found).await?;
            return Ok(Continuation { keep: Some(kept), replace: None, issued: Some(Issued::Pair(pair)) });
        }
        let ends = found.session.id;
        let (begins, issued) = self.replacement(&found.user, found.session).await?;
        Ok(Continuation { keep: None, replace: Some(ReplacedSession { ends, begins }), issued: Some(issued) })
    }

    /// A session that replaces `ends` and is not stored yet, for as long as that one would have lived, and its token pair.
    pub(super) async fn pair_replacement(&self, user: &User, ends: Session) -> Result<(Session, Issued), AuthError> {
        let now = self.ports.clock.now();
        let session = Session {
            id: SessionId::generate(self.ports.randomness.as_ref()),
            generation: Generation::FIRST,
            rotated_at: now,
            last_used_at: now,
            expires_at: ends.cap(now.plus(self.policy.rotation.refresh_ttl)),
            ..ends
        };
        let custom = self.custom_claims(user, self.no_claims()).await?;
        let pair = self.sign_pair(user, &session, session.current(), &custom)?;
        Ok((session, Issued::Pair(pair)))
    }

    async fn rotated(&self, found: &SessionOfUser) -> Result<(KeptSession, TokenPair), AuthError> {
        let session = &found.session;
        let next = session.next(self.ports.clock.now(), self.policy.rotation.refresh_ttl).ok_or(TokenFault::Expired)?;
        let custom = self.custom_claims(&found.user, self.no_claims()).await?;
        let pair = self.sign_pair(&found.user, session, next, &custom)?;
        Ok((KeptSession { id: session.id, from: session.generation, next }, pair))
    }
}
