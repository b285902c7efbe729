//! The claims of a token as typed values.

use serde_json::Value;

use crate::time::{Seconds, UnixTime};
use crate::token::{ClaimNames, Generation, Payload, SessionId, Subject, SubjectClaim, TokenFault, TokenId};

/// The token type, as the claim `token_type` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Short-lived, for guarded routes.
    Access,
    /// Long-lived, exchanged once for a new pair.
    Refresh,
    /// Opens guarded routes and renews itself.
    Sliding,
}

impl TokenKind {
    /// The value of the claim `token_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Sliding => "sliding",
        }
    }
}

/// The claims of a token that is well signed and not expired.
///
/// ```
/// use auth_core::time::UnixTime;
/// use auth_core::token::{ClaimRules, TokenFault, TokenKind};
/// use serde_json::json;
/// let payload = json!({"token_type": "refresh", "exp": 1_000, "jti": "a", "user_id": "3"});
/// let claims = ClaimRules::default().read(payload.as_object().unwrap().clone(), true, UnixTime::from_seconds(1)).unwrap();
/// assert!(claims.require(TokenKind::Refresh).is_ok());
/// assert_eq!(claims.require(TokenKind::Access), Err(TokenFault::WrongKind));
/// ```
///
/// The subject may be malformed, because verification does not check it (docs/wire-contract.md, section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// `token_type` as in the token; `None` if absent.
    pub kind: Option<String>,
    /// `jti`; `None` if absent.
    pub id: Option<TokenId>,
    /// `exp`; `None` if absent.
    pub expires_at: Option<UnixTime>,
    /// `iat`; `None` if absent.
    pub issued_at: Option<UnixTime>,
    /// `user_id`, the subject.
    pub subject: SubjectClaim,
    /// `sid`; `None` for an externally issued token.
    pub session: Option<SessionId>,
    /// `gen`; only in refresh tokens of a session.
    pub generation: Option<Generation>,
    /// `refresh_exp`; only in sliding tokens.
    pub refresh_expires_at: Option<UnixTime>,
    /// Whether a key of this deployment signed the token. In a token of another issuer, `sid` and `gen` have no
    /// meaning.
    pub is_own: bool,
    /// Every other claim.
    pub custom: Payload,
}

impl TokenClaims {
    /// Checks that the token has an expiry, a token ID and the expected type, in this order (docs/wire-contract.md,
    /// section 3, steps 4 and 5). Returns the token ID and the expiry.
    ///
    /// # Errors
    /// [`TokenFault::NoExpiry`], [`TokenFault::NoId`], [`TokenFault::NoKind`] or [`TokenFault::WrongKind`].
    pub fn require(&self, kind: TokenKind) -> Result<(&TokenId, UnixTime), TokenFault> {
        let id_and_expiry = self.require_any_kind()?;
        match self.kind.as_deref() {
            None => Err(TokenFault::NoKind),
            Some(name) if name != kind.name() => Err(TokenFault::WrongKind),
            Some(_) => Ok(id_and_expiry),
        }
    }

    /// [`require`](Self::require) for any token type.
    ///
    /// # Errors
    /// [`TokenFault::NoExpiry`] or [`TokenFault::NoId`].
    pub fn require_any_kind(&self) -> Result<(&TokenId, UnixTime), TokenFault> {
        let expires_at = self.expires_at.ok_or(TokenFault::NoExpiry)?;
        let id = self.id.as_ref().ok_or(TokenFault::NoId)?;
        Ok((id, expires_at))
    }

    /// The earliest time at which the token may have been issued: `iat`, or `exp` minus the longest lifetime if `iat`
    /// is absent.
    pub(crate) fn earliest_issue(&self, longest: Seconds) -> UnixTime {
        let by_end = || self.expires_at.map_or(UnixTime::default(), |end| end.minus(longest));
        self.issued_at.unwrap_or_else(by_end)
    }

    /// Whether the token has this type.
    pub fn is(&self, kind: TokenKind) -> bool {
        self.kind.as_deref() == Some(kind.name())
    }
}

/// The claims of a new token.
#[derive(Clone, Debug)]
pub(crate) struct NewToken<'a> {
    pub(crate) kind: TokenKind,
    pub(crate) id: TokenId,
    pub(crate) issued_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    pub(crate) subject: &'a Subject,
    pub(crate) session: SessionId,
    /// The authentication methods (RFC 8176 §2), separated by spaces; empty if not known.
    pub(crate) amr: &'a str,
    pub(crate) generation: Option<Generation>,
    pub(crate) refresh_expires_at: Option<UnixTime>,
    pub(crate) custom: &'a Payload,
}

impl NewToken<'_> {
    /// The payload to sign. The claims of the service replace custom ones of the same name.
    pub(crate) fn payload(self, names: &ClaimNames) -> Payload {
        let mut payload = self.custom.clone();
        let mut set = |name: &str, value: Value| payload.insert(name.to_owned(), value);
        set(names.kind(), self.kind.name().into());
        set("exp", self.expires_at.seconds().into());
        set("iat", self.issued_at.seconds().into());
        set(names.id(), self.id.as_str().into());
        set(names.subject(), self.subject.to_claim().into());
        set("sid", self.session.to_string().into());
        if !self.amr.is_empty() {
            set("amr", self.amr.split(' ').collect::<Vec<_>>().into());
        }
        if let Some(generation) = self.generation {
            set("gen", generation.get().into());
        }
        if let Some(expiry) = self.refresh_expires_at {
            set(names.refresh_expiry(), expiry.seconds().into());
        }
        payload
    }
}
