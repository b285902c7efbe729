//! The continuation of a session when all others of its user are revoked.

use crate::error::AuthError;
use crate::ports::{KeptSession, ReplacedSession};
use crate::rotation::{OnRefresh, OnRetry, RotationPolicy};
use crate::service::{Caller, Issued, TokenPair, TokenService};
use crate::token::{Generation, Session, SessionId, SessionOfUser, TokenFault};
use crate::user::User;

/// How a session continues when all others of its user are revoked, and its new tokens: with the next rotation
/// generation, or as a new session in its place. Other holders of its tokens are locked out. It is empty, the default,
/// for a caller whose token belongs to no session.
#[derive(Clone, Debug, Default)]
pub struct Continuation {
    /// The session with its next rotation generation, for the write that revokes all others.
    pub keep: Option<KeptSession>,
    /// The session that replaces it, for the same write.
    pub replace: Option<ReplacedSession>,
    /// The tokens to return once that write has taken effect.
    pub issued: Option<Issued>,
}

impl TokenService {
    /// The session of the caller, if a refresh would continue it: it is not revoked, its user is active, and it started
    /// with more than one factor where that is required. `None` for a token without a session.
    ///
    /// # Errors
    /// [`TokenFault::Revoked`] if the session is revoked or gone, or lacks a required factor;
    /// [`AuthError::NoActiveAccount`].
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

    /// Whether the next rotation generation locks out the holders of older tokens. It does not where a used refresh
    /// token may still be exchanged or tokens have no rotation generation; the session must then be replaced.
    fn rotation_locks_out_older_tokens(&self) -> bool {
        let RotationPolicy { on_retry, on_refresh, .. } = self.policy.rotation;
        let refuses_used = on_retry == OnRetry::Refuse && on_refresh != OnRefresh::KeepAndRotate;
        refuses_used && self.has_generations_only()
    }

    /// Signs the tokens with which a session continues when all others of its user are revoked. Stores nothing, which
    /// is up to the write that revokes the others.
    ///
    /// # Errors
    /// [`TokenFault::Expired`] after the last rotation generation; the errors of a claims provider or the signer.
    pub async fn continuation(&self, found: SessionOfUser) -> Result<Continuation, AuthError> {
        if self.rotation_locks_out_older_tokens() {
            let (kept, pair) = self.rotated(&found).await?;
            return Ok(Continuation { keep: Some(kept), replace: None, issued: Some(Issued::Pair(pair)) });
        }
        let ends = found.session.id;
        let (begins, issued) = self.replacement(&found.user, found.session).await?;
        Ok(Continuation { keep: None, replace: Some(ReplacedSession { ends, begins }), issued: Some(issued) })
    }

    /// A new session that replaces `ends`, with the same end, and its token pair. Stores nothing.
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
