//! Sliding tokens: a token that opens guarded routes and renews itself until its refresh period ends.

mod rules;

pub(in crate::service) use rules::sliding_generation;

use crate::error::AuthError;
use crate::service::lookup::Membership;
use crate::service::{Issued, SignedToken, TokenService};
use crate::time::{Seconds, UnixTime};
use crate::token::claims::NewToken;
use crate::token::{Authentication, ClientInfo, CustomClaims, RawToken, Session, TokenFault, TokenId, TokenKind};
use crate::user::User;

/// The lifetimes of sliding tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingPolicy {
    /// The lifetime of a sliding token; each refresh starts it again.
    pub ttl: Seconds,
    /// The refresh period: how long after the login the token can be refreshed.
    pub refresh_ttl: Seconds,
}

impl Default for SlidingPolicy {
    /// A lifetime of 5 minutes, and a refresh period of one day.
    fn default() -> Self {
        Self { ttl: Seconds::new(5 * 60), refresh_ttl: Seconds::new(24 * 60 * 60) }
    }
}

impl TokenService {
    /// Starts a session as [`start_session`](Self::start_session) does, and issues its sliding token.
    ///
    /// # Errors
    /// Those of `start_session`, and [`TokenFault::WrongKind`] if sliding tokens are not accepted.
    pub async fn start_sliding_session(
        &self,
        user: &User,
        authentication: &Authentication,
        client: ClientInfo,
    ) -> Result<SignedToken, AuthError> {
        self.check_sliding()?;
        self.check_start(user, authentication)?;
        let (session, token) = self.first_sliding(user, authentication, client).await?;
        self.store_session(user, &session).await?;
        Ok(token)
    }

    /// A new session that replaces `ends`, and its tokens: a sliding token if access tokens are not accepted, otherwise
    /// a token pair. Stores nothing.
    pub(in crate::service) async fn replacement(
        &self,
        user: &User,
        ends: Session,
    ) -> Result<(Session, Issued), AuthError> {
        if !self.issues_sliding_only() {
            return self.pair_replacement(user, ends).await;
        }
        let authentication = Authentication::of(&ends);
        let (session, token) = self.first_sliding(user, &authentication, ends.client).await?;
        Ok((session, Issued::Sliding(token)))
    }

    /// A new session and its sliding token. Stores nothing.
    async fn first_sliding(
        &self,
        user: &User,
        authentication: &Authentication,
        client: ClientInfo,
    ) -> Result<(Session, SignedToken), AuthError> {
        let now = self.ports.clock.now();
        let refresh_expires_at = now.plus(self.policy.sliding.refresh_ttl);
        // The last renewal may happen at the end of the refresh period.
        let session_expires_at = refresh_expires_at.plus(self.policy.sliding.ttl);
        let session = self.new_session(user, authentication, client, session_expires_at);
        let custom = self.custom_claims(user, self.no_claims()).await?;
        let id = TokenId::of_generation(session.id, session.generation);
        let token = self.sign_sliding(user, &session, id, refresh_expires_at, &custom)?;
        Ok((session, token))
    }

    /// Renews a sliding token that has not expired: the new one has the same token ID and refresh period, and a new
    /// expiry.
    ///
    /// # Errors
    /// [`AuthError::Token`] if the token is not accepted, or its refresh period has ended
    /// ([`TokenFault::RefreshExpired`]); [`AuthError::NoActiveAccount`]; [`AuthError::Store`];
    /// [`AuthError::Unavailable`] if a claims provider fails; [`AuthError::Crypto`] if signing fails.
    pub async fn refresh_sliding(&self, presented: &RawToken) -> Result<SignedToken, AuthError> {
        self.check_sliding()?;
        let claims = self.read(presented).await?;
        let (id, _) = claims.require(TokenKind::Sliding)?;
        let refresh_expires_at = claims.refresh_expires_at.ok_or(TokenFault::NoRefreshExpiry)?;
        if refresh_expires_at.plus(self.policy.claim_rules.leeway) <= self.ports.clock.now() {
            return Err(TokenFault::RefreshExpired.into());
        }
        let found = match self.membership(&claims).await? {
            Membership::Member(member) => member.found,
            Membership::NoUser => return Err(AuthError::NoActiveAccount),
            Membership::SessionGone => return Err(TokenFault::UnknownSession.into()),
        };
        if found.session.revoked_at.is_some() {
            return Err(TokenFault::Revoked.into());
        }
        self.check_active(&found.user)?;
        self.check_factor(&found.user, &found.session.amr)?;
        let custom = self.custom_claims(&found.user, self.inherited(&claims)).await?;
        self.sign_sliding(&found.user, &found.session, id.clone(), refresh_expires_at, &custom)
    }

    /// Checks that sliding tokens are accepted.
    ///
    /// # Errors
    /// [`TokenFault::WrongKind`] if they are not.
    pub fn check_sliding(&self) -> Result<(), TokenFault> {
        if self.accepts_sliding() { Ok(()) } else { Err(TokenFault::WrongKind) }
    }

    fn sign_sliding(
        &self,
        user: &User,
        session: &Session,
        id: TokenId,
        refresh_expires_at: UnixTime,
        custom: &CustomClaims,
    ) -> Result<SignedToken, AuthError> {
        let now = self.ports.clock.now();
        self.sign(NewToken {
            kind: TokenKind::Sliding,
            id,
            issued_at: now,
            expires_at: session.cap(now.plus(self.policy.sliding.ttl)),
            subject: &self.subject_to_sign(user)?,
            session: session.id,
            amr: &session.amr,
            generation: None,
            refresh_expires_at: Some(refresh_expires_at),
            custom: custom.as_payload(),
        })
    }
}
