//! How sliding tokens differ from other tokens.

use crate::service::{SlidingPolicy, TokenService};
use crate::time::UnixTime;
use crate::token::{Generation, SessionId, TokenClaims, TokenFault, TokenId, TokenKind};

/// The rotation generation of a sliding token that names the session `id`; `None` for a token of another type.
///
/// It is always the first one, because a renewed token keeps its token ID.
///
/// # Errors
/// [`TokenFault::BadClaim`] if the token ID `jti` is not the one of this session.
pub(in crate::service) fn sliding_generation(
    claims: &TokenClaims,
    jti: &TokenId,
    id: SessionId,
) -> Result<Option<Generation>, TokenFault> {
    if !claims.is(TokenKind::Sliding) {
        return Ok(None);
    }
    if SessionId::adopted(jti) == id { Ok(Some(Generation::FIRST)) } else { Err(TokenFault::BadClaim) }
}

impl TokenService {
    /// Whether sliding tokens open guarded routes.
    pub(super) fn accepts_sliding(&self) -> bool {
        self.policy.accepted_kinds.contains(&TokenKind::Sliding)
    }

    /// Whether a session starts with a sliding token alone, because guarded routes do not accept access tokens.
    pub(super) fn issues_sliding_only(&self) -> bool {
        !self.policy.accepted_kinds.contains(&TokenKind::Access)
    }

    /// Whether every token that continues a session has a rotation generation, which sliding tokens do not.
    pub(in crate::service) fn has_generations_only(&self) -> bool {
        !self.accepts_sliding()
    }

    /// The required type of a token that is blacklisted or presented at a logout: refresh, or sliding for a sliding
    /// token where these are accepted.
    pub(in crate::service) fn revocable_kind(&self, claims: &TokenClaims) -> TokenKind {
        if claims.is(TokenKind::Sliding) && self.accepts_sliding() { TokenKind::Sliding } else { TokenKind::Refresh }
    }

    /// Whether a token is refused on guarded routes once its session has ended (SEC-032). A sliding token always is,
    /// because it is its own refresh token.
    pub(in crate::service) fn ends_with_session(&self, claims: &TokenClaims) -> bool {
        self.policy.check_session_on_access || claims.is(TokenKind::Sliding)
    }

    /// The expiry of the session that a token is adopted as: for a sliding token the latest time at which a renewed
    /// token may expire, otherwise its own `expires_at`.
    pub(in crate::service) fn adopted_session_end(&self, claims: &TokenClaims, expires_at: UnixTime) -> UnixTime {
        let end = claims.refresh_expires_at.map_or(expires_at, |end| end.plus(self.policy.sliding.ttl));
        end.max(expires_at)
    }

    /// The earliest time at which the first token may have been issued that a sliding token was renewed from; `None`
    /// for a token of another type.
    pub(in crate::service) fn earliest_sliding_issue(&self, claims: &TokenClaims) -> Option<UnixTime> {
        if !claims.is(TokenKind::Sliding) {
            return None;
        }
        let SlidingPolicy { ttl, refresh_ttl } = self.policy.sliding;
        let issued_at = claims.earliest_issue(ttl.max(refresh_ttl));
        Some(claims.refresh_expires_at.map_or(issued_at, |end| issued_at.min(end.minus(refresh_ttl))))
    }
}
